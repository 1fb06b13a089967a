"""The server of the proxies, one a worker: PostgreSQL 15, the only version for which Debian 12 packages PL/Proxy."""

import pytest

from e2e.support.partitions import partitions
from harness import debian, postgres
from harness.cluster import Cluster

PROXY_MAJOR = 15


@pytest.fixture(scope="module")
def proxies():
    install = postgres.for_version(PROXY_MAJOR)
    debian.plproxy(install)
    with Cluster(install, conf={"fsync": "off", "log_min_messages": "warning"}, in_memory=True) as cluster:
        yield cluster


@pytest.fixture
def parts(env, proxies):
    """Partitions on the test's server, and where their proxies go."""
    given = partitions(env, proxies)
    try:
        yield given
    finally:
        given.close()
