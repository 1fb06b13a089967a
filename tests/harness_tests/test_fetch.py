"""The demo's downloads run side by side, and one that fails is told."""

import threading

import pytest

from harness import fetch, libclang, machine, postgres, progress, venv
from harness.progress import HarnessError


@pytest.fixture
def jobs(monkeypatch, tmp_path):
    """Puts a function in the place of each of the three downloads."""
    monkeypatch.delenv("PG_CONFIG", raising=False)
    monkeypatch.delenv("LIBCLANG_PATH", raising=False)
    monkeypatch.setattr(fetch, "server_dir", lambda: tmp_path)

    def put(job):
        monkeypatch.setattr(venv, "ensure", lambda: job("psycopg"))
        monkeypatch.setattr(libclang, "pinned", lambda: job("libclang"))
        monkeypatch.setattr(postgres, "embedded", lambda progress: job("PostgreSQL"))

    return put


def test_the_downloads_run_at_the_same_time(jobs, monkeypatch):
    monkeypatch.setattr(machine, "pip_here", lambda: True)
    together = threading.Barrier(3, timeout=20)
    jobs(lambda name: together.wait())
    fetch.for_the_demo()
    assert not together.broken


def test_what_the_environment_names_is_not_fetched(jobs, monkeypatch):
    monkeypatch.setenv("PG_CONFIG", "/usr/bin/pg_config")
    monkeypatch.setenv("LIBCLANG_PATH", "/usr/lib")
    fetched = []
    jobs(fetched.append)
    fetch.for_the_demo()
    assert set(fetched) == {"psycopg"}


def test_pip_is_installed_before_several_want_it(jobs, monkeypatch):
    monkeypatch.setattr(machine, "pip_here", lambda: False)
    order = []
    jobs(order.append)
    fetch.for_the_demo()
    assert order[0] == "psycopg" and set(order) == {"psycopg", "libclang", "PostgreSQL"}


def test_a_download_that_fails_is_told(jobs, monkeypatch):
    monkeypatch.setattr(machine, "pip_here", lambda: True)

    def job(name):
        if name == "libclang":
            raise HarnessError("no network")

    jobs(job)
    with pytest.raises(HarnessError, match="no network"):
        fetch.for_the_demo()
    assert progress.prefix == ""
