"""Each function that writes, at each table that it writes, beside what a DBA may have put there: no call ends the server;
it writes what it always writes, or says that it could not; and the books agree. Functions and tables are the catalog's.

``make test`` meets each way of a DBA's at the tables of a grant, and at every sixth of the others, each with one of the calls
that write it, in turn. SENDGATE_DBA=whole meets all of them, in fifteen minutes: before a release. SENDGATE_DBA=reserve, or
another call's name, meets all with this call alone.
"""

import os
import re
from collections import defaultdict
from dataclasses import dataclass, field

import psycopg
from psycopg.types.string import TextLoader

from e2e.durability.test_cut_short import TABLES, answer, session, start, waits
from e2e.support import equal, wait_for
from e2e.support.beside_a_dba import ADD, COLUMN, PREPARE, WAYS, Way
from e2e.support.calls import CALLS, Call, prepare
from harness.progress import progress

# Tables, locks and triggers are the same in all versions; what is written below SQL, regress/62 tests on each.
NEWEST_ONLY = True
TIMEOUT_SECONDS = 1800
ASKED = os.environ.get("SENDGATE_DBA")
WHOLE = "whole"
BUSY = ("sendgate.accounts", "sendgate.send_operations", "sendgate.enrollments")
SHARE_OF_OTHERS = 6
SHARE_OF_COLUMNS = 4
# It commits in between, so it cannot be taken back; the jobs that it runs are called one by one.
COMMITS = ("tick",)
REWRITE = ADD + "uuid DEFAULT pg_catalog.gen_random_uuid()"
# What this transaction has done to the rows of our tables.
DONE = """
SELECT relid::pg_catalog.regclass::text, n_tup_ins, n_tup_upd, n_tup_del FROM pg_catalog.pg_stat_xact_user_tables
WHERE schemaname = 'sendgate' AND n_tup_ins + n_tup_upd + n_tup_del > 0 ORDER BY 1"""
# A key as text, where that is immutable.
AS_TEXT = {
    "timestamptz": "extract(epoch FROM {0} AT TIME ZONE 'UTC')::pg_catalog.text",
    "date": "({0} - '2000-01-01'::pg_catalog.date)::pg_catalog.text",
}
KEYS = """
SELECT c.oid::pg_catalog.regclass::text, i.relname,
    pg_catalog.array_agg(pg_catalog.quote_ident(a.attname) ORDER BY k.n),
    (pg_catalog.array_agg(COALESCE(b.typname, t.typname) ORDER BY k.n))[1]
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index x ON x.indrelid = c.oid AND x.indisprimary
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
CROSS JOIN LATERAL pg_catalog.unnest(x.indkey::smallint[]) WITH ORDINALITY AS k (attnum, n)
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace GROUP BY c.oid, i.relname"""
EVERY = WAYS["a trigger passes rows"]
# Rows that do not agree with others: what a call leaves behind beyond those that the world has on purpose.
DISAGREE = """
SELECT 'counter ' || c.account_id || ' ' || c.action FROM sendgate.counters c
WHERE c.sent_today <> (SELECT count(*) FROM sendgate.send_operations o WHERE o.account_id = c.account_id
    AND o.action = c.action AND o.counted_on = c.day AND o.state <> 'released')
UNION ALL
SELECT 'delivery ' || o.operation_id FROM sendgate.send_operations o FULL JOIN sendgate.linkedin_events e
    USING (account_id, operation_id)
WHERE (o.state = 'delivered') IS DISTINCT FROM (e.id IS NOT NULL)
UNION ALL
SELECT 'work ' || e.account_id || ' ' || e.prospect_id FROM sendgate.enrollments e
LEFT JOIN sendgate.send_operations o USING (account_id, operation_id)
WHERE e.state = 'sending' AND o.state IS DISTINCT FROM 'reserved' AND o.state IS DISTINCT FROM 'indeterminate'
UNION ALL
SELECT 'guarded ' || g.prospect_id FROM public.guarded g LEFT JOIN sendgate.send_operations o USING (operation_id)
WHERE g.operation_id IS NOT NULL AND o.operation_id IS NULL
UNION ALL
SELECT 'claimed ' || g.prospect_id FROM public.claimed g LEFT JOIN sendgate.send_operations o USING (operation_id)
WHERE g.operation_id IS NOT NULL AND o.operation_id IS NULL"""
# Every column, and how long its values are.
COLUMNS = """
SELECT c.oid::pg_catalog.regclass::text, pg_catalog.quote_ident(a.attname), a.attlen
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum"""
# PostgreSQL lets no column that a view reads change its type. It forgets which those are, until the transaction ends.
FORGET_VIEWS = """
SET LOCAL allow_system_table_mods = on;
DELETE FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND deptype = 'n'"""
LOOK = "SELECT * FROM sendgate.preview('a', 'inmail', 'p100')"
IN_JOURNAL = "SELECT operation_id::text FROM sendgate.send_operations WHERE operation_id = ANY (%s::uuid[])"
# Here a call writes as many rows as it finds, so that it cannot miss one that a trigger leaves out: due times and tickets, which are looked at again, and what is opened, counted or told besides.
AS_MANY_AS_FOUND = (
    "alerts breaker_outbox campaign_events dispatch_queue enrollments jobs observed_refusals reconcile_runs webhook_outbox"
).split()
# It works in batches, and sees with the last one that rows are left.
NOT_ITS_LAST = ("remove_account", "forget_prospect")
# The next one looks again, or says again that it is there; and the row is the application's own.
LOOKS_AGAIN = ("prune", "reconcile_operations", "journal_event", "take_notifications")
# An application's own row that a DBA's trigger leaves out after ours has seen it: it stays counted as sent, which is the
# safe side, and layer 2 compares counters with events.
STAYS_COUNTED = ("journal_event", "sendgate.linkedin_events")
# A kind of index that cannot have a key of this type.
NO_SUCH_INDEX = "42704"
GRANTS = ("reserve", "dispatch")
# A row as JSON in a log of changes, which shows rows whole.
SHOWN = re.compile(rf'"{COLUMN}": (?:null|"[^"]*"|\d+)(?:, )?|, "{COLUMN}": (?:null|"[^"]*"|\d+)(?=}})')
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# An error of PostgreSQL's own that no one foresaw.
INTERNAL = ("XX", "57014")


