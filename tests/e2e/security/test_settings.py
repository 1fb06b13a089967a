"""Settings are a superuser's: ordinary users cannot change them, by no way round."""

import contextlib

from e2e.support import equal, login, operation, provision, wait_for

FROZEN = "2001-02-03 04:05:06+00"
# A value for each that would have an effect, if it were believed.
# Numbers of things, and percents, for which PostgreSQL has no unit.
COUNTS = {"sendgate.failure_limit", "sendgate.attempt_percent", "sendgate.outage_accounts"}
SUPERUSERS = {
    "sendgate.now": FROZEN,
    "sendgate.clock_offset": "9000 days",
    "sendgate.operation_ttl": "1s",
    "sendgate.prospect_cooldown": "0",
    "sendgate.rate_limit_cooldown": "1s",
    "sendgate.lock_timeout": "1ms",
    "sendgate.copy_check": "off",
}
TIME = "SELECT abs(extract(epoch FROM sendgate.clock() - clock_timestamp())) < 600"


def test_ordinary_users_cannot_set_them(env):
    import psycopg

    provision(env)
    user = login(env, "settings_app", "sendgate_sender", "sendgate_operator", "sendgate_daemon")
    connection = env.connect(user=user)
    connection.execute("SELECT sendgate.clock()")
    for name, value in SUPERUSERS.items():
        for statement in (f"SET {name} = '{value}'", f"SELECT set_config('{name}', '{value}', true)"):
            try:
                connection.execute(statement)
                raise AssertionError(f"{statement} went through")
            except psycopg.errors.InsufficientPrivilege:
                pass
    try:
        connection.execute("SET sendgate.test_clock = on")
        raise AssertionError("test_clock was set in a session")
    except psycopg.errors.CantChangeRuntimeParam:
        pass
    unimpressed(env, connection)


def test_a_placeholder_made_before_the_library_is_loaded_has_no_effect(env):
    provision(env)
    user = login(env, "settings_early", "sendgate_sender")
    connection = env.connect(user=user)
    for name, value in SUPERUSERS.items():
        connection.execute(f"SET {name} = '{value}'")
    unimpressed(env, connection)
    local = env.connect(user=user, autocommit=False)
    for name, value in SUPERUSERS.items():
        local.execute(f"SET LOCAL {name} = '{value}'")
    unimpressed(env, local)


def test_options_of_the_connection_have_no_effect(env):
    provision(env)
    user = login(env, "settings_options", "sendgate_sender")
    options = " ".join(
        f"-c {name}={value}".replace(" ", "\\ ").replace("-c\\ ", "-c ") for name, value in SUPERUSERS.items()
    )
    unimpressed(env, env.connect(user=user, options=options))


def test_a_users_own_role_setting_has_no_effect(env):
    """Whether PostgreSQL lets it be stored or not."""
    import psycopg

    provision(env)
    user = login(env, "settings_role", "sendgate_sender")
    for name, value in SUPERUSERS.items():
        connection = env.connect(user=user)
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"ALTER ROLE {user} SET {name} = '{value}'")
    unimpressed(env, env.connect(user=user))


def test_the_test_clock_needs_the_configuration_file(env):
    """Without sendgate.test_clock not even a superuser moves the clock."""
    import psycopg

    connection = env.connect()
    connection.execute(f"SET sendgate.now = '{FROZEN}'")
    equal(connection.execute(TIME).fetchone()[0], False, "the real time, with the test clock")
    early = env.connect()
    early.execute(f"SET sendgate.now = '{FROZEN}'")
    equal(early.execute(TIME).fetchone()[0], False, "the real time, set before the library")
    env.cluster.configure(sendgate__test_clock="off")
    wait_for(lambda: connection.execute(TIME).fetchone()[0], "the test clock to be off")
    connection.execute(f"SET sendgate.now = '{FROZEN}'")
    connection.execute("SET sendgate.clock_offset = '9 days'")
    equal(connection.execute(TIME).fetchone()[0], True, "the real time, without the test clock")
    try:
        connection.execute("SET sendgate.test_clock = on")
        raise AssertionError("test_clock was set in a session")
    except psycopg.errors.CantChangeRuntimeParam:
        pass


def test_the_clock_offset_in_the_configuration_is_for_everybody(env):
    """A running clock, ahead for sessions that were there before and for new ones."""
    user = login(env, "settings_clock", "sendgate_sender")
    ahead = (
        "SELECT sendgate.clock() - clock_timestamp() BETWEEN interval '8 days 23 hours' AND interval '9 days 1 hour'"
    )
    warm = env.connect(user=user)
    equal(warm.execute(ahead).fetchone()[0], False, "ahead")
    env.cluster.configure(sendgate__clock_offset="9 days")
    wait_for(lambda: warm.execute(ahead).fetchone()[0], "the offset to be read")
    equal(env.connect(user=user).execute(ahead).fetchone()[0], True, "ahead in a new session")


