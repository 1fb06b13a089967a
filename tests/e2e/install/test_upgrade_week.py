"""The week of an earlier release began on Monday; after the upgrade it is the last seven days, counted
from the journal, which every release kept. So are the attempts of the day of the upgrade."""

from e2e.install.test_upgrade import UPDATE, connect
from e2e.support import equal
from harness.cluster import Cluster
from upgrade import releases, stock

# Two invitations on each of the six days before; the calendar week of 0.2.0 has counted four of them. Then
# operations that do not count: an older one, a released one, one of another action, one of another account.
SENDS = """
INSERT INTO sendgate.accounts (id, tier, day, week, invites_sent_today, invites_sent_this_week, invite_daily_cap, invite_weekly_cap)
SELECT 'busy', 'sales_navigator', '2026-05-19', '2026-05-18', 2, 4, 9, 14;
INSERT INTO sendgate.send_operations
    (operation_id, reserved_at, expires_at, counted_on, account_id, prospect_id, action, state, settled_at, outcome)
SELECT gen_random_uuid(), s.day + time '10:00', s.day + time '10:05', s.day, s.account, gen_random_uuid()::text,
       s.action, s.state, CASE WHEN s.state <> 'reserved' THEN s.day + time '10:01' END,
       CASE s.state WHEN 'released' THEN 'released' WHEN 'indeterminate' THEN 'indeterminate' END
FROM (
    SELECT d::date, 'busy', 'invite', state
    FROM generate_series(timestamp '2026-05-14', '2026-05-18', '1 day') d, unnest(ARRAY['delivered', 'reserved']) state
    UNION ALL
    VALUES (date '2026-05-19', 'busy', 'invite', 'delivered'), ('2026-05-19', 'busy', 'invite', 'indeterminate'),
           ('2026-05-13', 'busy', 'invite', 'delivered'), ('2026-05-19', 'busy', 'invite', 'released'),
           ('2026-05-19', 'busy', 'message', 'delivered'), ('2026-05-19', 'other', 'invite', 'delivered')
) s (day, account, action, state);
INSERT INTO sendgate.accounts (id, tier, day, week, message_daily_cap)
SELECT 'tried', 'sales_navigator', '2026-05-20', '2026-05-18', 2;
INSERT INTO sendgate.send_operations
    (operation_id, reserved_at, expires_at, counted_on, account_id, prospect_id, action, state, settled_at, outcome)
SELECT gen_random_uuid(), '2026-05-20 10:00+00', '2026-05-20 10:15+00', '2026-05-20', 'tried', gen_random_uuid()::text,
       'message', 'released', '2026-05-20 10:01+00', outcome
FROM unnest(ARRAY['recipient_refused', 'transient', 'rate_limited', 'released', 'released']) outcome;
"""


def test_the_week_of_an_upgraded_account(env):
    with Cluster(env.install, conf=env.cluster.conf, in_memory=True) as server:
        for old in releases.released():
            name = "week_" + old.version.replace(".", "_")
            with releases.placed(env.install, old):
                server.psql(f"CREATE DATABASE {name}")
                server.psql(f"CREATE EXTENSION sendgate VERSION '{old.version}'", name)
                server.psql(SENDS, name)
                server.psql(UPDATE, name)
            check_week(connect(env, server, name), f"upgraded from {old.version}")


def test_the_week_of_an_old_backup(env):
    """The rows are those that a dump of an earlier release restores: without the columns of this one."""
    env.psql(SENDS)
    check_week(env.connect(), "restored")


def check_week(connection, what: str) -> None:
    """Twelve of fourteen are used up: by the view once a decision has counted them, and by the gate at once."""
    connection.execute(f"LOAD 'sendgate'; SET sendgate.now = '{stock.NOW}'", prepare=False)
    used = "SELECT sent_this_week FROM sendgate.counters WHERE account_id = 'busy' AND action = 'invite'"
    equal(connection.execute(used).fetchone(), (None,), f"the week of an account not counted yet, {what}")
    asked = "SELECT proceed, reason, remaining FROM sendgate.{}('busy', 'invite', %s)"
    preview = connection.execute(asked.format("preview"), ("p1",)).fetchone()
    equal(preview, (True, None, 2), f"a preview, which writes nothing, {what}")
    granted = [connection.execute(asked.format("reserve"), (f"p{number}",)).fetchone() for number in (1, 2, 3)]
    equal([grant[0] for grant in granted], [True, True, False], f"grants {what}: {granted}")
    equal(granted[2][1], "weekly_cap_reached", f"the refusal {what}")
    equal(connection.execute(used).fetchone(), (14,), f"the week {what}")
    # Of the days before, two of 14 May leave the week at midnight.
    connection.execute("SET sendgate.now = '2026-05-21 00:00:00+00'")
    equal(connection.execute(used).fetchone(), (12,), f"the week of the next day {what}")
    days = "SELECT sendgate.sent_before_days(sent_before, 'invite') FROM sendgate.accounts WHERE id = 'busy'"
    equal(connection.execute(days).fetchone(), ([2, 2, 2, 2, 2, 2],), f"the days before {what}")
    check_attempts(connection, what)


def check_attempts(connection, what: str) -> None:
    """Three of four attempts were made before the upgrade, which did not count them; no weekly cap needs the days."""
    connection.execute(f"SET sendgate.now = '{stock.NOW}'")
    asked = "SELECT reason FROM sendgate.reserve('tried', 'message', %s, NULL, '00000000-0000-0000-0000-000000000001')"
    equal(connection.execute(asked, ("p1",)).fetchone(), (None,), f"the fourth attempt, {what}")
    refused = "SELECT sendgate.rollback('tried', '00000000-0000-0000-0000-000000000001', 'no', 'errors/blocked_recipient', 422)"
    equal(connection.execute(refused).fetchone(), ("recipient_refused",), f"its answer, {what}")
    again = "SELECT reason FROM sendgate.reserve('tried', 'message', 'p2')"
    equal(connection.execute(again).fetchone(), ("daily_attempts_reached",), f"the fifth attempt, {what}")
