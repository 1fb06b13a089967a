-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION sendgate UPDATE" to load this file. \quit

-- ALTER EXTENSION sets the same by itself; said here, readers and pgspot need not know that.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Nobody decides while rules and tables change. The second statement changes nothing, and tells every
-- session of a change, so that one with the library of another version looks again, and refuses.
LOCK TABLE sendgate.accounts IN ACCESS EXCLUSIVE MODE;
ALTER TABLE sendgate.accounts SET (fillfactor = 70);
