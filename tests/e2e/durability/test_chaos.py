"""The short form of ``make soak``: everything is killed once while workers send, and a day ends."""

import tempfile
from pathlib import Path

from e2e.support import equal

ONLY_ON = (18,)

# The first test of the daemon builds it.
TIMEOUT_SECONDS = 1200
SEED = 7
SIZES = {
    "operations": 1_200,
    "kills": 7,
    "accounts": 20,
    "singles": 2,
    "batches": 2,
    "outboxes": 1,
    "crons": 1,
    "batch": 20,
    "caps": (3, 8),
}
# What even so short a run has to have met.
MET = (
    "the provider was called with a grant alone",
    "accepted sends are within the daily cap",
    "acknowledged confirms are in the event log, once",
    "acknowledged rollbacks are in the journal",
    "sweeps corrected nothing",
    "runs that were killed say crashed",
    "no work was sent twice",
    "a prospect who opted out got no grant",
    "a paced account kept its gap",
    "nothing passed a cooldown",
    "known credits are the last balance less what took one",
    "what an observed account sent beyond its cap is counted",
    "a campaign took no more than its part of a day",
    "guarded rows are what the journal says",
)


def test_nothing_is_lost_or_sent_twice_whoever_is_killed(env):
    from chaos import report

    # The server flushes nothing by itself for as long as it may.
    env.cluster.configure(wal_writer_delay="10s", wal_writer_flush_after="1GB")
    said = []
    with tempfile.TemporaryDirectory() as directory:
        checks, figures = report.play(env.cluster, env.dbname, Path(directory), SEED, SIZES, said.append)
    told = "\n".join((*said, figures, report.verdict.table(checks)))
    equal([check.name for check in checks if not check.ok], [], f"what the verdict found\n{told}")
    met = {check.name for check in checks if check.seen}
    equal(set(MET) - met, set(), f"what the run did not meet\n{told}")
