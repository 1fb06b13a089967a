"""What packages say and carry, without building one: control files, file lists, versions, configuration, bad input."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from harness import build, machine
from harness.places import REPO
from harness.progress import HarnessError
from packages import cases, compiled, content, deb, package, rpm, rpm_cases, shell, source

EPOCH = 1_700_000_000
# Stands for a compiled file: `true` is one.
PROGRAM = Path("/bin/true").resolve().read_bytes()
LICENCES = b"Crates\n"
DAEMON_UNIT = REPO / "daemon/sendgated.service"
# How the package's unit differs from the one for hand-made installations: its own user, one configuration file.
OWN_LINES = {
    "ExecStart",
    "EnvironmentFile",
    "Documentation",
    "User",
    "Group",
    "DynamicUser",
    "LoadCredential",
    "Environment",
}


@pytest.fixture
def extension() -> content.Package:
    """Debian's package for one version."""
    return content.extension(REPO, content.DEBIAN, 17, PROGRAM, LICENCES)


@pytest.fixture
def daemon() -> content.Package:
    """The daemon's package."""
    return content.daemon(REPO, PROGRAM, LICENCES)


def fields(package: content.Package) -> dict[str, str]:
    """A package's control file."""
    return dict(re.findall(r"^(\S+?): (.*)$", deb.control(package, 1), re.MULTILINE))


def settings() -> dict[str, str]:
    """The settings of the daemon's file, as the daemon declares them: name and type."""
    text = (REPO / "daemon/src/config.rs").read_text()
    declared = re.search(r"^struct File \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)[1]
    return dict(re.findall(r"^    (\w+): Option<(.+)>,$", declared, re.MULTILINE))


# --- what is in them ---


def test_the_extension_has_what_postgresql_reads(extension):
    version = build.default_version()
    places = {file.place: file for file in extension.files}
    home = "/usr/share/postgresql/17/extension"
    assert places["/usr/lib/postgresql/17/lib/sendgate.so"].content == PROGRAM
    scripts = {Path(place).name for place in places if place.startswith(home)}
    upgrades = {path.name for path in (REPO / "sql").glob("sendgate--*--*.sql")}
    assert scripts == {"sendgate.control", f"sendgate--{version}.sql", *upgrades}
    assert places[f"{home}/sendgate--{version}.sql"].content.decode() == build.install_script()
    assert all(file.mode == 0o644 for file in extension.files)


def test_links_between_installed_pages_lead_somewhere_or_are_told_apart(extension):
    """A link to a page that the package has keeps its place relative to it."""
    home = f"/usr/share/doc/{extension.name}"
    places = {file.place for file in extension.files}
    assert {f"{home}/README.md", f"{home}/docs/dba.md", f"{home}/sql/recipes/pg_cron.sql"} <= places


def test_rpms_have_the_same_files_elsewhere(extension):
    other = content.extension(REPO, content.PGDG_RPM, 17, PROGRAM, LICENCES)
    assert (other.name, extension.name) == ("sendgate_17", "postgresql-17-sendgate")
    assert [file.content for file in other.files] == [file.content for file in extension.files]
    places = {file.place for file in other.files}
    assert {"/usr/pgsql-17/lib/sendgate.so", "/usr/pgsql-17/share/extension/sendgate.control"} <= places
    spec = rpm.spec(other, Path("/stage"))
    assert "Requires: postgresql17-server\n" in spec and f"Version: {build.default_version()}\n" in spec
    assert not re.search(r"@[A-Z]+@", spec)


def test_the_daemon_keeps_its_secrets(daemon):
    """The configuration and the tokens are an administrator's, and not for every user to read."""
    kept = {file.place: file.mode for file in daemon.files if file.is_configuration}
    assert kept == {"/etc/sendgated/sendgated.toml": 0o640, "/etc/sendgated/tokens.toml": 0o640}
    files = deb.control_files(daemon, 1, deb.installed(daemon, EPOCH))
    assert files["conffiles"][0].decode().split() == list(kept)
    listed = "\n".join(rpm.listed(daemon))
    assert "%config(noreplace) %attr(0640, root, sendgated) /etc/sendgated/tokens.toml" in listed


def test_control_files(extension, daemon):
    version = f"{build.default_version()}-{content.REVISION}"
    said = fields(extension)
    assert (said["Package"], said["Version"]) == ("postgresql-17-sendgate", version)
    assert "postgresql-17" in said["Depends"].split(", ") and "libc6 (>= 2." in said["Depends"]
    said = fields(daemon)
    assert (said["Package"], said["Version"]) == ("sendgated", version)
    assert {"adduser", "ca-certificates"} <= set(said["Depends"].split(", "))


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("Ada <ada@mail.sendgate>", ("Ada", "ada@mail.sendgate")),
        ("Ada", ("Ada", None)),
        ("Ada <ada@example.com>", ("Ada", None)),
        ("Ada <ada@mail.example.org>", ("Ada", None)),
        ("Ada <ada@packages.invalid>", ("Ada", None)),
        ("Ada <ada>", ("Ada", None)),
    ],
)
def test_the_maintainer_is_the_one_of_the_meta_file(tmp_path, monkeypatch, named, found):
    (tmp_path / "META.json").write_text(json.dumps({"maintainer": [named, "Bob <bob@mail.sendgate>"]}))
    assert content.maintainer(tmp_path) == found


