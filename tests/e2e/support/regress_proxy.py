"""Files of tests/regress through a proxy: what psql prints has to be what it prints on a partition, which is the file's
expected output.

The two differ in what cannot be otherwise, and only in that:

- `SET sendgate.now` and the other settings are a session's, and a session on the proxy has none on the partitions. After
  each line that sets one, the proxy's connections are told (`contract.forward`).
- PL/Proxy puts the function's name and `REMOTE` before a message, and `Remote detail`, `Remote hint` before those; its
  errors have another CONTEXT. That is taken off (`plain`).
- Tables that only sendgate itself reads (`accounts`, `dispatch_queue`) can be looked at through the proxy as well, and the
  jobs, which do not go through a proxy, are asked on the partition.
- A statement that writes to a table of sendgate, below its functions, is run on the partition (`below`).
- Paragraphs of a file that are about a transaction, another session or a trigger on a table of sendgate are left out on
  both sides; they are named with the reason.
"""

import re
import subprocess
from dataclasses import dataclass

from e2e.support.partitions import Partitions
from harness.cluster import Cluster
from harness.driver import DATABASE_SETTINGS
from harness.places import REPO

DIRECTORY = REPO / "tests" / "regress"
HELPERS = r"\i :helpers"
SETS = re.compile(r"^\s*(?:SET|RESET)(?: LOCAL)? sendgate\.", re.IGNORECASE | re.MULTILINE)
# A statement that writes to a table of sendgate; it ends a line.
BELOW = re.compile(
    r"^(?:UPDATE|INSERT INTO|DELETE FROM|TRUNCATE|ALTER TABLE) sendgate\.(?:(?!;$).)*;$", re.MULTILINE | re.DOTALL
)
FORWARD = "SELECT contract.forward() AS forwarded \\gset\n"
# What PL/Proxy adds to what a partition says.
ADDED = re.compile(r"[\w.]+\(\d+\): \[[^\]]*\] REMOTE \w+: |\bRemote (?:detail|hint): ")
STALE = re.compile(r"^NOTICE: +(?:PL/Proxy: dropping stale conn|00000)\n", re.MULTILINE)
# Lines of this file's own.
TOLD = re.compile(r"^(?:\\set ECHO none|SELECT contract\.forward\(\) AS forwarded \\gset)\n", re.MULTILINE)
CONTEXT = re.compile(
    r"^(?:psql:\S+ )?CONTEXT:.*\n(?:(?:PL/pgSQL|SQL|Remote|PL/Proxy) .*\n|unnamed portal.*\n)*", re.MULTILINE
)

