"""What the images and compose.yaml say, without building any: no secret, no root, health checks, settings that exist."""

import re
import subprocess

from harness.places import REPO

CONTAINERFILE = (REPO / "Containerfile").read_text()
COMPOSE = (REPO / "compose.yaml").read_text()
SCRIPTS = REPO / "packaging/container"
# Services that stay; the one that makes the secrets ends.
STAYING = ("server", "daemon", "worker")


def services() -> dict[str, str]:
    """The services of compose.yaml by name, as text."""
    body = COMPOSE.split("\nservices:\n")[1].split("\nvolumes:\n")[0]
    parts = re.split(r"^  (\w+):\n", body, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_image_has_an_ordinary_user():
    stages = CONTAINERFILE.split("\nFROM ")[1:]
    assert [re.search(r"AS (\w+)", stage)[1] for stage in stages] == list(STAYING)
    for stage in stages:
        user = re.findall(r"^USER (.+)$", stage, re.MULTILINE)[-1]
        assert user in ("postgres", "65534:65534")


def test_every_base_can_be_replaced():
    assert set(re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)) == {
        "${SERVER_BASE}",
        "${DAEMON_BASE}",
        "${WORKER_BASE}",
    }
    for name, base in re.findall(r"^ARG (\w+_BASE)=(.+)$", CONTAINERFILE, re.MULTILINE):
        assert f"{name}: ${{{name}:-{base}}}" in COMPOSE, "compose.yaml has the same default"


def test_every_service_that_stays_is_checked_and_closed():
    found = services()
    assert set(found) == {"secrets", *STAYING}
    for name in STAYING:
        assert "healthcheck:" in found[name] and "cap_drop: [ALL]" in found[name], name
        assert "user: root" not in found[name] and "no-new-privileges" in found[name], name
    assert "network_mode: none" in found["secrets"]


def test_no_secret_is_written_down():
    for text in (CONTAINERFILE, COMPOSE):
        assert not re.search(r"(?i)(password|token|secret)\w*[:=] *[\"']?[a-z0-9+][a-z0-9+/]{15,}", text)
        assert "POSTGRES_PASSWORD:" not in text
    for name in ("SENDGATED_PASSWORD_FILE", "SENDGATED_TOKENS_FILE", "POSTGRES_PASSWORD_FILE"):
        assert f"{name}: /secrets/" in COMPOSE
    published = re.findall(r"^      - (\$\{\w+:-[\d.]+:\d+\}):\d+$", COMPOSE, re.MULTILINE)
    assert len(published) == 2 and all(":-127.0.0.1:" in port for port in published)


def test_the_daemon_knows_its_variables():
    options = (REPO / "daemon/src/config/options.rs").read_text()
    named = re.findall(r"^      (SENDGATED_\w+):", COMPOSE, re.MULTILINE)
    assert named and all(f'"{name}"' in options for name in named)


def test_the_files_that_images_take_are_let_in():
    let_in = [line[1:] for line in (REPO / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [
        path for line in re.findall(r"^COPY (?:--\S+ )?(.+) \S+$", CONTAINERFILE, re.MULTILINE) for path in line.split()
    ]
    assert len(copied) >= 5
    for path in copied:
        assert any(path.startswith(name.rstrip("*.deb")) for name in let_in), path
        assert path.startswith("dist/") or (REPO / path).exists(), path


def test_the_scripts_are_shell():
    scripts = [*SCRIPTS.glob("*.sh"), REPO / "tests/packages/entrypoint.sh"]
    assert len(scripts) == 4
    for script in scripts:
        subprocess.run(["bash" if "entrypoint" in script.name else "sh", "-n", script], check=True)
        assert script.stat().st_mode & 0o111, script
