"""A hundred thousand accounts of the worst kind, and a database that is slow: every page stays bounded."""

import os
import signal

from e2e.console.test_console import FILTERS
from e2e.support import Stopwatch, at_once, equal, provision
from e2e.support.console_client import Client, ConsoleDaemon, act_path, next_page
from e2e.support.console_plans import GROWING, plans_of
from e2e.support.daemon_process import Daemon
from pages import world

NEWEST_ONLY = True
# The first test builds the daemon; one loads 100,000 accounts.
TIMEOUT_SECONDS = 1800
ACCOUNTS = 100_000
HOT = "acc-000010"
# A page of one account may read that account's own history, this often.
READS_OF_ONE_MAX = 8
SLOW_SECONDS = 20
# A table of at most so many rows may be read whole; the huge ones have a hundred times as many.
SMALL = 2_000
CROWD = """
SET session_replication_role = replica;
UPDATE sendgate.accounts SET day = (sendgate.clock() AT TIME ZONE 'UTC')::date,
    week = date_trunc('week', sendgate.clock() AT TIME ZONE 'UTC')::date, inmails_sent_today = 40,
    inmail_credits_exhausted_at = sendgate.clock() - interval '{age}', cooldown_until = sendgate.clock() - interval '{age}' + interval '1 h',
    status = 'paused';
"""
# One account's day, a hundred thousand times what its caps allow.
HISTORY = f"""
SET session_replication_role = replica;
INSERT INTO sendgate.send_operations (operation_id, account_id, prospect_id, action, campaign_id, state, reserved_at, expires_at,
    counted_on, settled_at, outcome, error, unknown_since)
SELECT gen_random_uuid(), '{HOT}', 'h' || n, 'inmail', 'spring-1', CASE WHEN n % 2 = 0 THEN 'delivered' ELSE 'indeterminate' END,
    c.at, c.at + interval '15 minutes', (c.at AT TIME ZONE 'UTC')::date, c.at, CASE WHEN n % 2 = 1 THEN 'indeterminate' END,
    CASE WHEN n % 2 = 1 THEN 'timeout' END, CASE WHEN n % 2 = 1 THEN c.at END
FROM generate_series(1, 200000) n CROSS JOIN (SELECT sendgate.clock() AS at) c;
INSERT INTO sendgate.linkedin_events (id, operation_id, occurred_at, recorded_at, counted_on, account_id, prospect_id, event_type, chat_id)
SELECT gen_random_uuid(), o.operation_id, o.reserved_at, o.settled_at, o.counted_on, o.account_id, o.prospect_id, 'inmail_sent', 'c'
FROM sendgate.send_operations o WHERE o.account_id = '{HOT}' AND o.state = 'delivered' AND o.prospect_id LIKE 'h%';
INSERT INTO sendgate.campaign_events (id, at, account_id, prospect_id, campaign_id, action, event_type, reason)
SELECT gen_random_uuid(), sendgate.clock(), '{HOT}', 'p' || n, 'hot', 'inmail', 'linkedin_skipped', 'inmail_eligibility'
FROM generate_series(1, 100000) n;
"""


def test_crowds_of_one_kind(env):
    """All exhausted, all stamped long ago, all cooling down or no longer, all drifting, none connected."""
    world.load(env.psql, ACCOUNTS, journalled=2_000)
    pages = ["/", "/?after=acc-099990", "/?after=zzz", "/?q=zzz&filter=drifting"]
    for name in FILTERS:
        pages += [f"/?filter={name}", f"/?filter={name}&after=acc-050000", f"/?filter={name}&after=acc-099999"]
    for age in ("40 days", "1 minute"):
        # PostgreSQL's statistics are those of the rows before these.
        env.psql(CROWD.format(age=age))
        assert plans_of(env, pages, rows_max=30_000) > 3 * len(pages)
    with Daemon(env) as daemon:
        for name in ("exhausted", "drifting", "not-connected"):
            text = daemon.get(f"/?filter={name}&after=acc-050000")[1]
            equal(text.count('class="card-link"'), 24, f"cards of {name}")
            assert next_page(text), name


def test_one_account_with_a_hundred_thousand_events(env):
    """Its own page reads its own history; the lists of all accounts read no more of it than they show."""
    world.load(env.psql, 2_000, journalled=2_000)
    # Plans are those of before: counted anew, with nearly all rows its own, reading a table whole is right.
    for table in GROWING:
        env.psql(f"ALTER TABLE sendgate.{table} SET (autovacuum_enabled = off)")
    env.psql(HISTORY)
    lists = ["/unknown", "/unknown?after=2000-01-01%2000:00:00.000000~00000000-0000-4000-8000-000000000000&account=a"]
    lists += ["/events", f"/events?account={HOT}", "/events?campaign=hot", "/alerts", "/heartbeats"]
    assert plans_of(env, lists, rows_max=30_000, small=SMALL) > len(lists)
    own = [
        "/",
        "/?filter=drifting",
        f"/account?id={HOT}",
        act_path("clear", HOT),
        f"/events?account={HOT}&campaign=spring-1",
    ]
    assert plans_of(env, own, rows_max=200_000 * READS_OF_ONE_MAX, small=SMALL) > len(own)
    with Daemon(env) as daemon:
        with Stopwatch() as watch:
            status, text = daemon.get(f"/account?id={HOT}")
            equal(status, 200, "its page")
        assert watch.seconds < 8, "the server's limit for one statement"
        assert "all days are counted in part" in text, "its chart counts everything"


def test_a_database_that_does_not_answer(env):
    """A page gives up, the others say that they wait, and all go on with a new connection."""
    provision(env)
    with ConsoleDaemon(env) as daemon:
        client = Client(daemon)
        client.sign_in()
        equal(client.get("/")[0], 200, "before")
        pages = "SELECT pid FROM pg_stat_activity WHERE usename = '{}' AND query LIKE '%AS w (id)%'"
        pid = int(env.psql(pages.format(daemon.user)))
        os.kill(pid, signal.SIGSTOP)
        try:

            def ask(number: int) -> str:
                if number == 2:
                    assert daemon.ready(), "health has a connection of its own"
                    return ""
                status, text = Client(daemon).get("/")
                equal(status, 503, "a page")
                return text

            with Stopwatch() as watch:
                texts = at_once(3, ask)
            # Whichever came first asks, and the other one waits for its turn.
            for said in ("no answer within", "Others are using the console"):
                assert sum(said in text for text in texts) == 1, f"{said}: {texts}"
            assert watch.seconds < SLOW_SECONDS
            equal(client.get("/")[0], 200, "the next page, while the old session still hangs")
        finally:
            os.kill(pid, signal.SIGCONT)
