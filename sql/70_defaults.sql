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

-- The provider's documented types, exact, with or without the prefix "errors/". Every line of the decision
-- crate's tests/provider-errors.csv has its rule here; a fault of the content, of the sender's setup or of the
-- gateway never ends a recipient. A type "unauthorized" means lost credentials only with a 401.
INSERT INTO sendgate.error_rule_defaults (rule_order, error_type, http_status, outcome, action, scope, wait)
VALUES
    (1000, 'errors/insufficient_credits', NULL, 'credits_exhausted', 'inmail', NULL, NULL),
    (1010, 'errors/invalid_recipient', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1011, 'errors/no_connection_with_recipient', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1012, 'errors/blocked_recipient', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1013, 'errors/user_unreachable', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1014, 'errors/recipient_cannot_be_reached', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1015, 'errors/recipient_rejected', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1016, 'errors/not_allowed_inmail', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1017, 'errors/action_already_performed', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1018, 'errors/already_invited_recently', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1019, 'errors/already_connected', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1020, 'errors/cannot_invite_attendee', NULL, 'recipient_refused', NULL, NULL, NULL),
    (1040, 'errors/cannot_resend_within_24hrs', NULL, 'recipient_later', NULL, NULL, '1 day'),
    (1050, 'errors/invalid_parameters', NULL, 'rejected', NULL, NULL, NULL),
    (1051, 'errors/malformed_request', NULL, 'rejected', NULL, NULL, NULL),
    (1052, 'errors/content_too_large', NULL, 'rejected', NULL, NULL, NULL),
    (1053, 'errors/invalid_url', NULL, 'rejected', NULL, NULL, NULL),
    (1054, 'errors/too_many_characters', NULL, 'rejected', NULL, NULL, NULL),
    (1055, 'errors/unescaped_characters', NULL, 'rejected', NULL, NULL, NULL),
    (1056, 'errors/missing_parameters', NULL, 'rejected', NULL, NULL, NULL),
    (1057, 'errors/expired_link', NULL, 'rejected', NULL, NULL, NULL),
    (1058, 'errors/account_mismatch', NULL, 'rejected', NULL, NULL, NULL),
    (1059, 'errors/resource_access_restricted', NULL, 'rejected', NULL, NULL, NULL),
    (1060, 'errors/resource_not_found', NULL, 'rejected', NULL, NULL, NULL),
    (1061, 'errors/invalid_resource_identifier', NULL, 'rejected', NULL, NULL, NULL),
    (1062, 'errors/insufficient_credits', NULL, 'rejected', NULL, NULL, NULL),
    (1063, 'errors/invalid_account', NULL, 'rejected', NULL, NULL, NULL),
    (1064, 'errors/sender_rejected', NULL, 'rejected', NULL, NULL, NULL),
    (1065, 'errors/ip_rejected_by_server', NULL, 'rejected', NULL, NULL, NULL),
    (1066, 'errors/account_configuration_error', NULL, 'rejected', NULL, NULL, NULL),
    (1067, 'errors/invalid_message', NULL, 'rejected', NULL, NULL, NULL),
    (1068, 'errors/unprocessable_entity', NULL, 'rejected', NULL, NULL, NULL),
    (1069, 'errors/limit_too_high', NULL, 'rejected', NULL, NULL, NULL),
    (1070, 'errors/unauthorized', '401', 'auth_lost', NULL, NULL, NULL),
    (1071, 'errors/unauthorized', NULL, 'rejected', NULL, NULL, NULL),
    (1072, 'errors/cant_send_message', NULL, 'rejected', NULL, NULL, NULL),
    (1073, 'errors/not_implemented', NULL, 'rejected', NULL, NULL, NULL),
    (1100, 'errors/provider_unreachable', NULL, 'transient', NULL, NULL, NULL),
    (1101, 'errors/realtime_client_not_initialized', NULL, 'transient', NULL, NULL, NULL),
    (1102, 'errors/no_client_session', NULL, 'transient', NULL, NULL, NULL),
    (1103, 'errors/no_channel', NULL, 'transient', NULL, NULL, NULL),
    (1104, 'errors/network_down', NULL, 'transient', NULL, NULL, NULL),
    (1105, 'errors/service_unavailable', NULL, 'transient', NULL, NULL, NULL),
    (1120, 'errors/cannot_resend_yet', NULL, 'rate_limited', NULL, 'action', '24 hours'),
    (1121, 'errors/limit_exceeded', NULL, 'rate_limited', NULL, 'action', '24 hours'),
    (1122, 'errors/connection_limit_reached', NULL, 'rate_limited', NULL, 'action', '24 hours'),
    (1123, 'errors/too_many_requests', NULL, 'rate_limited', NULL, NULL, NULL),
    (1130, 'errors/insufficient_privileges', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1131, 'errors/disconnected_feature', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1132, 'errors/insufficient_permissions', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1133, 'errors/feature_not_subscribed', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1134, 'errors/subscription_required', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1135, 'errors/missing_feature', NULL, 'action_unavailable', NULL, NULL, '24 hours'),
    (1150, 'errors/account_restricted', NULL, 'account_restricted', NULL, NULL, NULL),
    (1160, 'errors/missing_credentials', NULL, 'auth_lost', NULL, NULL, NULL),
    (1161, 'errors/multiple_sessions', NULL, 'auth_lost', NULL, NULL, NULL),
    (1162, 'errors/invalid_checkpoint_solution', NULL, 'auth_lost', NULL, NULL, NULL),
    (1163, 'errors/checkpoint_error', NULL, 'auth_lost', NULL, NULL, NULL),
    (1164, 'errors/invalid_credentials', NULL, 'auth_lost', NULL, NULL, NULL),
    (1165, 'errors/expired_credentials', NULL, 'auth_lost', NULL, NULL, NULL),
    (1166, 'errors/disconnected_account', NULL, 'auth_lost', NULL, NULL, NULL),
    (1167, 'errors/wrong_account', NULL, 'auth_lost', NULL, NULL, NULL),
    (1168, 'errors/captcha_not_supported', NULL, 'auth_lost', NULL, NULL, NULL),
    (1169, 'errors/session_mismatch', NULL, 'auth_lost', NULL, NULL, NULL),
    (1170, 'errors/unknown_authentication_context', NULL, 'auth_lost', NULL, NULL, NULL),
    (1171, 'errors/action_required', NULL, 'auth_lost', NULL, NULL, NULL),
    (1190, 'errors/unexpected_error', NULL, 'indeterminate', NULL, NULL, NULL),
    (1191, 'errors/provider_error', NULL, 'indeterminate', NULL, NULL, NULL),
    (1192, 'errors/authentication_intent_error', NULL, 'indeterminate', NULL, NULL, NULL),
    (1193, 'errors/request_timeout', NULL, 'indeterminate', NULL, NULL, NULL);

