"""``make test-fresh``: clones, builds and runs in bare Debian roots, as root and as an ordinary user.

    python3 tests/fresh/main.py [--suite bookworm] [--case user]

Needs root and debootstrap. The archive is the one of this system's apt, or MIRROR. Rust is this
system's, mounted read-only. Logs are in tests/results/fresh/; all roots are removed at the end.
"""

import argparse
import signal
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from fresh import cases, roots, summary
from harness import verdicts
from harness.places import REPO
from harness.progress import ended, progress, quiet


def main() -> int:
    """Read the command line and run; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=roots.SUITES, help="one release of Debian; default: each")
    parser.add_argument("--case", choices=list(cases.CASES), help="one case; default: each")
    arguments = parser.parse_args()
    roots.check_host()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    directory = roots.directory()
    told = summary.Summary()
    try:
        workshop = roots.Workshop(directory)
        if quiet(["git", "-C", REPO, "status", "--porcelain"]).strip():
            progress("What is not committed is not part of the clones.")
        for suite in [arguments.suite] if arguments.suite else roots.SUITES:
            cases.suite(told, workshop, suite, arguments.case)
    finally:
        progress("removing the roots")
        roots.remove(directory)
        told.tell()
    if not arguments.suite and not arguments.case:
        verdicts.note("test-fresh", *told.counts())
    return told.status()


if __name__ == "__main__":
    sys.exit(ended(main))
