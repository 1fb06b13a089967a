"""The whole gate for one action in PL/pgSQL, as a good engineer would write it by hand: the account held
first, the journal asked in a statement of its own, every rule in the contract's order, one row written
in each table. What it leaves out makes it faster, not slower: replays, the probe, proof of success,
sending windows in other zones than UTC, failures in a row, pace, alerts, campaign work.
Its days before are a byte each, because no account sends more than 127 a day.
"""

SETUP = """
CREATE TABLE byhand.tiers AS SELECT * FROM sendgate.tiers;
ALTER TABLE byhand.tiers ADD PRIMARY KEY (tier, action);
CREATE TABLE byhand.pause_switch (paused_at timestamptz);
ALTER TABLE byhand.tiers OWNER TO app;
ALTER TABLE byhand.pause_switch OWNER TO app;

CREATE FUNCTION byhand.reserve(
    account text, what text, prospect text,
    OUT proceed boolean, OUT operation_id uuid, OUT reason text, OUT retry_at timestamptz,
    OUT expires_at timestamptz, OUT sent_today int, OUT daily_cap int, OUT remaining int
) LANGUAGE plpgsql AS $$
DECLARE
    a byhand.accounts;
    cap byhand.tiers;
    at timestamptz;
    today date;
    period timestamptz;
    unresolved boolean;
    last_kept timestamptz;
    this_week int;
    weekly int;
BEGIN
    proceed := false;
    SELECT * INTO a FROM byhand.accounts WHERE id = account FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown account: %', account;
    END IF;
    at := clock_timestamp();
    today := (at AT TIME ZONE 'UTC')::date;
    SELECT * INTO cap FROM byhand.tiers t WHERE t.tier = a.tier AND t.action = what;
    IF a.day < today THEN
        FOR i IN 1 .. least(6, today - a.day) LOOP
            a.sent_before := overlay(a.sent_before PLACING
                set_byte(decode('00', 'hex'), 0, CASE WHEN i = 1 THEN a.inmails_sent_today ELSE 0 END)
                || substring(a.sent_before FROM 1 FOR 5) FROM 1);
        END LOOP;
        a.day := today;
        a.inmails_sent_today := 0;
        a.inmail_attempts_today := 0;
    END IF;
    sent_today := a.inmails_sent_today;
    this_week := sent_today + get_byte(a.sent_before, 0) + get_byte(a.sent_before, 1) + get_byte(a.sent_before, 2)
        + get_byte(a.sent_before, 3) + get_byte(a.sent_before, 4) + get_byte(a.sent_before, 5);
    daily_cap := coalesce(a.inmail_daily_cap, cap.daily_cap);
    weekly := coalesce(a.inmail_weekly_cap, cap.weekly_cap);
    IF a.ramp THEN
        daily_cap := least(daily_cap, ceil(daily_cap * (cap.ramp_start_percent
            + cap.ramp_step_percent * a.ramp_days) / 100.0)::int);
    END IF;
    IF EXISTS (SELECT FROM byhand.pause_switch) THEN
        reason := 'paused_by_operator'; RETURN;
    END IF;
    IF a.status <> 'connected' THEN
        reason := 'account_not_connected'; RETURN;
    END IF;
    IF a.breaker_mode = 'open' THEN
        reason := 'breaker_forced_open'; RETURN;
    END IF;
    IF a.inmail_credits_exhausted_at IS NOT NULL AND a.breaker_mode = 'auto' THEN
        period := date_trunc('month', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
        IF a.inmail_credits_exhausted_at >= period THEN
            reason := 'account_inmail_credits_exhausted';
            retry_at := period + interval '1 month'; RETURN;
        END IF;
        a.inmail_credits_exhausted_at := NULL;
    END IF;
    IF a.cooldown_until > at THEN
        reason := 'account_cooldown'; retry_at := a.cooldown_until; RETURN;
    END IF;
    IF a.window_start IS NOT NULL
       AND NOT (at AT TIME ZONE 'UTC')::time BETWEEN a.window_start AND a.window_end THEN
        reason := 'outside_sending_window'; RETURN;
    END IF;
    SELECT bool_or(o.state <> 'delivered'), max(o.reserved_at) INTO unresolved, last_kept
    FROM byhand.send_operations o
    WHERE o.account_id = account AND o.prospect_id = prospect AND o.action = what AND o.state <> 'released';
    IF unresolved THEN
        reason := 'operation_in_flight'; RETURN;
    END IF;
    IF last_kept > at - interval '24 hours' THEN
        reason := 'prospect_cooldown'; retry_at := last_kept + interval '24 hours'; RETURN;
    END IF;
    IF a.inmail_last_at > at - cap.minimum_gap THEN
        reason := 'pacing'; retry_at := a.inmail_last_at + cap.minimum_gap; RETURN;
    END IF;
    IF this_week >= weekly THEN
        reason := 'weekly_cap_reached'; RETURN;
    END IF;
    IF sent_today >= daily_cap THEN
        reason := 'daily_cap_reached'; RETURN;
    END IF;
    IF a.inmail_attempts_today >= 2 * daily_cap THEN
        reason := 'daily_attempts_reached'; RETURN;
    END IF;
    proceed := true;
    sent_today := sent_today + 1;
    remaining := daily_cap - sent_today;
    operation_id := gen_random_uuid();
    expires_at := at + interval '15 min';
    UPDATE byhand.accounts u
    SET version = a.version + 1, day = a.day, sent_before = a.sent_before, inmails_sent_today = sent_today,
        inmail_attempts_today = a.inmail_attempts_today + 1, inmail_last_at = at,
        inmail_cap_today = greatest(a.inmail_cap_today, daily_cap),
        inmail_credits_exhausted_at = a.inmail_credits_exhausted_at
    WHERE u.id = account;
    INSERT INTO byhand.send_operations
        (operation_id, reserved_at, expires_at, counted_on, account_id, prospect_id, action)
    VALUES (operation_id, at, expires_at, a.day, account, prospect, what);
END $$;
ALTER FUNCTION byhand.reserve OWNER TO app;
"""
