"""Upgrades: from each release, with its data, to the catalog of a fresh installation; and a library
under SQL of another version, which refuses.

Before the first release there is one that never was (`upgrade/earlier.py`), which differs in one thing
of every kind; with it the comparison itself is tested.
"""

import json
import re
import shutil
import tempfile
from pathlib import Path

from e2e.support import at_once, equal, login, wait_until_blocked
from harness.build import default_version
from harness.cluster import Cluster
from upgrade import catalog, earlier, release, releases, stock

# Everything that decides or writes refuses under SQL of another version.
VERBS = (
    "SELECT sendgate.reserve('a', 'inmail', 'p99')",
    "SELECT sendgate.preview('a', 'inmail')",
    f"SELECT sendgate.confirm('a', '{stock.operation(1)}', 'chat')",
    f"SELECT sendgate.rollback('a', '{stock.operation(1)}')",
    "SELECT sendgate.dispatch(1)",
    "SELECT sendgate.breaker_check('a')",
    "SELECT sendgate.resume_all()",
    "SELECT sendgate.set_cap('a', 'inmail', 10)",
    "SELECT sendgate.audit_events()",
    "SELECT sendgate.begin_run('prune')",
    "SELECT sendgate.take_breaker_lines(1)",
    "INSERT INTO sendgate.linkedin_events (event_type, account_id, prospect_id, occurred_at)"
    f" VALUES ('invite_sent', 'a', 'p99', '{stock.NOW}')",
)
# Calls that reach their accounts each in another way.
WAITING = (
    "SELECT sendgate.reserve('a', 'profile_view', 'p77')",
    f"SELECT sendgate.confirm('a', '{stock.operation(1)}', 'chat')",
    "SELECT sendgate.dispatch(10)",
    "SELECT sendgate.enqueue('later', 'p77', 'a', 'message')",
    "SELECT sendgate.switch_action('k1', 'profile_view', 'message')",
    f"SELECT sendgate.confirm_many(ARRAY['a'], ARRAY['{stock.operation(1)}']::uuid[], ARRAY['chat'])",
    f"SELECT sendgate.rollback_many(ARRAY['a'], ARRAY['{stock.operation(1)}']::uuid[])",
    "SELECT sendgate.upsert_account('later', 'recruiter')",
    "SELECT sendgate.set_cap('a', 'invite', 1)",
    "SELECT sendgate.audit_events()",
    "SELECT sendgate.reconcile_operations()",
    "SELECT sendgate.midnight_reset()",
    "SELECT sendgate.prune('60 days', '400 days')",
    "SELECT sendgate.breaker_check('a')",
    "SELECT sendgate.cancel('k1', 'p23')",
)
VIEWS = """
SELECT c.relname FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'sendgate'::pg_catalog.regnamespace AND c.relkind = 'v' ORDER BY 1"""
UPDATE = "ALTER EXTENSION sendgate UPDATE"
LATER = "99.0.0"


def test_versions_agree(env):
    """One version in every file that names it, and a path of scripts to it from each release."""
    named = {
        "Cargo.toml": re.findall(r'^version = "(.+)"', (env.repo / "Cargo.toml").read_text(), re.MULTILINE),
        "META.json": re.findall(r'"version": "(.+)"', (env.repo / "META.json").read_text())[:2],
    }
    for file, versions in named.items():
        equal(set(versions), {default_version()}, f"versions in {file}")
    for old in releases.released():
        assert old.version != default_version(), f"{old.version} is released: begin the next, make release"
        with releases.placed(env.install, old):
            path = env.psql(
                "SELECT path FROM pg_extension_update_paths('sendgate')"
                f" WHERE source = '{old.version}' AND target = '{default_version()}'"
            )
        assert path, f"no upgrade scripts from {old.version} to {default_version()}"


