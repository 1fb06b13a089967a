"""Who may do what, over the whole catalog: the contract's table of roles and nothing besides it."""

from e2e.support import ROLES, equal, login

SENDER, READER, OPERATOR, DAEMON = ROLES
# The contract's table of roles. A name that exists must be granted to exactly these.
SENDERS = """reserve preview confirm rollback record_external_send breaker_check breaker_report enqueue
enqueue_many dispatch cancel confirm_many rollback_many""".split()
# What applications and people take out or put back.
SENDERS_AND_OPERATORS = "requeue cancel_prospect".split()
# An application hangs these on its own tables, and creating a trigger asks for EXECUTE.
SENDERS_TRIGGERS = "guard_send settle_send".split()
OPERATORS = """upsert_account set_window set_status set_cap set_tier_cap drop_tier_cap set_error_rule
drop_error_rule pause_all quarantine resume_all clear_cooldown repair_day set_pace set_enforcement set_campaign pause_campaign
forget_credit_balance suppress_prospect unsuppress_prospect remove_account forget_prospect
resume_campaign resolve_unresolved
breaker_clear breaker_arm breaker_probe breaker_force resolve_operation resume_deferred switch_action
acknowledge_alert""".split()
OPERATORS += ["adopt_database"]
DAEMONS = """audit_events reconcile_operations midnight_reset prune tick begin_run
record_run_failure take_breaker_lines register_webhook take_notifications settle_notification""".split()
TRIGGERS = "append_only config_changed journal_event suppressions_changed account_leaves account_is_sound".split()
# Views call functions with their reader's rights, so these pure readings are readers'; the clock is
# everybody's who asks the gate.
READINGS = """sent_as_of sent_in_seven_days_as_of sent_before_days effective_cap breaker_state next_credit_period
window_days_array window_since outside_window credit_forecast""".split()
READINGS += ["enforcement_of"]
# Called by constraints, which check as the table's owner.
INTERNAL = "is_sound_history is_sound_operation".split()
GRANTEES = (
    dict.fromkeys(SENDERS + SENDERS_TRIGGERS, {SENDER})
    | dict.fromkeys(SENDERS_AND_OPERATORS, {SENDER, OPERATOR, DAEMON})
    | dict.fromkeys(OPERATORS, {OPERATOR, DAEMON})
    | dict.fromkeys(DAEMONS, {DAEMON})
    | dict.fromkeys(READINGS, {READER})
    | dict.fromkeys(TRIGGERS + INTERNAL, set())
    | {"judge_trigger": {READER}}
    | {"record_credit_balance": {SENDER, OPERATOR, DAEMON}}
    # The contract's table names only the sender, its console answers from a preview.
    | {
        "clock": {SENDER, READER},
        "preview": {SENDER, OPERATOR, DAEMON},
        "refusal_counts": {READER},
        "copied_database": {READER},
        "activity_counts": {READER},
        "why": {READER},
    }
)
# The admin log is the operators', and the console shows it to them; how much of the outbox waits is what the daemon watches.
READ_BY_FEW = {"admin_log": {OPERATOR, DAEMON}, "breaker_outbox": {DAEMON}}
READABLE = """linkedin_accounts guard_triggers account_cards breakers counters reconciler_health open_alerts
delivered_daily skips_today operations_unresolved tiers error_rules linkedin_events campaign_events
breaker_log counter_drift alerts reconcile_runs send_operations enrollments paused_campaigns
pause_switch quarantine_progress due_work cooldown_log cooldowns observed_refusals suppressions
campaigns campaigns_today credit_balances credits credit_states""".split()
READABLE += ["home_database", "webhooks", "webhook_outbox"]
# The hot path: a SET clause costs more than the gate itself, so these name every object and operator
# with its schema instead. Each was read for that, and test_hostile.py attacks each.
AUDITED = """reserve preview confirm rollback breaker_check breaker_report enqueue enqueue_many dispatch cancel
confirm_many rollback_many record_external_send guard_send settle_send journal_event
take_breaker_lines""".split()

OBJECTS = """
WITH ours (kind, name, owner, acl, letter) AS (
    SELECT 'schema', nspname::text, nspowner, nspacl, 'n' FROM pg_catalog.pg_namespace
    WHERE nspname = 'sendgate'
    UNION ALL
    SELECT 'relation', c.relname, c.relowner, c.relacl, 'r' FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind NOT IN ('i', 'I', 'c')
    UNION ALL
    SELECT 'function', p.oid::pg_catalog.regprocedure::text, p.proowner, p.proacl, 'f'
    FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'sendgate'::pg_catalog.regnamespace
    UNION ALL
    -- An array has no privileges of its own, it follows its element. The row type of a table or a view has
    -- those of any new type: pg_dump cannot carry others, and a role without the schema cannot name it.
    SELECT 'type', t.typname, t.typowner, t.typacl, 'T' FROM pg_catalog.pg_type t
    LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
    WHERE t.typnamespace = 'sendgate'::pg_catalog.regnamespace AND t.typcategory <> 'A'
      AND coalesce(c.relkind, 'c') = 'c'
)"""


