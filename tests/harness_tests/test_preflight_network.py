"""What is said before a build of a network that has still to give something, and how long that takes."""

import socket
import threading

from harness import machine, preflight

NO_FINDINGS = machine.Findings()


def test_a_closed_port_is_a_reason_and_an_open_one_is_none():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert preflight.connection_problem("127.0.0.1", port) is None
    assert preflight.connection_problem("127.0.0.1", port) == "Connection refused"


def test_a_name_that_takes_too_long_is_no_problem(monkeypatch):
    released = threading.Event()

    def answers_late(*_, **__):
        released.wait(30)
        raise OSError("too late")

    monkeypatch.setattr(socket, "create_connection", answers_late)
    monkeypatch.setattr(preflight, "CONNECT_SECONDS_MAX", 0.05)
    assert preflight.connection_problem("host.invalid", 1) is None
    released.set()


def test_the_network_is_asked_for_only_if_something_is_to_be_fetched(monkeypatch):
    asked = []
    monkeypatch.setattr(preflight, "connection_problem", lambda host, port: asked.append(host) or "no network")
    monkeypatch.setattr(preflight, "_pip_index", lambda: ("https://index.invalid/simple", False))
    monkeypatch.setattr(preflight, "_has_crates", lambda goal: True)
    monkeypatch.setattr(preflight, "_wheels", lambda goal, majors: [])
    assert preflight.fetched("run", []) == NO_FINDINGS and asked == []
    monkeypatch.setattr(preflight, "_wheels", lambda goal, majors: ["libclang==18.1.1"])
    monkeypatch.setattr(machine, "pip_here", lambda: True)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (only,) = preflight.fetched("run", []).problems
    assert only.what.startswith("index.invalid cannot be reached (no network)")
    assert only.what.endswith("libclang==18.1.1")
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    preflight.fetched("run", [])
    assert asked == ["index.invalid", "proxy.invalid"]


def test_a_silent_network_costs_one_wait(monkeypatch):
    """Both indices are asked at once: neither question ends before the other has begun."""
    both = threading.Barrier(2)
    met = []

    def waits_for_the_other(*_, **__):
        both.wait(10)
        met.append(True)
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", waits_for_the_other)
    monkeypatch.setattr(preflight, "CONNECT_SECONDS_MAX", 10)
    monkeypatch.setattr(preflight, "_pip_index", lambda: ("https://index.invalid/simple", False))
    monkeypatch.setattr(preflight, "_cargo_is_redirected", lambda: False)
    monkeypatch.setattr(preflight, "_has_crates", lambda goal: False)
    monkeypatch.setattr(preflight, "_wheels", lambda goal, majors: ["libclang==18.1.1"])
    monkeypatch.setattr(machine, "pip_here", lambda: True)
    assert preflight.fetched("run", []) == NO_FINDINGS and len(met) == 2


def test_crates_that_were_never_fetched_are_missed(monkeypatch, tmp_path):
    """Those of the daemon, too, but for a goal that does not build it."""
    monkeypatch.setenv("CARGO_HOME", str(tmp_path))
    assert not preflight._has_crates("install") and not preflight._has_crates("run")
    asked = []
    monkeypatch.setattr(preflight, "_run", lambda command, **_: asked.append(command))
    assert preflight._has_crates("install") and preflight._has_crates("run")
    assert ["sendgated" in command for command in asked] == [False, True]
