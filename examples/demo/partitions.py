"""The same demo with its accounts split over partitions behind a proxy: `make run PARTITIONS=4`."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import debian, postgres
from harness.cluster import Cluster
from harness.postgres import Install
from harness.progress import HarnessError

from .books import Books, Check
from .stage import DAEMON, DATABASE, GRANTS, READER, SETTINGS, Readers, Session, Stage, create_roles
from .terminal import say, step

PROXY_MAJOR = 15
"""The PostgreSQL of the proxy: Debian 12 has PL/Proxy for this one."""
GATEWAY = "demo_gateway"
"""The login of the proxy on the partitions."""
GATEWAY_ROLES = "sendgate_sender, sendgate_operator, sendgate_daemon"
COUNTS = (1, 2, 4, 8, 16)
CONNECTIONS_EACH = 20
"""Of the workers, the demo's own sessions and the daemon, for each partition."""


def wanted() -> int:
    """How many partitions, from the environment; 0 for none."""
    text = os.environ.get("PARTITIONS") or "0"
    if text != "0" and text not in map(str, COUNTS):
        raise HarnessError(f"PARTITIONS is {text!r}; it takes {', '.join(map(str, COUNTS[:-1]))} or {COUNTS[-1]}.")
    return int(text)


def proxy() -> Install:
    """A private PostgreSQL with PL/Proxy out of Debian's packages; nothing is installed."""
    step(f"PostgreSQL {PROXY_MAJOR} with PL/Proxy, for the proxy")
    try:
        install = postgres.unpacked(PROXY_MAJOR)
        debian.plproxy(install)
    except HarnessError as error:
        raise HarnessError(
            f"no PL/Proxy here: postgresql-{PROXY_MAJOR} and postgresql-{PROXY_MAJOR}-plproxy could not be fetched with apt. "
            f"Take a Debian 12 with network (a container will do), or leave PARTITIONS out. The reason: {str(error).splitlines()[0]}"
        ) from error
    return install


@contextmanager
def stage(install: Install, front: Install, program: Path, count: int) -> Iterator[Stage]:
    """A server with the partitions, another one with the proxy, and the demo's roles; gone afterwards."""
    step(f"{count} partitions on one throwaway server, and a proxy before them on another")
    settings = SETTINGS | {"max_connections": SETTINGS["max_connections"] + CONNECTIONS_EACH * count}
    own = {name: value for name, value in SETTINGS.items() if not name.startswith("sendgate.")}
    with Cluster(install, conf=settings) as server, Cluster(front, conf=own) as proxies:
        databases = [f"p{n}" for n in range(count)]
        for name in databases:
            server.fresh_database(name, extension="sendgate")
        create_roles(server, {role: GRANTS[role] for role in (DAEMON, READER)} | {GATEWAY: GATEWAY_ROLES})
        proxies.fresh_database(DATABASE)
        proxies.psql(_script(program, server, databases), DATABASE)
        create_roles(proxies, GRANTS)
        say(f"  partitions {', '.join(databases)} on port {server.port}, the proxy on port {proxies.port}")
        yield Stage(server, proxies, databases)


def _script(program: Path, server: Cluster, databases: list[str]) -> str:
    """What `sendgated proxy-sql` prints."""
    command = [str(program), "proxy-sql", "--proxy-user", GATEWAY]
    for name in databases:
        command += ["--database-url", f"postgres://{DAEMON}@{server.host}:{server.port}/{name}"]
    done = subprocess.run(command, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise HarnessError(f"sendgated proxy-sql said:\n{done.stderr}")
    return done.stdout


def judge(books: Readers, admin: Session, reader: Session) -> list[Check]:
    """What is said of partitions and proxy, beside the verdict of every demo."""
    return [_where_calls_go(books, admin), _same_through_the_proxy(books, reader)]


def _where_calls_go(books: Readers, admin: Session) -> Check:
    """Every account is on one partition, the one on which the proxy looks for it."""
    found = [[row["id"] for row in one.rows("SELECT id FROM sendgate.linkedin_accounts")] for one in books.sessions]
    accounts = [account for accounts in found for account in accounts]
    rows = admin.rows("SELECT id, sendgate_proxy.place(id) AS place FROM unnest(%s::text[]) AS id", [accounts])
    places = {row["id"]: row["place"] for row in rows}
    wrong = [account for n, accounts in enumerate(found) for account in accounts if places[account] != n]
    twice = len(accounts) - len(set(accounts))
    return Check(
        "each account on its own partition alone",
        not wrong and not twice,
        f"{' + '.join(str(len(one)) for one in found)} accounts, {len(wrong)} misplaced, {twice} twice",
    )


def _same_through_the_proxy(books: Readers, reader: Session) -> Check:
    """What the proxy shows is what the partitions hold, together."""
    here, there = (vars(Books.read(session)) for session in (books, reader))
    sizes = {name: len(rows) for name, rows in here.items()}
    differ = [name for name in here if _sorted(here[name]) != _sorted(there[name])]
    return Check(
        "the proxy shows what the partitions hold",
        not differ,
        f"{sum(sizes.values())} rows in {len(sizes)} views, {', '.join(differ) or 'none'} differ",
    )


def _sorted(rows: dict | list) -> list[str]:
    return sorted(repr(row) for row in (rows.values() if isinstance(rows, dict) else rows))
