"""`make run PARTITIONS=4` says in one line what to do where PL/Proxy cannot be had, and which numbers it takes."""

import sys

import pytest

from harness import postgres
from harness.places import REPO
from harness.progress import HarnessError

sys.path.insert(1, str(REPO / "examples"))

from demo import partitions


def test_without_plproxy_it_says_what_to_do(monkeypatch):
    def cannot(major: int):
        raise HarnessError("apt-get is not in PATH.")

    monkeypatch.setattr(postgres, "unpacked", cannot)
    with pytest.raises(HarnessError) as told:
        partitions.proxy()
    said = str(told.value)
    assert len(said.splitlines()) == 1 and "Debian 12" in said and "leave PARTITIONS out" in said, said
    assert said.endswith("The reason: apt-get is not in PATH."), said


@pytest.mark.parametrize("number", ["3", "0x4", "32", "-1", "four"])
def test_a_number_that_cannot_be(monkeypatch, number):
    monkeypatch.setenv("PARTITIONS", number)
    with pytest.raises(HarnessError, match=r"it takes 1, 2, 4, 8 or 16\.$"):
        partitions.wanted()


@pytest.mark.parametrize(("given", "count"), [("", 0), ("1", 1), ("16", 16)])
def test_a_number_that_can_be(monkeypatch, given, count):
    monkeypatch.setenv("PARTITIONS", given)
    assert partitions.wanted() == count
