"""What `make release-check` finds: nothing in a tree that is ready, and each thing that is not."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import build, preflight, verdicts
from harness.places import REPO
from packages import before, content
from upgrade import checklist

VERSION = build.default_version()
CARRIED = ("Cargo.toml", "Cargo.lock", "META.json", "extension/sendgate.control", *checklist.FIGURES)
EARLIER = "0.0.1"
MAINTAINER = content.maintainer()[0]


def git(root: Path, *arguments: str) -> str:
    """A command of git in a tree of the test's own, whatever this machine's settings are."""
    settings = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": str(root)}
    who = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
    done = subprocess.run(
        ["git", *who, "-C", root, *arguments],
        env={"PATH": "/usr/bin:/bin", **settings},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(root: Path) -> str:
    """All files as they are, committed; the commit."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "change")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def ready(tmp_path) -> Path:
    """A tree that can be released."""
    root = tmp_path / "tree"
    for name in CARRIED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPO / name, root / name)
    meta = (root / "META.json").read_text()
    (root / "META.json").write_text(meta.replace(f'"{MAINTAINER}"', f'"{MAINTAINER} <people@mail.sendgate>"'))
    (root / ".gitignore").write_text("/dist/\n/tests/results/\n")
    home = root / "tests/upgrade/releases" / EARLIER
    home.mkdir(parents=True)
    for name in ("install.sql", "data.sql"):
        (home / name).write_text("SELECT 1;\n")
    git(root.parent, "init", "--quiet", "--initial-branch=main", str(root))
    commit(root)
    for name in checklist.FIGURES:
        (root / name).write_text("measured anew\n")
    (root / "sql").mkdir()
    (root / "sql" / f"sendgate--{EARLIER}--{VERSION}.sql").write_text("SELECT 1;\n")
    (root / "CHANGELOG.md").write_text(f"# Changelog\n\n## [Unreleased]\n\n## [{VERSION}] - 2026-11-30\n\n- Changes.\n")
    (root / "README.md").write_text("It is there.\n")
    head = commit(root)
    made(root, head)
    return root


def made(root: Path, head: str) -> None:
    """The results of every command, and the packages."""
    directory = root / "tests/results/verdicts"
    directory.mkdir(parents=True, exist_ok=True)
    for command in (*checklist.TESTS, "package"):
        verdict = {"commit": head, "changed": 0, "passed": 9, "failed": 0}
        (directory / f"{command}.json").write_text(json.dumps(verdict))
    dist = root / "dist"
    dist.mkdir(exist_ok=True)
    names = [f"postgresql-{major}-sendgate_{VERSION}-1_amd64.deb" for major in preflight.supported()]
    names += [f"sendgate_{major}-{VERSION}-1.x86_64.rpm" for major in preflight.supported()]
    names += [f"sendgated_{VERSION}-1_amd64.deb", f"sendgated-{VERSION}-1.x86_64.rpm", f"sendgate-{VERSION}.zip"]
    sums = ""
    for name in names:
        (dist / name).write_text(name)
        sums += f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n"
    (dist / "SHA256SUMS").write_text(sums)


def found(root: Path) -> str:
    """Everything that is missing, as one text."""
    return "\n".join(
        f"{name}: {one.what} → {one.remedy}" for name, check in checklist.CHECKS.items() for one in check(root)
    )


def test_nothing_is_missing_in_a_tree_that_is_ready(ready):
    assert found(ready) == ""


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("CHANGELOG.md", "# Changelog\n", f"no heading of {VERSION}"),
        ("CHANGELOG.md", f"## [Unreleased]\n\n- More.\n\n## [{VERSION}] - 2026-11-30\n", "changes under [Unreleased]"),
        ("README.md", f"Version {VERSION} is in the making\n", "in the making"),
        ("META.json", '{\n"version": "9.9.9",\n"maintainer": ["a"]}\n', "META.json: 9.9.9"),
        ("META.json", f'{{\n"version": "{VERSION}",\n"maintainer": ["a"]}}\n', "names no maintainer with an address"),
        ("tests/upgrade/releases/0.0.2/install.sql", "", "no upgrade scripts lead from 0.0.2"),
        (f"tests/upgrade/releases/{VERSION}/data.sql", "", f"{VERSION} is frozen already"),
    ],
)
def test_what_is_missing_is_named(ready, file, text, said):
    (ready / file).parent.mkdir(parents=True, exist_ok=True)
    (ready / file).write_text(text)
    assert "1 files are not as committed" in found(ready)
    made(ready, commit(ready))
    assert said in found(ready)
    assert "committed" not in found(ready)


def test_results_count_for_their_commit_alone(ready):
    old = git(ready, "rev-parse", "HEAD")[:9]
    commit(ready)
    said = found(ready)
    for command in checklist.TESTS:
        assert f"make {command} was run on {old}" in said
    assert f"the packages are of {old}" in said


def test_a_failed_run_does_not_count(ready):
    path = ready / "tests/results/verdicts/test.json"
    path.write_text(path.read_text().replace('"failed": 0', '"failed": 2'))
    assert "make test: 9 passed, 2 failed" in found(ready)
    path.unlink()
    assert "make test has not been run here as a whole" in found(ready)


def test_packages_are_whole_and_of_this_version(ready):
    (ready / "dist" / f"sendgate-{VERSION}.zip").write_text("another")
    assert "does not have the sum of" in found(ready)
    (ready / "dist" / f"sendgate-{VERSION}.zip").unlink()
    assert f"dist/ lacks sendgate-{VERSION}.zip → make package" in found(ready)


def test_old_figures_are_named(ready):
    """Figures that were taken before the newest frozen release."""
    (ready / "tests/upgrade/releases" / EARLIER / "install.sql").write_text("SELECT 2;\n")
    made(ready, commit(ready))
    assert "the figures of docs/performance.md" in found(ready)


def test_a_run_leaves_its_result(monkeypatch, tmp_path):
    monkeypatch.setattr(verdicts, "DIRECTORY", tmp_path)
    verdicts.note("test", 7, 1)
    verdict = verdicts.last("test", tmp_path)
    assert (verdict.passed, verdict.failed) == (7, 1) and len(verdict.commit) == 40


def test_the_release_before_is_found_by_its_tag_or_by_what_froze_it(ready, monkeypatch):
    monkeypatch.setattr(before, "REPO", ready)
    script = f"tests/upgrade/releases/{VERSION}"
    last = git(ready, "rev-parse", "HEAD")
    (ready / script).mkdir()
    (ready / script / "install.sql").write_text("SELECT 1;\n")
    commit(ready)
    assert before.commit_of(VERSION) == last
    git(ready, "tag", f"v{VERSION}")
    assert before.commit_of(VERSION) == git(ready, "rev-parse", "HEAD")
    with pytest.raises(Exception, match="git fetch --unshallow"):
        before.commit_of("0.0.9")
