-- Accounts: what provisioning creates, what it changes, and what it leaves alone.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';

-- On insert only the tier is required; the rest gets its defaults.
SELECT sendgate.upsert_account('accounts/plain', 'sales_navigator');
\x on
SELECT * FROM sendgate.linkedin_accounts WHERE id = 'accounts/plain';
\x off

-- Everything can be named at once.
SELECT sendgate.upsert_account(
    account_id => 'accounts/full',
    tier => 'premium_career',
    display_name => 'Zoë Example',
    time_zone => 'America/New_York',
    window_start => '09:00',
    window_end => '17:30',
    window_days => '{5,1,2,3,4}',
    credit_reset_day => 31,
    ramp => true
);
CREATE VIEW contract.accounts_10 AS
SELECT id, display_name, tier, status, time_zone, window_start, window_end, window_days, credit_reset_day, ramp
FROM sendgate.linkedin_accounts
WHERE id LIKE 'accounts/%';
SELECT * FROM contract.accounts_10 WHERE id = 'accounts/full';

-- On update, NULL means unchanged: only what is named changes.
SELECT sendgate.upsert_account('accounts/full', display_name => 'Zoë E.');
SELECT sendgate.upsert_account('accounts/full', tier => 'recruiter', time_zone => 'Asia/Kolkata');
SELECT sendgate.upsert_account('accounts/full', window_end => '18:00');
SELECT sendgate.upsert_account('accounts/full');
SELECT * FROM contract.accounts_10 WHERE id = 'accounts/full';

-- Provisioning again never un-pauses or relaxes an account: status, caps, cooldown, breaker and
-- counters stay as they are.
SELECT proceed FROM sendgate.reserve('accounts/plain', 'invite', 'p1', NULL, contract.op(1));
SELECT sendgate.rollback('accounts/plain', contract.op(1), http_status => 429);
SELECT proceed FROM sendgate.reserve('accounts/plain', 'invite', 'p2');
SELECT sendgate.clear_cooldown('accounts/plain', 'test');
SELECT proceed FROM sendgate.reserve('accounts/plain', 'invite', 'p2', NULL, contract.op(2));
SELECT proceed FROM sendgate.reserve('accounts/plain', 'message', 'p2', NULL, contract.op(3));
SELECT sendgate.rollback('accounts/plain', contract.op(3), http_status => 429);
SELECT sendgate.breaker_arm('accounts/plain', 'test');
SELECT sendgate.breaker_force('accounts/plain', 'open', 'test');
SELECT sendgate.set_cap('accounts/plain', 'invite', 3, 7);
SELECT sendgate.set_status('accounts/plain', 'paused', 'on holiday');
SELECT sendgate.upsert_account('accounts/plain', 'recruiter', 'Again', 'Europe/Berlin', '08:00', '20:00', '{1}', 15, true);
SELECT * FROM contract.accounts_10 WHERE id = 'accounts/plain';
SELECT a.status, a.cooldown_until, a.inmail_credits_exhausted_at, a.breaker_mode, c.sent_today, c.daily_cap, c.weekly_cap
FROM sendgate.linkedin_accounts a
JOIN sendgate.counters c ON c.account_id = a.id AND c.action = 'invite'
WHERE a.id = 'accounts/plain';

-- set_status is how it gets connected again; every status of the closed list can be set.
SELECT sendgate.set_status('accounts/plain', s.status, NULL), a.status
FROM unnest(ARRAY['restricted', 'disconnected', 'paused', 'connected']) WITH ORDINALITY AS s (status, n)
CROSS JOIN LATERAL (SELECT s.status) a
ORDER BY s.n;
SELECT status FROM sendgate.linkedin_accounts WHERE id = 'accounts/plain';

-- clear_cooldown ends a cooldown at once, and is no error without one.
SELECT sendgate.clear_cooldown('accounts/plain', 'looked into it');
SELECT sendgate.clear_cooldown('accounts/plain', 'twice');
SELECT cooldown_until FROM sendgate.linkedin_accounts WHERE id = 'accounts/plain';

-- set_cap sets both caps; NULL gives one back to the tier. (The ramp stands under the daily cap:
-- 20 % of 3, rounded up.)
SELECT sendgate.upsert_account('accounts/plain', ramp => false);
CREATE VIEW contract.caps_10 AS
SELECT action, daily_cap, weekly_cap FROM sendgate.counters WHERE account_id = 'accounts/plain' AND action = 'invite';
SELECT * FROM contract.caps_10;
SELECT sendgate.set_cap('accounts/plain', 'invite', 5);
SELECT * FROM contract.caps_10;
SELECT sendgate.set_cap('accounts/plain', 'invite', NULL, 9);
SELECT * FROM contract.caps_10;
SELECT sendgate.set_cap('accounts/plain', 'invite', NULL, note => 'back to the tier');
SELECT * FROM contract.caps_10;
SELECT sendgate.set_cap('accounts/plain', 'invite', 0, 0);
SELECT * FROM contract.caps_10;

