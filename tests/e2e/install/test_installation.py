"""Installing where another user planted roles or a schema; dropping and creating while others work."""

import re

from e2e.support import ROLES, books, equal, operation, provision
from harness.cluster import Cluster

OURS = ("sendgate_owner", *ROLES)


def test_cargo_pgrx_joins_the_same_files(env):
    """The list for `cargo pgrx install` names every file of sql/, in the order of the build's."""
    listed = re.findall(r'"\.\./\.\./sql/([^"]+)"', (env.repo / "extension/src/install_script.rs").read_text())
    equal(listed, sorted(file.name for file in (env.repo / "sql").glob("[0-9][0-9]_*.sql")), "files")
    # It copies upgrade scripts from the crate's own folder and from nowhere else.
    equal((env.repo / "extension/sql").resolve(), (env.repo / "sql").resolve(), "the link for upgrade scripts")


def test_planted_roles_stop_the_installation(env):
    """A role that another user controls would give that user the rights that sendgate grants to it."""
    with Cluster(env.install, conf=env.cluster.conf, in_memory=True) as server:
        for role in OURS:
            for attribute in ("LOGIN", "SUPERUSER"):
                refused(server, f"CREATE ROLE {role} {attribute}", role)
            refused(
                server,
                f"CREATE ROLE {role}; CREATE ROLE planter; GRANT {role} TO planter WITH ADMIN OPTION",
                role,
            )
        refused(
            server,
            "CREATE ROLE sendgate_owner; CREATE ROLE planter; GRANT sendgate_owner TO planter",
            "sendgate_owner",
        )
        # A role as sendgate would have created it is accepted.
        server.psql("; ".join(f"CREATE ROLE {role} NOLOGIN" for role in OURS))
        server.psql("CREATE EXTENSION sendgate")
        equal(server.psql("SELECT count(*) FROM sendgate.tiers"), "30", "tiers")


def test_a_planted_schema_stops_the_installation(env):
    """The owner of the schema could drop the tables in it."""
    with Cluster(env.install, conf=env.cluster.conf, in_memory=True) as server:
        server.psql("CREATE ROLE planter LOGIN; CREATE SCHEMA sendgate AUTHORIZATION planter")
        message = failure(server, "CREATE EXTENSION sendgate")
        assert "sendgate" in message and "exists" in message, message
        owner = "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'sendgate'"
        equal(server.psql(owner), "planter", "the schema's owner")
        server.psql("DROP SCHEMA sendgate")
        server.psql("CREATE EXTENSION sendgate")
        equal(server.psql(owner), "sendgate_owner", "the schema's owner")


def test_only_a_superuser_installs(env):
    database = env.fresh_database(extension=False)
    env.psql(f'CREATE ROLE install_owner LOGIN; ALTER DATABASE "{database}" OWNER TO install_owner')
    connection = env.connect(database, user="install_owner")
    try:
        connection.execute("CREATE EXTENSION sendgate")
        raise AssertionError("the database's owner installed the extension")
    except Exception as error:
        equal(getattr(error, "sqlstate", None), "42501", "SQLSTATE")
    env.psql(f'ALTER DATABASE "{database}" OWNER TO postgres')


def test_a_session_survives_drop_and_create(env):
    """Cached plans, types and configuration of a warm session are those of the new extension."""
    provision(env, inmail=5)
    warm = env.connect()
    warm.prepare_threshold = 0
    everything(warm, 1)
    env.psql("SELECT sendgate.set_tier_cap('sales_navigator', 'invite', 3)")
    everything(warm, 4)
    for round_ in (1, 2):
        env.psql("DROP EXTENSION sendgate; CREATE EXTENSION sendgate")
        provision(env, inmail=7 + round_)
        equal(everything(warm, 1), (1, 7 + round_), "sent today and cap, after creating it anew")
        preview = "SELECT daily_cap FROM sendgate.preview('a', 'invite')"
        equal(warm.execute(preview).fetchone(), (25,), "the shipped cap")
        equal(books(env)["counter"], 2, "counter")
        everything(warm, 4)


def test_a_session_of_a_dropped_extension_says_so(env):
    """And goes on once it is there again, without the functions having been called meanwhile."""
    provision(env)
    warm = env.connect()
    everything(warm, 1)
    env.psql("DROP EXTENSION sendgate")
    try:
        warm.execute("SELECT sendgate.reserve('a', 'inmail', 'p')")
        raise AssertionError("reserve went through without the extension")
    except Exception as error:
        assert getattr(error, "sqlstate", "")[:2] in ("3F", "42"), repr(error)
    env.psql("CREATE EXTENSION sendgate")
    provision(env)
    everything(warm, 1)


def test_dropping_leaves_nothing_but_the_roles(env):
    """Schema, tables, functions and types go; roles are shared with other databases and stay."""
    provision(env)
    env.psql("DROP EXTENSION sendgate")
    equal(env.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'sendgate'"), "0", "schemas")
    roles = env.psql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'sendgate%'")
    equal(roles, str(len(OURS)), "roles")


def everything(connection, first: int) -> tuple:
    """Each verb once, in one session; sent_today and daily_cap of the first grant."""
    reserve = "SELECT proceed, sent_today, daily_cap FROM sendgate.reserve('a', 'inmail', %s, NULL, %s)"
    answers = [connection.execute(reserve, (f"p{n}", operation(n))).fetchone() for n in range(first, first + 3)]
    assert all(answer[0] for answer in answers[:2]), answers
    connection.execute("SELECT sendgate.confirm('a', %s, 'chat')", (operation(first),))
    connection.execute("SELECT sendgate.rollback('a', %s, 'blocked')", (operation(first + 2),))
    connection.execute("SELECT * FROM sendgate.preview('a', 'inmail', 'p')").fetchone()
    connection.execute("SELECT * FROM sendgate.breaker_check('a')").fetchone()
    # Not prepared: PostgreSQL itself refuses a prepared SELECT * whose columns changed their type.
    connection.execute("SELECT * FROM sendgate.account_cards", prepare=False).fetchall()
    connection.execute("SELECT sendgate.set_status('a', 'connected', 'same')")
    return answers[0][1:]


def refused(server: Cluster, planting: str, role: str) -> None:
    """The installation fails, names the role, says what to do, and leaves nothing behind."""
    server.psql(planting)
    ours = "SELECT rolname FROM pg_roles WHERE rolname ~ '^(sendgate_|planter)' ORDER BY 1"
    planted = server.psql(ours)
    message = failure(server, "CREATE EXTENSION sendgate")
    assert f'role "{role}"' in message and "HINT" in message, f"{planting}: {message}"
    equal(server.psql(ours), planted, "roles after the failure")
    equal(server.psql("SELECT count(*) FROM pg_extension WHERE extname = 'sendgate'"), "0", planting)
    server.psql("; ".join(f"DROP ROLE {name}" for name in planted.split()))


def failure(server: Cluster, sql: str) -> str:
    """What psql says about SQL that must fail."""
    from harness.progress import CommandFailed

    try:
        server.psql(sql)
    except CommandFailed as error:
        return str(error)
    raise AssertionError(f"{sql} went through")
