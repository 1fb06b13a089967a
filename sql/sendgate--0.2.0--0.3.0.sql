-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION sendgate UPDATE" to load this file. \quit

-- ALTER EXTENSION sets the same by itself; said here, readers and pgspot need not know that.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Nobody decides while rules and tables change. The second statement changes nothing, and tells every
-- session of a change, so that one with the library of another version looks again, and refuses.
LOCK TABLE sendgate.accounts IN ACCESS EXCLUSIVE MODE;
ALTER TABLE sendgate.accounts SET (fillfactor = 70);

-- Row types of tables and views have the privileges of any new type again, and pg_dump has nothing to warn of.
DO $row_types$
DECLARE
    row_type text;
BEGIN
    FOR row_type IN
        SELECT t.oid::pg_catalog.regtype::text
        FROM pg_catalog.pg_type t
        JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind IN ('r', 'v')
        WHERE t.typnamespace = 'sendgate'::pg_catalog.regnamespace
    LOOP
        EXECUTE pg_catalog.format('GRANT USAGE ON TYPE %s TO PUBLIC', row_type);
    END LOOP;
END
$row_types$;
DELETE FROM pg_catalog.pg_init_privs i
USING pg_catalog.pg_type t
JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind IN ('r', 'v')
WHERE i.classoid = 'pg_catalog.pg_type'::pg_catalog.regclass AND i.objoid = t.oid
  AND t.typnamespace = 'sendgate'::pg_catalog.regnamespace;