# The servers of the proxy's script connect as a role; this one connects as the superuser that tests are.
ON_THE_PROXY = """
DO $$
DECLARE
    options text;
BEGIN
    SELECT string_agg(format('%I %L', o.option_name, replace(o.option_value, '-c role=sendgate_operator', '')), ', ')
    INTO options
    FROM pg_foreign_server AS s, pg_options_to_table(s.srvoptions) AS o
    WHERE s.srvname = 'sendgate_operator';
    EXECUTE 'CREATE SERVER contract FOREIGN DATA WRAPPER plproxy OPTIONS (' || options || ')';
END
$$;
CREATE USER MAPPING FOR postgres SERVER contract OPTIONS (user 'postgres');
ALTER USER MAPPING FOR sendgate_owner SERVER sendgate_sender OPTIONS (SET user 'postgres');
ALTER USER MAPPING FOR sendgate_owner SERVER sendgate_reader OPTIONS (SET user 'postgres');
ALTER USER MAPPING FOR sendgate_owner SERVER sendgate_operator OPTIONS (SET user 'postgres');
CREATE SCHEMA contract;
CREATE TABLE contract.settings (name text NOT NULL);
CREATE FUNCTION contract.all_books() RETURNS SETOF text LANGUAGE plproxy AS
$$ CLUSTER 'contract'; RUN ON ALL; SELECT contract.books(); $$;
CREATE FUNCTION contract.forward() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    given text;
    option record;
BEGIN
    SELECT string_agg(format(' -c %s=%s', s.name, replace(current_setting(s.name, true), ' ', '\\\\ ')), '' ORDER BY s.name)
    INTO given
    FROM contract.settings AS s
    WHERE current_setting(s.name, true) <> '';
    FOR option IN
        SELECT s.srvname, o.option_name AS name,
            regexp_replace(o.option_value, E'(options=''[^'']*?)( -c sendgate[.][^'']*)?''$', E'\\\\1' || replace(coalesce(given, ''), '\\', '\\\\') || '''')
                AS value
        FROM pg_foreign_server AS s, pg_options_to_table(s.srvoptions) AS o
        WHERE o.option_name ~ '^p[0-9]+$'
    LOOP
        EXECUTE format('ALTER SERVER %I OPTIONS (SET %I %L)', option.srvname, option.name, option.value);
    END LOOP;
END
$$;
"""
ON_THE_PARTITION = """
CREATE FUNCTION contract.below(statement text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE statement; END $$;
"""
# What a proxy refuses, asked on the partition.
REFUSED_BY_THE_PROXY = """
CREATE FUNCTION contract.below(statement text) RETURNS SETOF void LANGUAGE plproxy AS $$ CLUSTER 'contract'; RUN ON ALL; $$;
DO $$
DECLARE
    refused record;
BEGIN
    FOR refused IN
        SELECT p.proname, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result
        FROM pg_proc AS p
        WHERE p.pronamespace = 'sendgate'::regnamespace AND p.prokind = 'f' AND p.prosrc LIKE '%SG402%'
          AND p.prorettype <> 'trigger'::regtype
    LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION sendgate.%I(%s) RETURNS %s LANGUAGE plproxy AS %L',
            refused.proname, refused.arguments, refused.result, 'CLUSTER ''contract''; RUN ON ANY;');
    END LOOP;
END
$$;
"""
SETTINGS = "SELECT name FROM pg_settings WHERE name LIKE 'sendgate.%' AND context = 'superuser'"
# Tables that no role may read, for the superuser that tests are.
ONLY_SENDGATE_S = ("accounts", "dispatch_queue")
COLUMNS = """
SELECT string_agg(format('"%%s" %%s', a.attname, format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END, NULL)),
           ', ' ORDER BY a.attnum),
       string_agg(format('t."%%s"', a.attname), ', ' ORDER BY a.attnum)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = format('sendgate.%%I', %s::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped"""
READABLE = """
CREATE FUNCTION contract.rows_of_{table}() RETURNS TABLE({columns}) LANGUAGE plproxy AS
$$ CLUSTER 'contract'; RUN ON ALL; SELECT {read} FROM sendgate.{table} AS t; $$;
CREATE VIEW sendgate.{table} AS SELECT * FROM contract.rows_of_{table}();
"""
# After the helpers, which every file includes: those that look below the API, or at an error's text.
OVER_THE_HELPERS = r"""
\set ECHO none
SET client_min_messages = 'error';
CREATE OR REPLACE FUNCTION contract.books() RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(b, ',' ORDER BY b) FROM contract.all_books() AS b $$;
CREATE OR REPLACE FUNCTION contract.error(
    statement text, OUT code text, OUT message text, OUT detail text, OUT hint text
)
LANGUAGE plpgsql AS $$
BEGIN
    IF statement ~ '^(UPDATE|INSERT INTO|DELETE FROM|TRUNCATE|ALTER TABLE) sendgate[.]' THEN
        PERFORM contract.below(statement);
    ELSE
        EXECUTE statement;
    END IF;
    RAISE EXCEPTION 'no error' USING ERRCODE = '00001';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS
        code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    message := regexp_replace(message, '^[\w.]+\(\d+\): \[[^]]*\] REMOTE \w+: ', '');
    detail := regexp_replace(detail, '^Remote detail: ', '');
    hint := regexp_replace(hint, '^Remote hint: ', '');
END
$$;
CREATE OR REPLACE FUNCTION contract.preview_at(
    instant timestamptz, account_id text, action text, prospect_id text DEFAULT NULL
) RETURNS sendgate.decision
LANGUAGE plpgsql AS $$
DECLARE
    before text := current_setting('sendgate.now', true);
    answer sendgate.decision;
BEGIN
    PERFORM set_config('sendgate.now', to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00'), false);
    PERFORM contract.forward();
    answer := sendgate.preview(account_id, action, prospect_id);
    PERFORM set_config('sendgate.now', coalesce(before, ''), false);
    PERFORM contract.forward();
    RETURN answer;
END
$$;
RESET client_min_messages;
\set ECHO all
"""


