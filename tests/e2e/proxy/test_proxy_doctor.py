"""`doctor --proxy`: what differs between a proxy and its partitions, each with what mends it, and nothing once it is mended."""

from e2e.proxy.test_proxy_calls import value
from e2e.support import equal
from e2e.support.daemon_process import run
from e2e.support.partitions import COUNT, accounts_of
from harness.build import default_version

NEWEST_ONLY = True
TIMEOUT_SECONDS = 1200


def test_doctor_compares_a_proxy_with_its_partitions(parts):
    proxy = parts.proxy()
    url = f"postgres://a_login@{parts.proxies.host}:{parts.proxies.port}/{proxy}"
    # Any login of the proxy may ask.
    parts.login("a_login")
    found = Doctor(parts, url)
    found.says("ok", f"it has these {COUNT} partitions, in this order")
    found.says("ok", "its functions, views and rights are those of sendgate ")
    found.says("ok", "each account is where its calls go")
    assert not found.bad(), found.bad()

    # Its SQL is out of date, in one way of each kind; the proxy's script mends all of it.
    connection = parts.connect(proxy)
    for change, said in (
        ("DROP FUNCTION sendgate.clock()", "it has no FUNCTION sendgate.clock()"),
        ("DROP VIEW sendgate.admin_log", "it has no VIEW sendgate.admin_log"),
        (
            "REVOKE EXECUTE ON FUNCTION sendgate.pause_all(text) FROM sendgate_operator",
            "its FUNCTION sendgate.pause_all(text) may be used by sendgate_daemon, on the partitions by sendgate_daemon, ",
        ),
        (
            "CREATE OR REPLACE FUNCTION sendgate_proxy.place(account_id text) RETURNS SETOF integer LANGUAGE sql STABLE AS 'SELECT 0'",
            "its FUNCTION sendgate_proxy.place(text) is of another version, or was changed by hand",
        ),
        (
            "CREATE FUNCTION sendgate.left_over() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            "it has FUNCTION sendgate.left_over(), which the partitions do not have",
        ),
        ("COMMENT ON SCHEMA sendgate IS 'sendgate 0.2.9 behind a proxy: x'", "it was made of sendgate 0.2.9"),
    ):
        connection.execute(change)
        found = Doctor(parts, url)
        found.says("BAD", said)
        found.says("      to do: ", "make the script anew")
    assert found.status == 1, found.text
    connection.execute("DROP FUNCTION sendgate.left_over()")
    parts.proxies.psql(parts.script(), proxy)
    found = Doctor(parts, url)
    assert not found.bad(), found.bad()

    # Its addresses, and accounts that its calls would not find.
    swapped = [parts.urls()[n] for n in (1, 0, 2, 3)]
    found = Doctor(parts, url, swapped)
    found.says("BAD", f"its partition p0 is {parts.env.cluster.host}:{parts.env.cluster.port}/{parts.names[0]}, and")
    assert any("give doctor" in line for line in Doctor(parts, url, parts.urls()[:2]).text.splitlines())
    twice, lost = accounts_of(1, 1)[0], accounts_of(2, 1)[0]
    for partition, account in ((1, twice), (0, twice), (3, lost)):
        parts.direct(partition).execute("SELECT sendgate.upsert_account(%s, 'recruiter')", (account,))
    found = Doctor(parts, url)
    found.says("BAD", f'account "{twice}" is on {parts.names[0]} and on {parts.names[1]}: its cap exists twice')
    found.says("BAD", f'account "{lost}" is on {parts.names[3]}, and calls for it go to {parts.names[2]}')
    connection.execute("SELECT sendgate.upsert_account(%s, 'recruiter')", (lost,))
    for todo in found.todo("remove_account"):
        database, sql = todo.split("in ", 1)[1].split(": ", 1)
        statement = sql.split(" until it returns 0")[0]
        while parts.env.psql(statement, database) != "0":
            pass
    found = Doctor(parts, url)
    assert not found.bad(), found.bad()
    equal(value(parts.direct(2), "SELECT count(*) FROM sendgate.linkedin_accounts"), 1, "the account, where it belongs")

    # A partition of another version, which the others' library refuses: the rows that prove it.
    parts.direct(3).execute("UPDATE pg_extension SET extversion = '0.2.0' WHERE extname = 'sendgate'")
    done = run(parts.env, "doctor", url="\n".join(parts.urls()))
    told = [line for line in done.stdout.splitlines() if line.startswith("BAD") and "0.2.0" in line]
    assert len(told) > 1 and any(parts.names[3] in line and default_version() in line for line in told), done.stdout
    assert "in " + parts.names[3] + ": ALTER EXTENSION sendgate UPDATE" in done.stdout, done.stdout
    parts.direct(3).execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'sendgate'", (default_version(),))

    # What cannot be asked is said, and the rest is done.
    parts.down(3)
    found = Doctor(parts, url)
    found.says("ok", "its functions, views and rights are those of sendgate ")
    found.says("note", "not looked at: a partition cannot be asked")
    parts.up(3)
    nowhere = f"postgres://a_login@{parts.proxies.host}:{parts.proxies.port}/postgres"
    Doctor(parts, nowhere).says("BAD", "this database is no proxy")
    gone = f"postgres://a_login@{parts.proxies.host}:{parts.proxies.port}/not_there"
    Doctor(parts, gone).says("BAD", "not_there")


class Doctor:
    """What it says of the proxy, and between the partitions."""

    def __init__(self, parts, proxy: str, urls: list[str] | None = None):
        done = run(parts.env, "doctor", "--proxy", proxy, url="\n".join(urls or parts.urls()))
        self.status = done.returncode
        assert "proxy " in done.stdout, done.stderr
        self.text = done.stdout.split("\nproxy ", 1)[1]

    def says(self, mark: str, what: str) -> None:
        """A line begins and goes on like that."""
        lines = self.text.splitlines()
        assert any(line.startswith(mark) and what in line for line in lines), f"{mark} {what} in {self.text}"

    def bad(self) -> list[str]:
        """What is to be mended."""
        return [line for line in self.text.splitlines() if line.startswith("BAD")]

    def todo(self, what: str) -> list[str]:
        """What mends it, of this kind."""
        return [line for line in self.text.splitlines() if line.startswith("      to do: ") and what in line]
