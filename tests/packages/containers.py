"""``make test-containers``: builds the images of Containerfile on bases made by debootstrap, and starts compose.yaml.

Needs root, debootstrap, buildah or podman with crun; as root they are installed. Where this machine cannot run a
container, it says so, and nothing fails. Images, volumes and networks are in a directory of the test's own, which is
removed at the end. Logs are in tests/results/containers/.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from fresh import roots
from fresh.summary import Line, Summary
from harness import apt, ports, venv, verdicts
from harness.places import REPO, RESULTS
from harness.progress import HarnessError, ended, own_environment, progress, quiet, watched
from packages import package

LOGS = RESULTS / "containers"
SUITE, MAJOR = "bookworm", 15
COMPOSE = ["podman-compose==1.6.0", "PyYAML==6.0.4", "python-dotenv==1.2.4"]
TOOLS = ["podman", "buildah", "crun", "netavark", "aardvark-dns", "iptables", "uidmap"]
PROJECT = "sendgate"
BASE, SERVER_BASE = "localhost/test-base", "localhost/test-postgres"
IMAGES = ("server", "daemon", "worker")
ORDINARY = "65534"
INSIDE = "SENDGATE_CONTAINERS_INSIDE"
WAIT_SECONDS_MAX = 120
READ_SECONDS_MAX = 5
WORK = """
SELECT sendgate.upsert_account('amelie-laurent', 'sales_navigator');
SELECT count(sendgate.enqueue('spring', 'p-' || n, 'amelie-laurent', 'invite')) FROM generate_series(1, 5) n"""
DELIVERED = "SELECT count(*) FROM sendgate.send_operations WHERE state = 'delivered'"
ENCRYPTED = """
SELECT string_agg(DISTINCT usename, ' ' ORDER BY usename) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
WHERE ssl AND usename IN ('app_worker', 'sendgated')"""


class Stage:
    """podman with storage, networks and logs of the test's own."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.console, self.gate = ports.free(), ports.free()
        (directory / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{directory}/storage"\nrunroot = "{directory}/run"\n'
        )
        (directory / "containers.conf").write_text(
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "crun"\n'
            # What a root without every capability may still do.
            '[containers]\ncgroups = "disabled"\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n'
            f'[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "{directory}/networks"\n'
        )
        (directory / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        self.environment = own_environment(
            {
                "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf"),
                "CONTAINERS_CONF": str(directory / "containers.conf"),
                # Health checks are asked for one by one: a timer of systemd's is not to be had everywhere.
                "DISABLE_HC_SYSTEMD": "true",
                "PG": str(MAJOR),
                "GATE_ADDRESS": f"127.0.0.1:{self.gate}",
                "CONSOLE_ADDRESS": f"127.0.0.1:{self.console}",
            }
        )

    def podman(self, *arguments: object) -> str:
        """A command of podman; what it printed."""
        return quiet(["podman", *arguments], env=self.environment, cwd=REPO)

    def compose(self, *arguments: str) -> str:
        """A command of podman-compose on the repository's compose.yaml."""
        program = [venv.ensure("compose", COMPOSE), "-m", "podman_compose", "--project-name", PROJECT]
        return watched(
            [*program, "--profile", "example", *arguments],
            f"podman-compose {arguments[0]}",
            env=self.environment,
            cwd=REPO,
        )

    def container(self, service: str) -> str:
        """The name of a service's container."""
        return f"{PROJECT}_{service}_1"

    def psql(self, sql: str) -> str:
        """What the gate's server answers to its superuser."""
        return self.podman(
            "exec", self.container("server"), "psql", "-X", "-q", "-A", "-t", "-U", "postgres", "-d", "gate", "-c", sql
        )

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition; an error counts as not yet."""
        until, why = time.monotonic() + WAIT_SECONDS_MAX, ""
        while time.monotonic() < until:
            try:
                if condition():
                    return
            except (HarnessError, OSError) as error:
                why = str(error)
            time.sleep(0.2)
        raise HarnessError(f"waited in vain for {what}. {why}\n{self.logs()}")

    def logs(self) -> str:
        """The last words of each container."""
        told = []
        for service in ("secrets", *IMAGES):
            done = subprocess.run(
                ["podman", "logs", "--tail", "15", self.container(service)],
                env=self.environment,
                capture_output=True,
                text=True,
            )
            told.append(f"-- {service}\n{done.stdout}{done.stderr}")
        return "\n".join(told)

    def healthy(self, service: str) -> bool:
        """Whether the service's own health check passes now."""
        done = subprocess.run(
            ["podman", "healthcheck", "run", self.container(service)], env=self.environment, capture_output=True
        )
        return done.returncode == 0

    def end(self) -> None:
        """Remove containers, volumes, networks and images."""
        for arguments in (
            ("pod", "rm", "--all", "--force"),
            ("rm", "--all", "--force", "--time", "1"),
            ("volume", "rm", "--all", "--force"),
        ):
            subprocess.run(["podman", *arguments], env=self.environment, capture_output=True)
        subprocess.run(["podman", "network", "prune", "--force"], env=self.environment, capture_output=True)
        # A mount below the storage would keep it from being removed.
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if (place := line.split()[1]).startswith(f"{self.directory}/"):
                subprocess.run(["umount", "--lazy", place], capture_output=True)


