"""A dump says nothing: a word on pg_dump's error output is something that the restored database lacks."""

import subprocess

from .cluster import Cluster
from .driver import Driver
from .progress import HarnessError

# In every dump of a database with the extension.
SIGN = "COPY sendgate.send_operations "


def of_the_tests(cluster: Cluster, driver: Driver) -> tuple[int, int]:
    """Dump the database that the driver's tests leave behind: (passed, failed)."""
    program = cluster.install.program("pg_dump")
    done = subprocess.run(
        [program, "--dbname", cluster.dsn(driver.database)],
        env=cluster.install.environment(),
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode != 0 or done.stderr:
        raise HarnessError(f"pg_dump ended with status {done.returncode} and said:\n{done.stderr}")
    if SIGN not in done.stdout:
        raise HarnessError(f"the dump of {driver.database} does not carry the journal")
    return 1, 0