def test_the_next_version_is_begun_everywhere(env):
    """The command that begins a version finds every file that names the one before."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for file in ("Cargo.toml", "Cargo.lock", "META.json", "extension/sendgate.control"):
            (root / file).parent.mkdir(exist_ok=True)
            shutil.copyfile(env.repo / file, root / file)
        (root / "sql").mkdir()
        written = release.begin(root, default_version(), LATER)
        for path in written[:-1]:
            assert LATER in path.read_text(), f"{path} does not name {LATER}"
        equal(written[-1].read_text(), releases.HEAD, "the new upgrade script")
        named = re.findall(r'name = "(sendgate.*)"\nversion = "(.+)"', (root / "Cargo.lock").read_text())
        equal({version for _, version in named}, {LATER}, f"versions in Cargo.lock: {named}")


def test_each_release_upgrades_with_its_data(env):
    """To the same catalog, the same rows, and a gate that goes on; its old backups can be restored."""
    stock.fill(env.connect())
    sample = stock.data(env.connect(), earlier.LATER_COLUMNS)
    fresh = catalog.facts(env.connect())
    with Cluster(env.install, conf=env.cluster.conf, in_memory=True) as server:
        for old in (earlier.release(data=sample), *releases.released()):
            name = "from_" + old.version.replace(".", "_")
            with releases.placed(env.install, old):
                server.psql(f"CREATE DATABASE {name}")
                server.psql(f"CREATE EXTENSION sendgate VERSION '{old.version}'", name)
                server.psql(old.data, name)
                upgrade(server, name, old.version)
            connection = connect(env, server, name)
            told = catalog.differences(catalog.facts(connection), fresh)
            equal(told, [], f"catalog upgraded from {old.version}, against a fresh one")
            stock.goes_on(connection)
            check_backups(env, connection, old)


def upgrade(server: Cluster, name: str, version: str) -> None:
    """Upgrade, with users' rows as before; a session that was refused is told and goes on."""
    warm = connect(None, server, name)
    for verb in VERBS:
        refused(warm, verb, UPDATE)
    for (view,) in warm.execute(VIEWS).fetchall():
        warm.execute(f"SELECT * FROM sendgate.{view}", prepare=False)
    before = {table: stock.rows(warm, table) for table in stock.tables(warm)}
    server.psql(UPDATE, name)
    for table, rows in before.items():
        if table not in stock.SHIPPED:
            after = stock.rows(warm, table)
            kept = [{column: row[column] for column in rows[0] if column in row} for row in after]
            key = lambda row: json.dumps(row, sort_keys=True)  # noqa: E731
            equal(sorted(kept, key=key), sorted(rows, key=key), f"rows of {table} after the upgrade of {version}")
    home = "SELECT count(*), count(*) FILTER (WHERE sendgate.copied_database()) FROM sendgate.home_database"
    # The rows of the release that never was come from another database, and say so.
    elsewhere = int("home_database" in before)
    equal(warm.execute(home).fetchone(), (1, elsewhere), f"whose books they are, after the upgrade of {version}")
    if elsewhere:
        warm.execute("SELECT sendgate.adopt_database('upgraded')")
    warm.execute(f"SET sendgate.now = '{stock.NOW}'")
    answer = warm.execute("SELECT reason FROM sendgate.preview('a', 'inmail')").fetchone()
    equal(answer, ("paused_by_operator",), "a session from before the upgrade")
    warm.close()


def check_backups(env, upgraded, old: releases.Release) -> None:
    """A backup of the upgraded database holds everything; one of the release can be restored now."""
    again = env.fresh_database()
    env.psql(stock.data(upgraded), again)
    for table in stock.tables(upgraded):
        if table not in stock.SHIPPED:
            restored = stock.rows(env.connect(again), table)
            equal(restored, stock.rows(upgraded, table), f"restored rows of {table}")
    newer = env.fresh_database()
    env.psql(old.data, newer)
    # A backup of a release that knew it brings the database from which it is.
    env.psql("SELECT sendgate.adopt_database('restored')", newer)
    stock.goes_on(env.connect(newer))


