"""``make package``: Debian's packages, RPMs and the source distribution, in dist/.

    python3 tests/packages/package.py [--pg 15,18] [--kinds deb,rpm,source]

The same sources make the same bytes, with the same Rust and the same tools of Debian: all times are SOURCE_DATE_EPOCH,
or the commit's. Nothing is written into dist/ before all packages are complete.
"""

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if __name__ == "__main__":  # its neighbours have names that other libraries use
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness import build, machine, postgres, preflight, verdicts
from harness.places import REPO, run_dir
from harness.progress import HarnessError, ended, progress, quiet
from packages import compiled, content, deb, rpm, source

DIST = REPO / "dist"
SUMS = "SHA256SUMS"
KINDS = ("deb", "rpm", "source")
# The program without which a kind cannot be made, and Debian's package of it.
TOOLS = {"deb": {"dpkg-deb": "dpkg"}, "rpm": {}, "source": {"git": "git"}}
ALWAYS = {"strip": "binutils", "readelf": "binutils"}


def main() -> int:
    """Read the command line and build; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    majors = preflight.supported()
    parser.add_argument("--pg", default=",".join(map(str, majors)), help="major versions; default: %(default)s")
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds of packages; default: %(default)s")
    arguments = parser.parse_args()
    chosen = arguments.pg.split(",")
    if pg_config := os.environ.get("PG_CONFIG"):  # that server's headers, and its version alone
        preflight.check("package")
        chosen = [str(postgres.Install.at(pg_config).major)]
    kinds = arguments.kinds.split(",")
    check(kinds, chosen)
    written = make([int(major) for major in chosen], kinds)
    for path in written:
        progress(f"  dist/{path.name}  {path.stat().st_size / 2**20:.1f} MiB")
    return 0


def check(kinds: list[str], majors: list[str]) -> None:
    """Give up with all that is missing, before anything is fetched or built."""
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise HarnessError(f"there is no kind of package {', '.join(unknown)}.\nChoose from {', '.join(KINDS)}.")
    wanted = ALWAYS | {program: name for kind in kinds for program, name in TOOLS[kind].items()}
    lacking = {program: name for program, name in wanted.items() if shutil.which(program) is None}
    found = preflight.findings("package", majors)
    if lacking:
        what = f"{', '.join(lacking)} cannot be found"
        found = machine.joined([found, machine.packages(what, sorted(set(lacking.values())), by_itself=False)])
    found = machine.joined([found, machine.writable(DIST if DIST.exists() else REPO)])
    for text in found.notes:
        progress(f"· {text}")
    if found.problems:
        raise HarnessError(machine.told(found))
    content.version(REPO)
    epoch(REPO)


def make(majors: list[int], kinds: list[str]) -> list[Path]:
    """Compile and write the packages into dist/; what is there of others stays."""
    if "rpm" in kinds:
        rpm.ensure()
    if changed := verdicts.changed(REPO):
        progress(f"{len(changed)} files are not as committed: the packages have them, the source distribution has not.")
    with placed(DIST) as work:
        for write in writers(REPO, majors, kinds):
            write(work)
    if content.maintainer()[1] is None:
        progress(f"META.json names no maintainer with an address: the packages say {content.NO_ADDRESS}.")
    if compiled.chosen_profile() != compiled.PROFILE:
        progress(f"These are for work on the packaging, and not for production: PROFILE={compiled.chosen_profile()}.")
    elif majors == preflight.supported() and set(kinds) == set(KINDS):
        verdicts.note("package", passed=len(list(DIST.iterdir())), failed=0)
    return sorted(path for path in DIST.iterdir() if path.name != SUMS)


def writers(root: Path, majors: list[int], kinds: list[str], **how: str) -> Iterator[Callable[[Path], Path]]:
    """What writes one package each into a directory; ``how`` is told to the compiler."""
    time = epoch(root)
    binary = [(deb, content.DEBIAN)] * ("deb" in kinds) + [(rpm, content.PGDG_RPM)] * ("rpm" in kinds)
    if binary:
        for major in majors:
            library = compiled.library(postgres.for_version(major, progress), root, **how)
            licences = compiled.licences(root, build.EXTENSION, f"pg{major}")
            for kind, layout in binary:
                package = content.extension(root, layout, major, library, licences)
                yield lambda directory, kind=kind, package=package: kind.write(package, directory, time)
        package = content.daemon(root, compiled.program(root), compiled.licences(root, build.DAEMON))
        for kind, _ in binary:
            yield lambda directory, kind=kind, package=package: kind.write(package, directory, time)
    if "source" in kinds:
        yield lambda directory: source.write(directory, root)


@contextmanager
def placed(target: Path) -> Iterator[Path]:
    """A directory to be filled; its files come into ``target`` together with a list of their sums, or not at all."""
    with tempfile.TemporaryDirectory(prefix="dist-", dir=run_dir()) as name:
        work = Path(name)
        yield work
        target.mkdir(exist_ok=True)
        for path in sorted(work.iterdir()):
            path.chmod(0o644)
            shutil.move(path, target / path.name)
    files = sorted(path for path in target.iterdir() if path.name != SUMS)
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    fresh = target / f".{SUMS}"
    fresh.write_text(sums)
    fresh.replace(target / SUMS)


def epoch(root: Path) -> int:
    """The time that all files of the packages get: SOURCE_DATE_EPOCH, or the commit's."""
    named = os.environ.get("SOURCE_DATE_EPOCH")
    if named:
        if not named.isdigit():
            raise HarnessError(
                f"SOURCE_DATE_EPOCH is {named}: it is a number of seconds since 1970.\nSet it, or unset it."
            )
        return int(named)
    if not (root / ".git").exists():
        raise HarnessError(
            "this is no clone of git, so no commit says the time of the packages' files.\n"
            "Set SOURCE_DATE_EPOCH to seconds since 1970, or clone with git."
        )
    return int(quiet(["git", "-C", root, "log", "-1", "--format=%ct"]).strip())


if __name__ == "__main__":
    sys.exit(ended(main))
