"""An application's trigger that leaves rows of our tables out, or row security that hides them: an error, and no grant
without its row in the journal."""

import psycopg

from e2e.support import books, equal, operation, provision

LEAVE_OUT = """
CREATE OR REPLACE FUNCTION public.leave_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER leave_out BEFORE INSERT OR UPDATE ON sendgate.{0} FOR EACH ROW EXECUTE FUNCTION public.leave_out()"""


def test_a_trigger_that_leaves_rows_out(env):
    provision(env)
    env.psql("SELECT sendgate.enqueue('k', 'p9', 'a', 'message')")
    first = "SELECT sendgate.reserve('a', 'inmail', 'p1')"
    connection = env.connect()
    for call, tables in (
        # The first grant of a day takes two statements, any other one.
        (first, ("send_operations", "accounts")),
        ("SELECT sendgate.reserve('a', 'message', 'p3')", ("send_operations", "accounts")),
        (f"SELECT sendgate.confirm('a', '{operation(1)}', 'c')", ("linkedin_events", "send_operations")),
        (
            f"SELECT sendgate.confirm_many('{{a}}', '{{{operation(1)}}}', '{{c}}')",
            ("linkedin_events", "send_operations"),
        ),
        (f"SELECT sendgate.rollback('a', '{operation(1)}')", ("send_operations", "accounts")),
        (f"SELECT sendgate.rollback_many('{{a}}', '{{{operation(1)}}}')", ("send_operations", "accounts")),
        (
            "SELECT sendgate.record_external_send('a', 'message', 'p4', 'c4', sendgate.clock())",
            ("send_operations", "linkedin_events"),
        ),
    ):
        for table in tables:
            if call == first:
                env.psql("UPDATE sendgate.accounts SET day = day - 1")
            before = everything(env)
            env.psql(LEAVE_OUT.format(table))
            try:
                answer = connection.execute(call).fetchall()
            except psycopg.Error as error:
                assert error.sqlstate in ("55000", "SG102"), f"{call} without rows of {table}: {error!r}"
            else:
                raise AssertionError(f"{call} without rows of {table} answered {answer}")
            env.psql(f"DROP TRIGGER leave_out ON sendgate.{table}")
            equal(everything(env), before, f"the books after {call} without rows of {table}")
        if call == first:
            connection.execute(f"SELECT sendgate.reserve('a', 'message', 'p2', NULL, '{operation(1)}')")
            connection.execute("SELECT sendgate.reserve('a', 'message', 'p5')")
    equal(books(env, action="message")["journal"], 2, "the journal")


def test_dispatch_hands_out_nothing_that_is_not_in_the_journal(env):
    provision(env)
    env.psql("SELECT sendgate.enqueue('k', 'p1', 'a', 'message')")
    connection = env.connect()
    for table in ("send_operations", "accounts", "enrollments"):
        before = everything(env)
        env.psql(LEAVE_OUT.format(table))
        try:
            answer = connection.execute("SELECT * FROM sendgate.dispatch(1)").fetchall()
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            equal(error.diag.message_primary, f"0 of 1 rows of sendgate.{table} were written", "message")
        else:
            raise AssertionError(f"dispatch without rows of {table} answered {answer}")
        env.psql(f"DROP TRIGGER leave_out ON sendgate.{table}")
        equal(everything(env), before, f"the books after a dispatch without rows of {table}")
    equal(env.psql("SELECT count(*) FROM sendgate.dispatch(1)"), "1", "handed out without the trigger")


def test_a_new_account_that_is_left_out_is_an_error(env):
    """It is neither made nor found: asking again and again would never end."""
    env.psql(LEAVE_OUT.format("accounts"))
    with env.connect() as connection:
        connection.execute("SET statement_timeout = '30s'")
        try:
            connection.execute("SELECT sendgate.upsert_account('new', 'free')")
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            equal(error.diag.message_primary, "0 of 1 rows of sendgate.accounts were written", "message")
        else:
            raise AssertionError("upsert_account answered without a row of accounts")