def test_packages_name_the_maintainer(extension, monkeypatch):
    """Without an address, one at which no mail arrives; Debian's own variables name another."""
    for name in ("DEBFULLNAME", "DEBEMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(content, "maintainer", lambda: ("Ada", None))
    assert fields(extension)["Maintainer"] == "Ada <noreply@sendgate.invalid>"
    assert "Packager: Ada <noreply@sendgate.invalid>\n" in rpm.spec(extension, Path("/stage"))
    monkeypatch.setattr(content, "maintainer", lambda: ("Ada", "ada@mail.sendgate"))
    assert " -- Ada <ada@mail.sendgate>  " in deb.changelog(extension, EPOCH)
    monkeypatch.setenv("DEBEMAIL", "bob@mail.sendgate")
    assert fields(extension)["Maintainer"] == "Ada <bob@mail.sendgate>"


def test_maintainer_scripts_are_sound(extension, daemon):
    """A shell reads each without complaint, and nothing in them is still to be filled in."""
    for one in (extension, daemon):
        scripts = {name: text for name, (text, mode) in deb.control_files(one, 1, {}).items() if mode == 0o755}
        assert "postinst" in scripts
        for name, text in scripts.items():
            assert b"@" not in text, name
            subprocess.run(["sh", "-n"], input=text, check=True)
    for spec in (content.PACKAGING / "rpm").glob("*.spec"):
        for script in re.findall(
            r"^%(?:pre|post|preun|postun)\n(.*?)(?=^%)", spec.read_text(), re.MULTILINE | re.DOTALL
        ):
            subprocess.run(["sh", "-n"], input=script.encode(), check=True)


def test_what_lintian_is_told_to_leave_out_is_explained():
    """Each override has its reason in the line above it, and is in the documentation."""
    page = (REPO / "docs/install.md").read_text()
    for file in (content.PACKAGING / "deb").glob("*.lintian-overrides"):
        lines = file.read_text().splitlines()
        for reason, override in zip(["", *lines], lines, strict=False):
            if override.strip() and not override.startswith("#"):
                assert reason.startswith("# "), f"{file.name}: {override}"
                assert f"| `{override.split()[1]}" in page, override


def test_a_library_without_a_package_is_named():
    with pytest.raises(HarnessError, match=r"no package is known for libc\.so\.6"):
        compiled.debian_libraries([PROGRAM], {})


def test_crates_of_the_daemon_are_named_without_this_machines_directories():
    said = compiled.licences(REPO, build.DAEMON).decode()
    assert re.search(r"^tokio v[\d.]+ \| MIT \| https", said, re.MULTILINE), said[:500]
    assert str(REPO) not in said


@pytest.mark.parametrize(
    ("need", "is_known"),
    [
        ("postgresql17-server", True),
        ("libc.so.6(GLIBC_2.34)(64bit)", True),
        ("libgcc_s.so.1()(64bit)", True),
        ("rpmlib(PayloadIsXz) <= 5.2-1", True),
        ("postgresql-17", False),
        ("libssl.so.3()(64bit)", False),
    ],
)
def test_what_rpms_need_has_the_names_of_such_systems(need, is_known):
    assert bool(rpm_cases.NEEDS.fullmatch(need)) == is_known


def test_rpms_own_the_directories_of_their_pages(extension):
    """rpm leaves others behind when the package is removed."""
    other = content.extension(REPO, content.PGDG_RPM, 17, PROGRAM, LICENCES)
    home = "/usr/share/doc/sendgate_17"
    assert rpm.own_directories(other) == [home, f"{home}/docs", f"{home}/sql", f"{home}/sql/recipes"]
    listed = rpm.listed(other)
    assert all(f"%dir %attr(0755, root, root) {place}" in listed for place in rpm.own_directories(other))
    assert not any(line.endswith((" /usr/share/doc", " /usr/pgsql-17/lib")) for line in listed)


def test_another_clone_is_named_alike_in_compiled_files(tmp_path, monkeypatch):
    """The directories of sources and of crates do not get into them."""
    flags = []
    for name in ("one", "two"):
        monkeypatch.setenv("CARGO_HOME", str(tmp_path / name / "cargo"))
        (said,) = compiled.same_everywhere(tmp_path / name).values()
        flags.append(said.replace(str(tmp_path / name), "HERE"))
    assert flags[0] == flags[1]
    assert compiled.SOURCES in flags[0] and compiled.CRATES in flags[0]


# --- versions ---


def test_one_version_in_every_file():
    assert content.version(REPO) == build.default_version()
    assert all(found == {build.default_version()} for found in content.versions(REPO).values())


def test_different_versions_are_told(tmp_path):
    for file in content.versions(REPO):
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text((REPO / file).read_text())
    meta = tmp_path / "META.json"
    meta.write_text(meta.read_text().replace(build.default_version(), "9.9.9", 1))
    with pytest.raises(HarnessError, match=r"META\.json: .*9\.9\.9"):
        content.version(tmp_path)


def test_readers_and_pgxn_are_told_the_supported_versions():
    """Those that the extension has features for, from the first to the last without a gap."""
    supported = package.preflight.supported()
    first, last = supported[0], supported[-1]
    assert supported == list(range(first, last + 1))
    assert f"PostgreSQL {first} to {last}" in (REPO / "README.md").read_text()
    needed = json.loads((REPO / "META.json").read_text())["prereqs"]["runtime"]["requires"]
    assert needed["PostgreSQL"] == f">= {first}.0.0, < {last + 1}.0.0"


def test_pgxn_takes_the_meta_file():
    source.check()
    assert all((REPO / path).exists() for path in source.provided())


# --- the daemon's configuration ---


def test_every_setting_is_in_the_file_and_commented():
    text = (content.PACKAGING / "sendgated.toml").read_text()
    assert tomllib.loads(text) == {}
    named = re.findall(r"^#(\w+) = ", text, re.MULTILINE)
    assert named == list(settings()), "the settings of daemon/src/config.rs, in their order"


def test_the_commented_values_are_of_the_right_type():
    text = (content.PACKAGING / "sendgated.toml").read_text()
    values = tomllib.loads(re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE))
    types = {"bool": bool, "f64": float, "u32": int, "Vec<String>": list}
    for name, kind in settings().items():
        assert type(values[name]) is types.get(kind, str), name