def main() -> int:
    """Set the stage, play, tell; the exit status."""
    roots.check_host()
    in_a_namespace_of_its_own()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    if shutil.which("podman") is None or shutil.which("crun") is None:
        apt.install_packages(TOOLS, "there is no podman")
    package.make([MAJOR], ["deb"])
    summary, directory = Summary(), roots.directory()
    stage = Stage(directory)
    try:
        bases(stage)
        if why := cannot_run(stage):
            progress(f"This machine cannot run containers ({why}); nothing was tested, and nothing failed.")
            return 0
        for name, play in STEPS.items():
            started, problem = time.monotonic(), None
            try:
                play(stage)
            except (HarnessError, AssertionError, OSError) as error:
                problem = str(error) or repr(error)
            summary.lines.append(Line(SUITE, "containers", name, time.monotonic() - started, problem))
            progress(f"  {'FAILED' if problem else 'ok'}  {name}\n{problem or ''}".rstrip())
            if problem:
                break  # the others need it
    finally:
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / "containers.log").write_text(stage.logs())
        stage.end()
        roots.remove(directory)
        summary.tell()
    verdicts.note("test-containers", *summary.counts())
    return summary.status()


def in_a_namespace_of_its_own() -> None:
    """Go on in a private mount namespace: mounts end with it, and crun, which refuses a mixture, sees one kind of
    control groups."""
    if os.environ.get(INSIDE) is None:
        os.environ[INSIDE] = "1"
        program = [sys.executable, *sys.orig_argv[1:]]
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", *program])
    if Path("/sys/fs/cgroup/unified").is_mount():
        quiet(["umount", "/sys/fs/cgroup/unified"])


def bases(stage: Stage) -> None:
    """Two images to build on: a bare Debian, and one with PostgreSQL that works like the official image."""
    workshop = roots.Workshop(stage.directory, LOGS)
    bare = workshop.base(SUITE, ("ca-certificates",))
    imported(stage, bare, BASE)
    bare.install("postgresql-common")
    # As the official image does: else Debian makes a cluster, on a port that the host has free, and clients look there.
    with (bare.path / "etc/postgresql-common/createcluster.conf").open("a") as settings:
        settings.write("create_main_cluster = false\n")
    bare.install(f"postgresql-{MAJOR}", "openssl")
    entrypoint = bare.path / "usr/local/bin/docker-entrypoint.sh"
    shutil.copy(Path(__file__).with_name("entrypoint.sh"), entrypoint)
    (bare.path / "docker-entrypoint-initdb.d").mkdir()
    programs = f"/usr/lib/postgresql/{MAJOR}/bin"
    imported(
        stage,
        bare,
        SERVER_BASE,
        'ENTRYPOINT ["docker-entrypoint.sh"]',
        "ENV LANG=C.UTF-8",
        f"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{programs}",
    )
    bare.remove()


def imported(stage: Stage, root: roots.Root, name: str, *changes: str) -> None:
    """Make an image of a root."""
    archive = stage.directory / "root.tar"
    quiet(["tar", "--create", "--one-file-system", "--file", archive, "--directory", root.path, "."])
    stage.podman("import", *(part for change in changes for part in ("--change", change)), archive, name)
    archive.unlink()


