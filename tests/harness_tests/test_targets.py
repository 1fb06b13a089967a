"""A version's folder of cargo's begins with what another version's has, but for what knows the version."""

import fcntl
import os

import pytest

from harness import targets

HASH = "0123456789abcdef"
SHARED = (
    f"build/pgrx-bindgen-{HASH}/output",
    f"deps/libpgrx_macros-{HASH}.so",
    f"deps/libsendgate_decision-{HASH}.rlib",
    f".fingerprint/serde-{HASH}/lib-serde",
)
OF_ONE_VERSION = (
    f"build/pgrx-pg-sys-{HASH}/out/pg15.rs",
    f"deps/libpgrx_pg_sys-{HASH}.rlib",
    f"deps/pgrx-{HASH}.d",
    f".fingerprint/sendgate-{HASH}/lib-sendgate",
    "deps/libsendgate.so",
    "libsendgate.d",
    "sendgated",
    f"deps/libsendgated-{HASH}.rlib",
)
OLD = 1_700_000_000


@pytest.fixture
def folders(tmp_path):
    """One version's folder that is built, and one that is not there."""
    home = tmp_path / "target"
    for name in (*SHARED, *OF_ONE_VERSION, targets.LOCK):
        path = home / "pg15/quick" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        os.utime(path, (OLD, OLD))
    return home


def test_what_versions_have_in_common_is_copied(folders):
    targets.begin(folders / "pg16", "quick")
    copied = {str(path.relative_to(folders / "pg16/quick")) for path in (folders / "pg16").rglob("*") if path.is_file()}
    assert copied == set(SHARED)
    assert {(folders / "pg16/quick" / name).stat().st_mtime for name in SHARED} == {OLD}
    assert [path.name for path in (folders / "pg16").iterdir()] == ["quick"]


def test_a_folder_that_is_there_is_left_alone(folders):
    (folders / "pg16/quick").mkdir(parents=True)
    targets.begin(folders / "pg16", "quick")
    assert list((folders / "pg16/quick").iterdir()) == []


def test_another_profile_is_not_taken(folders):
    targets.begin(folders / "pg16", "release")
    assert not (folders / "pg16").exists()


def test_a_folder_in_which_cargo_builds_is_not_copied(folders):
    with (folders / "pg15/quick" / targets.LOCK).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        targets.begin(folders / "pg16", "quick")
    assert not (folders / "pg16/quick").exists()


def test_a_copy_that_breaks_off_leaves_nothing(folders, monkeypatch):
    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(targets.shutil, "copyfile", full)
    monkeypatch.setattr(targets.shutil, "copy2", full)
    targets.begin(folders / "pg16", "quick")
    assert not list((folders / "pg16").glob("*")) if (folders / "pg16").exists() else True
