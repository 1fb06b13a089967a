"""pytest's side of the harness: the fixture ``env``, the versions that a test runs on, and its time limit.

A module of e2e tests may say ``NEWEST_ONLY = True`` (its subject speaks SQL and does not know the
server's version), ``ENDS_ONLY = True`` (it takes long, and a version between the oldest and the newest that are
asked for would show nothing else), ``ONLY_ON = (15,)`` (what it needs exists for these versions alone), and
``TIMEOUT_SECONDS`` (longer than the limit in pyproject.toml).
"""

import itertools
import os
import re
import signal

import pytest

from harness import build, listing, postgres, side_by_side
from harness.browser import Browser
from harness.env import lent
from harness.progress import progress
from harness.server import Server

# For a developer who names none: the version with most tests.
DEFAULT_VERSION = 18
# Debian's PostgreSQL compiles large plans, which takes seconds for each. The SQL contract and the races run with it, and
# e2e/security/test_hostile.py asks for it.
SETTINGS = {"jit": "off"}


def pytest_addoption(parser):
    group = parser.getgroup("sendgate")
    group.addoption(
        "--pg", metavar="VERSIONS", help=f"major versions, such as 15,16,17,18; {DEFAULT_VERSION} if you name none"
    )
    group.addoption("--only", metavar="NAME", help="only tests whose path and name contain NAME, as in make test")
    group.addoption("--built", action="store_true", help="the extension is installed already; make test says so")
    group.addoption("--end-with-parent", action="store_true", help="end when the process that started this one ends")


def pytest_configure(config):
    for name in list(os.environ):
        if re.fullmatch(r"PG[A-Z]+", name):
            del os.environ[name]  # PGHOST, PGOPTIONS and the like are for other servers
    is_worker = hasattr(config, "workerinput")
    if is_worker or not config.getoption("numprocesses", default=0):
        # As Ctrl-C: the servers of this process are stopped before it ends. One that only hands tests out has none,
        # and ends at once; its workers notice.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    if is_worker or config.option.end_with_parent:
        side_by_side.end_with_the_parent()


def pytest_sessionfinish():
    Browser.end_all()


def pytest_generate_tests(metafunc):
    if "server" in metafunc.fixturenames:
        majors = versions(metafunc.config)
        metafunc.parametrize("server", majors, indirect=True, scope="session", ids=[f"pg{major}" for major in majors])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    chosen = [item for item in items if runs(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    for item in chosen:
        if seconds := getattr(item.module, "TIMEOUT_SECONDS", None):
            item.add_marker(pytest.mark.timeout(seconds))
    # A worker has one server at a time. The version with most tests comes first, and of a version those that may
    # take long: what is left for the end is short, and no worker waits for another one's last test.
    items[:] = sorted(chosen, key=lambda item: (-major_of(item), -getattr(item.module, "TIMEOUT_SECONDS", 0)))


def versions(config) -> list[int]:
    """The versions that were asked for, the newest first."""
    if config.option.pg:
        return sorted((int(major) for major in config.option.pg.split(",")), reverse=True)
    if pg_config := os.environ.get("PG_CONFIG"):
        return [postgres.Install.at(pg_config).major]
    return [DEFAULT_VERSION]


def major_of(item) -> int:
    """The version that a test runs on; 0 for one without a server."""
    return item.callspec.params.get("server", 0) if hasattr(item, "callspec") else 0


def runs(item) -> bool:
    """Whether a test was asked for, and runs on this version."""
    if not listing.is_asked_for(item.config.option.only, item.path, item.originalname):
        return False
    if (major := major_of(item)) == 0:
        return True
    asked = versions(item.config)
    if getattr(item.module, "NEWEST_ONLY", False) and major != max(asked):
        return False
    if getattr(item.module, "ENDS_ONLY", False) and major not in (min(asked), max(asked)):
        return False
    return major in getattr(item.module, "ONLY_ON", (major,))


@pytest.fixture(scope="session")
def server(request):
    """A server of this worker's own, of the version that is the parameter."""
    major, config = request.param, request.config
    # A build takes minutes, so its progress is shown while it runs.
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        install = postgres.for_version(major, progress)
        if not config.option.built:
            build.build_and_install(install)
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    server = Server(install, f"pg{major}.{worker}", **SETTINGS)
    try:
        server.start()
        server.make_template()
        yield server
        server.check_log()
    finally:
        server.end()


@pytest.fixture
def env(server):
    """A database of the test's own, on a server that it may stop, crash and configure: ``harness/env.py``."""
    with lent(server, next(numbers)) as given:
        yield given


numbers = itertools.count(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and server is not None:
        report.sections.append(("the server's log ends", server.cluster.log_tail()))
    return report
