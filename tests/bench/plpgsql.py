"""The whole gate for one action in PL/pgSQL, as a good engineer would write it by hand: the account held
first, the journal asked in a statement of its own, every rule in the contract's order, one row written
in each table. What it leaves out makes it faster, not slower: replays, the probe, proof of success,
sending windows in other zones than UTC, alerts, campaign work.
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
    sent_today := CASE WHEN a.day >= today THEN a.inmails_sent_today ELSE 0 END;
    this_week := CASE WHEN a.week >= date_trunc('week', today)::date THEN a.inmails_sent_this_week ELSE 0 END;
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
    proceed := true;
    sent_today := sent_today + 1;
    remaining := daily_cap - sent_today;
    operation_id := gen_random_uuid();
    expires_at := at + interval '15 min';
    UPDATE byhand.accounts u
    SET version = a.version + 1, day = greatest(a.day, today),
        week = greatest(a.week, date_trunc('week', today)::date), inmails_sent_today = sent_today,
        inmails_sent_this_week = this_week + 1, inmail_last_at = at,
        inmail_cap_today = greatest(a.inmail_cap_today, daily_cap),
        inmail_credits_exhausted_at = a.inmail_credits_exhausted_at
    WHERE u.id = account;
    INSERT INTO byhand.send_operations
        (operation_id, reserved_at, expires_at, counted_on, account_id, prospect_id, action)
    VALUES (operation_id, at, expires_at, greatest(a.day, today), account, prospect, what);
END $$;
ALTER FUNCTION byhand.reserve OWNER TO app;
"""
