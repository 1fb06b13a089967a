"""The daemon's memory over a thousand rounds: flat, and small."""

from e2e.support import provision, wait_for
from e2e.support.daemon_process import JOBS, Daemon, make_due

NEWEST_ONLY = True

# The first test builds the daemon.
TIMEOUT_SECONDS = 1200
RESIDENT_BYTES_MAX = 30 * 1024 * 1024
# What a warm process may still grow by: fragments, and a longest line. A round that kept a kilobyte
# would have grown by a megabyte.
GROWTH_BYTES_MAX = 1024 * 1024
ROUNDS_WARM = 100
ROUNDS = 1_000
# The shortest pause between two rounds.
POLL_SECONDS = "0.005"


def test_a_thousand_rounds_leave_nothing_behind(env):
    """While pages are fetched, accounts come and are stopped, and every job falls due again."""
    provision(env, "a")
    with Daemon(env, SENDGATED_POLL=POLL_SECONDS) as daemon:
        warm = wait_for(lambda: busy(env, daemon, ROUNDS_WARM), f"{ROUNDS_WARM} rounds")
        end = wait_for(lambda: busy(env, daemon, ROUNDS), f"{ROUNDS} rounds")
    runs = [end[f'sendgate_job_runs_total{{job="{job}",outcome="ok"}}'] for job in JOBS]
    assert min(runs) >= 10, f"runs of each job: {runs}"
    assert end["sendgate_breaker_lines_total"] >= 10, "no line was printed"
    name = "process_resident_memory_bytes"
    before, after = warm[name], end[name]
    assert after < RESIDENT_BYTES_MAX, f"{after / 1024 / 1024:.1f} MiB"
    assert after - before < GROWTH_BYTES_MAX, f"from {before:.0f} bytes to {after:.0f}"


def busy(env, daemon, rounds: int) -> dict | None:
    """A scrape, if so many rounds are over; otherwise something for the next rounds to do."""
    found = daemon.metrics()
    if found["sendgate_rounds_total"] >= rounds:
        return found
    account = f"b{found['sendgate_rounds_total']:.0f}"
    provision(env, account)
    env.psql(f"SELECT sendgate.breaker_arm('{account}', 'test')")
    make_due(env, *JOBS)
    return None
