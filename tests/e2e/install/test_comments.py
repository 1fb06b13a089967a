"""Every relation, column, function and type explains itself in psql."""

from e2e.support import equal

WITHOUT = {
    "relations": """
        SELECT c.relname FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind IN ('r', 'v', 'm', 'p')
          AND pg_catalog.obj_description(c.oid, 'pg_class') IS NULL""",
    "columns": """
        SELECT c.relname || '.' || a.attname
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace
          AND c.relkind IN ('r', 'v', 'm', 'p', 'c') AND a.attnum > 0 AND NOT a.attisdropped
          AND pg_catalog.col_description(c.oid, a.attnum) IS NULL""",
    "functions": """
        SELECT p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'sendgate'::pg_catalog.regnamespace
          AND pg_catalog.obj_description(p.oid, 'pg_proc') IS NULL""",
    "types": """
        SELECT t.typname FROM pg_catalog.pg_type t
        LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
        WHERE t.typnamespace = 'sendgate'::pg_catalog.regnamespace AND t.typcategory <> 'A'
          AND coalesce(c.relkind, 'c') = 'c'
          AND pg_catalog.obj_description(t.oid, 'pg_type') IS NULL""",
    "schemas": """
        SELECT n.nspname FROM pg_catalog.pg_namespace n
        WHERE n.nspname = 'sendgate' AND pg_catalog.obj_description(n.oid, 'pg_namespace') IS NULL""",
    "roles": """
        SELECT r.rolname FROM pg_catalog.pg_roles r
        WHERE r.rolname LIKE 'sendgate\\_%' AND pg_catalog.shobj_description(r.oid, 'pg_authid') IS NULL""",
    "settings": """
        SELECT s.name FROM (SELECT sendgate.clock()) loaded
        CROSS JOIN LATERAL (SELECT * FROM pg_catalog.pg_settings WHERE name LIKE 'sendgate.%') s
        WHERE s.short_desc = ''""",
}


def test_everything_has_a_comment(env):
    without = {kind: env.psql(query + " ORDER BY 1").splitlines() for kind, query in WITHOUT.items()}
    equal({kind: names for kind, names in without.items() if names}, {}, "without a comment")
