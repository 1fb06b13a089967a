-- What campaigns may take of each account's day, and how far they are.

CREATE TABLE sendgate.campaigns (
    set_at timestamptz NOT NULL,
    inmail_limit sendgate.slot_count,
    invite_limit sendgate.slot_count,
    message_limit sendgate.slot_count,
    profile_view_limit sendgate.slot_count,
    engagement_limit sendgate.slot_count,
    campaign_id sendgate.identifier NOT NULL,
    actor text NOT NULL,
    note text,
    CONSTRAINT campaigns_pkey PRIMARY KEY (campaign_id),
    CONSTRAINT campaigns_limit_check CHECK (
        pg_catalog.num_nonnulls(inmail_limit, invite_limit, message_limit, profile_view_limit, engagement_limit) > 0
    )
);
COMMENT ON TABLE sendgate.campaigns IS
'How many slots a campaign may take of each account''s UTC day, by action. A campaign without a limit has no row; while the table is empty, no decision looks into it. Written by set_campaign.';
COMMENT ON COLUMN sendgate.campaigns.set_at IS 'When its limits were set last.';
COMMENT ON COLUMN sendgate.campaigns.inmail_limit IS
'InMails of an account''s day that it may take; 0: none. NULL: the account''s caps alone hold.';
COMMENT ON COLUMN sendgate.campaigns.invite_limit IS 'The same for invites.';
COMMENT ON COLUMN sendgate.campaigns.message_limit IS 'The same for messages.';
COMMENT ON COLUMN sendgate.campaigns.profile_view_limit IS 'The same for profile views.';
COMMENT ON COLUMN sendgate.campaigns.engagement_limit IS 'The same for engagements.';
COMMENT ON COLUMN sendgate.campaigns.campaign_id IS 'The campaign; it need not have any work yet.';
COMMENT ON COLUMN sendgate.campaigns.actor IS
'The session user, or the operator on whose behalf a member of sendgate_daemon acted.';
COMMENT ON COLUMN sendgate.campaigns.note IS 'The operator''s words, or NULL.';
COMMENT ON CONSTRAINT campaigns_limit_check ON sendgate.campaigns IS
'A campaign without a limit has no row.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.campaigns', '');

