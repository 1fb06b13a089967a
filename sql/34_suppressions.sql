-- Prospects whom no account may write to.

CREATE TABLE sendgate.suppressions (
    suppressed_at timestamptz NOT NULL,
    until timestamptz,
    prospect_id sendgate.identifier NOT NULL,
    actor text NOT NULL,
    note text,
    CONSTRAINT suppressions_pkey PRIMARY KEY (prospect_id)
);
COMMENT ON TABLE sendgate.suppressions IS
'Prospects whom no account may write to: do not contact. Every decision about a send looks here, unless the table is empty. Written by suppress_prospect and unsuppress_prospect; what either changed is in admin_log. forget_prospect leaves a row here as it is.';
COMMENT ON COLUMN sendgate.suppressions.suppressed_at IS
'Since when. One that is changed while it lasts keeps its beginning.';
COMMENT ON COLUMN sendgate.suppressions.until IS
'When it ends by itself; the row stays. NULL: only unsuppress_prospect ends it.';
COMMENT ON COLUMN sendgate.suppressions.prospect_id IS
'Whom: the application''s own key, 1 to 128 characters. It need not be known otherwise.';
COMMENT ON COLUMN sendgate.suppressions.actor IS
'The session user, or the operator on whose behalf a member of sendgate_daemon acted.';
COMMENT ON COLUMN sendgate.suppressions.note IS 'Why, in the operator''s words.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.suppressions', '');

-- No column and no row: sessions are told of a change of the list through it.
CREATE TYPE sendgate.suppression_signal AS ();
COMMENT ON TYPE sendgate.suppression_signal IS
'Nothing is stored in it. The commit of a change of suppressions tells every session through this type, which none ever opens; so none has to look up its tables anew.';

CREATE FUNCTION sendgate.suppress_prospect(
    prospect_id text,
    note text,
    until timestamptz DEFAULT NULL
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_suppress_prospect';
COMMENT ON FUNCTION sendgate.suppress_prospect(text, text, timestamptz) IS
'Do not contact: from its commit, every decision that looks after it refuses the prospect, on every account and for every action, with prospect_suppressed; also breaker_check, and the replay of a grant. Work of campaigns waits until until, which has to be ahead; without until, dispatch cancels it where it meets it and enqueue takes no more. Called again it replaces until and note. What a worker has already may still be sent. Logged. Errors: SG001, SG002, SG007 until, SG301.';

CREATE FUNCTION sendgate.unsuppress_prospect(
    prospect_id text,
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_unsuppress_prospect';
COMMENT ON FUNCTION sendgate.unsuppress_prospect(text, text) IS
'Undoes suppress_prospect: work that waits for its end is due now; cancelled work stays so. A no-op where the prospect is not suppressed. Holds the accounts that have waiting work for the prospect. Logged. Errors: SG001, SG002, SG301.';

CREATE FUNCTION sendgate.suppressions_changed() RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', 'sendgate_suppressions_changed';
COMMENT ON FUNCTION sendgate.suppressions_changed() IS
'Trigger: tells every session at commit that the list of suppressions has changed.';

-- For each row, because logical replication fires no trigger for each statement.
CREATE TRIGGER suppressions_changed AFTER INSERT OR UPDATE OR DELETE ON sendgate.suppressions
FOR EACH ROW EXECUTE FUNCTION sendgate.suppressions_changed();
ALTER TABLE sendgate.suppressions ENABLE ALWAYS TRIGGER suppressions_changed;
COMMENT ON TRIGGER suppressions_changed ON sendgate.suppressions IS
'Sessions remember that the list is empty; a suppression holds from its commit, also one that is replicated or restored.';
CREATE TRIGGER suppressions_truncated AFTER TRUNCATE ON sendgate.suppressions
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.suppressions_changed();
ALTER TABLE sendgate.suppressions ENABLE ALWAYS TRIGGER suppressions_truncated;
COMMENT ON TRIGGER suppressions_truncated ON sendgate.suppressions IS 'The same for TRUNCATE, which fires no trigger for rows.';
