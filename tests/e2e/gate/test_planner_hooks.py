"""The planner hooks: chained like everybody's, asleep while no statement of ours is planned, and no setting of a
session makes the gate plan a statement twice or in another way."""

import json

import psycopg

from e2e.support import equal, operation, provision
from e2e.support.plans import listening
from e2e.support.witness import built, watched

# The other copies of PostgreSQL carry neither auto_explain nor pg_stat_statements.
ONLY_ON = (15, 18)

ROUNDS = 4
# Statements of the application in `a_day`.
CALLS_A_DAY = 11
# Settings that a session may have, each with its value in a round.
SETTINGS = {
    "plan_cache_mode": lambda _: "force_custom_plan",
    "search_path": lambda number: f"tenant_{number}, public",
    "enable_indexscan": lambda _: "off",
    "random_page_cost": lambda number: str(1 + number),
    "jit_above_cost": lambda _: "0",
    "join_collapse_limit": lambda _: "1",
    "work_mem": lambda number: str(64 + number),
    "row_security": lambda number: ("on", "off")[number % 2],
}
# Set before the first statement of ours is planned.
HOSTILE = {
    "enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_nestloop": "off", "enable_sort": "off",
    "enable_seqscan": "on", "enable_hashjoin": "on", "random_page_cost": "1000", "seq_page_cost": "0",
    "cpu_index_tuple_cost": "100", "effective_cache_size": "8kB", "join_collapse_limit": "1",
    "from_collapse_limit": "1", "jit": "on", "jit_above_cost": "0", "plan_cache_mode": "force_custom_plan",
    "work_mem": "64kB", "enable_material": "off", "geqo_threshold": "2", "search_path": "public",
}  # fmt: skip
FIELDS = """sqlstate severity_nonlocalized message_primary message_detail message_hint context statement_position
schema_name table_name column_name datatype_name constraint_name source_function""".split()
FORBIDDEN = "SELECT /* forbidden */ 1"


def test_no_setting_of_a_session_makes_plans_anew(env):
    prepare(env)
    for number in range(ROUNDS):
        env.psql(f"CREATE SCHEMA tenant_{number}")
    # Or the driver would prepare what it sends often.
    with env.connect(prepare_threshold=None) as connection:
        plannings = watched(env, connection)
        a_day(connection, 0)
        a_day(connection, 1)
        usual = cost_of_days(connection, plannings, 10, {})
        equal(usual, ROUNDS * CALLS_A_DAY + 1, "plannings of warm calls: the application's own statements")
        for turn, (name, value) in enumerate(SETTINGS.items(), start=2):
            found = cost_of_days(connection, plannings, 10 * turn, {name: value})
            equal(found, usual, f"plannings of {ROUNDS} rounds with {name}")


def test_no_setting_of_a_session_changes_a_plan(env):
    prepare(env)

    def shapes(settings: dict[str, str]) -> list[tuple]:
        connection, log = listening(env)
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        log.clear()
        connection.execute("BEGIN")
        a_day(connection, 1)
        connection.execute("ROLLBACK")
        connection.close()
        return [(plan["Query Text"], shape(plan["Plan"])) for plan in log if " sendgate." in plan["Query Text"]]

    usual = shapes({})
    assert len(usual) > 10, f"only {len(usual)} statements"
    for ours, theirs in zip(usual, shapes(HOSTILE), strict=True):
        equal(theirs, ours, "a plan under hostile settings")