def test_the_commented_values_are_the_defaults():
    text = (content.PACKAGING / "sendgated.toml").read_text()
    values = tomllib.loads(re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE))
    code = (REPO / "daemon/src/config.rs").read_text()
    assert values["listen"] == re.search(r'LISTEN_DEFAULT: &str = "(.+)"', code)[1]
    idle = re.search(r"SESSION_IDLE_DEFAULT: Duration = Duration::from_secs\((\d+)\)", code)[1]
    assert values["session_idle_seconds"] == int(idle)
    poll = re.search(
        r"POLL_DEFAULT: Duration = Duration::from_secs\((\d+)\)", (REPO / "daemon/src/schedule.rs").read_text()
    )
    assert values["poll"] == float(poll[1])
    assert values["console"] == "read-only" and values["console_hosts"] == [] and values["listen_anywhere"] is False


def test_the_manual_and_the_unit_name_the_files(daemon):
    manual = (content.PACKAGING / "sendgated.8").read_text()
    unit = (content.PACKAGING / "sendgated.service").read_text()
    for file in daemon.files:
        if file.is_configuration:
            assert file.place in manual
    assert "ExecStart=/usr/bin/sendgated run --config /etc/sendgated/sendgated.toml\n" in unit
    assert shell.daemon().endswith("/usr/bin/sendgated run --config /etc/sendgated/sendgated.toml")