@dataclass
class World:
    """One session, whose transactions are all taken back, and what its calls usually do."""

    session: psycopg.Connection
    tables: list[str]
    known: set[str]
    usual: dict[str, list[tuple]] = field(default_factory=dict)
    # What each call does to rows, by table.
    does: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    disagree: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def made(cls, env) -> "World":
        """With what each call does when no DBA is about."""
        prepare(env)
        env.psql(PREPARE)
        caller = session(env)
        # A DBA's trigger may set how times are shown.
        caller.adapters.register_loader("timestamptz", TextLoader)
        # A call that never ends is one more trouble.
        caller.execute("SET statement_timeout = '60s'")
        world = cls(caller, [row[0] for row in caller.execute(TABLES)], set())
        world.known = {id for _, text in world.rows() for id in UUID.findall(text)}
        world.known |= {id for call in CALLS.values() for id in UUID.findall(call.sql)}
        for name, call in CALLS.items():
            if name not in COMMITS:
                world.learn(name, call)
        return world

    def learn(self, name: str, call: Call) -> None:
        """What a call does."""
        self.begin(call)
        before = self.disagreements()
        counted = dict(self.done())
        self.session.execute(call.sql)
        self.does[name] = {}
        for table, counts in self.done():
            kinds = zip(("insert", "update", "delete"), counts, counted.get(table, (0, 0, 0)), strict=True)
            if found := {kind for kind, now, before in kinds if now > before}:
                self.does[name][table] = found
        self.usual[name] = self.rows()
        self.disagree[name] = before | self.disagreements()
        self.session.execute("ROLLBACK")
        assert self.does[name], f"{name} writes nothing"

    def begin(self, call: Call) -> None:
        """A transaction in which the call has something to do."""
        self.session.execute("BEGIN")
        if call.before:
            self.session.execute(call.before)

    def done(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(row[0], row[1:]) for row in self.session.execute(DONE)]

    def rows(self) -> list[tuple]:
        """Every row of every table without a DBA's column. An id that is not known is new, and another one each time."""
        each = (f"SELECT '{table}', (to_jsonb(t) - '{COLUMN}')::text FROM {table} t" for table in self.tables)
        found = self.session.execute(" UNION ALL ".join(each)).fetchall()
        found = ((table, SHOWN.sub("", text) if COLUMN in text else text) for table, text in found)
        if not self.known:
            return sorted(found)
        return sorted((table, UUID.sub(self._name, text)) for table, text in found)

    def _name(self, id: re.Match) -> str:
        return id[0] if id[0] in self.known else "new"

    def disagreements(self) -> set[str]:
        return {row[0] for row in self.session.execute(DISAGREE)}


