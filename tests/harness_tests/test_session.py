"""SQL in a session of this process answers as psql does, and what psql alone understands is left to it."""

from e2e.support import equal
from harness import session
from harness.progress import CommandFailed

NEWEST_ONLY = True
# The statements that psql sends for each text.
READ = {
    "SELECT 1": ["SELECT 1"],
    " SELECT 1 ;\n SELECT 2;\n": ["SELECT 1 ;", "SELECT 2;"],
    "SELECT ';', 'it''s;', \"a;\"\"b\"": ["SELECT ';', 'it''s;', \"a;\"\"b\""],
    "SELECT 1 -- one; 'two\n; SELECT 2": ["SELECT 1 -- one; 'two\n;", "SELECT 2"],
    "SELECT /* ; ' */ 1; SELECT 2": ["SELECT /* ; ' */ 1;", "SELECT 2"],
    "DO $$BEGIN PERFORM 1; END$$; SELECT $a$;$$;$a$": ["DO $$BEGIN PERFORM 1; END$$;", "SELECT $a$;$$;$a$"],
    "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3": [
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);",
        "SELECT 3",
    ],
    "SELECT 1::text, ('{1,2}'::int[])[1]": ["SELECT 1::text, ('{1,2}'::int[])[1]"],
    "": [],
}
LEFT = (
    r"SELECT 1 \gset",
    r"\set x 1",
    r"SELECT E'a\';b'",
    "SELECT :x",
    "SELECT :'x'",
    "COPY t FROM STDIN;\n1\n\\.\n",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
    "SELECT /* /* ; */ */ 1",
    "SELECT 'not closed",
    "SELECT $$not closed",
    "SELECT 1 /* not closed",
)
ANSWERED = (
    "SELECT 1, NULL, 'x|y', true, 1.50, ARRAY[1, NULL]; SELECT 2",
    "SELECT 1 WHERE false",
    "SELECT '', U&'d\\0061t'",
    "SELECT FROM generate_series(1, 3)",
    "SELECT 'two' || chr(10) || 'lines'; SELECT 'ü👩'",
    "VALUES (1, 2), (3, 4); SHOW server_version; EXPLAIN (COSTS OFF) SELECT 1",
    "CREATE TEMP TABLE t (x int); INSERT INTO t VALUES (1), (2) RETURNING x; UPDATE t SET x = 3; TABLE t; DROP TABLE t",
    "BEGIN; SELECT now() = statement_timestamp(); SELECT 1; COMMIT",
    "SELECT application_name, query FROM pg_stat_activity WHERE pid = pg_backend_pid()",
    "SELECT count(*) FROM pg_settings WHERE source IN ('client', 'session')",
)
REFUSED = (
    "SELECT 1; SELECT 1 / 0; SELECT 3",
    "SELECT 1;\n\nSELECT\n x;\n",
    "DO $$BEGIN RAISE 'message' USING detail = 'd', hint = 'h', errcode = 'SG001'; END$$",
)


def test_statements_are_those_of_psql():
    found = {sql: [part for _, part in session.statements(sql)] for sql in READ}
    equal(found, READ, "statements")


def test_what_psql_alone_reads_is_left_to_it():
    equal({sql: session.statements(sql) for sql in LEFT}, dict.fromkeys(LEFT), "statements")


def test_it_answers_as_psql_does(env, monkeypatch):
    assert session.is_there(), "the tests' Python has no psycopg"
    ours = [said(env, sql) for sql in (*ANSWERED, *REFUSED)]
    assert all(session.statements(sql) for sql in (*ANSWERED, *REFUSED)), "these are left to psql"
    monkeypatch.setattr(session, "is_there", lambda: False)
    theirs = [said(env, sql) for sql in (*ANSWERED, *REFUSED)]
    for sql, our, their in zip((*ANSWERED, *REFUSED), ours, theirs, strict=True):
        equal(our, their, sql)


def test_a_server_that_cannot_be_reached_is_told(env):
    text = said(env, "SELECT 1", db="nowhere")
    assert "ended with status 2" in text and 'database "nowhere" does not exist' in text, text
    text = said(env, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert "ended with status 2" in text and "terminating connection" in text, text


def said(env, sql: str, **where: str) -> str:
    try:
        return env.psql(sql, **where)
    except CommandFailed as error:
        return str(error)
