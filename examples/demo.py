"""`make run`: workers in two languages send through the gate against a real PostgreSQL.

    python3 examples/demo.py

Environment: DEMO_SECONDS, how long the workers send (default 60; two thirds of it this month, the rest
on the 1st of the next, and a short demo goes on until there is something to show); DEMO_CRASH=1, crash
the server in between instead of only cutting the workers' connections; PARTITIONS=4, split the accounts over so
many partitions behind a proxy (PL/Proxy, which Debian 12 packages); DEMO_KEEP=1, wait at the end also when
its input is no terminal; CI, do not wait although it is one; PG_CONFIG, an installed PostgreSQL to copy
instead of the pinned one; PROFILE, how the extension is built (default quick); NO_COLOR. Everything lives
below `.run/` and on free ports of the loopback interface. The exit status is 0 if the verdict is good, 1 if a
check failed, 2 if the demo could not be set up, and 130 after Ctrl-C.
"""

import signal
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "tests"))

from harness import fetch, preflight, venv
from harness.progress import HarnessError


def main() -> int:
    """Sees what is missing, gets psycopg, which the rest imports, and raises the curtain."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        preflight.check("run")
        fetch.for_the_demo()
        venv.use()
        from demo import show

        return show.run()
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
