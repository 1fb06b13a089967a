-- preview gives reserve's answer with the counts as they are, and takes and writes nothing.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('preview/a', 'sales_navigator');
SELECT sendgate.set_cap('preview/a', 'invite', 2);
SELECT proceed FROM sendgate.reserve('preview/a', 'invite', 'p1', 'c1', contract.op(1));
SELECT contract.books() AS before \gset

-- The counts are those before a slot is taken, and there is no operation.
SELECT * FROM sendgate.preview('preview/a', 'invite', 'p2');

-- Without a prospect it is about the account alone.
SELECT proceed, reason, sent_today, daily_cap, remaining FROM sendgate.preview('preview/a', 'invite');

-- It refuses for the same reasons.
SELECT proceed, reason, retry_at FROM sendgate.preview('preview/a', 'invite', 'p1');
SELECT proceed, reason, retry_at FROM sendgate.preview('preview/a', 'message', 'p1');

-- It writes nothing: it works in a read-only transaction, and no transaction id is used.
BEGIN READ ONLY;
SELECT proceed, reason FROM sendgate.preview('preview/a', 'inmail', 'p1');
SELECT proceed, reason FROM sendgate.preview('preview/a', 'invite', 'p1');
COMMIT;
BEGIN;
SELECT proceed FROM sendgate.preview('preview/a', 'inmail', 'p1');
SELECT pg_current_xact_id_if_assigned() IS NULL AS wrote_nothing;
COMMIT;
SELECT contract.books() = :'before' AS nothing_changed;

-- An open breaker refuses, and no skip is logged, because a preview is no attempt to send.
SELECT sendgate.breaker_arm('preview/a', 'test');
SELECT proceed, reason, retry_at FROM sendgate.preview('preview/a', 'inmail', 'p1');
SELECT count(*) AS skips FROM sendgate.breaker_log WHERE account_id = 'preview/a' AND action = 'skip';

-- In the next period reserve would clear the stamp and go on; preview says so and leaves it.
SET sendgate.now = '2026-06-01 00:00:00+00';
BEGIN READ ONLY;
SELECT proceed, reason, sent_today, remaining FROM sendgate.preview('preview/a', 'inmail', 'p1');
COMMIT;
SELECT inmail_credits_exhausted_at FROM sendgate.linkedin_accounts WHERE id = 'preview/a';

-- Yesterday's counters read as 0 though nothing has written the row.
SELECT proceed, sent_today, remaining FROM sendgate.preview('preview/a', 'invite', 'p2');

-- The answer is reserve's, for every action.
SELECT a.action, p.proceed = r.proceed AS same_answer, p.reason IS NOT DISTINCT FROM r.reason AS same_reason,
    p.sent_today, r.sent_today AS with_this_one
FROM unnest(ARRAY['inmail', 'invite', 'message', 'profile_view', 'engagement']) WITH ORDINALITY AS a (action, n)
CROSS JOIN LATERAL sendgate.preview('preview/a', a.action, 'p5') AS p
CROSS JOIN LATERAL sendgate.reserve('preview/a', a.action, 'p5') AS r
ORDER BY a.n;

-- Bad input is an error of its own.
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$preview(NULL, 'inmail')$$),
        (2, $$preview('preview/a', NULL)$$),
        (3, $$preview('preview/nobody', 'inmail')$$),
        (4, $$preview('preview/a', 'email')$$),
        (5, $$preview('preview/a', 'inmail', '')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
