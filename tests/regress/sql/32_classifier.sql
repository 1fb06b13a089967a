-- What a provider's answer says about an attempt: the shipped rules in their order, then users' own
-- rules before them.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers
SET sendgate.now = '2026-05-24 12:00:00+00';
SELECT sendgate.upsert_account('classifier/a', 'sales_navigator');

-- The outcome of one attempt, undone afterwards, so that no attempt knows of another.
CREATE FUNCTION contract.outcome(action text, error_type text, http_status integer, error_message text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    outcome text;
BEGIN
    PERFORM sendgate.reserve('classifier/a', action, 'p1', NULL, contract.op(1));
    outcome := sendgate.rollback('classifier/a', contract.op(1), error_message, error_type, http_status);
    RAISE EXCEPTION USING ERRCODE = '00001', MESSAGE = outcome;
EXCEPTION WHEN SQLSTATE '00001' THEN
    RETURN SQLERRM;
END
$$;

SELECT answer.error_type, answer.http_status AS status, answer.error_message AS text,
    contract.outcome('inmail', answer.error_type, answer.http_status, answer.error_message) AS inmail,
    contract.outcome('invite', answer.error_type, answer.http_status, answer.error_message) AS invite
FROM (
    VALUES
        -- No error at all: the worker never sent.
        (100, NULL, NULL, NULL),
        -- Out of credits, by type or by text; only InMails use credits.
        (200, 'errors/insufficient_credits', 422, 'Not enough credits — Provider cannot execute request because of insufficient credits'),
        (201, 'insufficient_credits', NULL, NULL),
        (202, NULL, NULL, 'Not enough credits'),
        (203, NULL, NULL, 'INSUFFICIENT CREDIT'),
        (204, NULL, 402, 'no credit left'),
        -- Not an HTTP status at all, as some clients and providers have it: still an answer, not an error.
        (210, NULL, 999, NULL),
        (211, NULL, 0, NULL),
        -- Documented types, with or without the prefix.
        (300, 'errors/blocked_recipient', 422, NULL),
        (301, 'blocked_recipient', NULL, NULL),
        (302, 'errors/user_unreachable', 422, NULL),
        (303, 'errors/invalid_recipient', 422, NULL),
        (304, 'errors/not_allowed_inmail', 422, NULL),
        (305, 'errors/cannot_resend_yet', 422, NULL),
        (306, 'errors/too_many_requests', 429, NULL),
        (307, 'errors/limit_exceeded', 422, NULL),
        (308, 'errors/account_restricted', 403, NULL),
        (309, 'errors/invalid_credentials', 401, NULL),
        (310, 'errors/disconnected_account', 401, NULL),
        (311, 'errors/request_timeout', 504, NULL),
        -- The exact type comes before everything else.
        (320, 'errors/blocked_recipient', 500, NULL),
        (321, 'errors/not_allowed_inmail', 422, 'not a credit problem'),
        (322, 'errors/request_timeout', 400, 'recipient blocked'),
        -- A type is exact: neither a part of it nor another case is it.
        (330, 'errors/blocked', NULL, NULL),
        (331, 'errors/Blocked_Recipient', NULL, NULL),
        -- 408 and 5xx may have been sent all the same, whatever the text says; 503 was not taken.
        (400, NULL, 408, NULL),
        (401, NULL, 500, 'Not enough credits'),
        (402, NULL, 502, 'recipient not found'),
        (403, NULL, 503, 'recipient not found'),
        (404, NULL, 504, NULL),
        (405, NULL, 599, NULL),
        -- Text, as a literal in any case; with another status than 422 it says nothing.
        (500, NULL, NULL, 'You are BLOCKED by this member'),
        (501, NULL, NULL, 'Recipient is ineligible'),
        (502, NULL, NULL, 'Recipient has opted out of InMail'),
        (503, NULL, NULL, 'This profile was deleted'),
        (504, NULL, NULL, 'User not found'),
        (505, NULL, 429, 'User not found'),
        (506, NULL, NULL, 'b.ocked %'),
        (507, NULL, 422, 'Recipient is ineligible'),
        (508, NULL, 400, 'Recipient is ineligible'),
        (509, NULL, NULL, 'Rate limit hit, unauthorized'),
        (510, NULL, NULL, 'Unauthorized'),
        (511, NULL, 302, 'Unauthorized'),
        -- What is left goes by its status.
        (600, NULL, 429, NULL),
        (601, NULL, 429, 'Slow down'),
        (602, NULL, 401, NULL),
        (603, NULL, 403, 'Forbidden'),
        (604, NULL, 400, NULL),
        (605, NULL, 422, 'Unprocessable'),
        (606, 'errors/something_new', 422, NULL),
        -- Everything else is indeterminate, and holds its slot.
        (700, NULL, NULL, 'socket hang up'),
        (701, NULL, NULL, ''),
        (702, '', NULL, NULL),
        (703, NULL, 200, NULL),
        (704, NULL, 302, NULL),
        (705, 'errors/something_new', NULL, 'unexpected')
) AS answer (n, error_type, http_status, error_message)
ORDER BY answer.n;

-- The shipped rules, in the order in which they are asked: types, 408 and 5xx, text, 429, 401 and
-- 403, other 4xx, text that says a status.
SELECT rule_order, action, error_type, http_status, error_text, outcome, scope, wait
FROM sendgate.error_rules
WHERE shipped
ORDER BY rule_order;

-- Users' rules come first, in their order. Conditions that are named must all hold.
SELECT sendgate.set_error_rule(10, 'transient', http_status => '5xx', error_text => 'Please Retry');
SELECT sendgate.set_error_rule(20, 'recipient_refused', action => 'inmail', error_type => 'no_credit_for_you');
SELECT sendgate.set_error_rule(30, 'rate_limited', error_text => 'credit');
SELECT answer.error_type, answer.http_status AS status, answer.error_message AS text,
    contract.outcome('inmail', answer.error_type, answer.http_status, answer.error_message) AS inmail,
    contract.outcome('invite', answer.error_type, answer.http_status, answer.error_message) AS invite
FROM (
    VALUES
        (1, NULL, 502, 'please retry later'),
        (2, NULL, 502, 'please do not'),
        (3, NULL, NULL, 'please retry later'),
        (4, 'errors/no_credit_for_you', 422, 'no credit'),
        (5, NULL, NULL, 'Not enough credits'),
        (6, 'errors/insufficient_credits', NULL, NULL)
) AS answer (n, error_type, http_status, error_message)
ORDER BY answer.n;

-- A rule of the same order replaces the old one; a dropped one leaves the shipped rules as they were.
SELECT sendgate.set_error_rule(30, 'indeterminate', error_text => 'credit');
SELECT contract.outcome('inmail', NULL, NULL, 'Not enough credits');
SELECT sendgate.drop_error_rule(10), sendgate.drop_error_rule(20), sendgate.drop_error_rule(30);
SELECT contract.outcome('inmail', NULL, NULL, 'Not enough credits');

-- None of these attempts left anything behind.
SELECT count(*) AS operations FROM sendgate.send_operations WHERE account_id = 'classifier/a';