def cannot_run(stage: Stage) -> str | None:
    """Why no container runs here, with a network and without; None if it does."""
    for network in ("none", "bridge"):
        done = subprocess.run(
            ["podman", "run", "--rm", "--network", network, BASE, "true"],
            env=stage.environment,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            return f"network {network}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'it says nothing'}"
    return None


def build(stage: Stage) -> None:
    """All three, each by its target."""
    for target in IMAGES:
        values = {"PG": MAJOR, "SERVER_BASE": SERVER_BASE, "DAEMON_BASE": BASE, "WORKER_BASE": BASE}
        arguments = [part for name, value in values.items() for part in ("--build-arg", f"{name}={value}")]
        command = [
            "podman",
            "build",
            "--network",
            "host",
            "--target",
            target,
            "--tag",
            f"localhost/sendgate-{target}",
            *arguments,
            ".",
        ]
        watched(command, f"building the image {target}", env=stage.environment, cwd=REPO)


def closed(stage: Stage) -> None:
    """No image runs as root, and none holds a secret."""
    for target in IMAGES:
        name = f"localhost/sendgate-{target}"
        (said,) = json.loads(stage.podman("image", "inspect", name))
        user = said["Config"].get("User", "")
        assert user not in ("", "root", "0"), f"{target} runs as {user or 'root'}"
        assert not [line for line in said["Config"].get("Env", []) if "PASS" in line or "TOKEN" in line], said[
            "Config"
        ]["Env"]
        held = stage.podman(
            "run",
            "--rm",
            "--network",
            "none",
            "--entrypoint",
            "/bin/sh",
            name,
            "-c",
            "for d in /secrets /tmp; do test ! -e $d || ls -A $d || exit 1; done",
        )
        assert not [line for line in held.split() if not line.endswith(":")], f"{target} holds {held}"


def start(stage: Stage) -> None:
    """compose.yaml, the whole of it, until every service says that it is healthy."""
    stage.compose("up", "--detach", "--no-build")
    for service in IMAGES:
        stage.wait(lambda service=service: stage.healthy(service), f"{service} to be healthy")


def send(stage: Stage) -> None:
    """The worker takes campaign work and sends it; every connection of the two logins is encrypted."""
    stage.psql(WORK)
    stage.wait(lambda: int(stage.psql(DELIVERED)) > 0, "a delivery")
    said = stage.psql(ENCRYPTED).strip()
    assert said == "app_worker sendgated", f"encrypted connections: {said}"


def users(stage: Stage) -> None:
    """The processes' own users."""
    for service in ("daemon", "worker"):
        said = stage.podman("exec", stage.container(service), "id", "-u").strip()
        assert said == ORDINARY, f"{service} runs as {said}"
    said = stage.podman("exec", stage.container("server"), "id", "-un").strip()
    assert said == "postgres", f"the server runs as {said}"


def console(stage: Stage) -> None:
    """Visitors see nothing, the operator with the token of the volume sees the account."""
    token = stage.podman("exec", stage.container("daemon"), "cat", "/secrets/tokens.toml").split('"')[1]
    address = f"http://127.0.0.1:{stage.console}/api/accounts"
    asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=READ_SECONDS_MAX) as answer:
        assert b"amelie-laurent" in answer.read()
    try:
        urllib.request.urlopen(address, timeout=READ_SECONDS_MAX)
    except urllib.error.HTTPError as error:
        assert error.code == 401, error
        return
    raise AssertionError("a visitor reads the accounts")


def again(stage: Stage) -> None:
    """Stopped and started, it is the same gate: secrets, books, and workers that go on."""
    before = stage.psql("SELECT min(operation_id::text) FROM sendgate.send_operations")
    stage.compose("down")
    stage.compose("up", "--detach", "--no-build")
    for service in IMAGES:
        stage.wait(lambda service=service: stage.healthy(service), f"{service} to be healthy again")
    assert stage.psql("SELECT min(operation_id::text) FROM sendgate.send_operations") == before


STEPS: dict[str, Callable[[Stage], None]] = {
    "three images": build,
    "no root, no secret": closed,
    "compose up: all healthy": start,
    "a guarded send, over TLS": send,
    "as nobody": users,
    "the console, by token": console,
    "down and up again: the same gate": again,
}

if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(ended(main))