-- Statuses after which the message may have been sent all the same. 503 says that it was not accepted.
INSERT INTO sendgate.error_rule_defaults (rule_order, http_status, outcome)
VALUES
    (1200, '408', 'indeterminate'),
    (1201, '503', 'transient'),
    (1202, '5xx', 'indeterminate');

-- Text of the message, as a literal in any case. Only where the status says no more than that the request was
-- refused: with another one the words are about something else.
INSERT INTO sendgate.error_rule_defaults (rule_order, error_text, http_status, outcome, action)
VALUES
    (1300, 'credit', '422 or none', 'credits_exhausted', 'inmail'),
    (1310, 'blocked', '422 or none', 'recipient_refused', NULL),
    (1311, 'ineligible', '422 or none', 'recipient_refused', NULL),
    (1312, 'not eligible', '422 or none', 'recipient_refused', NULL),
    (1313, 'opted out', '422 or none', 'recipient_refused', NULL),
    (1314, 'deleted', '422 or none', 'recipient_refused', NULL),
    (1315, 'not found', '422 or none', 'rejected', NULL);

-- The rest, by status.
INSERT INTO sendgate.error_rule_defaults (rule_order, http_status, outcome)
VALUES
    (1400, '429', 'rate_limited'),
    (1410, '401', 'auth_lost'),
    (1411, '403', 'rejected'),
    (1420, '4xx', 'rejected');

-- Text that says a status which is not there.
INSERT INTO sendgate.error_rule_defaults (rule_order, error_text, http_status, outcome)
VALUES
    (1500, 'too many requests', '422 or none', 'rate_limited'),
    (1501, 'rate limit', '422 or none', 'rate_limited'),
    (1502, 'unauthorized', '422 or none', 'auth_lost');