def test_an_older_library_refuses_newer_sql(env):
    """A session that loaded its library before the upgrade knows nothing of the new rules."""
    stock.fill(env.connect())
    env.psql("SELECT sendgate.resume_all()")
    warm = env.connect()
    warm.execute(f"LOAD 'sendgate'; SET sendgate.now = '{stock.NOW}'", prepare=False)
    for _ in range(3):
        warm.execute("SELECT sendgate.preview('a', 'message')")
        warm.execute("SELECT sendgate.reserve('a', 'profile_view', 'p1')")
    with later(env):
        # An upgrade that is aborted changes nothing for any session, this one included.
        with env.connect(autocommit=False) as undone:
            undone.execute(f"{UPDATE} TO '{LATER}'")
            refused(undone, VERBS[1], "Install the library")
        warm.execute("SELECT sendgate.preview('a', 'message')")
        env.psql(f"{UPDATE} TO '{LATER}'")
        for session in (warm, env.connect()):
            for verb in VERBS:
                refused(session, verb, "Install the library of that version and connect anew")
            for (view,) in session.execute(VIEWS).fetchall():
                session.execute(f"SELECT * FROM sendgate.{view}", prepare=False)
        sender = env.connect(user=login(env, "upgrade_sender", "sendgate_sender"))
        refused(sender, VERBS[0], "Install the library")


def test_who_waits_for_an_upgrade_is_refused_after_it(env):
    """The version is looked at under the table's lock: no grant by the rules of before, and no other change."""
    stock.fill(env.connect())
    env.psql("SELECT sendgate.resume_all()")
    env.psql(f"ALTER DATABASE {env.dbname} SET sendgate.lock_timeout = '5min'")
    workers, upgrading = [env.connect() for _ in WAITING], env.connect(autocommit=False)
    for worker in workers:
        worker.execute(f"SET sendgate.now = '{stock.NOW}'")
        worker.execute("SELECT sendgate.preview('a', 'message')")
    before = {table: stock.rows(upgrading, table) for table in stock.tables(upgrading)}
    upgrading.commit()

    def work(number: int) -> None:
        if number < len(WAITING):
            refused(workers[number], WAITING[number], "Install the library")
            return
        try:
            for worker in workers:
                wait_until_blocked(env, worker.info.backend_pid)
        finally:
            upgrading.commit()

    with later(env):
        upgrading.execute(f"{UPDATE} TO '{LATER}'")
        at_once(len(WAITING) + 1, work)
    for table, rows in before.items():
        equal(stock.rows(upgrading, table), rows, f"rows of {table}")


def test_an_upgrade_and_a_sweep_do_not_wait_for_each_other(env):
    """The upgrade waits for a session that reads accounts; the sweep begins meanwhile."""
    stock.fill(env.connect())
    reader, sweeper, upgrading = env.connect(autocommit=False), env.connect(), env.connect()
    for connection in (sweeper, upgrading):
        connection.execute("SELECT sendgate.clock()")
    reader.execute("SELECT count(*) FROM sendgate.accounts")

    def work(number: int) -> None:
        if number == 0:
            upgrading.execute(f"{UPDATE} TO '{LATER}'")
        elif number == 1:
            wait_until_blocked(env, upgrading.info.backend_pid)
            refused(sweeper, "SELECT sendgate.reconcile_operations()", "Install the library")
        else:
            wait_until_blocked(env, sweeper.info.backend_pid)
            reader.commit()

    with later(env, "ALTER TABLE sendgate.jobs ADD COLUMN later integer"):
        at_once(3, work)


def later(env, change: str = ""):
    """A version after the one at hand, whose SQL differs in its number, and in nothing or little else."""
    delta = {f"{default_version()}--{LATER}": f"{releases.HEAD}{change};"}
    return releases.placed(env.install, releases.Release(LATER, "", "", delta))


def refused(connection, sql: str, hint: str) -> None:
    """The call fails with 55000 and says what to do."""
    try:
        connection.execute(sql)
    except Exception as error:
        equal(getattr(error, "sqlstate", None), "55000", f"SQLSTATE of {sql}: {error}")
        found = error.diag.message_hint or ""
        assert hint in found, f"hint of {sql}: {found!r}"
        assert "version" in error.diag.message_primary, error.diag.message_primary
        return
    raise AssertionError(f"{sql} went through under SQL of another version")


def connect(env, server: Cluster, name: str):
    """A superuser's connection to a database of another server, closed with the server."""
    import psycopg

    connection = psycopg.connect(server.dsn(name), autocommit=True)
    if env is not None:
        env._connections.append(connection)
    return connection
