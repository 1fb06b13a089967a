"""What the gate reads straight from the tables it finds again when those are not where they were."""

from e2e.support import at_once, equal, operation, provision, wait_until_blocked

PREVIEW = "SELECT proceed, reason FROM sendgate.preview('a', 'inmail', 'p')"


def test_the_extension_is_dropped_and_created_anew_in_one_session(env):
    provision(env, "a")
    connection = env.connect()
    for round_ in range(3):
        equal(connection.execute(PREVIEW).fetchone(), (True, None), f"preview in round {round_}")
        sql = "SELECT (sendgate.reserve('a', 'inmail', 'p', NULL, %s)).proceed"
        connection.execute(sql, (operation(1),))
        connection.execute("SELECT sendgate.confirm('a', %s, 'chat')", (operation(1),))
        refused = (False, "prospect_cooldown")
        equal(connection.execute(PREVIEW).fetchone(), refused, f"preview after round {round_}")
        connection.execute("DROP EXTENSION sendgate CASCADE")
        connection.execute("CREATE EXTENSION sendgate")
        connection.execute("SELECT sendgate.upsert_account('a', 'sales_navigator')")


def test_indexed_anew_while_the_gate_waits_for_the_table(env):
    """Under another name, and with a column more."""
    provision(env, "a")
    connection, other = env.connect(), env.connect(autocommit=False)
    equal(connection.execute(PREVIEW).fetchone(), (True, None), "preview")
    pid = connection.info.backend_pid
    other.execute("LOCK TABLE sendgate.accounts")

    def work(number: int):
        if number == 0:
            return connection.execute(PREVIEW).fetchone()
        wait_until_blocked(env, pid)
        other.execute("REINDEX TABLE sendgate.accounts")
        other.execute("ALTER INDEX sendgate.accounts_pkey RENAME TO accounts_by_id")
        other.execute("ALTER TABLE sendgate.accounts ADD COLUMN of_a_dba text DEFAULT 'x'")
        other.commit()
        return None

    equal(at_once(2, work)[0], (True, None), "preview that waited")
    equal(connection.execute(PREVIEW).fetchone(), (True, None), "preview afterwards")
    equal(env.psql("SELECT proceed FROM sendgate.reserve('a', 'inmail', 'p')"), "t", "reserve")


def test_tables_are_rewritten_and_reindexed(env):
    provision(env, "a")
    connection = env.connect()
    for number, change in enumerate(
        (
            "VACUUM FULL sendgate.accounts",
            "REINDEX TABLE CONCURRENTLY sendgate.accounts",
            "REINDEX TABLE CONCURRENTLY sendgate.send_operations",
            "CLUSTER sendgate.send_operations USING send_operations_pkey",
            "ALTER TABLE sendgate.send_operations ADD COLUMN of_a_dba integer DEFAULT 1",
        ),
        start=1,
    ):
        sql = "SELECT (sendgate.reserve('a', 'inmail', %s, NULL, %s)).proceed"
        prospect, id_ = f"p{number}", operation(number)
        equal(connection.execute(sql, (prospect, id_)).fetchone(), (True,), f"before {change}")
        env.psql(change)
        sql = "SELECT reason FROM sendgate.preview('a', 'inmail', %s)"
        equal(connection.execute(sql, (prospect,)).fetchone(), ("operation_in_flight",), f"after {change}")
        connection.execute("SELECT sendgate.confirm('a', %s, 'chat')", (id_,))


def test_a_row_that_is_gone_when_its_holder_commits_is_unknown(env):
    """A DBA gives an account another key, or removes it, while a confirm waits for it."""
    import psycopg

    for account, change in (
        ("a", "UPDATE sendgate.accounts SET id = 'z' WHERE id = 'a'"),
        ("b", "SET LOCAL session_replication_role = replica; DELETE FROM sendgate.accounts WHERE id = 'b'"),
    ):
        provision(env, account)
        connection, other = env.connect(), env.connect(autocommit=False)
        sql = "SELECT sendgate.reserve(%s, 'inmail', 'p', NULL, %s)"
        connection.execute(sql, (account, operation(1)))
        other.execute(change)
        pid = connection.info.backend_pid

        def work(number: int, account=account, connection=connection, other=other, pid=pid):
            if number == 1:
                wait_until_blocked(env, pid)
                other.commit()
                return None
            try:
                connection.execute("SELECT sendgate.confirm(%s, %s, 'chat')", (account, operation(1)))
            except psycopg.Error as error:
                return error.sqlstate
            return "no error"

        equal(at_once(2, work)[0], "SG101", f"SQLSTATE after {change}")


def test_holding_in_a_read_only_transaction_is_refused(env):
    import psycopg

    provision(env, "a")
    connection = env.connect()
    sql = "SELECT sendgate.reserve('a', 'inmail', 'p', NULL, %s)"
    connection.execute(sql, (operation(1),))
    connection.execute("SET default_transaction_read_only = on")
    equal(connection.execute(PREVIEW).fetchone(), (False, "operation_in_flight"), "preview")
    try:
        connection.execute("SELECT sendgate.confirm('a', %s, 'chat')", (operation(1),))
    except psycopg.errors.ReadOnlySqlTransaction as error:
        assert "SELECT FOR NO KEY UPDATE" in str(error), error
    else:
        raise AssertionError("confirm wrote in a read-only transaction")
