"""A server that begins with a copy is told apart from every other one."""

from e2e.support import equal
from harness.cluster import Cluster

NEWEST_ONLY = True


def test_each_copy_has_an_identity_of_its_own(env):
    identity = "SELECT system_identifier FROM pg_control_system()"
    with Cluster(env.install, conf={"fsync": "off"}) as server:
        found = server.psql(identity)
        assert found != env.psql(identity), "two servers have one identity"
        # It goes on with the WAL, also after a crash.
        server.psql("CREATE TABLE t AS SELECT 1 AS x")
        server.restart("immediate")
        equal(server.psql("TABLE t"), "1", "what was written before the crash")
        equal(server.psql(identity), found, "its identity after a restart")
        equal(server.psql("SHOW data_checksums"), env.psql("SHOW data_checksums"), "checksums")