def test_nothing_is_granted_to_public(env):
    granted = env.psql(
        OBJECTS
        + """SELECT o.kind || ' ' || o.name || ': ' || g.privilege_type FROM ours o
        CROSS JOIN LATERAL pg_catalog.aclexplode(
            coalesce(o.acl, pg_catalog.acldefault(o.letter::"char", o.owner))) g
        WHERE g.grantee = 0 ORDER BY 1"""
    )
    equal(granted.splitlines(), [], "granted to PUBLIC")
    columns = env.psql(
        """SELECT a.attrelid::regclass || '.' || a.attname FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND a.attacl IS NOT NULL"""
    )
    equal(columns, "", "columns with privileges of their own")
    defaults = env.psql("SELECT count(*) FROM pg_catalog.pg_default_acl")
    equal(defaults, "0", "default privileges")


def test_everything_belongs_to_the_owner_role(env):
    """And to no superuser; the extension itself belongs, in PostgreSQL, to who created it."""
    foreign = env.psql(
        OBJECTS
        + """SELECT kind || ' ' || name || ': ' || owner::pg_catalog.regrole FROM ours
        WHERE owner <> 'sendgate_owner'::pg_catalog.regrole
        UNION ALL
        SELECT 'type ' || typname || ': ' || typowner::pg_catalog.regrole FROM pg_catalog.pg_type
        WHERE typnamespace = 'sendgate'::pg_catalog.regnamespace
          AND typowner <> 'sendgate_owner'::pg_catalog.regrole
        UNION ALL
        SELECT 'index ' || relname || ': ' || relowner::pg_catalog.regrole FROM pg_catalog.pg_class
        WHERE relnamespace = 'sendgate'::pg_catalog.regnamespace
          AND relowner <> 'sendgate_owner'::pg_catalog.regrole
        ORDER BY 1"""
    )
    equal(sorted(set(foreign.splitlines())), [], "objects of other owners")
    outside = env.psql(
        """SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
        WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
          AND e.extname = 'sendgate'
          AND pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) !~ 'sendgate'"""
    )
    equal(outside, "", "members outside the schema")


def test_the_roles_are_what_the_contract_says(env):
    attributes = env.psql(
        """SELECT rolname FROM pg_catalog.pg_roles WHERE rolname LIKE 'sendgate\\_%'
        AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
             OR rolbypassrls)"""
    )
    equal(attributes, "", "roles with attributes")
    members = env.psql(
        """SELECT m.member::pg_catalog.regrole || ' in ' || m.roleid::pg_catalog.regrole
        FROM pg_catalog.pg_auth_members m
        WHERE m.roleid::pg_catalog.regrole::text LIKE 'sendgate%' ORDER BY 1"""
    )
    expected = [f"{DAEMON} in {READER}", f"{OPERATOR} in {READER}"]
    equal(members.splitlines(), expected, "members")


def test_every_function_has_exactly_its_grantees(env):
    rows = (
        env.connect()
        .execute(
            """SELECT p.proname, p.oid::pg_catalog.regprocedure::text,
                  coalesce(pg_catalog.array_agg(DISTINCT g.grantee::pg_catalog.regrole::text)
                           FILTER (WHERE g.grantee <> p.proowner), '{}'),
                  coalesce(pg_catalog.bool_or(g.is_grantable)
                           FILTER (WHERE g.grantee <> p.proowner), false)
           FROM pg_catalog.pg_proc p
           LEFT JOIN LATERAL pg_catalog.aclexplode(
               coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) g ON true
           WHERE p.pronamespace = 'sendgate'::pg_catalog.regnamespace GROUP BY p.oid, 1, 2"""
        )
        .fetchall()
    )
    assert rows, "no functions"
    for name, signature, grantees, grantable in rows:
        assert name in GRANTEES, f"{signature} is not in the table of roles"
        equal(set(grantees), GRANTEES[name], f"grantees of {signature}")
        equal(grantable, False, f"grant option for {signature}")


def test_every_relation_has_exactly_its_readers(env):
    rows = (
        env.connect()
        .execute(
            """SELECT c.relname, coalesce(pg_catalog.array_agg(
                      g.grantee::pg_catalog.regrole::text || ' ' || g.privilege_type)
                      FILTER (WHERE g.grantee <> c.relowner), '{}')
           FROM pg_catalog.pg_class c
           LEFT JOIN LATERAL pg_catalog.aclexplode(c.relacl) g ON true
           WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace
             AND c.relkind IN ('r', 'v', 'm', 'p', 'S', 'f') GROUP BY c.oid, 1"""
        )
        .fetchall()
    )
    for name, granted in rows:
        expected = {f"{READER} SELECT"} if name in READABLE else set()
        if name in READ_BY_FEW:
            expected = {f"{reader} SELECT" for reader in READ_BY_FEW[name]}
        equal(set(granted), expected, f"privileges on {name}")


