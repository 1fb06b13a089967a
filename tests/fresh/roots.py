"""Bare Debian roots, and running commands in them. Everything lies in one directory, which is removed at the end."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness.places import REPO, RESULTS, run_dir
from harness.progress import HarnessError, progress, quiet

LOGS = RESULTS / "fresh"
SUITES = ("bookworm", "trixie")
# The tools that are taken for granted on any machine …
INCLUDED = ("ca-certificates", "git", "make", "python3")
# … and what the README names besides: a C compiler and pip.
NAMED = ("gcc", "libc6-dev", "python3-pip")
USER = "dev"
RUST, CARGO_HOME, PIP_CACHE, SOURCE = "/opt/rust", "/opt/cargo", "/opt/pip", "/opt/source"
# The host's ways into the network are the roots' too.
PASSED_ON = re.compile(r"(?i)(https?|ftp|all|no)_proxy|PIP_(?!CACHE).*|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE")
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
NAMESPACES = ["unshare", "--mount", "--pid", "--ipc", "--propagation", "private", "--fork", "--kill-child"]
SECONDS_MAX = 1800
REMOVAL_SECONDS_MAX = 60
SPACE_MIB_MIN = 6000
PREFIX = "fresh-"
SIGN_OF_LIFE_SECONDS = 30


@dataclass(frozen=True)
class Result:
    """How a command in a root ended."""

    status: int
    seconds: float
    output: str
    log: Path


def check_host() -> None:
    """Give up, with what to install, where roots cannot be made."""
    if os.geteuid() != 0:
        raise HarnessError("Making bare roots needs root (debootstrap, chroot, mount).\nRun the same with sudo.")
    lacking = [name for name in ("debootstrap", "unshare", "mount", "git") if shutil.which(name) is None]
    if lacking:
        raise HarnessError(
            f"{', '.join(lacking)} cannot be found.\n"
            "Run: apt-get install --no-install-recommends debootstrap util-linux mount git"
        )
    if subprocess.run([*NAMESPACES, "--net", "true"], capture_output=True).returncode != 0:
        raise HarnessError(
            "This machine allows no namespaces (unshare), as some containers do.\nRun it on another one."
        )


def mirror() -> str:
    """Debian's archive as this system's apt knows it; ``MIRROR`` names another."""
    if named := os.environ.get("MIRROR"):
        return named
    listed = quiet(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"])
    for uri, release in (line.split() for line in listed.splitlines() if line.count(" ") == 1):
        if release in SUITES or (release in ("stable", "oldstable", "testing") and "debian" in uri):
            return uri
    raise HarnessError("apt knows no archive of Debian here.\nName one: make … MIRROR=http://…/debian")


def directory() -> Path:
    """A new directory for the roots; what a run left that was killed is removed."""
    for leftover in run_dir().glob(f"{PREFIX}*"):
        if not Path("/proc", leftover.name.removeprefix(PREFIX).partition("-")[0]).exists():
            remove(leftover)
    free = shutil.disk_usage(run_dir()).free // 2**20
    if free < SPACE_MIB_MIN:
        raise HarnessError(f"{run_dir()} has {free} MiB free; the roots take {SPACE_MIB_MIN} MiB.\nMake room.")
    made = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=run_dir()))
    made.chmod(0o755)
    return made


class Workshop:
    """The directory of all roots, with what they share: sources, Rust, crates, pip's cache."""

    def __init__(self, directory: Path, logs: Path = LOGS):
        self.directory, self.logs = directory, logs
        self.rust = Path(quiet(["rustc", "--print", "sysroot"], cwd=REPO).strip())
        self.mirror = mirror()
        for name in ("cargo", "pip", "source"):
            (directory / name).mkdir()
        quiet(["git", "-C", REPO, "bundle", "create", directory / "source/sendgate.bundle", "HEAD"])
        cargo_home = Path(os.environ.get("CARGO_HOME") or Path("~/.cargo").expanduser())
        for name in ("config.toml", "config"):
            if (cargo_home / name).exists():
                shutil.copy(cargo_home / name, directory / "cargo" / name)

    def base(self, suite: str, included: tuple[str, ...] = INCLUDED) -> "Root":
        """A bare root: Debian's essential packages, and the named ones."""
        root = Root(self, f"{suite}-bare", suite)
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(included)}", suite, root.path, self.mirror]
        done = logged([*NAMESPACES, *map(str, command)], f"{suite} debootstrap", self.logs)
        if done.status != 0:
            raise HarnessError(f"debootstrap could not make {suite}; see {done.log}")
        for name in ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", CERTIFICATES):
            if Path("/", name).exists():
                (root.path / name).unlink(missing_ok=True)
                shutil.copyfile(Path("/", name), root.path / name)
        if root.run(f"useradd --create-home --shell /bin/bash {USER}", "set-up").status != 0:
            raise HarnessError(f"{root.name}: the user {USER} could not be made.")
        return root


