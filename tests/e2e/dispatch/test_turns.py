"""Campaigns that share an account: what a call reads does not grow with the work, nor with the campaigns, behind it."""

from e2e.support import equal, provision
from e2e.support.plans import listening

NEWEST_ONLY = True
# A call for one row: where each campaign begins, the row, the next of another; and the ticket.
READ_MAX = 16
# A call for a row of each of ten campaigns, by a session that knows such accounts.
ROUND_READ_MAX = 11
ONE_READ_MAX = 3
# Of one call, whatever it asks for.
STATEMENTS_MAX = 10
# Rows are written by statements then.
TRIGGERS = """
CREATE FUNCTION public.look_on() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER look_on AFTER UPDATE ON sendgate.accounts FOR EACH ROW EXECUTE FUNCTION public.look_on();
CREATE TRIGGER look_on AFTER INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION public.look_on();
CREATE TRIGGER look_on AFTER UPDATE ON sendgate.enrollments FOR EACH ROW EXECUTE FUNCTION public.look_on();
CREATE TRIGGER look_on AFTER UPDATE ON sendgate.dispatch_queue FOR EACH ROW EXECUTE FUNCTION public.look_on()"""
FETCHED = "SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE schemaname = 'sendgate' AND relname = 'enrollments'"


def enqueue(env, campaign: str, count: int, first: str = "1 hour") -> None:
    env.psql(
        f"""SELECT count(sendgate.enqueue('{campaign}', '{campaign}-' || n, 'a', 'message',
                                           sendgate.clock() - interval '{first}' + n * interval '1 ms'))
            FROM generate_series(1, {count}) n"""
    )


def fetched(env, call: str) -> tuple[list, int]:
    """The answer of a call, and how many rows of the work were read for it."""
    with env.connect(autocommit=False) as connection:
        connection.execute("SET sendgate.in_transaction = 'allow'")
        before = connection.execute(FETCHED).fetchone()[0]
        answer = connection.execute(call).fetchall()
        return answer, connection.execute(FETCHED).fetchone()[0] - before


def test_a_backlog_is_not_read_for_another_campaigns_row(env):
    provision(env, "a", message=1000)
    enqueue(env, "large", 10_000)
    enqueue(env, "small", 1, "1 second")
    for expected in ("large", "small", "large"):
        rows, read = fetched(env, "SELECT campaign_id FROM sendgate.dispatch(1)")
        equal(rows, [(expected,)], "handed out")
        assert read <= READ_MAX, f"{read} rows were read for one"


def test_a_campaign_at_its_limit_is_passed_over_as_a_whole(env):
    provision(env, "a", message=1000)
    enqueue(env, "large", 10_000)
    enqueue(env, "small", 3, "1 second")
    env.psql("SELECT sendgate.set_campaign('large', message_limit => 1)")
    for expected in (["large"], ["small"], ["small"], ["small"], []):
        rows, read = fetched(env, "SELECT campaign_id FROM sendgate.dispatch(1)")
        equal([campaign for (campaign,) in rows], expected, "handed out")
        assert read <= READ_MAX, f"{read} rows were read for {expected}"
    equal(env.psql("SELECT count(*) FROM sendgate.dispatch_queue WHERE due_at <= sendgate.clock()"), "0", "due tickets")
    equal(
        env.psql("SELECT state, count(*) FROM sendgate.enrollments WHERE campaign_id = 'large' GROUP BY 1 ORDER BY 1"),
        "sending|1\nwaiting|9999",
        "its work",
    )


def test_a_thousand_campaigns_cost_what_two_do(env):
    provision(env, "a", message=2000)
    env.psql(
        """SELECT count(sendgate.enqueue('c' || c, 'p' || c || '-' || n, 'a', 'message'))
           FROM generate_series(1000, 1999) c, generate_series(1, 2) n"""
    )
    for number in range(1000, 1010):
        rows, read = fetched(env, "SELECT campaign_id FROM sendgate.dispatch(1)")
        equal(rows, [(f"c{number}",)], "handed out")
        assert read <= READ_MAX, f"{read} rows were read for one"
    rows, read = fetched(env, "SELECT campaign_id FROM sendgate.dispatch(1000)")
    equal([rows[0], rows[989], rows[990], rows[999]], [("c1010",), ("c1999",), ("c1000",), ("c1009",)], "the round")
    assert read <= 4_000, f"{read} rows were read for a thousand"