def test_an_applications_error_passes_as_it_is(env):
    """Of its own statements, and of those that its triggers run inside of ours, whichever hook comes first."""
    prepare(env)
    library = built(env.install)
    env.psql(
        f"""CREATE TABLE public.heard (at timestamptz DEFAULT clock_timestamp(), fields jsonb, mode text);
        CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$DECLARE a text; b text; c text; d text; e text; f text; g text; h text;
        BEGIN
            EXECUTE '{FORBIDDEN}';
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS a = RETURNED_SQLSTATE, b = MESSAGE_TEXT, c = PG_EXCEPTION_DETAIL,
                d = PG_EXCEPTION_HINT, e = SCHEMA_NAME, f = TABLE_NAME, g = COLUMN_NAME, h = CONSTRAINT_NAME;
            INSERT INTO public.heard (fields) VALUES (jsonb_build_array(a, b, c, d, e, f, g, h));
            RETURN NEW;
        END$$;
        CREATE TABLE public.elsewhere (n int);
        CREATE TRIGGER fail BEFORE INSERT ON public.elsewhere FOR EACH ROW EXECUTE FUNCTION public.fail()"""
    )
    with env.connect() as connection:
        connection.execute(f"LOAD '{library}'")
        expected = error_of(connection)
        connection.execute("INSERT INTO public.elsewhere VALUES (1)")
    equal((expected["sqlstate"], expected["constraint_name"]), ("WT123", "a constraint"), "the witness's error")
    env.psql(
        "CREATE TRIGGER fail BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION public.fail()"
    )
    for number, libraries in enumerate(((library, "sendgate"), ("sendgate", library)), start=1):
        with env.connect() as connection:
            for name in libraries:
                connection.execute(f"LOAD '{name}'")
            equal(error_of(connection), expected, f"the error where {libraries} were loaded")
            sql = "SELECT proceed FROM sendgate.reserve('a', 'message', %s)"
            equal(connection.execute(sql, (f"in a trigger {number}",)).fetchone(), (True,), "a grant")
            equal(error_of(connection), expected, f"after a grant, where {libraries} were loaded")
    heard = json.loads(env.psql("SELECT jsonb_agg(fields ORDER BY at) FROM public.heard"))
    equal(heard, [heard[0]] * 3, "what a trigger hears elsewhere, and inside of a grant")
    equal(heard[0][0], "WT123", "the SQLSTATE that it hears")


def test_a_trigger_inside_of_a_call_has_its_sessions_plan_cache_mode(env):
    """What it says about it stays said."""
    prepare(env)
    env.psql(
        """CREATE TABLE public.modes (mode text);
        CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$BEGIN
            INSERT INTO public.modes VALUES (current_setting('plan_cache_mode'));
            IF NEW.prospect_id = 'sets' THEN SET plan_cache_mode = 'auto'; END IF;
            IF NEW.prospect_id = 'fails' THEN RAISE division_by_zero; END IF;
            RETURN NEW;
        END$$;
        CREATE TRIGGER look BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION public.look()"""
    )
    with env.connect() as connection:
        sql = "SELECT proceed FROM sendgate.reserve('a', 'message', %s)"
        connection.execute("SET plan_cache_mode = 'force_custom_plan'")
        for prospect, after in (("usual", "force_custom_plan"), ("fails", "force_custom_plan"), ("sets", "auto")):
            try:
                connection.execute(sql, (prospect,))
            except psycopg.errors.DivisionByZero:
                equal(prospect, "fails", "who fails")
            equal(connection.execute("SHOW plan_cache_mode").fetchone(), (after,), f"after {prospect}")
    equal(env.psql("SELECT DISTINCT mode FROM public.modes"), "force_custom_plan", "what the trigger saw")


