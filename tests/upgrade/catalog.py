"""Everything in the catalog by which two installations of the extension can differ.

A fact is a line about one object. Object numbers are left out, names are qualified, sets are sorted,
and a column's number is its place among those that are there, because an upgrade leaves gaps. What is
no object of the extension but made by its scripts, roles and their memberships, is in it too.
"""

# Every query begins with these: the members of the extension, and whatever else is in its schema.
_OURS = """
WITH ours (classid, objid) AS (
    SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'sendgate'
    UNION
    SELECT 'pg_class'::regclass, oid FROM pg_class WHERE relnamespace = 'sendgate'::regnamespace
    UNION
    SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = 'sendgate'::regnamespace
    UNION
    SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typnamespace = 'sendgate'::regnamespace
    UNION
    SELECT 'pg_namespace'::regclass, 'sendgate'::regnamespace
), relations AS (
    SELECT c.* FROM pg_class c JOIN ours o ON o.classid = 'pg_class'::regclass AND o.objid = c.oid
), functions AS (
    SELECT p.* FROM pg_proc p JOIN ours o ON o.classid = 'pg_proc'::regclass AND o.objid = p.oid
), types AS (
    SELECT t.* FROM pg_type t JOIN ours o ON o.classid = 'pg_type'::regclass AND o.objid = t.oid
), granted (kind, name, owner, acl, letter) AS (
    SELECT 'schema', nspname::text, nspowner, nspacl, 'n' FROM pg_namespace WHERE nspname = 'sendgate'
    UNION ALL SELECT 'relation', oid::regclass::text, relowner, relacl, 'r' FROM relations
    WHERE relkind NOT IN ('i', 'I', 'c')
    UNION ALL SELECT 'function', oid::regprocedure::text, proowner, proacl, 'f' FROM functions
    UNION ALL SELECT 'type', oid::regtype::text, typowner, typacl, 'T' FROM types
    WHERE typcategory <> 'A'
    UNION ALL SELECT 'column', a.attrelid::regclass || '.' || a.attname, r.relowner, a.attacl, 'c'
    FROM pg_attribute a JOIN relations r ON r.oid = a.attrelid WHERE a.attacl IS NOT NULL
)
"""

