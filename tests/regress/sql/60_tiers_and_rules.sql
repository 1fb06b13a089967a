-- Caps of a tier, rules of the classifier, the one switch, and the log of who changed what.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('tiers/a', 'free');
CREATE VIEW contract.tiers_60 AS
SELECT tier, action, daily_cap, weekly_cap, ramp_start_percent, ramp_step_percent, minimum_gap, credits_a_month, overridden
FROM sendgate.tiers;

-- set_tier_cap goes over a shipped cap, for every account of the tier at once; NULLs take the
-- defaults: no weekly cap, no gap, a ramp of 20 %.
SELECT * FROM contract.tiers_60 WHERE tier = 'free' AND action = 'invite';
-- The log shows the gap alike, whatever the session's style.
SET IntervalStyle = 'iso_8601';
SELECT sendgate.set_tier_cap('free', 'invite', 3, 30, '5 minutes', 50);
SET IntervalStyle = 'postgres';
SELECT * FROM contract.tiers_60 WHERE tier = 'free' AND action = 'invite';
SELECT daily_cap FROM sendgate.preview('tiers/a', 'invite');
SELECT sendgate.set_tier_cap('free', 'invite', 4);
SELECT * FROM contract.tiers_60 WHERE tier = 'free' AND action = 'invite';

-- The account's own cap goes over the tier's.
SELECT sendgate.set_cap('tiers/a', 'invite', 7);
SELECT daily_cap FROM sendgate.preview('tiers/a', 'invite');

-- drop_tier_cap brings the shipped cap back; dropping what is not there is no error.
SELECT sendgate.drop_tier_cap('free', 'invite');
SELECT sendgate.drop_tier_cap('free', 'invite');
SELECT * FROM contract.tiers_60 WHERE tier = 'free' AND action = 'invite';

-- ramp_percent is both where a ramp starts and what a sending day adds.
SELECT sendgate.set_tier_cap('half', 'invite', 10, ramp_percent => 50);
SELECT sendgate.upsert_account('tiers/ramp', 'half', ramp => true);
SELECT daily_cap FROM sendgate.reserve('tiers/ramp', 'invite', 'p1');
SELECT daily_cap FROM contract.preview_at('2026-05-25 12:00+00', 'tiers/ramp', 'invite');

-- A new tier is what it names; the other actions have a cap of 0. It cannot vanish under an account.
SELECT sendgate.set_tier_cap('agency', 'invite', 15);
SELECT sendgate.upsert_account('tiers/agency', 'agency');
SELECT action, daily_cap, weekly_cap FROM sendgate.counters WHERE account_id = 'tiers/agency' ORDER BY action;
SELECT e.code, e.message FROM contract.error($$SELECT sendgate.drop_tier_cap('agency', 'invite')$$) AS e;
SELECT sendgate.upsert_account('tiers/agency', 'free');
SELECT sendgate.drop_tier_cap('agency', 'invite');
SELECT count(*) FROM sendgate.tiers WHERE tier = 'agency';
SELECT e.code, e.message FROM contract.error($$SELECT sendgate.upsert_account('tiers/agency', 'agency')$$) AS e;

-- A change counts in the same transaction, and not at all when that is rolled back.
BEGIN;
SELECT sendgate.set_tier_cap('free', 'message', 1);
SELECT daily_cap FROM sendgate.preview('tiers/a', 'message');
ROLLBACK;
SELECT daily_cap FROM sendgate.preview('tiers/a', 'message');

-- Users' rules of the classifier are 0 to 999 and come before the shipped ones; the same order
-- replaces.
SELECT sendgate.set_error_rule(0, 'transient', error_text => 'try again');
SELECT sendgate.set_error_rule(999, 'recipient_refused', 'invite', 'errors/weekly_limit', '4xx', 'Invitation');
SELECT sendgate.set_error_rule(0, 'rate_limited', http_status => '420');
SELECT * FROM sendgate.error_rules WHERE rule_order <= 1000 ORDER BY rule_order;
SELECT sendgate.drop_error_rule(0), sendgate.drop_error_rule(999);
SELECT count(*) FROM sendgate.error_rules WHERE NOT shipped;

-- pause_all is one switch for everybody. Switching twice is no error.
SELECT sendgate.pause_all('provider incident');
SELECT sendgate.pause_all('again');
SELECT proceed, reason, retry_at FROM sendgate.reserve('tiers/a', 'message', 'p1');
SELECT proceed, reason, retry_at FROM sendgate.preview('tiers/a', 'message', 'p1');
SELECT proceed, reason FROM sendgate.breaker_check('tiers/a');

-- What is on its way can still be settled.
SELECT sendgate.resume_all();
SELECT proceed FROM sendgate.reserve('tiers/a', 'message', 'p1', NULL, contract.op(1));
SELECT proceed FROM sendgate.reserve('tiers/a', 'message', 'p2', NULL, contract.op(2));
SELECT sendgate.pause_all('once more');
SELECT sendgate.confirm('tiers/a', contract.op(1)) IS NOT NULL AS confirmed;
SELECT sendgate.rollback('tiers/a', contract.op(2));
SELECT sendgate.resume_all();
SELECT sendgate.resume_all();
SELECT proceed FROM sendgate.reserve('tiers/a', 'message', 'p3');

