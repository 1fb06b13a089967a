-- What CREATE EXTENSION brings: the objects of the contract, their signatures and their owner.
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir '/include/helpers.sql'
\i :helpers

-- Tables and views.
SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' END AS kind, c.relname AS name
FROM pg_class c
WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relkind IN ('r', 'v')
ORDER BY kind, name;

-- The verbs, with the names and defaults of their arguments: applications call them by name.
\pset format unaligned
\pset tuples_only on
SELECT format('%s(%s) returns %s', p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid))
FROM pg_proc p
WHERE p.pronamespace = 'sendgate'::regnamespace AND p.prosecdef
ORDER BY p.proname;
\pset tuples_only off
\pset format aligned

-- The answer of the gate has named fields.
SELECT a.attname AS field, format_type(a.atttypid, a.atttypmod) AS type
FROM pg_attribute a
WHERE a.attrelid = 'sendgate.decision'::regclass
ORDER BY a.attnum;

-- No function is STRICT: a NULL where none is allowed is an error, not a NULL in return.
SELECT p.proname AS strict_function
FROM pg_proc p
WHERE p.pronamespace = 'sendgate'::regnamespace AND p.proisstrict;

-- Everything belongs to sendgate_owner, a role without LOGIN.
SELECT rolname, rolcanlogin, rolsuper
FROM pg_roles
WHERE rolname LIKE 'sendgate\_%'
ORDER BY rolname;

SELECT c.relname AS owned_by_somebody_else
FROM pg_class c
WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relowner <> 'sendgate_owner'::regrole
UNION ALL
SELECT p.proname
FROM pg_proc p
WHERE p.pronamespace = 'sendgate'::regnamespace AND p.proowner <> 'sendgate_owner'::regrole
UNION ALL
SELECT n.nspname
FROM pg_namespace n
WHERE n.nspname = 'sendgate' AND n.nspowner <> 'sendgate_owner'::regrole;

-- pg_dump carries what users put in; what is shipped comes with the extension.
SELECT c.relname AS dumped
FROM pg_extension e
CROSS JOIN LATERAL unnest(e.extconfig) AS dumped (oid)
JOIN pg_class c ON c.oid = dumped.oid
WHERE e.extname = 'sendgate'
ORDER BY c.relname;

-- Ids are compared byte by byte, so that no upgrade of the operating system's collations can corrupt
-- a unique index.
SELECT c.relname, a.attname AS other_collation
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
WHERE c.relnamespace = 'sendgate'::regnamespace AND a.attcollation <> 0 AND a.attcollation <> '"C"'::regcollation
ORDER BY c.relname, a.attname;

-- Every relation, column and function says what it is.
SELECT count(*) AS relations_without_comment
FROM pg_class c
WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relkind IN ('r', 'v')
    AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT count(*) AS columns_without_comment
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'sendgate'::regnamespace AND c.relkind IN ('r', 'v')
    AND col_description(c.oid, a.attnum) IS NULL;
SELECT count(*) AS functions_without_comment
FROM pg_proc p
WHERE p.pronamespace = 'sendgate'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;

-- The shipped caps.
SELECT tier,
    max(daily_cap) FILTER (WHERE action = 'inmail') AS inmail,
    max(daily_cap) FILTER (WHERE action = 'invite') AS invite,
    max(weekly_cap) FILTER (WHERE action = 'invite') AS invite_week,
    max(daily_cap) FILTER (WHERE action = 'message') AS message,
    max(daily_cap) FILTER (WHERE action = 'profile_view') AS profile_view,
    max(daily_cap) FILTER (WHERE action = 'engagement') AS engagement,
    max(weekly_cap) FILTER (WHERE action <> 'invite') AS other_weeks,
    max(credits_a_month) AS credits,
    max(credits_ceiling) AS ceiling,
    count(*) AS actions
FROM sendgate.tiers
WHERE tier IN ('free', 'premium_career', 'premium_business', 'sales_navigator', 'recruiter_lite', 'recruiter')
GROUP BY tier
ORDER BY max(credits_ceiling), tier;
SELECT DISTINCT ramp_start_percent, ramp_step_percent, minimum_gap
FROM sendgate.tiers
WHERE tier = 'sales_navigator';
