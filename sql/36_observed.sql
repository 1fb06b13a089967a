-- Who is only observed is said all the time, so it is found at once.

CREATE INDEX accounts_observed_idx ON sendgate.accounts (id)
WHERE enforcement = 'observe';
COMMENT ON INDEX sendgate.accounts_observed_idx IS
'For operators who have to see which accounts are only observed, at once. It changes with set_enforcement, not when a slot is taken.';

CREATE FUNCTION sendgate.enforcement_of(
    own text
) RETURNS text
LANGUAGE c
STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sendgate_enforcement_of';
COMMENT ON FUNCTION sendgate.enforcement_of(text) IS
'enforce or observe: an account''s own mode, or where that is NULL the setting sendgate.enforcement. Made for the views.';
