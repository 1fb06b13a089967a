"""What a DBA does to the tables at the worst moment changes no answer of the gate."""

import psycopg

from e2e.support import at_once, equal, operation, provision, wait_until_blocked

RESERVE = "SELECT proceed, reason FROM sendgate.reserve('a', 'inmail', %s, NULL, %s)"
# Fills the new column of every row, which writes the table anew: its rows are those of the new writer.
REWRITE = "ALTER TABLE sendgate.{} ADD COLUMN of_a_dba uuid DEFAULT pg_catalog.gen_random_uuid()"


def test_a_journal_that_was_written_anew_meanwhile_is_read_as_it_is_now(env):
    """A snapshot from before the wait would find it empty, and send to the prospect a second time."""
    provision(env)
    for number, verb in enumerate(("preview", "reserve"), start=1):
        prospect, connection, other = f"p{number}", env.connect(), env.connect(autocommit=False)
        equal(connection.execute(RESERVE, (prospect, operation(number))).fetchone(), (True, None), "reserve")
        other.execute(REWRITE.format("send_operations"))
        answer = waited_for(
            env, connection, other, f"SELECT proceed, reason FROM sendgate.{verb}('a', 'inmail', '{prospect}')"
        )
        equal(answer, (False, "operation_in_flight"), f"{verb} that waited")
        env.psql("ALTER TABLE sendgate.send_operations DROP COLUMN of_a_dba")
    equal(env.psql("SELECT inmails_sent_today FROM sendgate.accounts"), "2", "counter")


def test_accounts_that_were_written_anew_meanwhile_are_known(env):
    provision(env)
    connection, other = env.connect(), env.connect(autocommit=False)
    connection.execute(RESERVE, ("p", operation(1)))
    for call in (
        "SELECT proceed FROM sendgate.preview('a', 'inmail', 'q')",
        "SELECT proceed FROM sendgate.reserve('a', 'inmail', 'q')",
        "SELECT proceed FROM sendgate.breaker_check('a', 'q')",
        f"SELECT sendgate.confirm('a', '{operation(1)}', 'chat') IS NOT NULL",
    ):
        other.execute(REWRITE.format("accounts"))
        equal(waited_for(env, connection, other, call), (True,), f"{call} that waited")
        env.psql("ALTER TABLE sendgate.accounts DROP COLUMN of_a_dba")


def test_an_event_log_that_was_written_anew_meanwhile_has_its_events(env):
    """confirm again: the event is found, and another chat id refused."""
    provision(env)
    connection, other = env.connect(), env.connect(autocommit=False)
    connection.execute(RESERVE, ("p", operation(1)))
    connection.execute("SELECT sendgate.confirm('a', %s, 'chat')", (operation(1),))
    other.execute(REWRITE.format("linkedin_events"))
    answer = waited_for(env, connection, other, f"SELECT sendgate.confirm('a', '{operation(1)}', 'another')")
    equal(answer, "SG202", "SQLSTATE")


def test_a_table_that_is_locked_is_waited_for_as_long_as_a_row(env):
    provision(env)
    connection, other = env.connect(), env.connect(autocommit=False)
    connection.execute(RESERVE, ("p", operation(1)))
    connection.execute("SET sendgate.lock_timeout = '50ms'")
    # Should it wait for longer than that, it is not to wait for ever.
    connection.execute("SET statement_timeout = '10s'")
    calls = (
        ("SELECT * FROM sendgate.preview('a', 'inmail', 'p')", ()),
        ("SELECT * FROM sendgate.breaker_check('a')", ()),
        (RESERVE, ("q", operation(2))),
        ("SELECT sendgate.confirm('a', %s, 'chat')", (operation(1),)),
    )
    for table in ("accounts", "send_operations"):
        other.execute(f"LOCK TABLE sendgate.{table}")
        for sql, values in calls:
            if table == "send_operations" and "breaker_check" in sql:
                continue  # it does not read the journal
            try:
                connection.execute(sql, values)
            except psycopg.Error as error:
                equal(error.sqlstate, "SG301", f"SQLSTATE of {sql} with {table} locked")
            else:
                raise AssertionError(f"{sql} did not wait for {table}")
        other.rollback()
    for sql, values in calls:
        equal(connection.execute(sql, values).fetchone()[0] is None, False, f"{sql} afterwards")


def test_an_index_in_an_order_of_its_own_is_not_walked(env):
    """A DBA sorts for people; then the tables' own indexes are the younger ones."""
    env.psql("""
        CREATE FUNCTION folded(a text, b text) RETURNS integer LANGUAGE sql IMMUTABLE
            AS $$SELECT bttextcmp(lower(a), lower(b))$$;
        CREATE OPERATOR CLASS folded_ops FOR TYPE text USING btree AS
            OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
            FUNCTION 1 folded(text, text)""")
    orders = ["folded_ops"]
    if env.cluster.install.major == 15:
        # Debian's server has ICU; the wheels of the others have not.
        orders.append('COLLATE "und-x-icu"')
    people = ("A", "b", "a", "B")
    for account in people:
        provision(env, account)
    for number, order in enumerate(orders):
        env.psql(f"CREATE INDEX ON sendgate.accounts (id {order})")
        env.psql(f"CREATE INDEX ON sendgate.send_operations (account_id {order}, prospect_id {order}, action {order})")
        env.psql("REINDEX INDEX CONCURRENTLY sendgate.accounts_pkey")
        env.psql("REINDEX INDEX CONCURRENTLY sendgate.send_operations_prospect_idx")
        connection = env.connect()
        prospects = [f"{name}{number}" for name in people]
        for reason in (None, "operation_in_flight"):
            for account in people:
                for prospect in prospects:
                    sql = "SELECT reason FROM sendgate.reserve(%s, 'inmail', %s)"
                    found = connection.execute(sql, (account, prospect)).fetchone()
                    equal(found, (reason,), f"{account} to {prospect} beside an index with {order}")


def test_a_key_that_was_made_anew_is_refused_until_it_may_be_used(env):
    """It is refused as long as a snapshot may see rows that the index leaves out. Nothing is granted, and the
    error says why."""
    provision(env)
    old, connection = env.connect(autocommit=False), env.connect()
    old.execute("SELECT pg_catalog.pg_current_xact_id()")
    equal(connection.execute(RESERVE, ("p1", operation(1))).fetchone(), (True, None), "reserve")
    env.psql("ALTER TABLE sendgate.accounts DROP CONSTRAINT accounts_pkey, ADD PRIMARY KEY (id)")
    for _ in range(2):
        try:
            connection.execute(RESERVE, ("p2", operation(2)))
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            equal(error.diag.message_primary, "no usable index on sendgate.accounts (id)", "message")
        else:
            raise AssertionError("the key was used")
    old.rollback()
    equal(connection.execute(RESERVE, ("p2", operation(2))).fetchone(), (True, None), "reserve afterwards")


def waited_for(env, connection, other, call: str):
    """The answer of a call that waits until the other session commits, or its SQLSTATE."""

    def work(number: int):
        if number == 1:
            wait_until_blocked(env, connection.info.backend_pid)
            other.commit()
            return None
        try:
            return connection.execute(call).fetchone()
        except psycopg.Error as error:
            return error.sqlstate

    return at_once(2, work)[0]
