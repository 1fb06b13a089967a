"""Drivers and frameworks that begin a transaction by themselves are told about it, as sendgate.in_transaction says."""

import re

from e2e.support import books, equal, provision
from harness.places import REPO

RESERVE = "SELECT proceed FROM sendgate.reserve('a', 'inmail', '{prospect}')"


def test_psycopg_without_autocommit(env):
    provision(env)
    told = []
    connection = env.connect(autocommit=False)
    connection.add_notice_handler(lambda notice: told.append(notice.sqlstate))
    for prospect in ("p1", "p2"):
        equal(connection.execute(RESERVE.format(prospect=prospect)).fetchone(), (True,), "a grant")
    equal(told, ["SG216"], "told once a session")
    connection.rollback()
    equal(books(env)["journal"], 0, "grants that are remembered")
    connection.execute("SET sendgate.in_transaction = 'refuse'")
    connection.commit()
    equal(refusal(lambda: connection.execute(RESERVE.format(prospect="p3"))), "SG217", "refused")
    connection.rollback()
    connection.autocommit = True
    equal(connection.execute(RESERVE.format(prospect="p3")).fetchone(), (True,), "a grant with autocommit")

    def in_savepoint():
        with connection.transaction(), connection.transaction():
            connection.execute(RESERVE.format(prospect="p4"))

    equal(refusal(in_savepoint), "SG217", "refused in a savepoint")
    equal(books(env)["journal"], 1, "grants that are remembered")


def test_psycopg_with_autocommit_is_told_nothing(env):
    """By the extended protocol, prepared or not, and in a function with an EXCEPTION clause."""
    provision(env)
    env.psql(
        """CREATE FUNCTION public.careful(prospect text) RETURNS boolean LANGUAGE plpgsql AS $$
           BEGIN
               RETURN (sendgate.reserve('a', 'inmail', prospect)).proceed;
           EXCEPTION WHEN division_by_zero THEN
               RETURN false;
           END $$"""
    )
    connection = env.connect()
    connection.execute("SET sendgate.in_transaction = 'refuse'")
    direct = "SELECT proceed FROM sendgate.reserve('a', 'inmail', %s)"
    for number, (sql, prepare) in enumerate(
        [(direct, False), (direct, True), ("SELECT public.careful(%s)", False), ("SELECT public.careful(%s)", True)]
    ):
        found = connection.execute(sql, (f"p{number}",), prepare=prepare).fetchone()
        equal(found, (True,), f"{sql}, prepared: {prepare}")


def test_a_pipeline_is_a_block_after_its_first_statement(env):
    provision(env)
    connection = env.connect()
    connection.execute("SET sendgate.in_transaction = 'refuse'")
    with connection.pipeline():
        found = connection.execute(RESERVE.format(prospect="p1")).fetchone()
        equal(found, (True,), "the first statement of a pipeline")

    def pipeline():
        with connection.pipeline():
            connection.execute("SELECT 1")
            connection.execute(RESERVE.format(prospect="p2"))

    equal(refusal(pipeline), "SG217", "a later statement of a pipeline")


def test_sqlalchemys_session(env):
    import sqlalchemy
    from sqlalchemy.orm import Session

    provision(env)
    told = []
    url = f"postgresql+psycopg://postgres@127.0.0.1:{env.cluster.port}/{env.dbname}"

    def grant(**options):
        """What a session that is closed without a commit was told, and answered."""
        told.clear()
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, **options)

        def listen(connection, _record):
            connection.add_notice_handler(lambda notice: told.append(notice.sqlstate))

        sqlalchemy.event.listen(engine, "connect", listen)
        with Session(engine) as session:
            proceed = session.execute(sqlalchemy.text(RESERVE.format(prospect="p1"))).scalar_one()
        engine.dispose()
        return proceed, list(told)

    equal(grant(), (True, ["SG216"]), "its default")
    equal(books(env)["journal"], 0, "grants that are remembered")
    equal(grant(isolation_level="AUTOCOMMIT"), (True, []), "with AUTOCOMMIT")
    equal(books(env)["journal"], 1, "grants that are remembered")
    env.psql(f"ALTER DATABASE {env.dbname} SET sendgate.in_transaction = 'refuse'")
    equal(refusal(grant), "SG217", "refused")


def test_the_pages_lines_for_sqlalchemy(env):
    """As docs/application.md has them: columns of an answer, by name."""
    import sqlalchemy

    provision(env)
    page = (REPO / "docs/application.md").read_text()
    (lines,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "table_valued" in block)
    url = f"postgresql+psycopg://postgres@127.0.0.1:{env.cluster.port}/{env.dbname}"
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT")
    rows = []
    with engine.connect() as connection:
        for _ in range(2):
            names = {"account": "a", "prospect": "p1", "connection": connection}
            exec(lines, names)
            rows.append((names["row"].proceed, names["row"].reason))
    engine.dispose()
    equal(rows, [(True, None), (False, "operation_in_flight")], "two calls for one prospect")
    equal(books(env)["journal"], 1, "grants that are remembered")


def test_djangos_atomic_block(env):
    """ATOMIC_REQUESTS wraps each view in transaction.atomic; a nested block is a savepoint."""
    import django
    import django.conf
    from django.db import connections, transaction

    provision(env)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": env.cluster.port,
        "NAME": env.dbname,
        "USER": "postgres",
    }
    if not django.conf.settings.configured:
        django.conf.settings.configure(DATABASES={"default": database})
        django.setup()
    connections.databases[env.dbname] = connections.configure_settings({"default": database})["default"]
    connection = connections[env.dbname]
    told = []

    def grant(prospect):
        with connection.cursor() as cursor:
            cursor.execute(RESERVE.format(prospect=prospect))
            return cursor.fetchone()

    def listen():
        connection.close()
        connection.ensure_connection()
        connection.connection.add_notice_handler(lambda notice: told.append(notice.sqlstate))

    try:
        listen()
        equal(grant("p1"), (True,), "outside of a block")
        equal(told, [], "told outside of a block")
        with transaction.atomic(using=env.dbname):
            equal(grant("p2"), (True,), "a grant in a block")
        equal(told, ["SG216"], "told in a block")
        # The first statement of a session, inside a savepoint.
        listen()
        with transaction.atomic(using=env.dbname), transaction.atomic(using=env.dbname):
            equal(grant("p3"), (True,), "a grant in a savepoint")
        equal(told, ["SG216"] * 2, "told in a savepoint")

        def refused():
            with transaction.atomic(using=env.dbname):
                grant("p4")

        with connection.cursor() as cursor:
            cursor.execute("SET sendgate.in_transaction = 'refuse'")
        equal(refusal(refused), "SG217", "refused")
    finally:
        connection.close()


def refusal(call) -> str | None:
    """The SQLSTATE that a call fails with, as the driver has it below the framework's own error."""
    try:
        call()
    except Exception as error:
        while getattr(error, "sqlstate", None) is None and (error.__cause__ or getattr(error, "orig", None)):
            error = error.__cause__ or error.orig
        return getattr(error, "sqlstate", None) or repr(error)
    return None
