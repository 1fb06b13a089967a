-- Whose books these are: a copy of the database does not send.

CREATE TABLE sendgate.home_database (
    only_row boolean NOT NULL DEFAULT true,
    system_identifier bigint NOT NULL,
    database_oid oid NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    note text,
    CONSTRAINT home_database_pkey PRIMARY KEY (only_row),
    CONSTRAINT home_database_only_row_check CHECK (only_row)
);

COMMENT ON TABLE sendgate.home_database IS
'The database in which the books were written, at most one row: by the first upsert_account, by an update of the extension where there are accounts, or by adopt_database. In any other database they are a copy, and the gate refuses everything.';
COMMENT ON COLUMN sendgate.home_database.only_row IS 'Always true: the key that keeps the table at one row.';
COMMENT ON COLUMN sendgate.home_database.system_identifier IS
'The server''s, as in pg_control_system(): a physical standby has that of its primary, also once it is promoted. initdb makes a new one.';
COMMENT ON COLUMN sendgate.home_database.database_oid IS
'The database''s, as in pg_database: a new one for each CREATE DATABASE.';
COMMENT ON COLUMN sendgate.home_database.recorded_at IS 'Since when.';
COMMENT ON COLUMN sendgate.home_database.actor IS 'Who provisioned the first account, updated the extension or adopted the database.';
COMMENT ON COLUMN sendgate.home_database.note IS 'Why it was adopted, in the operator''s words. NULL: it was not.';
SELECT pg_catalog.pg_extension_config_dump('sendgate.home_database', '');

CREATE TRIGGER config_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sendgate.home_database
FOR EACH STATEMENT EXECUTE FUNCTION sendgate.config_changed();
ALTER TABLE sendgate.home_database ENABLE ALWAYS TRIGGER config_changed;
COMMENT ON TRIGGER config_changed ON sendgate.home_database IS
'It is read once per backend; adopt_database holds from its commit.';

CREATE FUNCTION sendgate.adopt_database(
    note text
) RETURNS void
LANGUAGE c
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_adopt_database';
COMMENT ON FUNCTION sendgate.adopt_database(text) IS
'Makes this copy of the books the one that sends: until then a restored dump, a database made from a template and a server after pg_upgrade are refused with paused_by_operator, and resume_all does not end that. Call it only where the original sends no more: two copies count apart, and together exceed every cap. Resolves the alert copied_database. Where the books belong here already it changes nothing. Logged. Errors: SG002, SG301.';

CREATE FUNCTION sendgate.copied_database() RETURNS boolean
LANGUAGE c
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'sendgate_copied_database';
COMMENT ON FUNCTION sendgate.copied_database() IS
'Whether these books were written in another database, and sendgate.copy_check is on, so that nothing is sent from here before adopt_database. Made for checks and monitoring.';