def test_the_units_sandbox_is_that_of_the_other_unit():
    def lines(text: str) -> set[str]:
        found = {line for line in text.splitlines() if re.match(r"[A-Z]\w+=", line)}
        return {line for line in found if line.split("=")[0] not in OWN_LINES}

    packaged = lines((content.PACKAGING / "sendgated.service").read_text())
    assert packaged == lines(DAEMON_UNIT.read_text())
    assert "NoNewPrivileges=yes" in packaged


# --- bad input ---


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((["deb"], ["14"]), "sendgate runs on PostgreSQL 15 to 18"),
        ((["deb"], ["seventeen"]), "PG names seventeen"),
        ((["tar"], ["18"]), "there is no kind of package tar"),
    ],
)
def test_what_cannot_be_packaged_is_said_first(arguments, what):
    with pytest.raises(HarnessError) as error:
        package.check(*arguments)
    assert what in str(error.value) and len(str(error.value).splitlines()) >= 2


def test_a_missing_tool_is_named_with_its_package(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HarnessError, match=r"strip.* cannot be found"):
        package.check(["deb"], ["18"])


def test_a_read_only_place_is_named(tmp_path, monkeypatch):
    dist = tmp_path / "dist"
    dist.mkdir()
    monkeypatch.setattr(package, "DIST", dist)
    monkeypatch.setattr(machine.os, "access", lambda path, mode: Path(path) != dist)
    with pytest.raises(HarnessError, match=rf"you may not write {dist}"):
        package.check(["source"], ["18"])


def test_an_interrupted_build_leaves_nothing(tmp_path):
    target = tmp_path / "dist"
    with pytest.raises(KeyboardInterrupt), package.placed(target) as work:
        (work / "half.deb").write_bytes(b"half")
        raise KeyboardInterrupt
    assert not target.exists()
    with package.placed(target) as work:
        (work / "whole.deb").write_bytes(b"whole")
    assert sorted(path.name for path in target.iterdir()) == ["SHA256SUMS", "whole.deb"]
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=target, check=True)


def test_a_wrong_time_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(HarnessError, match="SOURCE_DATE_EPOCH is yesterday"):
        package.epoch(REPO)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    with pytest.raises(HarnessError, match="no clone of git"):
        package.epoch(tmp_path)


# --- the steps in the roots ---


def test_every_step_is_a_shell_script():
    for command in (shell.ACCOUNT, shell.LOGIN, shell.CONFIGURE, shell.daemon(), rpm_cases.PGDG, rpm_cases.FUNCTION):
        subprocess.run(["bash", "-n"], input=shell.step(15, command).encode(), check=True)
    assert set(cases.SUITES.values()) < set(package.preflight.supported())


def test_the_same_content_makes_the_same_bytes(extension, tmp_path):
    """Also from another directory, at another time."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    one, two = deb.write(extension, first, EPOCH), deb.write(extension, second, EPOCH)
    assert one.read_bytes() == two.read_bytes()
    listed = subprocess.run(["dpkg-deb", "--contents", one], check=True, capture_output=True, text=True).stdout
    assert "root/root" in listed and "2023-11-14" in listed
    assert deb.write(extension, second, EPOCH + 60).read_bytes() != one.read_bytes()
