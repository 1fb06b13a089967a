"""``make test-packages``: builds the packages and tries them in bare Debian roots.

    python3 tests/packages/main.py [--suite bookworm] [--case install]

Debian 12 and 13 with their own PostgreSQL, 15 and 17: install, a guarded send, the daemon as its unit runs it, the
upgrade from the release before with data, remove, purge, install again, mistakes, the RPMs by Debian's rpm, lintian.
Then the other versions' packages on the private servers of `make test`, what the RPMs need, and that packages that are
written twice, and files that are compiled in two clones, have the same bytes.
Needs root and debootstrap. Logs are in tests/results/packages/; all roots are removed at the end.
"""

import argparse
import filecmp
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from fresh import roots
from fresh.summary import Line, Summary
from harness import build, postgres, preflight, verdicts
from harness.cluster import Cluster
from harness.places import REPO, RESULTS, run_dir, server_dir
from harness.postgres import Install
from harness.progress import HarnessError, ended, progress, quiet
from packages import before, cases, compiled, package, rpm_cases, second

LOGS = RESULTS / "packages"
HERE = "here"


def main() -> int:
    """Read the command line and run; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=cases.SUITES, help="one release of Debian; default: each")
    parser.add_argument("--case", choices=[*cases.CASES, *OTHERS], help="one case; default: each")
    arguments = parser.parse_args()
    roots.check_host()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    suites = [arguments.suite] if arguments.suite else list(cases.SUITES)
    majors = [cases.SUITES[name] for name in suites]
    if not arguments.suite and arguments.case in (None, *OTHERS):
        majors = preflight.supported()
    if arguments.case == "clones":  # two compilations of one version are enough to wait for
        majors = majors[-1:]
    package.check(list(package.KINDS), [str(major) for major in majors])
    summary, directory = Summary(), roots.directory()
    try:
        build_all(majors, suites, arguments.case)
        if arguments.case not in OTHERS:
            in_roots(summary, directory, suites, arguments.case)
        for name, play in OTHERS.items():
            if arguments.case in (None, name):
                judged(summary, name, play, majors)
    finally:
        progress("removing the roots")
        roots.remove(directory)
        summary.tell()
    if not arguments.suite and not arguments.case and compiled.chosen_profile() == compiled.PROFILE:
        verdicts.note("test-packages", *summary.counts())
    return summary.status()


def build_all(majors: list[int], suites: list[str], case: str | None) -> None:
    """The packages at hand and, for the upgrade, those of the release before."""
    package.make(majors, list(package.KINDS))
    if case in (None, *cases.WITH_BEFORE):
        target = run_dir() / "packages-before"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        before.packages([cases.SUITES[name] for name in suites], target, package.epoch(REPO))


def in_roots(summary: Summary, directory: Path, suites: list[str], case: str | None) -> None:
    """The cases of each suite, with the packages where its roots find them."""
    workshop = roots.Workshop(directory, LOGS)
    for path in (*package.DIST.glob("*.deb"), *package.DIST.glob("*.rpm")):
        shutil.copy(path, directory / "source")
    if (run_dir() / "packages-before").exists():
        shutil.copytree(run_dir() / "packages-before", directory / "source/before")
    for name in suites:
        cases.suite(summary, workshop, name, case)


def judged(summary: Summary, name: str, play: Callable[[list[int]], str], majors: list[int]) -> None:
    """A case that needs no root, as a line of the summary."""
    started, problem, step = time.monotonic(), None, ""
    try:
        step = play(majors)
    except (HarnessError, AssertionError) as error:
        problem = str(error)
        progress(f"  FAILED  {name}: {problem}")
    summary.lines.append(Line(HERE, name, step or name, time.monotonic() - started, problem))


def same_bytes(majors: list[int]) -> str:
    """Everything is written a second time, and is the same."""
    count = 0
    with tempfile.TemporaryDirectory(dir=run_dir()) as name:
        for write in package.writers(REPO, majors, list(package.KINDS)):
            again = write(Path(name))
            assert filecmp.cmp(again, package.DIST / again.name, shallow=False), (
                f"{again.name} differs when built again"
            )
            again.unlink()
            count += 1
    return f"{count} packages, built twice: the same bytes"


def servers(majors: list[int]) -> str:
    """Each version's package on the private server of that version, which has the same binary interface."""
    tried = []
    for major in majors:
        install = postgres.for_version(major, progress)
        inside = server_dir() / f"pg{major}"
        if not install.bindir.is_relative_to(inside):
            continue  # unpacked elsewhere; a root has tried that version
        with tempfile.TemporaryDirectory(dir=server_dir()) as name:
            copy = Path(name, "server")
            Path(name).chmod(0o755)
            quiet(["cp", "--archive", "--reflink=auto", inside, copy])
            private = Install.at(copy / install.bindir.relative_to(inside) / "pg_config", install.library_path)
            for found in (private.pkglibdir / "sendgate.so", *(private.sharedir / "extension").glob("sendgate*")):
                found.unlink(missing_ok=True)
            (deb,) = package.DIST.glob(f"postgresql-{major}-sendgate_*.deb")
            quiet(["dpkg-deb", "--extract", deb, Path(name, "deb")])
            root = Path(name, "deb/usr")
            shutil.copy(root / f"lib/postgresql/{major}/lib/{build.EXTENSION}.so", private.pkglibdir)
            for script in (root / f"share/postgresql/{major}/extension").iterdir():
                shutil.copy(script, private.sharedir / "extension")
            with Cluster(private) as server:
                server.psql("CREATE EXTENSION sendgate; SELECT sendgate.upsert_account('a', 'sales_navigator')")
                said = server.psql("SELECT proceed FROM sendgate.reserve('a', 'inmail', 'p')")
                assert said == "t", f"PostgreSQL {major}: reserve says {said}"
        tried.append(str(major))
    return f"a guarded send on PostgreSQL {', '.join(tried)} of make test"


