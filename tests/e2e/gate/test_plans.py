"""Plans are right for full tables, whatever PostgreSQL thinks of them.

A worker and a scheduler keep their sessions, and with them the plans, from the first minute after the
installation on; and a queue is empty whenever it is analysed, until a campaign begins.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from e2e.support import equal
from e2e.support.calls import CALLS, FROZEN, prepare

# auto_explain is not part of the other copies of PostgreSQL.
ONLY_ON = (15, 18)

# Tables that grow with what is sent, with the accounts or with what waits.
LARGE = """accounts send_operations linkedin_events enrollments dispatch_queue campaign_events breaker_log
breaker_outbox webhook_outbox alerts counter_drift""".split()
# What a call does only with more work than the world of the other calls has.
MORE = (
    "SELECT sendgate.enqueue('big', 'big' || n, 'a', 'message') FROM generate_series(1, 20) n",
    "SELECT sendgate.enqueue('big', 'big' || n, 'open', 'inmail') FROM generate_series(1, 20) n",
    # Slots, skips by the breaker, what is in flight already; then the same skips again.
    "SELECT sendgate.enqueue('other', 'big' || n, 'a', 'message') FROM generate_series(1, 20) n",
    "SELECT count(*) FROM sendgate.dispatch(10)",
    "SELECT count(*) FROM sendgate.dispatch(100)",
    "SELECT sendgate.resume_deferred('open')",
    "SELECT count(*) FROM sendgate.dispatch(100)",
    "SELECT count(*) FROM sendgate.dispatch(100, 'message')",
    "SELECT count(*) FROM sendgate.dispatch(10, campaign_id => 'other')",
    "SELECT count(*) FROM sendgate.dispatch(10, 'message', 'a', campaign_id => 'other')",
    # Answers of every kind for operations that dispatch handed out; other enrollments wait for some of them.
    """SELECT sendgate.rollback_many(array_agg(account_id ORDER BY operation_id),
           array_agg(operation_id ORDER BY operation_id), array_agg('deleted'::text), NULL, array_agg(422))
       FROM (SELECT account_id, operation_id FROM sendgate.send_operations WHERE campaign_id = 'big'
             ORDER BY operation_id LIMIT 5) o""",
    """SELECT sendgate.confirm_many(array_agg(account_id ORDER BY operation_id),
           array_agg(operation_id ORDER BY operation_id), array_agg('chat'::text))
       FROM sendgate.send_operations WHERE campaign_id IN ('big', 'other') AND state = 'reserved'""",
    "SELECT sendgate.cancel('big', 'big7')",
    # Of all accounts: the unknown outcomes, and the journal of one hour.
    "SELECT sendgate.resolve_unresolved(false, '2026-05-20 11:00:00+00', '2026-05-20 12:00:00+00')",
    "SELECT count(*) FROM sendgate.take_breaker_lines(100)",
)
# Read from end to end: all accounts when an operator drops the last rule of a tier, and the outbox, which
# is emptied every few seconds and whose oldest lines are wanted.
# A request for erasure reads the logs, because an index for it would cost every delivery an entry, and asks each account
# by its index whether it knows the prospect.
KNOWN = (
    "SELECT a.id FROM sendgate.accounts a CROSS JOIN LATERAL",
    "o.prospect_id OPERATOR(pg_catalog.=) $1 LIMIT $2",
    "WHERE a.tier OPERATOR(pg_catalog.=) $1",
    "SELECT w.ctid FROM sendgate.breaker_outbox w",
)
# Reads the index over all work of the accounts, also what is over, before PostgreSQL 18, which skips: rather
# that than over all work of the campaign once for each page of accounts.
# A verdict about all accounts reads all operations of its range that are not listed, whatever came of them, by their
# place in the table: it is called once after an outage, and an index for it would cost every grant an entry.
# An alert that an operator acknowledges is told by its id alone, which comes second in its index: before PostgreSQL 18 that
# is read whole. Alerts are few, and prune removes them.
WASTEFUL = ("SET action = $3, attempts = 0", "ORDER BY o.account_id, o.reserved_at, o.operation_id",
            "l.alert_id OPERATOR(pg_catalog.=) $1 AND l.acknowledged_at IS NULL", *KNOWN)  # fmt: skip
# Fewer statements than this, and the test no longer sees what it is about.
PLANS_MIN = 150
# Of one scan: down an index and along it a little; and of each row that it finds: in the index and the table.
PAGES_A_SCAN = 20
PAGES_A_ROW = 3
# Accounts with work and tickets, one with many operations, deliveries and alerts of before, and with much work that is over.
MUCH = """
INSERT INTO sendgate.accounts SELECT (jsonb_populate_record(a, jsonb_build_object('id', 'much-' || n))).*
FROM sendgate.accounts a, generate_series(1, 5000) n WHERE a.id = 'c';
INSERT INTO sendgate.enrollments (enqueued_at, changed_at, next_dispatch_at, account_id, prospect_id, campaign_id, action)
SELECT sendgate.clock(), sendgate.clock(), sendgate.clock() - interval '1 hour' + n * interval '1 ms', 'much-' || n, 'p' || k, 'k' || k % 3, 'message'
FROM generate_series(1, 5000) n, generate_series(1, 6) k;
INSERT INTO sendgate.dispatch_queue (due_at, ticket_id, account_id, action)
SELECT sendgate.clock() - interval '1 hour' + n * interval '1 ms', gen_random_uuid(), 'much-' || n, 'message' FROM generate_series(1, 5000) n;
INSERT INTO sendgate.enrollments (enqueued_at, changed_at, account_id, prospect_id, campaign_id, action, state)
SELECT sendgate.clock(), sendgate.clock(), 'a', 'done' || n, 'k' || n % 3, 'message', 'done' FROM generate_series(1, 20000) n;
INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on, account_id, prospect_id, action,
    state, settled_at)
