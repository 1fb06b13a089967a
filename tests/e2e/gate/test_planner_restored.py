"""What the extension tells the planner about its own statements ends with them, however they end."""

from e2e.support import equal
from e2e.support.calls import FROZEN, prepare


def test_settings_and_plans_after_errors_in_the_middle(env):
    """A statement that fails, is cancelled or runs in a subtransaction leaves the session's planner as it was."""
    prepare(env)
    env.psql(
        """CREATE TABLE public.mine AS SELECT n FROM generate_series(1, 3) n;
        CREATE INDEX ON public.mine (n);
        ANALYZE public.mine;
        CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN
            PERFORM sendgate.preview('a', 'message', 'inner');
            IF NEW.prospect_id = 'slow' THEN PERFORM pg_sleep(60); END IF;
            RAISE division_by_zero;
        END$$;
        CREATE TRIGGER fail BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION public.fail()"""
    )
    import psycopg

    names = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit")
    with env.connect() as session:
        session.execute(FROZEN)
        settings = [session.execute(f"SHOW {name}").fetchone() for name in names]

        def unchanged(after: str) -> None:
            equal([session.execute(f"SHOW {name}").fetchone() for name in names], settings, after)
            plan = session.execute("EXPLAIN (FORMAT json) SELECT FROM public.mine WHERE n = 2").fetchone()[0]
            equal(plan[0]["Plan"]["Node Type"], "Seq Scan", after)
            queue = "EXPLAIN (FORMAT json) SELECT FROM sendgate.dispatch_queue"
            rows = session.execute(queue).fetchone()[0][0]["Plan"]["Plan Rows"]
            assert rows < 10_000, f"{after}: {rows} rows expected"

        for call in ("reserve('a', 'message', 'one')", "reserve('a', 'message', 'slow')"):
            session.execute("SET statement_timeout = '500ms'")
            try:
                session.execute(f"SELECT sendgate.{call}")
            except (psycopg.errors.DivisionByZero, psycopg.errors.QueryCanceled):
                session.execute("RESET statement_timeout")
                unchanged(call)
            else:
                raise AssertionError(f"{call} did not fail")
        session.execute(
            """DO $$BEGIN PERFORM sendgate.reserve('a', 'message', 'two'); EXCEPTION WHEN division_by_zero THEN NULL; END$$"""
        )
        unchanged("a subtransaction")
        session.execute("DROP EXTENSION sendgate CASCADE")
        session.execute("CREATE EXTENSION sendgate")
        session.execute("SELECT sendgate.upsert_account('a', 'free')")
        session.execute("SELECT sendgate.reserve('a', 'message', 'one')")
        unchanged("the extension made anew")