class Root:
    """One root's directory."""

    def __init__(self, workshop: Workshop, name: str, suite: str):
        self.workshop, self.name, self.suite = workshop, name, suite
        self.path = workshop.directory / name

    def copy(self, name: str) -> "Root":
        """Another root like this one."""
        other = Root(self.workshop, f"{self.suite}-{name}", self.suite)
        quiet(["cp", "--archive", "--reflink=auto", self.path, other.path])
        return other

    def install(self, *packages: str) -> None:
        """Install Debian packages, as an administrator would have."""
        command = "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "
        done = self.run(command + " ".join(packages), f"install-{packages[0]}")
        if done.status != 0:
            raise HarnessError(f"{self.name}: {' '.join(packages)} could not be installed; see {done.log}")

    def run(
        self,
        command: str,
        name: str,
        user: str = "root",
        directory: str = "",
        offline: bool = False,
        rust: bool = True,
        **variables: str,
    ) -> "Result":
        """Run a command in the root as the user; its output is kept in a log."""
        shop = self.workshop
        binds = [(shop.directory / "cargo", CARGO_HOME, True), (shop.directory / "pip", PIP_CACHE, True)]
        binds.append((shop.directory / "source", SOURCE, False))
        if rust:
            binds.append((shop.rust, RUST, False))
        wanted = {
            "root": str(self.path),
            "binds": [(str(source), place, writable) for source, place, writable in binds],
            "user": user,
            "directory": directory,
            "offline": offline,
            "command": command,
            "environment": _environment() | variables,
        }
        self._give_caches_to(user)
        namespaces = [*NAMESPACES, *(["--net"] if offline else [])]
        inside = Path(__file__).with_name("inside.py")
        return logged([*namespaces, sys.executable, str(inside), json.dumps(wanted)], f"{self.name} {name}", shop.logs)

    def _give_caches_to(self, user: str) -> None:
        """pip and cargo use no cache of another user's."""
        entry = re.search(rf"^{user}:[^:]*:(\d+):(\d+):", (self.path / "etc/passwd").read_text(), re.MULTILINE)
        if entry is None:
            return
        for name in ("cargo", "pip"):
            quiet(["chown", "--recursive", f"{entry[1]}:{entry[2]}", self.workshop.directory / name])

    def remove(self) -> None:
        """Remove the root, to have its space."""
        remove(self.path)


def remove(directory: Path) -> None:
    """Remove a directory of roots. Nothing of the system's is mounted below, see ``inside``.

    Processes that were killed a moment ago may still be writing, so it is tried again.
    """
    until = time.monotonic() + REMOVAL_SECONDS_MAX
    while directory.exists():
        shutil.rmtree(directory, ignore_errors=True)
        if directory.exists() and time.monotonic() > until:
            raise HarnessError(f"{directory} could not be removed.\nRun: rm -rf {directory}")
        time.sleep(0.1)


def _environment() -> dict[str, str]:
    """What a login shell has, and the host's ways into the network."""
    passed = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    path = f"{RUST}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return passed | {"PATH": path, "LANG": "C.UTF-8", "CARGO_HOME": CARGO_HOME, "PIP_CACHE_DIR": PIP_CACHE}


def logged(command: list[str], title: str, logs: Path) -> Result:
    """Run under a sign of life now and then; whatever ends this process ends the command and its children."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{title.replace(' ', '-')}.log"
    started = time.monotonic()
    with log.open("w") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            while (status := _ended(process)) is None:
                passed = time.monotonic() - started
                progress(f"  {title}: {passed:.0f} s")
                if passed > SECONDS_MAX:
                    status = -1
                    break
        finally:
            process.kill()  # unshare's child, the first process of its namespace, is killed with it, and so all others
            process.wait()
    return Result(status, time.monotonic() - started, log.read_text(errors="replace"), log)


def _ended(process: subprocess.Popen) -> int | None:
    try:
        return process.wait(SIGN_OF_LIFE_SECONDS)
    except subprocess.TimeoutExpired:
        return None
