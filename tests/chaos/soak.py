"""The long form of the chaos test: python3 tests/chaos/soak.py, or make soak

Workers send through the gate while backends, the postmaster, the daemon and workers themselves are
killed; days pass. Each worker has a provider that writes down what it accepted, on the disk, before it
answers. Then those ledgers are held against the gate's books. Everything happens on a throwaway
cluster. The same seed makes the same plan of kills and the same answers; what meets when is up to the machine.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness import build, postgres, venv
from harness.cluster import Cluster
from harness.progress import HarnessError, duration, progress

# The server flushes nothing by itself for as long as it may: what a kill may cost, it costs.
CONF = {
    "sendgate.test_clock": "on",
    "wal_writer_delay": "10s",
    "wal_writer_flush_after": "1GB",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "log_min_messages": "warning",
    # A sweep or a call that takes so long is a finding: what it was, and whom it waited for.
    "log_min_duration_statement": "5s",
    "log_lock_waits": "on",
    "log_line_prefix": "%m [%p] %q%d ",
}
DBNAME = "chaos"
# A run of so many meets whatever can be met: a check that saw nothing has said nothing.
WHOLE_OPERATIONS = 200_000


def main() -> int:
    """Builds, plays, judges."""
    options = arguments()
    install = postgres.for_version(options.pg)
    build.build_and_install(install)
    venv.use()
    from chaos import report

    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    directory = Path(tempfile.mkdtemp(prefix="sendgate-chaos-", dir=options.directory))
    progress(f"seed {seed}; ledgers in {directory}")
    started = time.monotonic()
    with Cluster(install, conf=CONF) as cluster:
        cluster.fresh_database(DBNAME, build.EXTENSION)
        try:
            checks, figures = report.play(cluster, DBNAME, directory, seed, vars(options), progress)
        except BaseException:
            progress(f"the server's log ends:\n{cluster.log_tail()}")
            raise
        finally:
            shutil.copyfile(cluster.datadir / "server.log", directory / "server.log")
    progress(f"\n{report.verdict.table(checks)}\n\n{figures}")
    failed = [check for check in checks if not check.ok]
    if options.operations >= WHOLE_OPERATIONS:
        failed += [check for check in checks if check.ok and not check.seen]
    well = not failed
    if well and not options.keep:
        shutil.rmtree(directory)
    words = "everything held" if well else f"FAILED: {', '.join(check.name for check in failed)}; see {directory}"
    progress(f"{words}, after {duration(time.monotonic() - started)}")
    return 0 if well else 1


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = {
        "operations": (1_000_000, "operations that workers get"),
        "kills": (200, "kills, spread evenly over the operations; each new day brings one more"),
        "accounts": (300, "accounts; with the caps they say how long a day is"),
        "singles": (4, "workers that reserve and confirm one by one"),
        "batches": (3, "workers that dispatch and confirm whole batches"),
        "outboxes": (1, "workers that claim rows of a guarded table"),
        "crons": (1, "schedulers beside the daemon, as pg_cron is one"),
        "batch": (50, "most rows of a batch"),
    }
    for name, (value, text) in sizes.items():
        parser.add_argument(f"--{name}", type=positive, default=value, help=f"{text} [{value:,}]")
    parser.add_argument(
        "--caps",
        type=positive,
        nargs=2,
        default=(5, 60),
        metavar=("LEAST", "MOST"),
        help="daily caps of an account and action [5 60]",
    )
    parser.add_argument("--seed", type=int, help="repeat a run [a new one]")
    parser.add_argument("--pg", type=int, default=18, help="PostgreSQL major version [18]")
    parser.add_argument("--directory", help="where ledgers are written [the system's temporary one]")
    parser.add_argument("--keep", action="store_true", help="keep the ledgers, also if all is well")
    return parser.parse_args()


def positive(text: str) -> int:
    """A number above zero."""
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
