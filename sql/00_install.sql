-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION sendgate" to load this file. \quit

-- CREATE EXTENSION sets the same; the statement shows it to readers and to pgspot.
SET LOCAL search_path = pg_catalog, pg_temp;
-- The gate reads its tables below the planner, and knows heap alone.
SET LOCAL default_table_access_method = heap;

-- Texts are cut, compared and lowered as UTF-8. In another encoding, limits in characters would have
-- another meaning.
DO $check$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'feature_not_supported',
            MESSAGE = pg_catalog.format('sendgate needs a UTF8 database, this one is %s',
                pg_catalog.current_setting('server_encoding')),
            HINT = 'Create the database with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$check$;

-- Roles are shared by all databases of the server and outlive the extension. One that exists
-- already must be what sendgate would have created: anything stronger is refused, not adopted.
DO $roles$
DECLARE
    role_name text;
    problem text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['sendgate_owner', 'sendgate_sender', 'sendgate_reader',
                                     'sendgate_operator', 'sendgate_daemon'] LOOP
        SELECT CASE
                   WHEN r.rolcanlogin THEN 'can log in'
                   WHEN r.rolsuper THEN 'is a superuser'
                   WHEN r.rolcreaterole THEN 'can create roles'
                   WHEN r.rolbypassrls THEN 'bypasses row security'
                   WHEN EXISTS (
                       SELECT FROM pg_catalog.pg_auth_members m
                       JOIN pg_catalog.pg_roles g ON g.oid = m.member
                       WHERE m.roleid = r.oid AND m.admin_option AND NOT g.rolsuper
                   ) THEN 'is administered by a role that is not a superuser'
                   WHEN r.rolname = 'sendgate_owner' AND EXISTS (
                       SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid = r.oid
                   ) THEN 'has members'
                   WHEN r.rolname = 'sendgate_owner' AND EXISTS (
                       SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid
                   ) THEN 'is itself a member of another role'
               END
        INTO problem
        FROM pg_catalog.pg_roles r
        WHERE r.rolname = role_name;
        IF NOT FOUND THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role_name);
        ELSIF problem IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'duplicate_object',
                MESSAGE = pg_catalog.format('role "%s" exists already and %s', role_name, problem),
                DETAIL = 'sendgate grants this role its rights; a role that another user controls would take them over.',
                HINT = pg_catalog.format('Rename or drop the role "%s", or ALTER it to a plain NOLOGIN role without foreign members or admins.', role_name);
        END IF;
    END LOOP;
END
$roles$;

GRANT sendgate_reader TO sendgate_operator;
GRANT sendgate_reader TO sendgate_daemon;

-- Created here, never adopted: the owner of an existing schema could drop the tables in it.
CREATE SCHEMA sendgate;

-- \d+ and every catalog browser show these comments. Each says in one sentence what the object is, then what its
-- name does not say: units, ranges, reasons. Instants are of sendgate.clock(), days and weeks are UTC.

COMMENT ON SCHEMA sendgate IS
'The gate that workers ask before every metered send: accounts, campaign work, the journal of attempts, the event log of deliveries, the InMail breaker. Everything in it belongs to sendgate_owner; applications call functions and read views.';

-- Roles are shared by all databases. Written only where it differs, so that installing into two
-- databases at once does not contend for the same catalog row.
DO $roles$
DECLARE
    role_name text;
    description text;
BEGIN
    FOR role_name, description IN
        VALUES
            ('sendgate_owner', 'Owns everything in the schema sendgate; its functions act with the rights of this role. It cannot log in and has no members. What the functions read and write below SQL does not ask for its rights.'),
            ('sendgate_sender', 'For applications that send: they take and settle slots one by one or in batches, put in and cancel campaign work, consult the breaker; and read no table.'),
            ('sendgate_reader', 'For support and dashboards: reads the views and the logs of the schema sendgate, and changes nothing.'),
            ('sendgate_operator', 'For people who run accounts: reads what a reader reads and the admin log, and may call every function that changes accounts, caps, rules and breakers, or pauses and moves campaign work. Each call is logged with its session user.'),
            ('sendgate_daemon', 'For processes that act on behalf of an operator: the rights of a reader and the functions of an operator; the setting sendgate.actor is believed from its members only.')
    LOOP
        IF pg_catalog.shobj_description(role_name::pg_catalog.regrole::pg_catalog.oid, 'pg_authid')
            IS DISTINCT FROM description
        THEN
            EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', role_name, description);
        END IF;
    END LOOP;
END
$roles$;
