"""Machines on which a command cannot work: it says what and what to do, within moments, and leaves nothing."""

import re

from .roots import Result, Root
from .summary import Summary

# PostgreSQL of each Debian.
MAJORS = {"bookworm": 15, "trixie": 17}
CASE = "mistakes"
# A preflight promises two seconds; the rest is for make, Python and a busy machine.
PREFLIGHT_SECONDS_MAX = 4
# What a command that left something ends with: something that it built or fetched, or that git sees.
LEFT = 3
NOTHING_LEFT = (
    f'test ! -e target && test ! -e dist && test ! -e .run/pg18 && test -z "$(git status --porcelain)" || exit {LEFT}'
)


def play(summary: Summary, root: Root) -> None:
    """Each mistake as an administrator makes it, in root's clone."""
    major = MAJORS[root.suite]
    pg_config = f"/usr/lib/postgresql/{major}/bin/pg_config"
    for other in ("make test PG=14", "make package PG=14"):
        told(summary, root, "an unsupported version", other, "sendgate runs on PostgreSQL 15 to 18", "choose one of")
    told(summary, root, "no such pg_config", "make install PG_CONFIG=/nowhere", "there is no such file", "name the one")
    root.install("libpq-dev")
    told(
        summary,
        root,
        "the pg_config of libpq alone",
        "make install PG_CONFIG=/usr/bin/pg_config",
        "lacks the server and the server's headers",
        rf"apt-get install .*postgresql-{major} postgresql-server-dev-{major}",
    )
    root.install(f"postgresql-{major}")
    # The programs of a server, and the pg_config of its library, are two packages of Debian's.
    found = f"$(test -e {pg_config} && echo {pg_config} || echo /usr/bin/pg_config)"
    told(
        summary,
        root,
        "a server without its headers",
        f"make install PG_CONFIG={found}",
        "lacks the server's headers",
        rf"apt-get install .*postgresql-server-dev-{major}",
    )
    library = f"/usr/lib/postgresql/{major}/lib"
    told(
        summary,
        root,
        "a read-only prefix",
        f"mount --bind {library} {library}; mount -o remount,bind,ro {library}; make install PG_CONFIG={found}",
        f"{library} is on a read-only file system",
        "mount it for writing",
    )
    root.install("rustc", "cargo")
    said = (r"Rust 1\.\d+\.\d or newer is needed; this rustc is 1\.\d+", r"sh\.rustup\.rs")
    told(summary, root, "Debian's Rust", "make run", *said, rust=False)


def told(summary: Summary, root: Root, case: str, command: str, *wanted: str, rust: bool = True) -> None:
    """The command ends at once, and says each of these."""
    script = f"{command}; status=$?; {NOTHING_LEFT}; exit $status"
    name = re.sub(r"\W+", "-", f"{case} {command.split()[1]}")
    done = root.run(script, name, directory="/root/sendgate", rust=rust)
    if done.status == LEFT:
        done = Result(0, done.seconds, f"something is left\n{done.output}", done.log)
    shown = command.split("; ")[-1].partition(" PG_CONFIG=")[0]
    summary.add(root, CASE, f"{case}: {shown} says so", hurried(done), *wanted, status=2)


def hurried(done: Result) -> Result:
    """A preflight that takes too long has failed, whatever it says."""
    if done.seconds <= PREFLIGHT_SECONDS_MAX:
        return done
    return Result(0, done.seconds, done.output, done.log)
