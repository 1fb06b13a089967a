"""Four partitions on a test's server, and proxies in front of them on a server of PostgreSQL 15 with PL/Proxy."""

import hashlib
import subprocess
from dataclasses import dataclass, field

import psycopg

from e2e.support import login
from e2e.support.daemon_process import daemon_login
from harness import build
from harness.cluster import Cluster

COUNT = 4
# The login of the proxies on the partitions; it is what proxy-sql asks for.
PROXY_USER = "a_proxy"
PROXY_ROLES = ("sendgate_sender", "sendgate_operator", "sendgate_daemon")


def place(account: str, count: int = COUNT) -> int:
    """The partition of an account, as docs/scaling.md writes it down for every language."""
    return int.from_bytes(hashlib.sha256(account.encode()).digest()[:2], "big") % count


def accounts_of(partition: int, how_many: int) -> list[str]:
    """The first accounts acc-0, acc-1, … of a partition."""
    found = (f"acc-{n}" for n in range(10_000) if place(f"acc-{n}") == partition)
    return [next(found) for _ in range(how_many)]


@dataclass
class Partitions:
    """The partitions of a test, and the server of its proxies."""

    env: object
    proxies: Cluster
    names: list[str]
    _connections: list = field(default_factory=list)
    _databases: list[str] = field(default_factory=list)
    _direct: dict[int, psycopg.Connection] = field(default_factory=dict)

    def urls(self, user: str | None = None) -> list[str]:
        """The addresses of the partitions, for the daemon's login."""
        cluster, user = self.env.cluster, user or daemon_login(self.env)
        return [f"postgres://{user}@{cluster.host}:{cluster.port}/{name}" for name in self.names]

    def direct(self, partition: int) -> psycopg.Connection:
        """A superuser's connection to a partition, always the same one."""
        if partition not in self._direct:
            self._direct[partition] = self.env.connect(self.names[partition])
        return self._direct[partition]

    def proxy(self, script: str | None = None) -> str:
        """A database on the proxies' server, made a proxy."""
        name = f"proxy_{self.env.dbname}_{len(self._databases)}"
        self.proxies.fresh_database(name)
        self._databases.append(name)
        self.proxies.psql(script or self.script(), name)
        return name

    def script(self, *arguments: str) -> str:
        """What proxy-sql prints."""
        done = self.command(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def command(self, *arguments: str, urls: list[str] | None = None) -> subprocess.CompletedProcess:
        """proxy-sql with these partitions, or others."""
        command = [str(build.build_daemon()), "proxy-sql", "--proxy-user", PROXY_USER, *arguments]
        for url in self.urls() if urls is None else urls:
            command += ["--database-url", url]
        return subprocess.run(command, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def login(self, name: str, *roles: str) -> str:
        """A login on the proxies' server, that partitions do not know."""
        self.proxies.psql(f'DROP ROLE IF EXISTS "{name}"; CREATE ROLE "{name}" LOGIN')
        for role in roles:
            self.proxies.psql(f'GRANT {role} TO "{name}"')
        return name

    def connect(self, proxy: str, user: str = "postgres", **options) -> psycopg.Connection:
        """A connection to a proxy."""
        connection = psycopg.connect(self.proxies.dsn(proxy, user), autocommit=True, **options)
        self._connections.append(connection)
        return connection

    def down(self, partition: int) -> None:
        """As if its server were gone: it ends its connections and takes no new ones."""
        name = self.names[partition]
        self._direct.pop(partition, None)
        self.env.cluster.psql(
            f"""ALTER DATABASE "{name}" ALLOW_CONNECTIONS false;
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"""
        )

    def up(self, partition: int) -> None:
        """It takes connections again."""
        self.env.cluster.psql(f'ALTER DATABASE "{self.names[partition]}" ALLOW_CONNECTIONS true')

    def close(self) -> None:
        """Close the connections and drop the proxies."""
        for connection in self._connections:
            connection.close()
        for name in self._databases:
            self.proxies.psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def partitions(env, proxies: Cluster) -> Partitions:
    """The test's database and three more, and the login of the proxies."""
    login(env, PROXY_USER, *PROXY_ROLES)
    return Partitions(env, proxies, [env.dbname, *(env.fresh_database() for _ in range(COUNT - 1))])