-- set_window sets a window, also one past midnight and one until 24:00; three nulls remove it.
SELECT sendgate.set_window('accounts/full', '22:00', '02:00', '{7,7,6}');
SELECT window_start, window_end, window_days FROM contract.accounts_10 WHERE id = 'accounts/full';
SELECT sendgate.set_window('accounts/full', '00:00', '24:00', '{1,2,3,4,5,6,7}');
SELECT window_start, window_end, window_days FROM contract.accounts_10 WHERE id = 'accounts/full';
SELECT sendgate.set_window('accounts/full', NULL, NULL, NULL);
SELECT window_start, window_end, window_days FROM contract.accounts_10 WHERE id = 'accounts/full';

-- An id may be any text of 1 to 128 characters; characters are counted, not bytes.
SELECT sendgate.upsert_account('accounts/' || repeat('é', 119), 'free');
SELECT char_length(id) FROM sendgate.accounts WHERE id LIKE 'accounts/éé%';

-- Bad input is an error of its own, and changes nothing.
SELECT contract.books() AS before \gset
SELECT input.statement, e.code, e.message
FROM (
    VALUES
        (1, $$upsert_account(NULL, 'free')$$),
        (2, $$upsert_account('', 'free')$$),
        (3, $$upsert_account('  ', 'free')$$),
        (4, $$upsert_account(repeat('a', 129), 'free')$$),
        (5, $$upsert_account('accounts/new')$$),
        (6, $$upsert_account('accounts/new', 'platinum')$$),
        (7, $$upsert_account('accounts/full', 'platinum')$$),
        (8, $$upsert_account('accounts/new', '')$$),
        (9, $$upsert_account('accounts/new', 'free', ' ')$$),
        (10, $$upsert_account('accounts/new', 'free', repeat('a', 201))$$),
        (11, $$upsert_account('accounts/new', 'free', time_zone => 'Mars/Olympus')$$),
        (12, $$upsert_account('accounts/new', 'free', time_zone => '+05:30')$$),
        (13, $$upsert_account('accounts/new', 'free', time_zone => 'EST5EDT4')$$),
        (14, $$upsert_account('accounts/new', 'free', time_zone => '')$$),
        (15, $$upsert_account('accounts/new', 'free', credit_reset_day => 0)$$),
        (16, $$upsert_account('accounts/new', 'free', credit_reset_day => 32)$$),
        (17, $$upsert_account('accounts/new', 'free', window_start => '09:00')$$),
        (18, $$upsert_account('accounts/new', 'free', window_days => '{1}')$$),
        (20, $$set_window('accounts/full', '09:00', '17:00', NULL)$$),
        (21, $$set_window('accounts/full', NULL, '17:00', '{1}')$$),
        (22, $$set_window('accounts/full', '09:00', '09:00', '{1}')$$),
        (23, $$set_window('accounts/full', '24:00', '09:00', '{1}')$$),
        (24, $$set_window('accounts/full', '09:00', '17:00', '{}')$$),
        (25, $$set_window('accounts/full', '09:00', '17:00', '{0}')$$),
        (26, $$set_window('accounts/full', '09:00', '17:00', '{8}')$$),
        (27, $$set_window('accounts/full', '09:00', '17:00', '{1,NULL}')$$),
        (28, $$set_window('accounts/nobody', '09:00', '17:00', '{1}')$$),
        (29, $$set_window(NULL, '09:00', '17:00', '{1}')$$),
        (30, $$set_status('accounts/full', 'banned', 'x')$$),
        (31, $$set_status('accounts/full', 'Connected', 'x')$$),
        (32, $$set_status('accounts/full', NULL, 'x')$$),
        (33, $$set_status('accounts/nobody', 'paused', 'x')$$),
        (34, $$set_status('accounts/full', 'paused', repeat('a', 2001))$$),
        (40, $$set_cap('accounts/full', 'inmail', -1)$$),
        (41, $$set_cap('accounts/full', 'inmail', 1, -1)$$),
        (42, $$set_cap('accounts/full', 'email', 1)$$),
        (43, $$set_cap('accounts/full', NULL, 1)$$),
        (44, $$set_cap('accounts/nobody', 'inmail', 1)$$),
        (45, $$set_cap(NULL, 'inmail', 1)$$),
        (50, $$clear_cooldown('accounts/nobody', 'x')$$),
        (51, $$clear_cooldown(NULL, 'x')$$)
) AS input (n, statement)
CROSS JOIN LATERAL contract.error('SELECT sendgate.' || input.statement) AS e
ORDER BY input.n;
SELECT contract.books() = :'before' AS nothing_changed;

-- No account is called as all of them are.
SELECT code, message, detail, hint FROM contract.error($$SELECT sendgate.upsert_account('*', 'free')$$);
SELECT count(*) FROM sendgate.accounts WHERE id = '*';
