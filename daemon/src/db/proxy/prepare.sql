BEGIN;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL client_min_messages = warning;
SET LOCAL check_function_bodies = on;

DO $check$
DECLARE
    role_name text;
    problem text;
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'feature_not_supported',
            MESSAGE = format('a proxy needs a UTF8 database, this one is %s', current_setting('server_encoding')),
            HINT = 'Create the database with ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'sendgate') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('database "%s" has sendgate in it, so it is a partition and no proxy', current_database()),
            HINT = 'Run this script in an empty database.';
    END IF;
    IF to_regnamespace('sendgate') IS NOT NULL AND to_regclass('sendgate_proxy.made') IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_schema',
            MESSAGE = 'there is a schema sendgate which this script has not made',
            HINT = 'Run this script in an empty database.';
    END IF;
    -- As when the extension is installed: an existing role must be what would have been created.
    FOREACH role_name IN ARRAY ARRAY['sendgate_owner', 'sendgate_sender', 'sendgate_reader',
                                     'sendgate_operator', 'sendgate_daemon'] LOOP
        SELECT CASE
                   WHEN r.rolcanlogin THEN 'can log in'
                   WHEN r.rolsuper THEN 'is a superuser'
                   WHEN r.rolcreaterole THEN 'can create roles'
                   WHEN r.rolname = 'sendgate_owner' AND EXISTS (
                       SELECT FROM pg_auth_members AS m WHERE m.roleid = r.oid OR m.member = r.oid
                   ) THEN 'has members or is one'
               END
        INTO problem
        FROM pg_roles AS r WHERE r.rolname = role_name;
        IF NOT FOUND THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        ELSIF problem IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'duplicate_object',
                MESSAGE = format('role "%s" exists already and %s', role_name, problem),
                DETAIL = 'It owns the functions of the proxy or is granted them; a role that another user controls would take them over.';
        END IF;
    END LOOP;
    IF NOT pg_has_role('sendgate_operator', 'sendgate_reader', 'MEMBER') THEN
        GRANT sendgate_reader TO sendgate_operator;
    END IF;
    IF NOT pg_has_role('sendgate_daemon', 'sendgate_reader', 'MEMBER') THEN
        GRANT sendgate_reader TO sendgate_daemon;
    END IF;
END
$check$;

CREATE SCHEMA IF NOT EXISTS sendgate AUTHORIZATION sendgate_owner;
CREATE SCHEMA IF NOT EXISTS sendgate_proxy AUTHORIZATION sendgate_owner;
REVOKE ALL ON SCHEMA sendgate, sendgate_proxy FROM PUBLIC;
GRANT USAGE ON SCHEMA sendgate TO sendgate_sender, sendgate_reader, sendgate_operator, sendgate_daemon;
COMMENT ON SCHEMA sendgate_proxy IS
'How the functions of the schema sendgate find their partition; only they use it.';
CREATE TABLE IF NOT EXISTS sendgate_proxy.made (
    object text NOT NULL PRIMARY KEY,
    signature text NOT NULL,
    place integer NOT NULL
);
COMMENT ON TABLE sendgate_proxy.made IS
'What the script made, so that the script of a newer version can replace it.';
CREATE EXTENSION IF NOT EXISTS plproxy WITH SCHEMA sendgate_proxy;

-- An account is where the hash of its id says, so the number of partitions never changes.
DO $count$
DECLARE
    partitions integer;
BEGIN
    SELECT count(*) INTO partitions
    FROM pg_foreign_server AS s, unnest(s.srvoptions) AS o (option)
    WHERE s.srvname = 'sendgate_sender' AND o.option ~ '^p[0-9]+=';
    IF partitions NOT IN (0, $partitions$) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('this proxy has %s partitions, and the script has $partitions$', partitions),
            DETAIL = 'Accounts would be looked for where they are not, and be provisioned a second time.',
            HINT = 'Grow by moving partitions to other servers; docs/scaling.md says how.';
    END IF;
END
$count$;