def test_each_call_beside_what_a_dba_has_put_on_each_table(env):
    world = World.made(env)
    keys = {table: rest for table, *rest in world.session.execute(KEYS)}
    equal(sorted(keys), sorted(set(world.tables) - {"public.guarded", "public.claimed"}), "tables with a primary key")
    pid = world.session.info.backend_pid
    troubles, met, failed = [], 0, 0
    ways = {what: way for what, way in WAYS.items() if way.since <= env.cluster.install.major}
    for turn, (what, way) in enumerate(ways.items()):
        for table, names in writers(world, way, turn).items():
            for name in names:
                trouble, state = beside(world, name, way, table, placed(way.sql, table, keys[table]))
                met, failed = met + 1, failed + bool(state)
                if trouble:
                    troubles.append(f"{what}, {table}, {name}: {trouble} {state}".strip())
    progress(f"    {len(ways)} ways, {len(keys)} tables, {met} calls, {failed} of them failed")
    equal(troubles, [], "calls beside a DBA")
    equal(world.session.execute("SELECT pg_backend_pid()").fetchone(), (pid,), "the same session")


def writers(world: World, way: Way, turn: int) -> dict[str, list[str]]:
    """Of each table, the calls that meet this way there: all, or one, and not of all tables, in turn."""
    found = defaultdict(list)
    for name, tables in world.does.items():
        for table, kinds in tables.items():
            if kinds & way.does:
                found[table].append(name)
    if ASKED:
        return {table: [name for name in names if ASKED in (WHOLE, name)] for table, names in found.items()}
    others = sorted(set(found) - set(BUSY))[turn % SHARE_OF_OTHERS :: SHARE_OF_OTHERS]
    return {table: [found[table][turn % len(found[table])]] for table in [*BUSY, *others] if table in found}


def placed(sql: str, table: str, key: list) -> str:
    """A way's SQL for one table."""
    index, columns, kind = key
    texts = {
        "{table}": table,
        "{index}": index,
        "{key}": ", ".join(columns),
        "{excluded}": ", ".join(f"{column} WITH =" for column in columns),
        "{first}": AS_TEXT.get(kind, "({0})::pg_catalog.text").format(columns[0]),
    }
    for mark, text in texts.items():
        sql = sql.replace(mark, text)
    return sql


def beside(world: World, name: str, way: Way, table: str, sql: str) -> tuple[str, str]:
    """What is wrong with a call under a way, if anything, and its SQLSTATE if it failed."""
    call = CALLS[name]
    world.begin(call)
    try:
        world.session.execute(sql)
    except psycopg.Error as error:
        world.session.execute("ROLLBACK")
        if error.sqlstate == NO_SUCH_INDEX:
            return "", ""
        return f"could not be put there: {error}", error.sqlstate or ""
    try:
        cursor = world.session.execute(call.sql)
        answered = " ".join(str(row) for row in cursor.fetchall()) if cursor.description else ""
        world.session.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.Error as error:
        world.session.execute("ROLLBACK")
        state = error.sqlstate or ""
        if state.startswith(INTERNAL) or way.same:
            return f"failed: {error}", state
        return "", state
    trouble = judged(world, name, way, table, answered)
    world.session.execute("ROLLBACK")
    return trouble, ""


