"""PgBouncer in transaction mode before a test's server."""

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from e2e.support import wait_for
from harness import pooler, ports

# Connections that the pool has to the server.
SERVERS = 3


@contextmanager
def pool(env, user: str, others: tuple[str, ...] = (), settings: str = ""):
    """A PgBouncer before all databases of the test's server, one that knows prepared statements; the connection string for
    it. ``others`` may connect, too; ``settings`` are more lines of its file."""
    import psycopg

    program = pooler.pgbouncer()
    account = env.cluster.account  # PgBouncer refuses to run as root, too
    port = ports.free()
    with tempfile.TemporaryDirectory(prefix="sendgate-pool-", dir="/tmp") as name:
        directory = Path(name)
        (directory / "users.txt").write_text("".join(f'"{name}" ""\n' for name in (user, *others)))
        (directory / "pgbouncer.ini").write_text(
            f"""[databases]
* = host={env.cluster.host} port={env.cluster.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {directory}/users.txt
pool_mode = transaction
default_pool_size = {SERVERS}
max_prepared_statements = 100
{settings}"""
        )
        for path in (directory, *directory.iterdir()):
            account.owns(path)
        with (directory / "log").open("w") as log:
            process = subprocess.Popen(
                [program, directory / "pgbouncer.ini"],
                stdout=log,
                stderr=log,
                cwd=directory,
                start_new_session=True,
                **account.as_popen(),
            )
        dsn = f"host=127.0.0.1 port={port} dbname={env.dbname} user={user}"

        def answers() -> bool:
            said = (directory / "log").read_text()
            assert process.poll() is None, f"PgBouncer ended:\n{said}"
            try:
                psycopg.connect(dsn, connect_timeout=5).close()
                return True
            except psycopg.OperationalError:
                return False

        try:
            wait_for(answers, "PgBouncer to answer")
            yield dsn
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