-- Who changed what, from what to what. The actor is the session's user; sendgate.actor is believed
-- only from members of sendgate_daemon, and a superuser is none.
SET sendgate.now = '2026-05-24 13:00:00+00';
SELECT sendgate.set_status('tiers/a', 'paused', 'a note');
SET sendgate.actor = 'somebody else';
SELECT sendgate.set_cap('tiers/a', 'invite', NULL, 40, 'another note');
RESET sendgate.actor;
SELECT verb, actor, account_id, subject, before, after, note
FROM sendgate.admin_log
WHERE at = '2026-05-24 13:00:00+00' AND account_id = 'tiers/a'
ORDER BY verb;
SELECT verb, subject, before, after
FROM sendgate.admin_log
WHERE verb IN ('set_tier_cap', 'drop_tier_cap') AND subject IN ('free/invite', 'agency/invite') AND at >= '2026-05-24 12:00+00'
ORDER BY verb, subject, before, after;
SELECT verb, before, after, note
FROM sendgate.admin_log
WHERE verb IN ('pause_all', 'resume_all') AND note IS DISTINCT FROM 'test' AND at = '2026-05-24 12:00+00'
GROUP BY verb, before, after, note
ORDER BY verb, note;

-- A member of sendgate_daemon acts on behalf of the operator that it names; an operator cannot name another.
CREATE ROLE regress_sendgate_daemon LOGIN;
CREATE ROLE regress_sendgate_operator LOGIN;
GRANT sendgate_daemon TO regress_sendgate_daemon;
GRANT sendgate_operator TO regress_sendgate_operator;
SET sendgate.now = '2026-05-24 14:00:00+00';
SET SESSION AUTHORIZATION regress_sendgate_daemon;
SET sendgate.actor = 'ada@example.org';
SELECT sendgate.set_cap('tiers/a', 'inmail', 1, note => 'by the daemon');
SET SESSION AUTHORIZATION regress_sendgate_operator;
SELECT sendgate.set_cap('tiers/a', 'inmail', 2, note => 'by an operator');
RESET SESSION AUTHORIZATION;
RESET sendgate.actor;
SELECT note, actor FROM sendgate.admin_log WHERE account_id = 'tiers/a' AND subject = 'inmail' ORDER BY note;
DROP ROLE regress_sendgate_daemon, regress_sendgate_operator;

-- Bad input is an error of its own, and changes nothing.
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$set_tier_cap(NULL, 'inmail', 1)$$),
        (2, $$set_tier_cap('', 'inmail', 1)$$),
        (3, $$set_tier_cap(repeat('t', 129), 'inmail', 1)$$),
        (4, $$set_tier_cap('free', 'email', 1)$$),
        (5, $$set_tier_cap('free', NULL, 1)$$),
        (6, $$set_tier_cap('free', 'inmail', NULL)$$),
        (7, $$set_tier_cap('free', 'inmail', -1)$$),
        (8, $$set_tier_cap('free', 'inmail', 1, -1)$$),
        (9, $$set_tier_cap('free', 'inmail', 1, 1, '-1 second')$$),
        (10, $$set_tier_cap('free', 'inmail', 1, 1, '1 month')$$),
        (11, $$set_tier_cap('free', 'inmail', 1, 1, '1 hour', 0)$$),
        (12, $$set_tier_cap('free', 'inmail', 1, 1, '1 hour', 101)$$),
        (20, $$drop_tier_cap('nothing', 'inmail')$$),
        (21, $$drop_tier_cap('free', 'email')$$),
        (22, $$drop_tier_cap(NULL, 'inmail')$$),
        (30, $$set_error_rule(-1, 'transient', error_text => 'x')$$),
        (31, $$set_error_rule(1000, 'transient', error_text => 'x')$$),
        (32, $$set_error_rule(NULL, 'transient', error_text => 'x')$$),
        (33, $$set_error_rule(1, 'ignored', error_text => 'x')$$),
        (34, $$set_error_rule(1, NULL, error_text => 'x')$$),
        (35, $$set_error_rule(1, 'transient', action => 'email', error_text => 'x')$$),
        (36, $$set_error_rule(1, 'transient')$$),
        (37, $$set_error_rule(1, 'transient', action => 'inmail')$$),
        (38, $$set_error_rule(1, 'transient', http_status => '4x')$$),
        (39, $$set_error_rule(1, 'transient', http_status => '600')$$),
        (40, $$set_error_rule(1, 'transient', error_text => '')$$),
        (41, $$set_error_rule(1, 'transient', error_type => ' ')$$),
        (42, $$set_error_rule(1, 'transient', error_text => repeat('x', 2001))$$),
        (43, $$set_error_rule(1, 'released', http_status => '503')$$),
        (50, $$drop_error_rule(7)$$),
        (51, $$drop_error_rule(1000)$$),
        (52, $$drop_error_rule(NULL)$$),
        (60, $$pause_all(repeat('x', 2001))$$),
        (70, $$repair_day('tiers/a', 'x')$$),
        (71, $$repair_day('tiers/nobody', 'x')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;

-- Leave no tier behind.
SELECT sendgate.upsert_account('tiers/ramp', 'free'), sendgate.drop_tier_cap('half', 'invite');