# What an operator asks for, and the table that has to hold it. What is taken back needs a row there.
ORDERS = (
    ("set_window('a', '09:00', '17:00', '{1,2}')", "accounts"),
    ("suppress_prospect('p1', 'asked us')", "suppressions"),
    ("unsuppress_prospect('p2', 'is back')", "suppressions"),
    ("set_tier_cap('sales_navigator', 'invite', 7)", "tier_overrides"),
    ("set_error_rule(7, 'transient', http_status => '418')", "error_rule_overrides"),
    ("resume_campaign('k')", "paused_campaigns"),
    ("reconcile_operations()", "counter_drift"),
)


def test_an_order_that_is_not_written_is_an_error(env):
    provision(env)
    env.psql("SELECT sendgate.suppress_prospect('p2', 'asked us'), sendgate.pause_campaign('k')")
    env.psql("SELECT sendgate.reserve('a', 'message', 'p3')")
    env.psql("UPDATE sendgate.accounts SET messages_sent_today = 5 WHERE id = 'a'")
    with env.connect() as connection:
        for call, table in ORDERS:
            env.psql(LEAVE_OUT.format(table).replace("INSERT OR UPDATE", "INSERT OR UPDATE OR DELETE"))
            try:
                connection.execute(f"SELECT sendgate.{call}")
            except psycopg.errors.ObjectNotInPrerequisiteState as error:
                equal(error.diag.message_primary, f"0 of 1 rows of sendgate.{table} were written", call)
            else:
                raise AssertionError(f"{call} answered without a row of {table}")
            env.psql(f"DROP TRIGGER leave_out ON sendgate.{table}")
            connection.execute(f"SELECT sendgate.{call}")


