"""Which build a version is tested with, and what is built by one run of cargo."""

from pathlib import Path

import pytest

from harness import build, run
from harness.postgres import Install
from harness.preflight import supported

SERVER = Install(18, "18.6", *map(Path, ("pg_config", "bin", "lib", "share")))


@pytest.fixture
def alone(monkeypatch):
    """As in a run of some versions, whatever run this test is part of."""
    for name in ("PROFILE", build.OTHERS):
        monkeypatch.delenv(name, raising=False)


def test_a_version_alone_is_tested_as_it_is_installed(alone):
    assert {build.profile_of(major) for major in supported()} == {"release"}


def test_in_a_run_of_all_versions_one_is_tested_as_it_is_installed(alone, monkeypatch):
    """The others are built in less time; PROFILE is for all of them."""
    monkeypatch.setenv(build.OTHERS, run.PROFILE_OF_OTHERS)
    profiles = {major: build.profile_of(major) for major in run.numbers(run.DEFAULT_VERSIONS)}
    assert profiles == {15: "quick", 16: "quick", 17: "quick", 18: "release"}
    monkeypatch.setenv("PROFILE", "release")
    assert {build.profile_of(major) for major in supported()} == {"release"}


@pytest.fixture
def built(monkeypatch, tmp_path):
    """A clone in which nothing is built, and the runs of cargo: packages and the folder below target/."""
    asked = []

    def cargo(command, *_) -> None:
        target = Path(command[command.index("--target-dir") + 1])
        made = target / command[command.index("--profile") + 1]
        packages = [name for flag, name in zip(command, command[1:], strict=False) if flag == "-p"]
        made.mkdir(parents=True, exist_ok=True)
        for name in packages:
            (made / {build.EXTENSION: f"lib{build.EXTENSION}.so"}.get(name, name)).touch()
        asked.append((" ".join(packages), str(made.relative_to(tmp_path / "target"))))

    monkeypatch.setattr(build, "cargo", cargo)
    monkeypatch.setattr(build, "REPO", tmp_path)
    monkeypatch.setattr(build, "cargo_environment", lambda install: {})
    monkeypatch.setattr(build.debian, "compilers", lambda: None)
    build.build_daemon.cache_clear()
    yield asked
    build.build_daemon.cache_clear()


def test_a_fresh_clones_demo_builds_all_at_once(built, tmp_path):
    """And so do the tests afterwards: the extension alone would be compiled with other features of its crates."""
    library, daemon = build.build_both(SERVER, "quick")
    assert (library, daemon) == (
        tmp_path / "target/pg18/quick/libsendgate.so",
        tmp_path / "target/pg18/quick/sendgated",
    )
    build.build(SERVER, "quick")
    assert built == [("sendgate sendgated", "pg18/quick")] * 2


def test_what_was_built_alone_stays_alone(built, tmp_path):
    build.build(SERVER, "quick")
    assert build.build_both(SERVER, "quick")[1] == tmp_path / "target/daemon/quick/sendgated"
    assert built == [("sendgate", "pg18/quick")] * 2 + [("sendgated", "daemon/quick")]


def test_the_demo_uses_the_daemon_of_the_tests(built, tmp_path):
    build.build_both(SERVER, "quick")
    build.build_daemon()
    assert build.build_both(SERVER, "quick")[1] == tmp_path / "target/daemon/daemon/sendgated"
    assert built[2] == ("sendgate", "pg18/quick")


def test_as_it_is_installed_the_extension_is_built_alone(built):
    build.build_both(SERVER, "release")
    assert built == [("sendgate", "pg18/release"), ("sendgated", "daemon/quick")]
