"""The Python tests: one pytest for all versions, its workers side by side, each with a server of its own."""

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from . import listing, venv
from .places import REPO, RESULTS
from .progress import HarnessError, note_failure, own_environment
from .side_by_side import WORKERS

REPORT = RESULTS / "pytest.xml"
# So few tests run in pytest's own process, and what they print is seen at once.
FEW = 3
# Tests that took longest are told at the end.
SLOWEST = 15
# What pytest ends with: all passed, some failed. Anything else, even no test at all, is a fault.
JUDGED = (0, 1)


def run(majors: list[int], only: str | None) -> tuple[int, int]:
    """Run what ``only`` means on these versions: (passed, failed)."""
    if (number := listing.asked_for(only)) == 0:
        return 0, 0
    arguments = ["--numprocesses=0", "--capture=no"] if number <= FEW else [f"--numprocesses={WORKERS}"]
    arguments += ["--only", only] if only else []
    return judged(["--pg", ",".join(map(str, majors)), *arguments], REPORT)


def judged(arguments: list, report: Path) -> tuple[int, int]:
    """Run pytest, whose report is ``report``: (passed, failed)."""
    report.unlink(missing_ok=True)
    command = [venv.tests(), "-m", "pytest", "--verbose", "--built", "--end-with-parent", f"--durations={SLOWEST}"]
    command += [f"--junit-xml={report}", "--continue-on-collection-errors", *arguments]
    status = _finished(subprocess.Popen([str(part) for part in command], cwd=REPO, env=own_environment()))
    if not report.exists():
        raise HarnessError(f"pytest ended with status {status} and no result")
    passed, failed = _counted(report)
    if status not in JUDGED or (status == 1 and not failed):
        note_failure("pytest", f"it ended with status {status}")
        failed += 1
    return passed, failed


def picks(only: str | None) -> bool:
    """Whether there is anything to run."""
    return listing.asked_for(only) > 0


def _finished(process: subprocess.Popen) -> int:
    """Its exit status. Ctrl-C reaches pytest as well, which stops its servers first."""
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _counted(report: Path) -> tuple[int, int]:
    """Read the report; what failed is told again at the end of the run. A test that was skipped has failed."""
    tests: dict[str, list[ElementTree.Element]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        # A test that failed, and cannot be cleared up after either, is there twice.
        # A module that cannot be imported has no class name.
        *folders, module = case.get("classname", "").split(".")
        name = ".".join(part for part in (module, case.get("name")) if part)
        tests.setdefault("/".join([*folders[1:], name]), []).extend(
            part for part in case if part.tag in ("failure", "error", "skipped")
        )
    for name, faults in tests.items():
        if faults:
            note_failure(name, "\n".join(_reason(fault) for fault in faults))
    failed = sum(1 for faults in tests.values() if faults)
    return len(tests) - failed, failed


def _reason(fault: ElementTree.Element) -> str:
    """What failed in a few lines: which lines of the tests led to it, and the error's message."""
    text, said = fault.text or "", fault.get("message") or fault.tag
    places = re.findall(r"^(?:tests/)?(\S+\.py:\d+): ", text, re.MULTILINE)
    if fault.tag == "error" and (errors := re.findall(r"^E +(.*)", text, re.MULTILINE)):
        said = "\n".join(errors)  # its message tells only when it came: before the test, or after it
    return f"{' → '.join(places)}\n{said}" if places else said