CREATE FUNCTION sendgate.set_campaign(
    campaign_id text,
    inmail_limit integer DEFAULT NULL,
    invite_limit integer DEFAULT NULL,
    message_limit integer DEFAULT NULL,
    profile_view_limit integer DEFAULT NULL,
    engagement_limit integer DEFAULT NULL,
    note text DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_campaign';
COMMENT ON FUNCTION sendgate.set_campaign(text, integer, integer, integer, integer, integer, text) IS
'Sets the daily limits of a campaign, all of them: how many slots of each account''s UTC day it may take, by action (0 to 10,000; NULL: no limit). Beyond one, reserve for this campaign answers campaign_limit_reached and dispatch passes over its work; a slot that is given back can be taken again. A limit counts what the campaign took today before it was set, and holds from its commit; a decision at the same moment may still go by the one before. Without arguments it has no limits. Logged. Errors: SG001, SG002, SG003, SG301.';

-- What is due, what is out and what is done, by campaign and action.
CREATE VIEW sendgate.campaigns_today AS
SELECT t.campaign_id, t.action,
       sum(t.waiting)::bigint AS waiting, sum(t.sending)::bigint AS sending, sum(t.done)::bigint AS done_today,
       sum(t.deferred)::bigint AS deferred, sum(t.parked)::bigint AS parked, sum(t.cancelled)::bigint AS cancelled,
       sum(t.sent)::bigint AS sent_today, min(t.daily_limit) AS daily_limit,
       EXISTS (SELECT FROM sendgate.paused_campaigns p WHERE p.campaign_id = t.campaign_id) AS paused,
       min(t.due_at) AS oldest_due
FROM (
    SELECT e.campaign_id, e.action,
           (e.state = 'waiting' AND NOT d.deferred)::integer AS waiting, (e.state = 'sending')::integer AS sending,
           (e.state = 'done' AND e.changed_at >= c.midnight AND e.changed_at < c.midnight + interval '1 day')::integer AS done,
           d.deferred::integer AS deferred, (e.state = 'parked')::integer AS parked,
           (e.state = 'cancelled')::integer AS cancelled, 0 AS sent, NULL::integer AS daily_limit,
           CASE WHEN e.next_dispatch_at <= c.at THEN e.next_dispatch_at END AS due_at
    FROM sendgate.enrollments e
    CROSS JOIN (
        SELECT k.at, pg_catalog.date_trunc('day', k.at, 'UTC') AS midnight FROM (SELECT sendgate.clock() AS at) k
    ) c
    CROSS JOIN LATERAL (
        SELECT e.state = 'waiting' AND e.next_dispatch_at > c.at
               AND coalesce(e.reason = 'account_inmail_credits_exhausted', false) AS deferred
    ) d
    UNION ALL
    SELECT o.campaign_id, o.action, 0, 0, 0, 0, 0, 0, 1, NULL, NULL
    FROM sendgate.send_operations o
    CROSS JOIN (SELECT pg_catalog.date_trunc('day', sendgate.clock(), 'UTC') AS midnight) c
    WHERE o.campaign_id IS NOT NULL AND o.state <> 'released'
      AND o.reserved_at >= c.midnight AND o.reserved_at < c.midnight + interval '1 day'
      AND o.counted_on = (c.midnight AT TIME ZONE 'UTC')::date
    UNION ALL
    SELECT k.campaign_id, l.action, 0, 0, 0, 0, 0, 0, 0, l.daily_limit, NULL
    FROM sendgate.campaigns k
    CROSS JOIN LATERAL (
        VALUES ('inmail', k.inmail_limit), ('invite', k.invite_limit), ('message', k.message_limit),
               ('profile_view', k.profile_view_limit), ('engagement', k.engagement_limit)
    ) l (action, daily_limit)
    WHERE l.daily_limit IS NOT NULL
) t
GROUP BY t.campaign_id, t.action;
COMMENT ON VIEW sendgate.campaigns_today IS
'How far each campaign is, by action: its work by state, what it took today on all accounts, its limit, and the oldest work that is due. Read it with a campaign: without one it counts all work that there is.';
COMMENT ON COLUMN sendgate.campaigns_today.campaign_id IS 'The campaign.';
COMMENT ON COLUMN sendgate.campaigns_today.action IS 'inmail, invite, message, profile_view or engagement.';
COMMENT ON COLUMN sendgate.campaigns_today.waiting IS 'Work that waits, due or not, except what is deferred.';
COMMENT ON COLUMN sendgate.campaigns_today.sending IS 'Work that a worker has.';
COMMENT ON COLUMN sendgate.campaigns_today.done_today IS
'Work that was done since 00:00 UTC: delivered, or refused by the recipient''s side.';
COMMENT ON COLUMN sendgate.campaigns_today.deferred IS
'InMails that wait for the account''s next credit period because its breaker is open.';
COMMENT ON COLUMN sendgate.campaigns_today.parked IS 'Work that waits for a person.';
COMMENT ON COLUMN sendgate.campaigns_today.cancelled IS 'Work that was taken out of the campaign.';
COMMENT ON COLUMN sendgate.campaigns_today.sent_today IS
'Slots that it holds of today, on all accounts together: delivered, in flight or unknown, taken by dispatch or reserve.';
COMMENT ON COLUMN sendgate.campaigns_today.daily_limit IS
'Slots of each account''s day that it may take. NULL: no limit.';
COMMENT ON COLUMN sendgate.campaigns_today.paused IS 'Whether pause_campaign holds it back.';
COMMENT ON COLUMN sendgate.campaigns_today.oldest_due IS
'When its oldest work that is due now fell due. NULL: nothing is due.';