def test_a_sweep_that_sees_no_operation_corrects_nothing(env):
    """Row security that hides the journal would make every counter 0, and its slots free for a second time."""
    provision(env)
    env.psql("SELECT sendgate.reserve('a', 'message', 'p1'), sendgate.reserve('a', 'inmail', 'p2')")
    before = everything(env)
    env.psql("ALTER TABLE sendgate.send_operations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    with env.connect() as connection:
        for call in ("reconcile_operations()", "audit_events()"):
            try:
                connection.execute(f"SELECT sendgate.{call}")
            except psycopg.errors.ObjectNotInPrerequisiteState as error:
                equal(error.diag.message_primary, "sendgate.send_operations is no plain table", call)
            else:
                raise AssertionError(f"{call} went on without operations")
    env.psql("ALTER TABLE sendgate.send_operations DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")
    equal(everything(env), before, "the books")


def test_an_event_for_columns_of_another_type_is_an_error(env):
    """To write a number where a text is wanted would end the server."""
    provision(env)
    event = """INSERT INTO sendgate.linkedin_events (account_id, event_type, prospect_id, chat_id, occurred_at)
        VALUES ('a', 'inmail_sent', 'p1', 'chat', now() - interval '1 second')"""
    with env.connect() as connection:
        for column, kind, value in (
            ("counted_on", "text", "'seven'"), ("recorded_at", "text", "'seven'"), ("id", "text", "'seven'"),
            ("operation_id", "text", "'seven'"), ("campaign_id", "bigint", "7"),
        ):  # fmt: skip
            connection.execute("BEGIN; SET LOCAL allow_system_table_mods = on")
            connection.execute(
                "DELETE FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_rewrite'::regclass AND deptype = 'n'"
            )
            connection.execute(f"ALTER TABLE sendgate.linkedin_events ALTER COLUMN {column} TYPE {kind} USING {value}")
            try:
                connection.execute(event)
            except (psycopg.errors.ObjectNotInPrerequisiteState, psycopg.errors.UndefinedFunction):
                connection.execute("ROLLBACK")
            else:
                raise AssertionError(f"an event was written, although {column} is {kind}")
        connection.execute(event)


def test_requeue_answers_no_more_than_it_wrote(env):
    provision(env)
    env.psql("SELECT sendgate.enqueue('k', 'p1', 'a', 'message'), sendgate.cancel('k', 'p1')")
    connection = env.connect()
    before = everything(env)
    env.psql(LEAVE_OUT.format("enrollments"))
    requeue = "SELECT sendgate.requeue('k', 'p1', 'a', 'message')"
    try:
        answer = connection.execute(requeue).fetchall()
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        equal(error.diag.message_primary, "0 of 1 rows of sendgate.enrollments were written", "message")
    else:
        raise AssertionError(f"requeue without rows of enrollments answered {answer}")
    env.psql("DROP TRIGGER leave_out ON sendgate.enrollments")
    equal(everything(env), before, "the books after a requeue without rows of enrollments")
    equal(env.psql(requeue), "t", "put back without the trigger")


def test_row_security_that_is_forced(env):
    provision(env)
    connection = env.connect()
    for table in ("accounts", "send_operations"):
        equal(
            connection.execute("SELECT proceed FROM sendgate.preview('a', 'inmail', 'p1')").fetchone(),
            (True,),
            "preview",
        )
        # The owner passes row security that is not forced on it.
        env.psql(f"ALTER TABLE sendgate.{table} ENABLE ROW LEVEL SECURITY")
        equal(
            connection.execute("SELECT proceed FROM sendgate.preview('a', 'inmail', 'p1')").fetchone(),
            (True,),
            "preview",
        )
        env.psql(f"ALTER TABLE sendgate.{table} FORCE ROW LEVEL SECURITY")
        calls = ("reserve('a', 'inmail', 'p1')", "preview('a', 'inmail', 'p1')")
        # They come to their accounts by statements, which see no row.
        batches = (
            f"confirm_many('{{a}}', '{{{operation(1)}}}', NULL)",
            "enqueue('k', 'p2', 'a', 'message')",
            "enqueue_many('{k}', '{p2}', '{a}', '{message}')",
        )
        for call in calls + (batches if table == "accounts" else ()):
            try:
                connection.execute(f"SELECT sendgate.{call}")
            except psycopg.errors.ObjectNotInPrerequisiteState as error:
                assert "Its row security is forced on its owner too" in error.diag.message_detail, (
                    error.diag.message_detail
                )
            else:
                raise AssertionError(f"{call} answered under forced row security of {table}")
        env.psql(f"ALTER TABLE sendgate.{table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")


def test_rows_that_have_to_go_may_not_be_hidden(env):
    """They would stay for ever, and the answer would say that all are gone."""
    provision(env)
    env.psql(f"""SELECT sendgate.reserve('a', 'message', 'p1', 'k', '{operation(1)}');
        SELECT sendgate.confirm('a', '{operation(1)}', 'c')""")
    before = everything(env)
    calls = ("remove_account('a', 'left')", "forget_prospect('p1', 'asked us')")
    with env.connect() as connection:
        for table in ("linkedin_events", "campaign_events", "admin_log", "send_operations", "suppressions"):
            security = f"ALTER TABLE sendgate.{table} {{0}} ROW LEVEL SECURITY, {{1}} ROW LEVEL SECURITY"
            env.psql(security.format("ENABLE", "FORCE"))
            for call in calls:
                try:
                    answer = connection.execute(f"SELECT sendgate.{call}").fetchall()
                except psycopg.errors.ObjectNotInPrerequisiteState as error:
                    equal(error.diag.message_primary, f"row security is forced on sendgate.{table}", call)
                else:
                    raise AssertionError(f"{call} answered {answer}, although {table} hides its rows")
            # The owner passes row security that is not forced on it.
            env.psql(security.format("ENABLE", "NO FORCE"))
            equal(everything(env), before, f"the books under row security of {table}")
        for call in calls:
            connection.execute(f"SELECT sendgate.{call}")
    equal(env.psql("SELECT count(*) FROM sendgate.accounts"), "0", "accounts that are left")


def everything(env) -> str:
    return env.psql(
        """SELECT (SELECT string_agg(a::text, '' ORDER BY id) FROM sendgate.accounts a)
            || coalesce((SELECT string_agg(o::text, '' ORDER BY operation_id) FROM sendgate.send_operations o), '')
            || coalesce((SELECT string_agg(e::text, '' ORDER BY id) FROM sendgate.linkedin_events e), '')
            || coalesce((SELECT string_agg(e::text, '' ORDER BY prospect_id) FROM sendgate.enrollments e), '')"""
    )