def test_beside_others_that_hook_in(env):
    """pg_stat_statements counts one planning of each statement of ours, auto_explain shows its plan, whichever was
    loaded first."""
    prepare(env)
    library = str(built(env.install))
    env.psql("CREATE EXTENSION pg_stat_statements")
    for number, libraries in enumerate(
        (
            ["pg_stat_statements", "sendgate", "auto_explain", library],
            [library, "auto_explain", "sendgate", "pg_stat_statements"],
        )
    ):
        env.cluster.configure(
            **{
                "shared_preload_libraries": ",".join(libraries),
                "pg_stat_statements.track": "all",
                "pg_stat_statements.track_planning": "on",
            }
        )
        env.cluster.restart()
        env.psql("SELECT pg_stat_statements_reset()")
        connection, log = listening(env)
        for turn in range(3):
            a_day(connection, 100 * (number + 1) + turn)
        calls = env.psql(
            """SELECT plans, sum(calls) > 3 FROM pg_stat_statements
            WHERE query LIKE '%INTO sendgate.send_operations%' AND query NOT LIKE '%pg_stat%' GROUP BY plans"""
        )
        equal(calls, "1|t", f"plannings and calls of the journal's INSERT with {libraries}")
        shown = [plan for plan in log if "INTO sendgate.send_operations" in plan["Query Text"]]
        assert len(shown) > 3, f"auto_explain showed {len(shown)} plans with {libraries}"
        equal(error_of(connection)["sqlstate"], "WT123", f"an error with {libraries}")
        connection.close()


def prepare(env) -> None:
    """Two accounts, and a table that asks the gate by trigger."""
    provision(env, "a", message=1000, inmail=1000)
    provision(env, "b", message=1000)
    env.psql(
        """CREATE TABLE public.guarded (account_id text, prospect_id text, campaign_id text, operation_id uuid UNIQUE,
            chat_id text, error text);
        CREATE TRIGGER guard BEFORE INSERT ON public.guarded FOR EACH ROW EXECUTE FUNCTION
            sendgate.guard_send('account_id', 'message', 'prospect_id', 'campaign_id', 'operation_id', 'error');
        CREATE TRIGGER settle AFTER UPDATE ON public.guarded FOR EACH ROW EXECUTE FUNCTION
            sendgate.settle_send('account_id', 'operation_id', 'chat_id', 'error')"""
    )


def a_day(connection, number: int) -> None:
    """One call of everything that an application does all the time."""
    one, two = operation(10 * number + 1), operation(10 * number + 2)
    for sql in (
        f"SELECT sendgate.reserve('a', 'message', 'm{number}', 'k', '{one}')",
        f"SELECT sendgate.confirm('a', '{one}', 'chat')",
        f"SELECT sendgate.reserve('a', 'inmail', 'i{number}', NULL, '{two}')",
        f"SELECT sendgate.rollback('a', '{two}')",
        f"SELECT sendgate.preview('a', 'inmail', 'p{number}')",
        "SELECT sendgate.breaker_check('a')",
        f"SELECT sendgate.enqueue('k', 'e{number}', 'b', 'message')",
        "SELECT count(*) FROM sendgate.dispatch(1)",
        f"INSERT INTO public.guarded (account_id, prospect_id) VALUES ('a', 'g{number}')",
        f"UPDATE public.guarded SET chat_id = 'chat' WHERE prospect_id = 'g{number}'",
        f"SELECT sendgate.set_cap('b', 'message', {900 + number % 50})",
    ):
        connection.execute(sql)


def cost_of_days(connection, plannings, first: int, settings: dict) -> int:
    """How many plannings some days take; an application's own statements are among them."""
    before = plannings()
    for number in range(ROUNDS):
        for name, value in settings.items():
            connection.execute(f"SET {name} = {value(number)}")
        a_day(connection, first + number)
    for name in settings:
        connection.execute(f"RESET {name}")
    return plannings() - before


def shape(node: dict) -> list:
    """A plan without its costs and times."""
    facts = {key: node.get(key) for key in ("Node Type", "Relation Name", "Index Name", "Index Cond", "Join Type")}
    return [facts, [shape(child) for child in node.get("Plans", ())]]


def error_of(connection) -> dict:
    """All that a client hears about a statement which the witness forbids."""
    try:
        connection.execute(FORBIDDEN)
    except psycopg.Error as error:
        return {field: getattr(error.diag, field) for field in FIELDS}
    raise AssertionError("it was not forbidden")
