"""The comparison of an upgraded catalog with a fresh one finds what it is there to find."""

from e2e.install.test_upgrade import UPDATE, connect
from e2e.support import equal
from harness.cluster import Cluster
from upgrade import catalog, earlier, releases

NEWEST_ONLY = True


def test_an_upgrade_with_a_mistake_is_found(env):
    """Each step of the upgrade forgotten, and some done otherwise: the comparison says which."""
    fresh = catalog.facts(env.connect())
    missed = []
    with Cluster(env.install, conf=env.cluster.conf, in_memory=True) as server:
        connection = connect(env, server, "postgres")
        with releases.placed(env.install, earlier.release()):
            connection.execute("BEGIN")
            connection.execute(f"CREATE EXTENSION sendgate VERSION '{earlier.VERSION}'")
        right = earlier.forward()
        for mutant in earlier.mutants():
            assert right[mutant.step] != mutant.instead, f"{mutant} changes nothing"
            connection.execute("SAVEPOINT earlier")
            wrong = earlier.release(right | {mutant.step: mutant.instead})
            with releases.placed(env.install, wrong):
                connection.execute(UPDATE)
            told = catalog.differences(catalog.facts(connection), fresh)
            connection.execute("ROLLBACK TO earlier")
            if not any(mutant.finds in line for line in told):
                missed.append(f"{mutant.step}: {mutant.finds} is not in {told}")
    equal(missed, [], "mistakes that were not found")
