-- What monitoring watches: counts that only rise, and work that is due and lies.

-- Counts since the server started; no rows unless the library is in shared_preload_libraries.
CREATE FUNCTION sendgate.activity_counts() RETURNS TABLE (
    what text,
    action text,
    outcome text,
    counted bigint,
    since timestamptz
)
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
ROWS 72
AS 'MODULE_PATHNAME', 'sendgate_activity_counts';
COMMENT ON FUNCTION sendgate.activity_counts() IS
'How often what happened since the server started, over all its databases: grant and delivery by action, outcome (of failed attempts) by action and outcome, breaker_set and breaker_clear; noughts too. The counts only rise, so rates over midnight can be computed. Counted when it is done, also in a transaction that does not commit. No rows unless sendgate is in shared_preload_libraries: the counts are in shared memory.';

CREATE VIEW sendgate.due_work AS
SELECT o.oldest_due_at, greatest(c.at - o.oldest_due_at, interval '0') AS age
FROM (SELECT sendgate.clock() AS at) c
CROSS JOIN (SELECT min(q.due_at) AS oldest_due_at FROM sendgate.dispatch_queue q) o;
COMMENT ON VIEW sendgate.due_work IS
'One line: how long campaign work has been due that dispatch has not handed out. Work of an account that waits for a time or an event is not due.';
COMMENT ON COLUMN sendgate.due_work.oldest_due_at IS
'When dispatch should look at an account and action next, or should have looked. NULL: there is no work.';
COMMENT ON COLUMN sendgate.due_work.age IS
'For how long that is past; 0 while nothing is due.';

-- The journal is asked about accounts with a told balance alone.
CREATE VIEW sendgate.credit_states AS
SELECT c.state, count(*) AS accounts
FROM sendgate.accounts a
JOIN sendgate.credits c ON c.account_id = a.id
WHERE a.credits_since IS NOT NULL
GROUP BY c.state;
COMMENT ON VIEW sendgate.credit_states IS
'How many of the accounts whose balance of InMail credits was told are in which state of the view credits; for metrics. Accounts without a told balance are not looked at.';
COMMENT ON COLUMN sendgate.credit_states.state IS
'ok, low or exhausted; untracked: the balance was told too long ago and counts no longer.';
COMMENT ON COLUMN sendgate.credit_states.accounts IS 'How many accounts.';