SELECT gen_random_uuid(), at, at, at::date, 'a', 'old' || n, 'message', 'delivered', at
FROM generate_series(1, 20000) n, LATERAL (SELECT sendgate.clock() - interval '30 days' - n * interval '1 minute') t (at);
SET session_replication_role = replica;
INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on, account_id, prospect_id, action,
    state, settled_at)
SELECT md5('sent' || n)::uuid, at, at, at::date, 'a', 'sent' || n, 'inmail', 'delivered', at
FROM generate_series(1, 20000) n, LATERAL (SELECT sendgate.clock() - interval '8 days' - n * interval '1 minute') t (at);
INSERT INTO sendgate.linkedin_events (id, operation_id, occurred_at, recorded_at, counted_on, account_id, prospect_id,
    event_type, chat_id)
SELECT gen_random_uuid(), operation_id, reserved_at, reserved_at, counted_on, account_id, prospect_id, 'inmail_sent', 'chat'
FROM sendgate.send_operations WHERE prospect_id LIKE 'sent%';
INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at, resolved_at)
SELECT gen_random_uuid(), 'a', 'counter_ahead_of_events', at::date, 'of before', at, at
FROM generate_series(1, 5000) n, LATERAL (SELECT sendgate.clock() - interval '8 days' - n * interval '1 minute') t (at);
RESET session_replication_role;
"""
# What the sweeps do to the large tables; these have to be among them.
SWEEPS = ("FILTER (WHERE o.state OPERATOR(pg_catalog.=) 'delivered')", "FOR NO KEY UPDATE SKIP LOCKED", "sendgate.linkedin_events v",
          "DELETE FROM sendgate.send_operations")  # fmt: skip
# A batch of a sweep looks at a thousand accounts here; most of them have nothing of today.
SWEEP_ROWS_MAX = 10_000
# A verdict about all accounts: which index finds those that are listed as unknown, and those that are not.
BY_INDEX = {
    "l.unknown_since": "send_operations_unknown_idx",
    "o.unknown_since IS NULL AND ($4": "send_operations_reserved_at_idx",
}
# With a trigger on its tables dispatch writes by statements, which have to have their plans too.
BY_STATEMENTS = """
CREATE FUNCTION public.pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN COALESCE(NEW, OLD); END';
CREATE TRIGGER pass BEFORE UPDATE ON sendgate.accounts FOR EACH ROW EXECUTE FUNCTION public.pass();
CREATE TRIGGER pass BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION public.pass();
CREATE TRIGGER pass BEFORE UPDATE ON sendgate.enrollments FOR EACH ROW EXECUTE FUNCTION public.pass();
CREATE TRIGGER pass BEFORE UPDATE OR DELETE ON sendgate.dispatch_queue FOR EACH ROW EXECUTE FUNCTION public.pass();
"""
# What PostgreSQL keeps of a table that was large, was emptied and then analysed.
EMPTIED = "UPDATE pg_class SET relpages = 1000, reltuples = 0 WHERE oid = 'sendgate.{}'::regclass"


def test_no_call_reads_a_table_from_end_to_end(env):
    prepare(env)
    env.psql(BY_STATEMENTS)
    unknown = look(env)
    for table in LARGE:
        env.psql(EMPTIED.format(table))
    found = sorted({*unknown, *look(env)})
    assert not found, f"{len(found)} faults of plans:\n" + "\n".join(found)


def test_an_applications_trigger_is_planned_as_anywhere_else(env):
    """It runs while the extension's statements are planned. Its tables are as large as they are, and joined
    and read as they would be without us: the session keeps these plans, also for calls from elsewhere."""
    prepare(env)
    env.psql(
        """CREATE TABLE public.mine AS SELECT n, ARRAY[n] AS tags FROM generate_series(1, 3) n;
        CREATE INDEX ON public.mine (n);
        CREATE TABLE public.much AS SELECT n, ARRAY[n] AS tags FROM generate_series(1, 20000) n;
        CREATE INDEX ON public.much (n);
        CREATE INDEX ON public.much USING gin (tags);
        ANALYZE public.mine, public.much;
        GRANT SELECT ON public.mine, public.much TO PUBLIC;
        CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN
            PERFORM FROM public.mine WHERE n = 2;
            PERFORM FROM public.much a JOIN public.much b USING (tags);
            PERFORM FROM public.much WHERE tags @> ARRAY[7] ORDER BY n;
            RETURN NEW;
        END$$;
        CREATE TABLE public.elsewhere (n int);
        CREATE TRIGGER look BEFORE INSERT ON public.elsewhere FOR EACH ROW EXECUTE FUNCTION public.look();
        CREATE TRIGGER look BEFORE INSERT ON sendgate.send_operations FOR EACH ROW EXECUTE FUNCTION public.look()"""
    )

    def seen(sql: str) -> list[list[tuple]]:
        with planned(env) as (session, plans):
            session.execute(sql)
        theirs = [plan["Plan"] for plan in plans if "public.m" in plan["Query Text"]]
        return [[(node["Node Type"], node["Plan Rows"]) for node in nodes(plan)] for plan in theirs]

    usual = seen("INSERT INTO public.elsewhere VALUES (1)")
    equal(sorted({kind for plan in usual for kind, _ in plan} & {"Seq Scan", "Hash Join", "Bitmap Heap Scan"}),
          ["Bitmap Heap Scan", "Hash Join", "Seq Scan"], "what the extension's own plans do without")  # fmt: skip
    equal(seen("SELECT sendgate.reserve('a', 'message', 'somebody')"), usual, "plans of the trigger")


def test_no_call_meets_more_rows_than_it_wants(env):
    """Where there is much of everything, and analysed: what is read is what is asked for."""
    prepare(env)
    env.psql(f"{FROZEN}; {MUCH}")
    env.psql("VACUUM ANALYZE")
    wasteful = []
    with planned(env, analyze=True) as (session, plans):
        call_everything(session)
        for size, action in ((1000, None), (10, "message")):
            handed = session.execute("SELECT count(*) FROM sendgate.dispatch(%s, %s)", (size, action)).fetchone()
            equal(handed, (size,), "slots")
    for plan in plans:
        for node in nodes(plan["Plan"]) if is_ours(plan["Query Text"]) else ():
            # prune reads by place in the table: each page once a sweep.
            if is_large(node) and node["Node Type"].startswith(("Index", "Bitmap", "Seq")) and too_many(node):
                wasteful.append(f"{wasted(node)} in {plan['Query Text']}")
    for statement in SWEEPS[:-1]:
        met = [sum(map(rows_met, nodes(plan["Plan"]))) for plan in plans if statement in plan["Query Text"]]
        assert max(met) > 0, f"a batch met no row by {statement}"
        assert max(met) < SWEEP_ROWS_MAX, f"a batch met {max(met)} rows by {statement}"
    wasteful = sorted({text for text in wasteful if not any(known in text for known in WASTEFUL)})
    assert not wasteful, f"{len(wasteful)} wasteful scans:\n" + "\n".join(wasteful)


def rows_met(node: dict) -> float:
    """By a scan of a table, those too that it passed over."""
    if "Relation Name" not in node or "Scan" not in node["Node Type"]:
        return 0
    of_a_loop = sum(node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter"))
    return of_a_loop * node["Actual Loops"]


def too_many(node: dict) -> bool:
    """Whether a scan reads many more pages than it has rows, each time that it runs."""
    times = node["Actual Loops"]
    pages = node["Shared Hit Blocks"] + node["Shared Read Blocks"]
    return times > 0 and pages / times > PAGES_A_SCAN + PAGES_A_ROW * node["Actual Rows"]


def wasted(node: dict) -> str:
    conditions = (node.get("Index Cond"), "filter", node.get("Filter"))
    return f"{node['Node Type']} {node.get('Index Name')} {conditions}: {node['Actual Rows']} rows"


@contextmanager
def planned(env, analyze: bool = False):
    """A session and the plans of all that it does, also inside of functions."""
    plans: list[dict] = []
    with env.connect() as session:
        session.add_notice_handler(lambda notice: plans.extend(plan_in(notice.message_primary)))
        session.execute("LOAD 'auto_explain'")
        for name, value in {
            "log_min_duration": "0", "log_nested_statements": "on", "log_level": "notice", "log_format": "json",
            "log_analyze": analyze, "log_buffers": analyze, "log_timing": False,
        }.items():  # fmt: skip
            session.execute(f"SET auto_explain.{name} = '{value}'")
        session.execute(FROZEN)
        yield session, plans


def look(env) -> list[str]:
    """What is wrong with the plans of a session that calls every function."""
    with planned(env) as (session, plans):
        call_everything(session)
        session.execute("BEGIN")
        for sql in MORE:
            session.execute(sql)
        session.execute("ROLLBACK")
    ours = [plan for plan in plans if is_ours(plan["Query Text"])]
    assert len(ours) > PLANS_MIN, f"only {len(ours)} statements"
    for statement in SWEEPS:
        assert any(statement in plan["Query Text"] for plan in ours), f"{statement} did not run"
    by_place = [
        node["Relation Name"] for plan in ours for node in nodes(plan["Plan"]) if node["Node Type"] == "Tid Range Scan"
    ]
    assert "send_operations" in by_place, "prune does not read each page once a sweep"
    for part, index in BY_INDEX.items():
        used = [node.get("Index Name") for plan in ours if part in plan["Query Text"] for node in nodes(plan["Plan"])]
        assert {*used} == {index, None}, f"{part} is read by {used}"
    return [
        f"{fault} in {plan['Query Text']}"
        for plan in ours
        if not any(known in plan["Query Text"] for known in KNOWN)
        for fault in faults(plan["Plan"], False)
    ]


def call_everything(session) -> None:
    """Each function once, and taken back."""
    session.execute("BEGIN")
    for name, call in CALLS.items():
        if name == "tick":  # which commits; the jobs are called one by one
            continue
        session.execute("SAVEPOINT before")
        for sql in (call.before, call.sql):
            if sql:
                session.execute(sql)
        session.execute("ROLLBACK TO before")
    session.execute("COMMIT")


def is_ours(sql: str) -> bool:
    """The extension's statements name every operator's schema."""
    return "OPERATOR(pg_catalog." in sql


def plan_in(notice: str) -> Iterator[dict]:
    if "plan:\n" in notice:
        yield json.loads(notice[notice.index("{") :])


def nodes(plan: dict) -> Iterator[dict]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def faults(node: dict, limited: bool) -> Iterator[str]:
    """Nodes that take the longer the more rows there are, though what is asked for is not more."""
    kind = node["Node Type"]
    if (kind == "Materialize" or "Join Filter" in node) and any(is_large(below) for below in nodes(node)):
        yield f"{kind} {node.get('Join Filter', '')}"
    if kind == "Seq Scan" and is_large(node):
        yield f"Seq Scan on {node['Relation Name']}"
    # A walk that ends early does so only if most of what it meets is wanted.
    ends = limited and "Filter" not in node
    if "Index Name" in node and "Index Cond" not in node and is_large(node) and not ends:
        yield f"all of {node['Index Name']}"
    for child in node.get("Plans", ()):
        yield from faults(child, kind == "Limit" or (limited and kind in ("LockRows", "Subquery Scan")))


def is_large(node: dict) -> bool:
    """A scan of a bitmap's index names the index alone."""
    return node.get("Relation Name") in LARGE or node.get("Index Name", "").startswith(tuple(LARGE))
