"""Partitions are upgraded one after the other behind a running proxy, as docs/scaling.md says it: the accounts of one are
refused while its SQL and the server's library differ, all others go on, and sessions of the proxy find back by themselves."""

import psycopg

from e2e.install.test_upgrade import LATER, UPDATE
from e2e.install.test_upgrade_load import there_and_back, upgrade
from e2e.proxy.test_proxy_calls import refused, value
from e2e.support import equal, wait_for
from e2e.support.partitions import COUNT, accounts_of, place
from e2e.support.proxy_load import Load
from harness.build import default_version
from upgrade import releases

NEWEST_ONLY = True
TIMEOUT_SECONDS = 1200

WORKERS = 4


class Partition:
    """A partition as the steps of an upgrade take it."""

    def __init__(self, parts, n: int):
        self.connect = lambda: psycopg.connect(parts.env.cluster.dsn(parts.names[n]), autocommit=True)


def test_partitions_are_upgraded_one_after_the_other(parts):
    script = parts.script()
    proxy = parts.proxy(script)
    operator = parts.connect(proxy)
    accounts = [accounts_of(n, 1)[0] for n in range(COUNT)]
    for account in accounts:
        operator.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (account,))
        operator.execute("SELECT sendgate.set_cap(%s, 'message', 10000)", (account,))
    load = Load(accounts)
    with there_and_back(parts.env):
        load.begin(parts, [proxy], WORKERS)
        try:
            for n, account in enumerate(accounts):
                of_another_version(parts, load, n, account, operator if n == 0 else None)
        finally:
            load.end()
    for n, account in enumerate(accounts):
        load.check(account, parts.direct(n))
        equal({error.sqlstate for error in load.faults[account]}, {"55000"}, f"errors for {account}")
        hints = {error.diag.message_hint for error in load.faults[account]}
        assert all("Install the library of that version" in hint for hint in hints), hints
        equal(load.refusals[account], [], f"refusals of {account}")


def of_another_version(parts, load: Load, n: int, account: str, operator) -> None:
    """One partition's SQL is of another version for a while."""
    others = [other for other in load.accounts if other != account]
    wait_for(lambda: load.sent(account) > 0, "a send before the upgrade")
    upgrade(Partition(parts, n), LATER)
    faults = len(load.faults[account])
    wait_for(lambda: len(load.faults[account]) >= faults + WORKERS, "its account to be refused")
    granted, before = len(load.provider[account]), [load.sent(other) for other in others]
    for other, sent in zip(others, before, strict=True):
        wait_for(lambda other=other, sent=sent: load.sent(other) > sent, f"sends for {other} meanwhile")
    equal(len(load.provider[account]), granted, "grants under SQL of another version")
    if operator is not None:
        error = refused(operator, "SELECT sendgate.set_tier_cap('recruiter', 'message', 30)")
        equal(error.sqlstate, "55000", "a call to all")
        assert "3 of 4 partitions" in error.diag.message_primary, error
        assert f"p{n}: " in error.diag.message_detail, error
        done = parts.command()
        equal((done.returncode, done.stdout), (1, ""), done.stderr)
        assert "different versions" in done.stderr and LATER in done.stderr, done.stderr
    upgrade(Partition(parts, n), default_version())
    wait_for(lambda: load.sent(account) > granted, "sends after the upgrade, through the same sessions")


def test_a_partition_of_the_release_before(parts):
    """The library is new, its SQL is old: refused with what to do, and back at once when that is done."""
    proxy = parts.connect(parts.proxy())
    n = place("a")
    other = accounts_of((n + 1) % COUNT, 1)[0]
    proxy.execute("SELECT sendgate.upsert_account(%s, 'sales_navigator')", (other,))
    old = releases.released()[-1]
    preview = "SELECT reason FROM sendgate.preview(%s, 'message')"
    with releases.placed(parts.env.install, old):
        parts.env.psql(
            f"DROP EXTENSION sendgate CASCADE; CREATE EXTENSION sendgate VERSION '{old.version}'", parts.names[n]
        )
        parts.env.psql(old.data, parts.names[n])
        parts._direct.pop(n, None)
        for _ in range(2):
            error = refused(proxy, preview, "a")
            equal(error.sqlstate, "55000", str(error))
            assert UPDATE in error.diag.message_hint and old.version in str(error), error
        equal(value(proxy, preview, other), None, "an account of another partition")
        # What the new version added, which the old one has not.
        equal(refused(proxy, "SELECT * FROM sendgate.why('a')").sqlstate, "42883", "a function of the new version")
        assert old.version in parts.command().stderr
        parts.env.psql(UPDATE, parts.names[n])
    equal(value(proxy, preview, "a"), "paused_by_operator", "its pause, kept by the upgrade")
    parts.direct(n).execute("SELECT sendgate.resume_all()")
    day = "SELECT count(*) FROM sendgate.why(%s)"
    assert value(proxy, day, "a") > 0
