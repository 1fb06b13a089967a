-- InMail credits that are known: the balances that were told, and what is left of them.

-- Append-only by trigger; only prune removes rows.
CREATE TABLE sendgate.credit_balances (
    id uuid NOT NULL,
    observed_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    balance integer NOT NULL,
    account_id sendgate.identifier NOT NULL,
    actor text NOT NULL,
    note text,
    CONSTRAINT credit_balances_pkey PRIMARY KEY (account_id, id),
    CONSTRAINT credit_balances_balance_check CHECK (balance BETWEEN 0 AND 100000)
);
COMMENT ON TABLE sendgate.credit_balances IS
'Every balance of InMail credits that was told, also one that came too late to count; an unchanged one once a UTC day. Append-only; prune removes old rows.';
COMMENT ON COLUMN sendgate.credit_balances.id IS 'A UUID of version 7: later rows are greater.';
COMMENT ON COLUMN sendgate.credit_balances.observed_at IS 'When the provider showed it.';
COMMENT ON COLUMN sendgate.credit_balances.recorded_at IS 'When it was told.';
COMMENT ON COLUMN sendgate.credit_balances.balance IS 'Credits, 0 to 100,000.';
COMMENT ON COLUMN sendgate.credit_balances.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.credit_balances.actor IS 'The session user, or the person on whose behalf the daemon acted.';
COMMENT ON COLUMN sendgate.credit_balances.note IS 'The note that came with it.';
COMMENT ON CONSTRAINT credit_balances_balance_check ON sendgate.credit_balances IS
'No provider shows a negative balance, and none grants a hundred thousand InMails.';

CREATE INDEX credit_balances_recorded_idx ON sendgate.credit_balances USING brin (recorded_at);
COMMENT ON INDEX sendgate.credit_balances_recorded_idx IS 'For prune: rows arrive in this order.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.credit_balances', '');

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sendgate.credit_balances
FOR EACH ROW EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.credit_balances ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON sendgate.credit_balances
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.append_only();
ALTER TABLE sendgate.credit_balances ENABLE ALWAYS TRIGGER append_only_truncate;
COMMENT ON TRIGGER append_only ON sendgate.credit_balances IS 'Only prune deletes.';
COMMENT ON TRIGGER append_only_truncate ON sendgate.credit_balances IS 'Only prune deletes.';

