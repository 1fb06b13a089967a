"""The commands of docs/scaling.md, as they stand there: the set-up from bare servers, and PgBouncer between proxy and partitions."""

import re
import subprocess
import tempfile
from pathlib import Path

import psycopg

from e2e.durability.test_logical_replication import block
from e2e.proxy.test_proxy_calls import count, reserve, value
from e2e.support import equal, login, operation
from e2e.support.partitions import COUNT, accounts_of, place
from e2e.support.pool import SERVERS, pool
from e2e.support.proxy_crowd import WORKERS, caps_are_exact
from harness import build

NEWEST_ONLY = True
TIMEOUT_SECONDS = 1200

CAP = 5


def test_the_set_up_from_bare_servers(env, proxies):
    """`db1` and `db2` are the test's server, `edge` is the proxies'."""
    section = text_of("Set up, from three bare servers")
    on_db, on_edge, in_the_end = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    env._databases += ["p0", "p1", "p2", "p3"]
    shell(env.cluster, on_db)
    # The same on the other server, whose roles are these.
    shell(env.cluster, on_db.split("psql <<")[0].replace("p0 p1", "p2 p3"))
    with tempfile.TemporaryDirectory() as directory:
        address = f"@{env.cluster.host}:{env.cluster.port}/"
        edge = f"@{proxies.host}:{proxies.port}/"

        def as_here(text: str) -> str:
            for host in ("db1", "db2"):
                text = text.replace(f"@{host}/", address)
            return text.replace("@edge/", edge).replace("/etc/sendgate/", f"{directory}/")

        try:
            shell(proxies, as_here(on_edge), directory)
            for name in ("p0", "p1", "p2", "p3"):
                env.psql("CALL sendgate.tick()", name)
            said = shell(proxies, as_here(in_the_end), directory, fails=True)
            assert "BAD" not in said.split("\nproxy ")[1], said
            home = f"p{of_the_page()('acc-1', COUNT)}"
            equal(env.psql("SELECT id FROM sendgate.linkedin_accounts", home), "acc-1", "the account's partition")
            with psycopg.connect(proxies.dsn("app", "app_worker"), autocommit=True) as worker:
                equal(reserve(worker, "acc-1", "message", "p", operation(1))["proceed"], True, "a worker's call")
        finally:
            proxies.psql("DROP DATABASE IF EXISTS app WITH (FORCE); DROP ROLE IF EXISTS app_worker, sendgated")


def test_a_pooler_between_proxy_and_partitions(parts):
    section = text_of("Pooling")
    logins = re.findall(r"CREATE ROLE (\w+) LOGIN", block("logins", "scaling.md"))
    for name in logins:
        roles = re.search(rf"GRANT (.*) TO {name};", section)[1].split(", ")
        login(parts.env, name, *roles)
    settings = re.search(r"```ini\n(.*?)```", section, re.DOTALL)[1].replace("pool_mode = transaction\n", "")
    change, mapping = re.search(r"```sh\n(sed .*?)\n(psql .*?)```", section, re.DOTALL).groups()
    with pool(parts.env, logins[0], tuple(logins[1:]), settings) as dsn, tempfile.TemporaryDirectory() as directory:
        port = re.search(r"port=(\d+)", dsn)[1]
        script = parts.script()
        proxy = parts.proxy(script)
        Path(directory, "proxy.sql").write_text(script)
        change = change.replace("''5432''", f"''{parts.env.cluster.port}''").replace("''6432''", f"''{port}''")
        shell(parts.proxies, f"{change}\n{mapping}".replace("-d app", f"-d {proxy}"), directory)
        operator = parts.connect(proxy, parts.login("oda", "sendgate_operator"))
        parts.login("app", "sendgate_sender")
        accounts = [accounts_of(n, 1)[0] for n in range(COUNT)]
        for account in accounts:
            operator.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
            operator.execute("SELECT sendgate.set_cap(%s, 'message', %s)", (account, CAP))
        caps_are_exact(lambda _: parts.connect(proxy, "app"), accounts, CAP, reserve)
        # Fewer connections than workers, each with the rights of its login alone.
        for n in range(COUNT):
            sessions = parts.direct(n).execute(
                "SELECT usename, count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename LIKE 'gateway_%' GROUP BY 1"
            )
            by_login = dict(sessions.fetchall())
            assert 0 < by_login["gateway_sender"] <= SERVERS < WORKERS, by_login
        equal(value(operator, "SELECT count(*) FROM sendgate.linkedin_accounts"), COUNT, "the view over all")
        equal(len(operator.execute("SELECT sendgate.pause_all('stop')").fetchall()), COUNT, "a call to all")
        for n in range(COUNT):
            equal(count(parts, n, "pause_switch"), 1, f"p{n}")
        actors = operator.execute("SELECT DISTINCT actor FROM sendgate.pause_switch").fetchall()
        equal(actors, [("oda",)], "who paused, by its own name")


def of_the_page():
    """The function that an application without a proxy has, as the page writes it; it names the same places."""
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", text_of("Without a proxy"), re.DOTALL)[1], names)
    for account in ("acc-1", "ümlaut", "x" * 128, ""):
        equal(names["place"](account, COUNT), place(account), f"the place of {account!r}")
    return names["place"]


def text_of(section: str) -> str:
    """A section of docs/scaling.md."""
    page = (build.REPO / "docs" / "scaling.md").read_text()
    return page.split(f"## {section}\n")[1].split("\n## ")[0]


def shell(server, commands: str, directory: str | None = None, fails: bool = False) -> str:
    """Run commands as a DBA does on a server; what they print."""
    programs = [str(server.install.program("psql").parent), str(build.build_daemon().parent)]
    environment = server.install.environment(
        {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": "postgres", "PGDATABASE": "postgres"}
    )
    environment["PATH"] = ":".join([*programs, environment.get("PATH", "/usr/bin:/bin")])
    done = subprocess.run(
        ["bash", "-euc", commands],
        env=environment,
        cwd=directory,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert fails or done.returncode == 0, done.stderr
    return done.stdout
