-- What is asked as $role$: a partition lets such a call do what that role may, and nothing more. A password that
-- you add to the user mapping stays: ALTER USER MAPPING FOR sendgate_owner SERVER $role$ OPTIONS (ADD password '…').
DO $server$
DECLARE
    key text;
    value text;
    wanted text := '';
    is_new boolean := NOT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = '$role$');
    has jsonb;
BEGIN
    SELECT coalesce(jsonb_object_agg(o.option_name, o.option_value), '{}') INTO has
    FROM pg_foreign_server AS s, pg_options_to_table(s.srvoptions) AS o
    WHERE s.srvname = '$role$';
    FOR key, value IN
        VALUES
$options$
    LOOP
        wanted := wanted || CASE wanted WHEN '' THEN '' ELSE ', ' END
            || CASE WHEN is_new THEN '' WHEN has ? key THEN 'SET ' ELSE 'ADD ' END || format('%I %L', key, value);
        has := has - key;
    END LOOP;
    FOR key IN SELECT jsonb_object_keys(has) LOOP
        wanted := wanted || format(', DROP %I', key);
    END LOOP;
    IF is_new THEN
        EXECUTE format('CREATE SERVER %I FOREIGN DATA WRAPPER plproxy OPTIONS (%s)', '$role$', wanted);
    ELSE
        EXECUTE format('ALTER SERVER %I OPTIONS (%s)', '$role$', wanted);
    END IF;
    REVOKE ALL ON FOREIGN SERVER $role$ FROM PUBLIC;
    -- A role that may use the server could map itself to another login: only the functions' owner may.
    GRANT USAGE ON FOREIGN SERVER $role$ TO sendgate_owner;
    IF EXISTS (SELECT FROM pg_user_mappings WHERE srvname = '$role$' AND usename = 'sendgate_owner') THEN
        EXECUTE format('ALTER USER MAPPING FOR sendgate_owner SERVER %I OPTIONS (SET "user" %L)', '$role$', $user$);
    ELSE
        EXECUTE format('CREATE USER MAPPING FOR sendgate_owner SERVER %I OPTIONS ("user" %L)', '$role$', $user$);
    END IF;
END
$server$;