def needs(majors: list[int]) -> str:
    """The RPMs say what they need, in the names of such systems; their files are the ones that Debian's packages have."""
    for major in majors:
        (rpm,) = package.DIST.glob(f"sendgate_{major}-*.rpm")
        listed = quiet(["rpm", "-qp", "--nosignature", "--list", rpm]).splitlines()
        assert f"/usr/pgsql-{major}/lib/{build.EXTENSION}.so" in listed, listed
        needed = quiet(["rpm", "-qp", "--nosignature", "--requires", rpm])
        assert f"postgresql{major}-server" in needed and "libc.so.6(GLIBC" in needed, needed
        named_as_there(needed)
        (deb,) = package.DIST.glob(f"postgresql-{major}-sendgate_*.deb")
        carried = quiet(["dpkg-deb", "--contents", deb])
        scripts = {Path(path).name for path in listed if "/share/extension/" in path}
        assert scripts and all(script in carried for script in scripts), scripts
    (rpm,) = package.DIST.glob(f"{build.DAEMON}-*.rpm")
    named_as_there(quiet(["rpm", "-qp", "--nosignature", "--requires", rpm]))
    dumped = quiet(["rpm", "-qp", "--nosignature", "--dump", rpm])
    (tokens,) = [line for line in dumped.splitlines() if "tokens.toml" in line]
    assert " 0100640 root sendgated 1 " in tokens, tokens
    return "RPMs: files, needs, modes"


def named_as_there(needed: str) -> None:
    """Every need has a name that PGDG's or the system's packages provide."""
    strange = [line for line in needed.splitlines() if line.strip() and not rpm_cases.NEEDS.fullmatch(line.strip())]
    assert not strange, f"RPMs need {', '.join(strange)}"


def clones(majors: list[int]) -> str:
    """The newest version's library and the daemon, compiled in another clone: the same bytes as here."""
    return second.compare(majors[-1:])


OTHERS: dict[str, Callable[[list[int]], str]] = {
    "twice": same_bytes,
    "clones": clones,
    "servers": servers,
    "needs": needs,
}

if __name__ == "__main__":
    sys.exit(ended(main))