@dataclass
class Play:
    """A proxy through which files are played."""

    cluster: Cluster
    database: str

    def run(self, name: str, without: tuple[str, ...] = ()) -> str:
        """What a file prints, without the paragraphs in which one of these texts stands."""
        sql = "\n\n".join(one for one in paragraphs(name) if not says(one, without)) + "\n"
        lines = []
        for line in BELOW.sub(below, sql).splitlines(keepends=True):
            lines.append(line)
            if line.strip() == HELPERS:
                lines.append(OVER_THE_HELPERS)
                lines.append(FORWARD)
            if SETS.match(line):
                lines.append(FORWARD)
        command = [str(self.cluster.install.program("psql")), "-X", "-a", "-q", "-d", self.cluster.dsn(self.database)]
        environment = {
            "PG_ABS_SRCDIR": str(DIRECTORY),
            "PGTZ": "America/Los_Angeles",
            "PGDATESTYLE": "Postgres, MDY",
            "PGOPTIONS": " ".join(f"-c {key}={value}" for key, value in DATABASE_SETTINGS.items() if key[:3] != "lc_"),
        }
        done = subprocess.run(
            command,
            input="".join(lines),
            env=self.cluster.install.environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        return plain(done.stdout)


def expected(name: str, without: tuple[str, ...] = ()) -> str:
    """What a file prints on a partition, without these paragraphs: psql prints each line that it reads."""
    lines = (DIRECTORY / "expected" / f"{name}.out").read_text().splitlines()
    kept, begin, keeps = [], 0, True
    for paragraph in paragraphs(name):
        read = paragraph.splitlines()
        end = lines.index(read[0], begin)
        if keeps:
            kept += lines[begin:end]
        begin, keeps = end, not says(paragraph, without)
    if keeps:
        kept += lines[begin:]
    return plain("\n".join(kept) + "\n")


def says(paragraph: str, texts: tuple[str, ...]) -> bool:
    """Whether one of the texts stands in it."""
    return any(text in paragraph for text in texts)


def below(statement: re.Match) -> str:
    """Runs it on the partition, and prints what psql prints of it on a partition."""
    told = [line.replace("\\", "\\\\").replace("'", "''") for line in statement[0].splitlines()]
    echo = "\n".join(f"\\echo '{line}'" for line in told)
    return (
        f"\\set ECHO none\n{echo}\nSELECT contract.below($below${statement[0]}$below$) AS below \\gset\n\\set ECHO all"
    )


def paragraphs(name: str) -> list[str]:
    """What blank lines separate in a file."""
    sql = (DIRECTORY / "sql" / f"{name}.sql").read_text()
    return re.split(r"\n{2,}", sql.strip("\n"))


def plain(printed: str) -> str:
    """psql's output, without PL/Proxy's additions and without the widths of columns."""
    text = TOLD.sub("", STALE.sub("", printed))
    text = CONTEXT.sub("", text)
    text = ADDED.sub("", text)
    text = re.sub(r" {2,}", " ", re.sub(r"-{2,}", "--", text))
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def through(parts: Partitions) -> Play:
    """A proxy in front of the partitions, whose sessions know the clock of the caller's."""
    for name in parts.names:
        settings(parts.env, name)
        parts.env.cluster.psql(f"\\set ECHO none\n\\i {DIRECTORY}/include/helpers.sql\n{ON_THE_PARTITION}", name)
    proxy = parts.proxy()
    parts.proxies.psql(ON_THE_PROXY + REFUSED_BY_THE_PROXY, proxy)
    # They exist once the library is loaded.
    parts.direct(0).execute("SELECT sendgate.clock()")
    settable = parts.direct(0).execute(SETTINGS).fetchall()
    parts.proxies.psql("".join(f"INSERT INTO contract.settings VALUES ('{row[0]}');" for row in settable), proxy)
    for table in ONLY_SENDGATE_S:
        columns, read = parts.direct(0).execute(COLUMNS, (table,)).fetchone()
        parts.proxies.psql(READABLE.format(table=table, columns=columns, read=read), proxy)
    return Play(parts.proxies, proxy)


def settings(env, database: str) -> None:
    """As the driver of tests/regress sets its database up."""
    for name, value in DATABASE_SETTINGS.items():
        env.cluster.psql(f"""ALTER DATABASE "{database}" SET {name} TO '{value}'""")
