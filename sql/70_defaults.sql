-- Daily and weekly caps by tier. InMail caps are the published safe band of the seeds' platform
-- (free 0, Premium 25, Sales Navigator and Recruiter 50); the others are our own, conservative.
INSERT INTO sendgate.tier_defaults (tier, action, daily_cap, weekly_cap, credits_a_month, credits_ceiling)
SELECT t.tier, c.action, c.daily_cap, c.weekly_cap, t.credits_a_month, t.credits_ceiling
FROM (
    VALUES
        ('free', 0, 10, 50, 25, 40, 20, 0, 0),
        ('premium_career', 25, 15, 80, 50, 80, 40, 5, 15),
        ('premium_business', 25, 20, 100, 50, 80, 40, 15, 45),
        ('sales_navigator', 50, 25, 100, 80, 120, 60, 50, 150),
        ('recruiter_lite', 50, 25, 100, 80, 120, 60, 30, 120),
        ('recruiter', 50, 25, 100, 80, 120, 60, 150, 600)
) AS t (tier, inmail, invite, invite_week, message, profile_view, engagement, credits_a_month, credits_ceiling)
CROSS JOIN LATERAL (
    VALUES
        ('inmail', t.inmail, NULL::integer),
        ('invite', t.invite, t.invite_week),
        ('message', t.message, NULL),
        ('profile_view', t.profile_view, NULL),
        ('engagement', t.engagement, NULL)
) AS c (action, daily_cap, weekly_cap);

-- The provider's documented types, exact, with or without the prefix "errors/".
INSERT INTO sendgate.error_rule_defaults (rule_order, error_type, outcome, action)
VALUES
    (1000, 'errors/insufficient_credits', 'credits_exhausted', 'inmail'),
    (1010, 'errors/blocked_recipient', 'recipient_refused', NULL),
    (1011, 'errors/user_unreachable', 'recipient_refused', NULL),
    (1012, 'errors/recipient_cannot_be_reached', 'recipient_refused', NULL),
    (1013, 'errors/invalid_recipient', 'recipient_refused', NULL),
    (1014, 'errors/no_connection_with_recipient', 'recipient_refused', NULL),
    (1015, 'errors/not_allowed_inmail', 'recipient_refused', NULL),
    (1016, 'errors/cannot_resend_yet', 'recipient_refused', NULL),
    (1017, 'errors/cannot_resend_within_24hrs', 'recipient_refused', NULL),
    (1018, 'errors/already_invited_recently', 'recipient_refused', NULL),
    (1019, 'errors/already_connected', 'recipient_refused', NULL),
    (1020, 'errors/cannot_invite_attendee', 'recipient_refused', NULL),
    (1021, 'errors/recipient_rejected', 'recipient_refused', NULL),
    (1022, 'errors/resource_not_found', 'recipient_refused', NULL),
    (1040, 'errors/too_many_requests', 'rate_limited', NULL),
    (1041, 'errors/limit_exceeded', 'rate_limited', NULL),
    (1042, 'errors/connection_limit_reached', 'rate_limited', NULL),
    (1050, 'errors/account_restricted', 'account_restricted', NULL),
    (1060, 'errors/invalid_credentials', 'auth_lost', NULL),
    (1061, 'errors/expired_credentials', 'auth_lost', NULL),
    (1062, 'errors/disconnected_account', 'auth_lost', NULL),
    (1063, 'errors/checkpoint_error', 'auth_lost', NULL),
    (1070, 'errors/request_timeout', 'indeterminate', NULL);

-- Statuses after which the message may have been sent all the same. 503 says that it was not accepted.
INSERT INTO sendgate.error_rule_defaults (rule_order, http_status, outcome)
VALUES
    (1100, '408', 'indeterminate'),
    (1101, '503', 'transient'),
    (1102, '5xx', 'indeterminate');

-- Text of the message, as a literal in any case.
INSERT INTO sendgate.error_rule_defaults (rule_order, error_text, outcome, action)
VALUES
    (1200, 'credit', 'credits_exhausted', 'inmail'),
    (1210, 'blocked', 'recipient_refused', NULL),
    (1211, 'ineligible', 'recipient_refused', NULL),
    (1212, 'not eligible', 'recipient_refused', NULL),
    (1213, 'opted out', 'recipient_refused', NULL),
    (1214, 'deleted', 'recipient_refused', NULL),
    (1215, 'not found', 'recipient_refused', NULL);

-- The rest, by status.
INSERT INTO sendgate.error_rule_defaults (rule_order, http_status, outcome)
VALUES
    (1300, '429', 'rate_limited'),
    (1310, '401', 'auth_lost'),
    (1311, '403', 'auth_lost'),
    (1320, '4xx', 'recipient_refused');