# kind of fact -> (name, fact)
_FACTS = {
    "extension": """
        SELECT extname, extversion || ' in ' || extnamespace::regnamespace
            || CASE WHEN extrelocatable THEN ', relocatable' ELSE '' END
        FROM pg_extension WHERE extname = 'sendgate'""",
    # Whether it is the extension's: something that is only in its schema is dumped as a user's own.
    "object": """
        SELECT i.type || ' ' || i.identity,
               CASE WHEN EXISTS (
                   SELECT FROM pg_depend d WHERE d.classid = o.classid AND d.objid = o.objid
                   AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
               THEN 'member' ELSE 'not a member' END
        FROM ours o CROSS JOIN LATERAL pg_identify_object(o.classid, o.objid, 0) i""",
    "owner": "SELECT kind || ' ' || name, owner::regrole::text FROM granted",
    "grants": """
        SELECT g.kind || ' ' || g.name,
               string_agg(x.privilege_type || ' to '
                          || CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END
                          || CASE WHEN x.is_grantable THEN ' with grant option' ELSE '' END,
                          ', ' ORDER BY x.grantee::regrole::text, x.privilege_type)
        FROM granted g
        CROSS JOIN LATERAL aclexplode(coalesce(g.acl, acldefault(g.letter::"char", g.owner))) x
        GROUP BY 1""",
    # By these pg_dump tells the grants that the scripts made from those that a DBA made.
    "initial grants": """
        SELECT i.type || ' ' || i.identity,
               string_agg(x.privilege_type || ' to '
                          || CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
                          ', ' ORDER BY x.grantee::regrole::text, x.privilege_type)
        FROM pg_init_privs p JOIN ours o ON o.classid = p.classoid AND o.objid = p.objoid
        CROSS JOIN LATERAL pg_identify_object(p.classoid, p.objoid, p.objsubid) i
        CROSS JOIN LATERAL aclexplode(p.initprivs) x GROUP BY 1""",
    # PostgreSQL 17 and newer note the roles in them, which keeps such a role from being dropped.
    "initial grantees": """
        SELECT i.type || ' ' || i.identity, string_agg(d.refobjid::regrole::text, ', ' ORDER BY d.refobjid::regrole::text)
        FROM pg_shdepend d JOIN ours o ON o.classid = d.classid AND o.objid = d.objid
        CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i
        WHERE d.deptype = 'i' AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        GROUP BY 1""",
    "comment": """
        SELECT i.type || ' ' || i.identity, d.description
        FROM pg_description d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
        WHERE (d.classoid, d.objoid) IN (SELECT classid, objid FROM ours)
           OR d.classoid = 'pg_constraint'::regclass AND d.objoid IN (
               SELECT oid FROM pg_constraint WHERE connamespace = 'sendgate'::regnamespace)
           OR d.classoid = 'pg_trigger'::regclass AND d.objoid IN (
               SELECT oid FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM relations))
           OR d.classoid = 'pg_rewrite'::regclass AND d.objoid IN (
               SELECT oid FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM relations))""",
    "dumped": """
        SELECT t.id::regclass::text, 'where "' || t.condition || '"'
        FROM pg_extension e CROSS JOIN LATERAL unnest(e.extconfig, e.extcondition) t (id, condition)
        WHERE e.extname = 'sendgate'""",
    "relation": """
        SELECT oid::regclass::text,
               concat_ws(' ', relkind, relpersistence, relreplident, (SELECT amname FROM pg_am WHERE oid = relam),
                         array_to_string(ARRAY(SELECT unnest(reloptions) ORDER BY 1), ','),
                         CASE WHEN relrowsecurity OR relforcerowsecurity THEN 'row security' END,
                         CASE WHEN reltablespace <> 0 THEN 'tablespace' END,
                         CASE WHEN relispartition THEN 'partition' END,
                         (SELECT array_to_string(reloptions, ',') FROM pg_class t WHERE t.oid = r.reltoastrelid))
        FROM relations r""",
    # pg_attver is a note of Debian's 15.20 to itself: a place in the write-ahead log.
    "column": """
        SELECT r.oid::regclass || '.' || a.attname,
               concat_ws(' ', 'place', count(*) FILTER (WHERE NOT a.attisdropped) OVER (
                             PARTITION BY a.attrelid ORDER BY a.attnum),
                         format_type(a.atttypid, a.atttypmod),
                         (SELECT 'collate ' || collname FROM pg_collation WHERE oid = a.attcollation),
                         CASE WHEN a.attnotnull THEN 'not null' END,
                         'default ' || pg_get_expr(d.adbin, d.adrelid),
                         'storage ' || a.attstorage::text, nullif('compression ' || a.attcompression::text, 'compression '),
                         nullif('identity ' || a.attidentity::text, 'identity '),
                         nullif('generated ' || a.attgenerated::text, 'generated '),
                         'statistics ' || nullif(a.attstattarget, -1),
                         array_to_string(ARRAY(SELECT o FROM unnest(a.attoptions) o
                                               WHERE o NOT LIKE 'pg_attver=%'), ','))
        FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE r.relkind NOT IN ('i', 'I')""",
    "constraint": """
        SELECT coalesce(nullif(c.conrelid, 0)::regclass::text, c.contypid::regtype::text) || '.' || c.conname,
               concat_ws(' ', pg_get_constraintdef(c.oid), CASE WHEN NOT c.convalidated THEN 'not validated' END,
                         CASE WHEN c.condeferrable THEN 'deferrable' END)
        FROM pg_constraint c WHERE c.conrelid IN (SELECT oid FROM relations)
           OR c.contypid IN (SELECT oid FROM types)""",
    "index": """
        SELECT i.indexrelid::regclass::text,
               concat_ws(' ', pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN 'invalid' END,
                         CASE WHEN i.indisclustered THEN 'clustered' END,
                         CASE WHEN i.indisreplident THEN 'replica identity' END,
                         CASE WHEN i.indisprimary THEN 'primary' END,
                         'owner ' || (SELECT relowner::regrole::text FROM pg_class WHERE oid = i.indexrelid))
        FROM pg_index i WHERE i.indrelid IN (SELECT oid FROM relations)""",
    "trigger": """
        SELECT t.tgrelid::regclass || '.' || t.tgname, pg_get_triggerdef(t.oid) || ' enabled ' || t.tgenabled::text
        FROM pg_trigger t WHERE t.tgrelid IN (SELECT oid FROM relations) AND NOT t.tgisinternal""",
    "rule": """
        SELECT r.ev_class::regclass || '.' || r.rulename, pg_get_ruledef(r.oid) || ' enabled ' || r.ev_enabled::text
        FROM pg_rewrite r WHERE r.ev_class IN (SELECT oid FROM relations)""",
    "policy": """
        SELECT p.polrelid::regclass || '.' || p.polname,
               concat_ws(' ', p.polcmd, p.polroles::text, pg_get_expr(p.polqual, p.polrelid),
                         pg_get_expr(p.polwithcheck, p.polrelid))
        FROM pg_policy p WHERE p.polrelid IN (SELECT oid FROM relations)""",
    # Signature with names and defaults, source, language, volatility, settings, cost, rights.
    "function": """
        SELECT oid::regprocedure::text,
               CASE WHEN prokind = 'a' THEN proname::text ELSE pg_get_functiondef(oid) END FROM functions""",
    "type": """
        SELECT oid::regtype::text,
               concat_ws(' ', typtype, typcategory, CASE WHEN typnotnull THEN 'not null' END,
                         'default ' || typdefault, nullif(format_type(typbasetype, typtypmod), '-'),
                         (SELECT 'collate ' || collname FROM pg_collation c WHERE c.oid = typcollation),
                         (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum
                          WHERE enumtypid = types.oid))
        FROM types""",
    "statistics": """
        SELECT stxname::text, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
        WHERE stxrelid IN (SELECT oid FROM relations)""",
    "default privileges": """
        SELECT defaclrole::regrole || ' ' || defaclnamespace::regnamespace || ' ' || defaclobjtype::text, defaclacl::text
        FROM pg_default_acl""",
    "role": """
        SELECT rolname::text,
               concat_ws(' ', CASE WHEN rolcanlogin THEN 'login' END, CASE WHEN rolsuper THEN 'superuser' END,
                         CASE WHEN rolinherit THEN 'inherit' END, CASE WHEN rolcreaterole THEN 'createrole' END,
                         CASE WHEN rolcreatedb THEN 'createdb' END, CASE WHEN rolbypassrls THEN 'bypassrls' END,
                         CASE WHEN rolreplication THEN 'replication' END,
                         (SELECT 'member of ' || string_agg(m.roleid::regrole::text, ',' ORDER BY m.roleid::regrole::text)
                          FROM pg_auth_members m WHERE m.member = r.oid))
        FROM pg_roles r WHERE rolname LIKE 'sendgate\\_%'""",
    "setting": """
        SELECT name, concat_ws(' ', vartype, context, unit, boot_val, min_val, max_val, enumvals::text, short_desc)
        FROM (SELECT sendgate.clock()) loaded
        CROSS JOIN LATERAL (SELECT * FROM pg_settings WHERE name LIKE 'sendgate.%') s""",
}

