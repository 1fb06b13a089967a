"""A session's own lock_timeout is as its user and its triggers set it, whatever sendgate.lock_timeout lends to a call."""

import psycopg

from e2e.support import equal, provision

TRIGGER = """
CREATE OR REPLACE FUNCTION public.sets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {0}
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS sets ON sendgate.accounts;
CREATE TRIGGER sets AFTER UPDATE ON sendgate.accounts FOR EACH ROW EXECUTE FUNCTION public.sets()"""
LOCAL = "PERFORM set_config('lock_timeout', '1234ms', true);"
SESSION = "PERFORM set_config('lock_timeout', '1234ms', false);"
CAUGHT = "BEGIN PERFORM set_config('lock_timeout', '1234ms', true); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;"
FAILS = LOCAL + " RAISE division_by_zero;"


def test_what_a_trigger_sets_during_a_call(env):
    """By itself, and in a transaction that had set it already; each with what the session has afterwards."""
    provision(env)
    number = 0
    for body, after in ((LOCAL, None), (SESSION, "1234ms"), (CAUGHT, None), (FAILS, None)):
        env.psql(TRIGGER.format(body))
        for own in ("0", "7s", "250ms"):
            for earlier in (None, "SET lock_timeout = '9s'", "SET LOCAL lock_timeout = '9s'"):
                for end in ("COMMIT", "ROLLBACK"):
                    number += 1
                    what = f"{body} with {own}, {earlier}, {end}"
                    with env.connect() as connection:
                        connection.execute(f"SET lock_timeout = '{own}'")
                        connection.execute("SET sendgate.in_transaction = 'allow'")
                        connection.execute("BEGIN")
                        if earlier:
                            connection.execute(earlier)
                        try:
                            connection.execute("SELECT sendgate.reserve('a', 'engagement', %s)", (f"p{number}",))
                        except psycopg.errors.DivisionByZero:
                            assert body == FAILS, what
                        connection.execute(end)
                        kept = end == "COMMIT" and body != FAILS
                        expected = own
                        if kept:
                            expected = after or ("9s" if earlier and "LOCAL" not in earlier else own)
                        found = connection.execute("SHOW lock_timeout").fetchone()[0]
                        equal(found, expected, what)


def test_a_call_by_itself(env):
    provision(env)
    for body, after in ((LOCAL, "0"), (SESSION, "1234ms"), (CAUGHT, "0"), (FAILS, "0")):
        env.psql(TRIGGER.format(body))
        with env.connect() as connection:
            for prospect in ("p", "q"):
                try:
                    connection.execute("SELECT sendgate.reserve('a', 'engagement', %s)", (prospect + body[:60],))
                except psycopg.errors.DivisionByZero:
                    assert body == FAILS, body
                equal(connection.execute("SHOW lock_timeout").fetchone()[0], after, body)