def test_every_setting_has_its_unit_its_limits_and_its_context(env):
    found = (
        env.connect()
        .execute(
            """SELECT s.name, s.context, s.vartype, s.unit, s.min_val IS NOT NULL, s.max_val IS NOT NULL
           FROM (SELECT sendgate.clock()) loaded
           CROSS JOIN LATERAL (SELECT * FROM pg_settings WHERE name LIKE 'sendgate.%') s"""
        )
        .fetchall()
    )
    settings = {row[0]: row[1:] for row in found}
    assert settings, "the library defines no settings"
    for name, (context, kind, unit, minimum, maximum) in settings.items():
        expected = {"sendgate.test_clock": "sighup", "sendgate.actor": "user", "sendgate.in_transaction": "user"}
        equal(context, expected.get(name, "superuser"), f"context of {name}")
        if kind == "integer":
            assert minimum and maximum, f"{name} lacks a limit"
            assert unit or name in COUNTS, f"{name} lacks a unit"
    assert set(SUPERUSERS) < set(settings), settings
    connection = env.connect()
    connection.execute("SELECT sendgate.clock()")
    for name, wrong in (
        ("sendgate.operation_ttl", "0"),
        ("sendgate.prospect_cooldown", "-1s"),
        ("sendgate.lock_timeout", "0"),
        ("sendgate.lock_timeout", "1d"),
        ("sendgate.now", "yesterday"),
        ("sendgate.clock_offset", "soon"),
        ("sendgate.unknown", "1"),
    ):
        try:
            connection.execute(f"SET {name} = '{wrong}'")
            raise AssertionError(f"{name} = {wrong} was accepted")
        except Exception as error:
            assert getattr(error, "sqlstate", None), repr(error)


def test_the_actor_is_believed_only_from_the_daemon(env):
    """For all other users the log names the connected user, superusers and operators included."""
    provision(env)
    daemon = login(env, "settings_daemon", "sendgate_daemon")
    operator = login(env, "settings_operator", "sendgate_operator")
    both = login(env, "settings_indirect", daemon, "sendgate_operator")
    for user, expected in (
        (daemon, "alice"),
        (both, "alice"),
        (operator, operator),
        ("postgres", "postgres"),
    ):
        connection = env.connect(user=user)
        connection.execute("SET sendgate.actor = 'alice'")
        equal(actor(env, connection, user), expected, f"actor of {user}")
    # SET ROLE does not change the actor: it is the user who connected.
    connection = env.connect()
    connection.execute("SET sendgate.actor = 'alice'; SET ROLE sendgate_daemon")
    equal(actor(env, connection, "set role"), "postgres", "actor of a superuser in the daemon's role")
    connection = env.connect(user=daemon)
    equal(actor(env, connection, "none named"), daemon, "actor of the daemon that names no one")
    connection.execute("SET sendgate.actor = '  '")
    equal(actor(env, connection, "blank"), daemon, "actor of the daemon that names a blank")


def actor(env, connection, note: str) -> str:
    """Do something and look who did it."""
    connection.execute("SELECT sendgate.set_status('a', 'connected', %s)", (note,))
    return env.psql(f"SELECT actor FROM sendgate.admin_log WHERE note = '{note}'")


def unimpressed(env, connection) -> None:
    """A session whose clock is the real one, and whose TTL and cooldowns are the defaults."""
    env.psql("TRUNCATE sendgate.send_operations")
    equal(connection.execute(TIME).fetchone()[0], True, "the real time")
    found = connection.execute(
        """SELECT extract(epoch FROM expires_at - clock_timestamp()) BETWEEN 300 AND 901
           FROM sendgate.reserve('a', 'inmail', 'p1', NULL, %s)""",
        (operation(1),),
    ).fetchone()
    equal(found, (True,), "the operation's TTL is 15 minutes")
    connection.execute("SELECT sendgate.confirm('a', %s, 'chat')", (operation(1),))
    reason = connection.execute("SELECT reason FROM sendgate.reserve('a', 'inmail', 'p1')").fetchone()
    equal(reason, ("prospect_cooldown",), "a second send to the prospect")
    connection.rollback()
    connection.close()
    # append-only, and kept for the next time with the same operation id
    env.psql(
        """ALTER TABLE sendgate.linkedin_events DISABLE TRIGGER append_only_truncate;
        TRUNCATE sendgate.linkedin_events;
        ALTER TABLE sendgate.linkedin_events ENABLE ALWAYS TRIGGER append_only_truncate"""
    )