def judged(world: World, name: str, way: Way, table: str, answered: str) -> str:
    """What is wrong with a call that succeeded, if anything."""
    # Whatever a DBA's trigger set.
    world.session.execute("SET LOCAL bytea_output = 'hex'; SET LOCAL IntervalStyle = 'postgres'")
    world.session.execute("SET LOCAL search_path = pg_catalog; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'")
    world.session.execute("SET LOCAL quote_all_identifiers = off; SET LOCAL standard_conforming_strings = on")
    found = world.rows()
    if name.partition(",")[0] in GRANTS:
        ids = UUID.findall(answered)
        held = {row[0] for row in world.session.execute(IN_JOURNAL, (ids,))}
        if missing := set(ids) - held:
            return f"granted without a row in the journal: {missing}"
    if found == world.usual[name]:
        return ""
    if way.same:
        return f"wrote other rows: {sorted(set(found) ^ set(world.usual[name]))}"
    if name in NOT_ITS_LAST:
        return ""
    if way.drops and name not in LOOKS_AGAIN and table.removeprefix("sendgate.") not in AS_MANY_AS_FOUND:
        return "answered although rows were left out"
    if way.lies or (way.drops and (name, table) == STAYS_COUNTED):
        return ""
    if more := world.disagreements() - world.disagree[name]:
        return f"rows that disagree: {sorted(more)}"
    return ""


def test_each_call_that_waits_for_a_rewrite(env):
    """A snapshot from before the wait would find the table empty."""
    world = World.made(env)
    observer, dba, caller = env.connect(), env.connect(autocommit=False), world.session
    each = {table: names for turn in range(SHARE_OF_OTHERS) for table, names in writers(world, EVERY, turn).items()}
    # What has to be done before a call is committed here, and a line of a log stays.
    first, stayed = world.rows(), set()
    for table, names in each.items():
        for name in names:
            call = CALLS[name]
            if call.before:
                caller.execute(call.before)
            dba.execute(REWRITE.replace("{table}", table))
            caller.execute("BEGIN")
            pid = start(caller, call.sql)
            wait_for(lambda pid=pid: waits(observer, pid), f"{name} to wait for {table}")
            dba.commit()
            equal(answer(caller), "", f"SQLSTATE of {name} that waited for a rewrite of {table}")
            found, usual = world.rows(), world.usual[name]
            caller.execute("ROLLBACK")
            observer.execute(f"ALTER TABLE {table} DROP COLUMN {COLUMN} CASCADE")
            if call.after:
                observer.execute(call.after)
            differ = sorted((set(found) ^ set(usual)) - stayed) if found != usual else []
            stayed = set(world.rows()) - set(first)
            equal(differ, [], f"the tables after {name} that waited for a rewrite of {table}")


def test_columns_of_another_type(env):
    """Whatever a column has become: to read a number where a text was would end the server."""
    world = World.made(env)
    caller = world.session
    pid, changed, refused = caller.info.backend_pid, 0, 0
    troubles = []
    for turn, (table, column, length) in enumerate(caller.execute(COLUMNS).fetchall()):
        if turn % SHARE_OF_COLUMNS and not ASKED:
            continue
        kind, value = ("bigint", "7") if length < 0 else ("text", "'seven'")
        # As many turns for each table.
        names = [name for t in range(SHARE_OF_OTHERS) for name in writers(world, EVERY, turn + t).get(table, [])]
        for name in names if ASKED else names[:1]:
            world.begin(CALLS[name])
            caller.execute(FORGET_VIEWS)
            try:
                caller.execute(f"ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT")
                caller.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} USING {value}")
            except psycopg.Error:
                caller.execute("ROLLBACK")  # a key of several columns, or a CHECK that knows the type
                continue
            changed += 1
            caller.execute("SAVEPOINT before")
            for sql in (LOOK, CALLS[name].sql):
                try:
                    caller.execute(sql)
                except psycopg.Error as error:
                    refused += 1
                    if (error.sqlstate or "").startswith(INTERNAL):
                        troubles.append(f"{table}.{column} as {kind}, {name}: {error}")
                    caller.execute("ROLLBACK TO before")
            caller.execute("ROLLBACK")
    progress(f"    {changed} columns were changed, {refused} calls refused")
    assert changed > 40, f"only {changed} columns"
    equal(troubles, [], "calls that met a column of another type")
    equal(caller.execute("SELECT pg_backend_pid()").fetchone(), (pid,), "the same session")
