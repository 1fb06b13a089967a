"""Which build a version is tested with."""

import pytest

from harness import build, run
from harness.preflight import supported


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