CREATE FUNCTION sendgate.record_credit_balance(
    account_id text,
    balance integer,
    observed_at timestamptz DEFAULT NULL,
    note text DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_record_credit_balance';
COMMENT ON FUNCTION sendgate.record_credit_balance(text, integer, timestamptz, text) IS
'Tells the balance of InMail credits that the provider shows, 0 to 100,000. From then on grants are counted against it: no InMail is granted that has no credit, and the breaker is stamped (credits_spent) before the provider has to refuse. A balance above 0 clears such a stamp, and one of the provider where it proves a top-up. observed_at: when the provider showed it, NULL for now, at most five minutes ahead; one older than the last changes nothing and is logged. Errors: SG001, SG002, SG003, SG007, SG101, SG301.';

CREATE FUNCTION sendgate.forget_credit_balance(
    account_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_forget_credit_balance';
COMMENT ON FUNCTION sendgate.forget_credit_balance(text, text) IS
'Ends the counting of InMail credits: the account is again one without a told balance, and a stamp that the count set is removed. Logged; nothing happens where no balance is counted. Errors: SG001, SG002, SG101, SG301.';

-- Rolls a balance to an instant and looks ahead; the arrays are the InMails that may have been in flight at a
-- period's start since, which only a balance that has yet to be rolled asks for.
CREATE FUNCTION sendgate.credit_forecast(
    credits_left integer,
    credits_base integer,
    credits_since timestamptz,
    credits_observed_at timestamptz,
    credits_spent_at timestamptz,
    credit_reset_day integer,
    credit_reset_changed_at timestamptz,
    credits_a_month integer,
    credits_ceiling integer,
    reserved_at timestamptz[],
    expires_at timestamptz[],
    settled_at timestamptz[],
    used integer,
    at timestamptz,
    OUT left_now integer,
    OUT observed_at timestamptz,
    OUT used_per_day double precision,
    OUT next_grant_at timestamptz,
    OUT next_grant integer,
    OUT lasts_until timestamptz,
    OUT state text
)
LANGUAGE c
IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_credit_forecast';
COMMENT ON FUNCTION sendgate.credit_forecast(integer, integer, timestamptz, timestamptz, timestamptz, integer, timestamptz, integer, integer, timestamptz[], timestamptz[], timestamptz[], integer, timestamptz) IS
'What is left of a balance at an instant, and until when it lasts at this pace. Pure; made for the view credits.';

-- What is left, as of the clock, also before the row is written in a new period.
CREATE VIEW sendgate.credits AS
SELECT a.id AS account_id, f.left_now AS credits_left, f.observed_at, u.used AS used_last_7_days,
       f.used_per_day, f.next_grant_at, f.next_grant, t.credits_ceiling AS ceiling, f.lasts_until, f.state
FROM sendgate.accounts a
CROSS JOIN (SELECT sendgate.clock() AS at) c
LEFT JOIN sendgate.tiers t ON t.tier = a.tier AND t.action = 'inmail'
CROSS JOIN LATERAL (
    SELECT sendgate.sent_in_seven_days_as_of(a.inmails_sent_today, a.sent_before, 'inmail', a.day, c.at) AS used
) u
CROSS JOIN LATERAL (
    SELECT array_agg(o.reserved_at) AS reserved_at, array_agg(o.expires_at) AS expires_at,
           array_agg(CASE WHEN o.state IN ('delivered', 'released') THEN o.settled_at END) AS settled_at
    FROM sendgate.send_operations o
    WHERE CASE WHEN a.credits_since IS NOT NULL
               THEN sendgate.next_credit_period(a.credit_reset_day, a.credits_since) <= c.at END
      AND o.account_id = a.id AND o.action = 'inmail'
      AND o.counted_on >= ((a.credits_since - interval '7 days') AT TIME ZONE 'UTC')::date
      AND o.expires_at > a.credits_since
) j
CROSS JOIN LATERAL sendgate.credit_forecast(
    a.credits_left, a.credits_base, a.credits_since, a.credits_observed_at, a.credits_spent_at,
    a.credit_reset_day, a.credit_reset_changed_at, t.credits_a_month, t.credits_ceiling,
    j.reserved_at, j.expires_at, j.settled_at, coalesce(u.used, 0), c.at
) f;
COMMENT ON VIEW sendgate.credits IS
'The InMail credits of every account as of the clock: what is left of the last balance that was told, how fast they go, and until when they last.';
COMMENT ON COLUMN sendgate.credits.account_id IS 'The account.';
COMMENT ON COLUMN sendgate.credits.credits_left IS
'Credits that may still be granted, 0 or more: those that InMails in flight may take are taken off. NULL: no balance is counted.';
COMMENT ON COLUMN sendgate.credits.observed_at IS
'When the last balance that was told was observed. NULL: no balance is counted.';
COMMENT ON COLUMN sendgate.credits.used_last_7_days IS
'InMails of the last seven UTC days, today included: delivered, in flight and unknown. NULL: the days before are not counted yet.';
COMMENT ON COLUMN sendgate.credits.used_per_day IS 'The same a day, on average.';
COMMENT ON COLUMN sendgate.credits.next_grant_at IS
'Start of the next credit period in which the tier grants credits. NULL: it grants none, or is a tier of your own.';
COMMENT ON COLUMN sendgate.credits.next_grant IS
'How many credits that adds to what is left now; less than a month''s where the ceiling is near.';
COMMENT ON COLUMN sendgate.credits.ceiling IS
'How many credits can pile up by rolling over. NULL: a tier of your own.';
COMMENT ON COLUMN sendgate.credits.lasts_until IS
'When the credits are used up at this pace. NULL: not before the next credit period, or no balance is counted.';
COMMENT ON COLUMN sendgate.credits.state IS
'untracked: no balance is counted. ok: they last until the next credit period. low: at this pace they do not. exhausted: none are left.';