def test_each_role_is_refused_beyond_its_grants(env):
    """Not what the catalog says, but what happens: each role tries everything."""
    for role in (*ROLES, None):
        roles = {role, READER} if role in (OPERATOR, DAEMON) else {role}
        connection = env.connect(user=login(env, f"try_{role}", *filter(None, [role])), autocommit=False)
        for name, call in calls(env):
            allowed = bool(GRANTEES[name] & roles)
            attempt(connection, call, allowed, f"{role or 'no role'}: {call}")
        for name, is_table in relations(env):
            readable = (name in READABLE and READER in roles) or bool(READ_BY_FEW.get(name, set()) & roles)
            select = f'SELECT * FROM sendgate."{name}"'
            attempt(connection, select, readable, f"{role or 'no role'}: {select}")
            if is_table:
                for write in (
                    f'INSERT INTO sendgate."{name}" DEFAULT VALUES',
                    f'DELETE FROM sendgate."{name}"',
                    f'TRUNCATE sendgate."{name}"',
                    f'LOCK TABLE sendgate."{name}" IN ACCESS EXCLUSIVE MODE',
                    f'ALTER TABLE sendgate."{name}" DISABLE TRIGGER ALL',
                ):
                    attempt(connection, write, False, f"{role or 'no role'}: {write}")
        for wanted in ("CREATE TABLE sendgate.mine ()", "DROP SCHEMA sendgate CASCADE"):
            attempt(connection, wanted, False, f"{role or 'no role'}: {wanted}")
        attempt(connection, "SET ROLE sendgate_owner", False, f"{role}: become the owner")


def test_definers_pin_their_search_path_or_are_audited(env):
    rows = (
        env.connect()
        .execute(
            """SELECT p.proname, p.proconfig FROM pg_catalog.pg_proc p
           WHERE p.pronamespace = 'sendgate'::pg_catalog.regnamespace AND p.prosecdef"""
        )
        .fetchall()
    )
    assert {name for name, _ in rows} >= set(AUDITED), "the audited functions exist"
    for name, config in rows:
        if name not in AUDITED:
            planner = ["plan_cache_mode=force_generic_plan", "jit=off"] if name == "why" else []
            equal(config, ["search_path=pg_catalog, pg_temp", *planner], f"settings of {name}")
    # The others run with their caller's rights, and what a role may not read they do not show.
    plain = env.psql(
        """SELECT proname FROM pg_catalog.pg_proc
        WHERE pronamespace = 'sendgate'::pg_catalog.regnamespace AND NOT prosecdef ORDER BY 1"""
    ).split()
    unexpected = set(plain) - {*READINGS, *TRIGGERS, *INTERNAL, "clock", "tick"}
    equal(unexpected, set(), "functions with their caller's rights")


def attempt(connection, sql: str, allowed: bool, what: str) -> None:
    """Try, and undo it: 42501 exactly where it is not allowed."""
    sqlstate = None
    try:
        connection.execute(sql)
    except Exception as error:
        sqlstate = getattr(error, "sqlstate", None)
        if sqlstate is None:
            raise
    finally:
        connection.rollback()
    if allowed:
        assert sqlstate != "42501", f"{what} was refused"
    else:
        equal(sqlstate, "42501", f"{what}: SQLSTATE")


def calls(env) -> list[tuple[str, str]]:
    """A call of every function with nulls: refused or allowed before they are looked at."""
    return (
        env.connect()
        .execute(
            """SELECT p.proname,
                  CASE p.prokind WHEN 'p' THEN 'CALL ' ELSE 'SELECT ' END
                  || p.oid::pg_catalog.regproc || '('
                  || (SELECT coalesce(pg_catalog.string_agg('NULL::' || a::pg_catalog.regtype, ', '), '')
                      FROM pg_catalog.unnest(p.proargtypes::pg_catalog.oid[]) a) || ')'
           FROM pg_catalog.pg_proc p
           WHERE p.pronamespace = 'sendgate'::pg_catalog.regnamespace ORDER BY 1"""
        )
        .fetchall()
    )


def relations(env) -> list[tuple[str, bool]]:
    """Every table and view, and whether it is a table."""
    return (
        env.connect()
        .execute(
            """SELECT c.relname, c.relkind = 'r' FROM pg_catalog.pg_class c
           WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind IN ('r', 'v', 'm')
           ORDER BY 1"""
        )
        .fetchall()
    )
