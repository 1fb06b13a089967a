"""What is done in a bare root, and what has to come out. Each step is a line of the summary."""

import re
from collections.abc import Callable

from harness.progress import HarnessError, progress

from . import mistakes
from .roots import NAMED, SOURCE, USER, Root, Workshop
from .summary import Line, Summary

CLONE = f"git clone --quiet {SOURCE}/sendgate.bundle"
RUN = "make run DEMO_SECONDS=5"
TEST = "PROFILE=quick make test PG=18 ONLY=regress/10"
# Crates that depend on libclang are built again; the others do not matter to these cases.
FORGET_BINDINGS = "rm -rf target/pg18/quick/build/pgrx-pg-sys-* target/pg18/quick/.fingerprint/pgrx-pg-sys-*"
BREAK = "echo 'const BROKEN: u8 = \"text\";' >> extension/src/lib.rs"
SHORT_OF_NODE = "not found: the Python worker does all the work"


def lacking(summary: Summary, bare: Root, _: Root) -> None:
    """Without compiler, pip and Rust: everything is named at once, and nothing is touched."""
    clone(bare, USER)
    done = bare.run(RUN, "lacking", USER, f"/home/{USER}/sendgate", rust=False)
    everything = (
        r"3 things to mend first",
        r"sh\.rustup\.rs",
        r"sudo apt-get install .*gcc libc6-dev",
        r"sudo apt-get .*python3-pip",
    )
    summary.add(
        bare, "nothing installed", "make run says what is missing", mistakes.hurried(done), *everything, status=2
    )


def as_root(summary: Summary, _: Root, ready: Root) -> None:
    """The README's two commands as root, with nothing fetched before."""
    root = ready.copy("root")
    clone(root, "root")
    summary.add(root, "as root", RUN, root.run(RUN, "run", directory="/root/sendgate"), "Verdict", SHORT_OF_NODE)
    done = root.run(TEST, "test", directory="/root/sendgate")
    summary.add(root, "as root", TEST, done, r"[1-9]\d* passed, 0 failed")
    root.remove()


def as_user(summary: Summary, _: Root, ready: Root) -> None:
    """The same as an ordinary user; then without a network; then beside other libraries of LLVM."""
    root = ready.copy("user")
    clone(root, USER)
    step(summary, root, "as a user", RUN, "Verdict", SHORT_OF_NODE)
    step(summary, root, "as a user", TEST, r"[1-9]\d* passed, 0 failed")
    step(summary, root, "no network, all fetched", RUN, "Verdict", offline=True)
    step(summary, root, "no network, all fetched", TEST, r"[1-9]\d* passed, 0 failed", offline=True)
    clone(root, USER, "other")
    done = root.run(RUN, "offline-fresh", USER, f"/home/{USER}/other", offline=True)
    said = (r"cannot be reached", r"libclang==", r"connect this machine")
    summary.add(root, "no network, nothing fetched", "make run says so", mistakes.hurried(done), *said, status=2)
    version = newest_llvm(root)
    root.install(f"libclang-cpp{version}")
    step(summary, root, f"beside libclang-cpp{version}", f"{FORGET_BINDINGS}; {RUN}", "Verdict", r"building sendgate")
    root.install(f"libclang1-{version}")
    headerless = f"{FORGET_BINDINGS}; export LIBCLANG_PATH=/usr/lib/llvm-{version}/lib; {RUN}"
    step(summary, root, "libclang without headers", headerless, "Verdict", r"building sendgate")
    wrong = f"export LIBCLANG_PATH=/usr/lib/{version}; {RUN}"
    done = root.run(wrong, "wrong-path", USER, f"/home/{USER}/sendgate")
    summary.add(
        root, "a wrong LIBCLANG_PATH", "make run says so", mistakes.hurried(done), "bindgen cannot load that", status=2
    )
    done = root.run(f"{BREAK}; {RUN}", "broken", USER, f"/home/{USER}/sendgate")
    said = (r"The first error:\n +error\[E0308\]: mismatched types", r"The whole log: .*\.run/logs/build-pg18\.log")
    summary.add(root, "code that does not compile", "make run shows the error", done, *said, status=2)
    root.remove()


def bad_input(summary: Summary, _: Root, ready: Root) -> None:
    """What ``make install``, ``package`` and ``test`` say about servers, versions and compilers that will not do."""
    root = ready.copy("mistakes")
    clone(root, "root")
    mistakes.play(summary, root)
    root.remove()


CASES: dict[str, Callable[[Summary, Root, Root], None]] = {
    "lacking": lacking,
    "mistakes": bad_input,
    "root": as_root,
    "user": as_user,
}


def suite(summary: Summary, workshop: Workshop, name: str, only: str | None) -> None:
    """All cases of one suite."""
    bare = workshop.base(name)
    ready = bare.copy("ready")
    ready.install(*NAMED)
    for case, play in CASES.items():
        if only in (None, case):
            try:
                play(summary, bare, ready)
            except HarnessError as error:
                summary.lines.append(Line(name, case, "set-up", 0, str(error)))
                progress(f"  FAILED  {name}, {case}: {error}")
    bare.remove()
    ready.remove()


def clone(root: Root, user: str, into: str = "sendgate") -> None:
    """Clone as the user, into the user's home."""
    done = root.run(f"{CLONE} {into}", f"clone-{into}", user)
    if done.status != 0:
        raise HarnessError(f"{root.name}: git clone failed; see {done.log}")


def step(summary: Summary, root: Root, case: str, command: str, *wanted: str, offline: bool = False) -> None:
    """A command in the ordinary user's clone."""
    name = re.sub(r"\W+", "-", f"{case} {'test' if 'make test' in command else 'run'}")
    done = root.run(command, name, USER, f"/home/{USER}/sendgate", offline)
    summary.add(root, case, re.search(r"(PROFILE=\w+ )?make .*", command)[0], done, *wanted)


def newest_llvm(root: Root) -> str:
    """The newest LLVM that this Debian has, such as ``14``."""
    found = root.run("apt-get update -q && apt-cache pkgnames libclang-cpp", "llvm")
    versions = re.findall(r"^libclang-cpp(\d+)$", found.output, re.MULTILINE)
    if not versions:
        raise HarnessError(f"{root.suite} has no package libclang-cpp…; see {found.log}")
    return max(versions, key=int)
