-- The classifier: shipped rules under the users' own.

-- The shipped classifier, rewritten by upgrades.
CREATE TABLE sendgate.error_rule_defaults (
    rule_order integer NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    action text COLLATE "C",
    error_type text COLLATE "C",
    http_status text COLLATE "C",
    error_text text COLLATE "C",
    scope text COLLATE "C",
    wait interval,
    CONSTRAINT error_rule_defaults_pkey PRIMARY KEY (rule_order),
    CONSTRAINT error_rule_defaults_order_check CHECK (rule_order >= 1000)
);

COMMENT ON TABLE sendgate.error_rule_defaults IS
'The shipped classifier of provider errors, rewritten by upgrades and therefore not dumped. Put rules of your own before it with set_error_rule.';
COMMENT ON COLUMN sendgate.error_rule_defaults.rule_order IS
'Rules are asked in ascending order and the first match decides; shipped ones start at 1000.';
COMMENT ON COLUMN sendgate.error_rule_defaults.outcome IS 'What a match means for the attempt.';
COMMENT ON COLUMN sendgate.error_rule_defaults.action IS 'The rule is for this action only. NULL: for all.';
COMMENT ON COLUMN sendgate.error_rule_defaults.error_type IS
'The provider''s type must be exactly this, with or without the prefix errors/. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_defaults.http_status IS
'The status must be this one (429) or of this class (4xx); with " or none" behind it, or missing. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_defaults.error_text IS
'The message must contain this literal, in any case; never a pattern. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_defaults.scope IS
'What a rate_limited attempt stops: account or action. NULL: the account.';
COMMENT ON COLUMN sendgate.error_rule_defaults.wait IS
'How long the cooldown of rate_limited or action_unavailable lasts, or a recipient_later is left alone. NULL: as long as is usual.';

-- Users' rules, asked first; dumped and kept by upgrades.
CREATE TABLE sendgate.error_rule_overrides (
    rule_order integer NOT NULL,
    outcome sendgate.operation_outcome NOT NULL,
    action sendgate.action_name,
    error_type text COLLATE "C",
    http_status sendgate.http_status_pattern,
    error_text text COLLATE "C",
    scope text COLLATE "C",
    wait interval,
    CONSTRAINT error_rule_overrides_pkey PRIMARY KEY (rule_order),
    CONSTRAINT error_rule_overrides_order_check CHECK (rule_order BETWEEN 0 AND 999),
    CONSTRAINT error_rule_overrides_condition_check
        CHECK (error_type IS NOT NULL OR http_status IS NOT NULL OR error_text IS NOT NULL),
    CONSTRAINT error_rule_overrides_scope_check CHECK (scope IN ('account', 'action'))
);
COMMENT ON TABLE sendgate.error_rule_overrides IS
'Your rules, asked before the shipped ones. Dumped, and kept by upgrades. Written by set_error_rule and drop_error_rule.';
COMMENT ON COLUMN sendgate.error_rule_overrides.rule_order IS
'0 to 999; rules are asked in ascending order and the first match decides.';
COMMENT ON COLUMN sendgate.error_rule_overrides.outcome IS 'What a match means for the attempt.';
COMMENT ON COLUMN sendgate.error_rule_overrides.action IS 'The rule is for this action only. NULL: for all.';
COMMENT ON COLUMN sendgate.error_rule_overrides.error_type IS
'The provider''s type must be exactly this, with or without the prefix errors/. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_overrides.http_status IS
'The status must be this one (429) or of this class (4xx); with " or none" behind it, or missing. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_overrides.error_text IS
'The message must contain this literal, in any case; never a pattern. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rule_overrides.scope IS
'What a rate_limited attempt stops: account or action. NULL: the account.';
COMMENT ON COLUMN sendgate.error_rule_overrides.wait IS
'How long the cooldown of rate_limited or action_unavailable lasts, or a recipient_later is left alone. NULL: as long as is usual.';
COMMENT ON CONSTRAINT error_rule_overrides_condition_check ON sendgate.error_rule_overrides IS
'A rule without a condition would match every error, and what is unknown must stay indeterminate.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.error_rule_overrides', '');

CREATE FUNCTION sendgate.set_error_rule(
    rule_order integer,
    outcome text,
    action text DEFAULT NULL,
    error_type text DEFAULT NULL,
    http_status text DEFAULT NULL,
    error_text text DEFAULT NULL,
    scope text DEFAULT NULL,
    wait interval DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_set_error_rule';
COMMENT ON FUNCTION sendgate.set_error_rule(integer, text, text, text, text, text, text, interval) IS
'Puts a rule of yours, 0 to 999, before the shipped classifier, or replaces it. All conditions that it names must hold: action, exact provider type, status (429 or 4xx), literal text. scope (account or action) is for rate_limited; wait (0 to 366 days, no months) for rate_limited, recipient_later and action_unavailable. Logged. Errors: SG001, SG002, SG003, SG004, SG007 wait, SG008 status, SG009 no condition, or a scope or wait that the outcome ignores, SG301.';

CREATE FUNCTION sendgate.drop_error_rule(
    rule_order integer
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_drop_error_rule';
COMMENT ON FUNCTION sendgate.drop_error_rule(integer) IS
'Removes a rule of yours. Logged. Errors: SG001, SG003, SG104 there is none, SG301.';

CREATE VIEW sendgate.error_rules AS
SELECT o.rule_order, o.outcome, o.action, o.error_type, o.http_status, o.error_text, false AS shipped,
       o.scope, o.wait
FROM sendgate.error_rule_overrides o
UNION ALL
SELECT d.rule_order, d.outcome, d.action, d.error_type, d.http_status, d.error_text, true, d.scope,
       d.wait
FROM sendgate.error_rule_defaults d
ORDER BY rule_order;
COMMENT ON VIEW sendgate.error_rules IS
'The classifier in force, in the order in which its rules are asked: your rules, then the shipped ones. What no rule matches is indeterminate.';
COMMENT ON COLUMN sendgate.error_rules.rule_order IS 'Yours are 0 to 999, shipped ones start at 1000.';
COMMENT ON COLUMN sendgate.error_rules.outcome IS 'What a match means for the attempt.';
COMMENT ON COLUMN sendgate.error_rules.action IS 'The rule is for this action only. NULL: for all.';
COMMENT ON COLUMN sendgate.error_rules.error_type IS
'The provider''s type must be exactly this, with or without the prefix errors/. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rules.http_status IS
'The status must be this one (429) or of this class (4xx); with " or none" behind it, or missing. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rules.error_text IS
'The message must contain this literal, in any case. NULL: any or none.';
COMMENT ON COLUMN sendgate.error_rules.shipped IS
'Whether the rule comes with the extension and may change with an upgrade.';
COMMENT ON COLUMN sendgate.error_rules.scope IS
'What a rate_limited attempt stops: account or action. NULL: the account.';
COMMENT ON COLUMN sendgate.error_rules.wait IS
'How long the cooldown of rate_limited or action_unavailable lasts, or a recipient_later is left alone. NULL: as long as is usual.';

CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.error_rule_defaults
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.error_rule_defaults ENABLE ALWAYS TRIGGER config_changed;
COMMENT ON TRIGGER config_changed ON sendgate.error_rule_defaults IS
'Rules are compiled once per backend; an upgrade that rewrites them must reach all of them.';

CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.error_rule_overrides
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.error_rule_overrides ENABLE ALWAYS TRIGGER config_changed;
COMMENT ON TRIGGER config_changed ON sendgate.error_rule_overrides IS
'Rules are compiled once per backend; a changed rule holds from its commit.';
