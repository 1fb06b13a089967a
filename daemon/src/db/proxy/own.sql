-- Everything belongs to a role without login, and nothing is granted to PUBLIC.
DO $owner$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT p.oid::regprocedure AS name
        FROM pg_proc AS p
        WHERE p.pronamespace IN ('sendgate'::regnamespace, 'sendgate_proxy'::regnamespace)
          AND NOT EXISTS (
              SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO sendgate_owner', object.name);
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC, sendgate_sender, sendgate_reader, sendgate_operator, sendgate_daemon',
            object.name);
    END LOOP;
    FOR object IN
        SELECT c.oid::regclass AS name, c.relkind
        FROM pg_class AS c
        WHERE c.relnamespace IN ('sendgate'::regnamespace, 'sendgate_proxy'::regnamespace) AND c.relkind IN ('r', 'v')
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO sendgate_owner', CASE object.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
            object.name);
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, sendgate_sender, sendgate_reader, sendgate_operator, sendgate_daemon',
            object.name);
    END LOOP;
END
$owner$;