def test_a_round_reads_one_row_of_each_campaign(env):
    """However much is due of each: what lies between is passed in the index. Where campaigns take turns a session soon
    knows that not all that is due is little."""
    provision(env, "a", message=2000)
    env.psql(
        """SELECT count(sendgate.enqueue('c' || c, 'p' || c || '-' || n, 'a', 'message'))
           FROM generate_series(10, 19) c, generate_series(1, 100) n"""
    )
    with env.connect(autocommit=False) as connection:
        connection.execute("SET sendgate.in_transaction = 'allow'")

        def read(size: int, expected: list[str]) -> int:
            before = connection.execute(FETCHED).fetchone()[0]
            rows = connection.execute("SELECT campaign_id FROM sendgate.dispatch(%s)", (size,)).fetchall()
            equal([campaign for (campaign,) in rows], expected, "the round")
            return connection.execute(FETCHED).fetchone()[0] - before

        rounds = [read(10, [f"c{number}" for number in range(10, 20)]) for _ in range(5)]
        single = [read(1, [f"c{number}"]) for number in range(10, 20)]
    assert rounds[-1] <= ROUND_READ_MAX, f"{rounds} rows were read by calls for ten"
    assert single[-1] <= ONE_READ_MAX, f"{single} rows were read by calls for one"


def test_a_turn_is_written_where_two_share_and_nowhere_else(env):
    provision(env, "a", message=1000)
    enqueue(env, "alone", 20)
    env.psql("SELECT count(*) FROM sendgate.dispatch(5)")
    equal(env.psql("SELECT turns IS NULL FROM sendgate.accounts"), "t", "nothing is remembered")
    with env.connect(autocommit=False) as connection:
        connection.execute("SET sendgate.in_transaction = 'allow'")
        connection.execute("SELECT count(*) FROM sendgate.dispatch(5)")
        updates = (
            "SELECT n_tup_upd FROM pg_stat_xact_user_tables WHERE schemaname = 'sendgate' AND relname = 'accounts'"
        )
        equal(connection.execute(updates).fetchone(), (1,), "writes of the account")
    enqueue(env, "second", 1)
    with env.connect(autocommit=False) as connection:
        connection.execute("SET sendgate.in_transaction = 'allow'")
        connection.execute("SELECT count(*) FROM sendgate.dispatch(5)")
        equal(connection.execute(updates).fetchone(), (1,), "writes of the account, the turn in the same")
        equal(
            connection.execute("SELECT turns FROM sendgate.accounts").fetchone(),
            ({"message": {"0": "alone"}},),
            "turns",
        )


def test_a_call_of_any_size_runs_as_many_statements(env):
    """None for work alone, and ten at most with a request, one campaign, and a trigger that wants statements; whatever
    it asks for, and however many campaigns with limits share the account."""
    provision(env, "a", message=2_000)
    env.psql(
        """SELECT count(sendgate.enqueue('c' || c, 'p' || c || '-' || n, 'a', 'message'))
           FROM generate_series(10, 39) c, generate_series(1, 40) n;
           SELECT count(sendgate.set_campaign('c' || c, message_limit => 39)) FROM generate_series(10, 39) c"""
    )
    connection, log = listening(env)

    def statements(call: str, sizes: tuple[int, ...] = (1, 10, 100)) -> list[int]:
        """By the size of a call; of each a second one, so that the configuration is known."""
        counts = []
        for size in sizes:
            for _ in range(2):
                log.clear()
                (handed,) = connection.execute(f"SELECT count(*) FROM sendgate.{call.format(size)}").fetchone()
                equal(handed, size, f"slots of {call.format(size)}")
            counts.append(len(log) - 1)
        return counts

    equal(statements("dispatch({})"), [0, 0, 0], "statements of a call for any work")
    in_full = "dispatch({}, 'message', 'a', gen_random_uuid(), '%s')"
    asked = statements(in_full % "c20", (1, 10))
    env.psql(TRIGGERS)
    written = statements("dispatch({})")
    everything = statements(in_full % "c21", (1, 10))
    for counts in (asked, written, everything):
        equal(set(counts), {counts[0]}, "statements of calls of any size")
        assert 0 < counts[0] <= STATEMENTS_MAX, f"{counts[0]} statements"
