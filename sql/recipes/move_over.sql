-- Moving over from counters of your own: from a table linkedin_accounts with a counter of InMails and a stamp for
-- exhausted credits, and a table linkedin_events with a row for each delivery. Afterwards every account is in sendgate
-- with its tier and status, its sends count today and in the last seven days, and an account without credits sends
-- no InMail.
--
--     psql -d app -f move_over.sql
--     psql -d app -v accounts=crm.linkedin_accounts -v events=crm.linkedin_events -f move_over.sql
--
-- Run it by a login with sendgate_operator and sendgate_sender that may read the two tables:
--   1. while your own code still sends. It holds up no worker; each account is a transaction of its own.
--   2. again, as soon as no worker sends by your own counters any more. Then start those that ask sendgate.
-- Run again as often as you like: nothing counts twice, and changes in sendgate stay: tier, status, a breaker that an
-- operator cleared. An index on the events (account_id, created_at) makes it faster.
--
-- Afterwards: sending windows (set_window), ramps and time zones (upsert_account). Not before, because outside of a
-- window the slots below could not be taken.
\set ON_ERROR_STOP on
\if :{?accounts}
\else
\set accounts linkedin_accounts
\endif
\if :{?events}
\else
\set events linkedin_events
\endif

-- Your tables, as the rest of this script reads them: change the columns here to what they are called with you. The
-- id is your own key, which stays when a person connects the account again. Tiers that say too little get the lower caps.
CREATE TEMPORARY VIEW own_accounts AS
SELECT a.id::text AS account_id, a.display_name,
       CASE lower(a.tier)
           WHEN 'premium' THEN 'premium_career'
           WHEN 'recruiter' THEN 'recruiter_lite'
           ELSE lower(a.tier)
       END AS tier,
       lower(a.status) AS status,
       -- The counter is of the day that its row is marked with.
       CASE
           WHEN a.day_marker = (sendgate.clock() AT TIME ZONE 'UTC')::date THEN a.inmails_sent_today
           ELSE 0
       END AS inmails_sent_today,
       a.inmail_credits_exhausted_at AS exhausted_at
FROM :accounts a;

-- The last seven UTC days, which weekly caps look at. Where sendgate.prospect_cooldown is longer, take as many days.
CREATE TEMPORARY VIEW own_sends AS
SELECT e.account_id::text AS account_id, s.action, e.prospect_id::text AS prospect_id, s.chat_id,
       e.created_at AS occurred_at
FROM :events e
CROSS JOIN LATERAL (
    SELECT regexp_replace(e.event_type, '_sent$', '') AS action,
           CASE WHEN e.chat_id ~ '[^[:space:]]' THEN e.chat_id END AS chat_id
) s
WHERE s.action IN ('inmail', 'invite', 'message', 'profile_view', 'engagement')
  -- An InMail without a chat id is not proven. Today's are in the counter.
  AND (s.chat_id IS NOT NULL OR s.action <> 'inmail')
  AND e.created_at >= ((sendgate.clock() AT TIME ZONE 'UTC')::date - 6)::timestamp AT TIME ZONE 'UTC';

DO $$
DECLARE
    own record;
    sent record;
    slot record;
    is_new boolean;
    missing integer;
    level text := current_setting('client_min_messages');
BEGIN
    FOR own IN SELECT * FROM pg_temp.own_accounts ORDER BY account_id LOOP
        is_new := NOT EXISTS (SELECT FROM sendgate.linkedin_accounts l WHERE l.id = own.account_id);
        IF is_new THEN
            PERFORM sendgate.upsert_account(own.account_id, own.tier, own.display_name);
        END IF;

        -- Each delivery on its own day; known ones change nothing.
        FOR sent IN
            SELECT * FROM pg_temp.own_sends s WHERE s.account_id = own.account_id ORDER BY s.occurred_at
        LOOP
            PERFORM sendgate.record_external_send(
                sent.account_id, sent.action, sent.prospect_id, sent.chat_id, sent.occurred_at
            );
        END LOOP;

        -- What your counter has beyond that may have been sent, or is being sent: a slot for each, without an event,
        -- since nothing proves it. Up to the cap, beyond which nothing is sent anyway.
        SELECT own.inmails_sent_today - l.inmails_sent_today INTO missing
        FROM sendgate.linkedin_accounts l
        WHERE l.id = own.account_id;
        WHILE missing > 0 LOOP
            SELECT r.* INTO slot
            FROM sendgate.reserve(own.account_id, 'inmail', 'moved-over-' || gen_random_uuid()) r;
            IF NOT slot.proceed THEN
                IF slot.reason NOT IN ('daily_cap_reached', 'weekly_cap_reached') THEN
                    RAISE WARNING '% InMails of account % are not counted: %', missing, own.account_id, slot.reason
                        USING HINT = 'Run this again when the account may send, before its workers do.';
                END IF;
                EXIT;
            END IF;
            -- Without a chat id its outcome is unknown, which is warned about; and then it is settled as sent.
            PERFORM set_config('client_min_messages', 'error', true);
            PERFORM sendgate.confirm(own.account_id, slot.operation_id, NULL);
            PERFORM set_config('client_min_messages', level, true);
            PERFORM sendgate.resolve_operation(
                own.account_id, slot.operation_id, true, NULL, 'moved over: counted by the counter from before'
            );
            missing := missing - 1;
        END LOOP;

        -- A stamp of this credit period, unless sendgate knows better.
        IF EXISTS (
            SELECT FROM sendgate.breakers b
            JOIN sendgate.linkedin_accounts l ON l.id = b.account_id
            WHERE b.account_id = own.account_id AND b.state = 'closed'
              AND own.exhausted_at > coalesce(b.cleared_at, '-infinity')
              AND sendgate.next_credit_period(l.credit_reset_day, own.exhausted_at) > sendgate.clock()
        ) THEN
            PERFORM sendgate.breaker_arm(own.account_id, format('moved over: out of credits since %s', own.exhausted_at));
        END IF;

        IF is_new AND own.status <> 'connected' THEN
            PERFORM sendgate.set_status(own.account_id, own.status, 'moved over');
        END IF;
        COMMIT;
    END LOOP;
END
$$;

-- What sendgate counts today beside your own counter. Those that differ are at their cap, or were named in a warning.
SELECT count(*) AS accounts,
       count(*) FILTER (WHERE l.inmails_sent_today < o.inmails_sent_today) AS counted_too_little,
       count(*) FILTER (WHERE b.state = 'open') AS without_credits,
       count(*) FILTER (WHERE l.status <> 'connected') AS not_connected
FROM pg_temp.own_accounts o
JOIN sendgate.linkedin_accounts l ON l.id = o.account_id
JOIN sendgate.breakers b ON b.account_id = o.account_id;

DROP VIEW own_accounts, own_sends;