# Rows that come with the extension: those of its tables that are not dumped.
_SHIPPED = """
SELECT c.oid::regclass::text FROM pg_class c
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'sendgate'
WHERE d.refclassid = 'pg_extension'::regclass AND c.relkind = 'r' AND c.oid <> ALL (e.extconfig)"""
# What a job's row notes about its sweeps differs between any two databases; what comes with the
# extension is that there is the job, and how often it runs.
_SHIPPED_COLUMNS = {"sendgate.jobs": ("job", "every")}

Facts = dict[tuple[str, str], str]


def facts(connection) -> Facts:
    """Every fact about the extension in this database."""
    connection.execute("SET search_path = pg_catalog, pg_temp")
    found: Facts = {}
    for kind, query in _FACTS.items():
        rows = connection.execute(_OURS + query, prepare=False).fetchall()
        found |= {(kind, name): fact or "" for name, fact in rows}
    for (table,) in connection.execute(_SHIPPED).fetchall():
        columns = ", ".join(_SHIPPED_COLUMNS.get(table, ("*",)))
        rows = connection.execute(f"SELECT to_jsonb(s) FROM (SELECT {columns} FROM {table}) s").fetchall()
        found |= {("shipped row", f"{table} {row}"): "" for (row,) in rows}
    return found


def differences(found: Facts, expected: Facts) -> list[str]:
    """A line for each fact that is missing, too many, or another one; nothing if they are equal."""
    lines = [f"missing: {kind} {name}: {expected[kind, name]}" for kind, name in expected.keys() - found.keys()]
    lines += [f"too many: {kind} {name}: {found[kind, name]}" for kind, name in found.keys() - expected.keys()]
    lines += [
        f"other: {kind} {name}: {found[kind, name]!r}, expected {expected[kind, name]!r}"
        for kind, name in found.keys() & expected.keys()
        if found[kind, name] != expected[kind, name]
    ]
    return sorted(lines)
