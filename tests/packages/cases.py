"""What is done with the packages in a bare root, and what has to come out. Each step is a line of the summary."""

from collections.abc import Callable

from fresh.roots import Root, Workshop
from fresh.summary import Line, Summary
from harness import build
from harness.progress import HarnessError, progress

from . import rpm_cases
from .shell import ACCOUNT, CONFIGURE, LOGIN, PACKAGES, daemon, operation, step

# Each Debian with the version of PostgreSQL that it ships.
SUITES = {"bookworm": 15, "trixie": 17}
FIRST_SEND_SECONDS_MAX = 60
EXHAUSTED = "'Not enough credits', 'errors/insufficient_credits', 422"
# Findings of lintian that are explained in packaging/deb/*.lintian-overrides are not told again.
LINTIAN = "lintian --fail-on error,warning --tag-display-limit 0 --allow-root"
READY = "page /readyz | grep -q '200 OK'"


def first_send(summary: Summary, bare: Root, major: int) -> None:
    """From apt install to the first guarded send; then the daemon; then removed, purged, installed again."""
    root, case = bare.copy("install"), "install"
    commands = (
        f"install {extension(major)} {the_daemon()}",
        "up",
        "runuser -u postgres -- createdb app",
        'sql "CREATE EXTENSION sendgate"',
        ACCOUNT,
        f"send 1 {operation(1)}",
        "books > /tmp/books; grep -qx '1|1' /tmp/books || fail 'the send is not in the books'",
        "down",
    )
    done = root.run(step(major, *commands), "first-send", rust=False)
    if done.seconds > FIRST_SEND_SECONDS_MAX:
        done = type(done)(-1, done.seconds, f"took more than {FIRST_SEND_SECONDS_MAX} s\n{done.output}", done.log)
    summary.add(root, case, "apt install to the first guarded send", done)
    the_unit(summary, root, major)
    leave(summary, root, major)
    root.remove()


def the_unit(summary: Summary, root: Root, major: int) -> None:
    """The daemon as its unit runs it: unconfigured, configured, with an operator's token."""
    case = "daemon"
    commands = (
        f"{daemon()} >/tmp/out 2>/tmp/log && fail 'it ran without a database' || test $? = 2",
        "says 'which database?' /tmp/log",
        "test \"$(stat --format='%a %U:%G' /etc/sendgated/tokens.toml)\" = '640 root:sendgated' || fail 'mode of the tokens'",
        "test \"$(stat --format='%a %U:%G' /etc/sendgated/sendgated.toml)\" = '640 root:sendgated' || fail 'mode'",
    )
    summary.add(root, case, "not configured: it says so", root.run(step(major, *commands), "unconfigured", rust=False))
    commands = (
        "up",
        LOGIN,
        CONFIGURE,
        f"{daemon()} >/tmp/out 2>/tmp/log & running=$!",
        f'await "{READY}"',
        f"sql \"SELECT proceed FROM sendgate.reserve('acc-1', 'inmail', 'p2', 'spring', '{operation(2)}')\"",
        f"sql \"SELECT sendgate.rollback('acc-1', '{operation(2)}', {EXHAUSTED})\"",
        "await \"grep -q 'inmail_credit_breaker.*set' /tmp/out\"",
        "runuser -u sendgated -- sendgated --config /etc/sendgated/sendgated.toml status",
        "kill -TERM $(pidof sendgated); wait $running || fail 'it did not end well'",
        "down",
    )
    done = root.run(step(major, *commands), "daemon", offline=True, rust=False)
    summary.add(root, case, "as its unit runs it, over the socket", done, "acc-1")
    token = "sixteen-random-bytes-say"
    commands = (
        "up",
        f"""sed -i 's/^#\\[tokens\\]/[tokens]\\nada = "{token}"/' /etc/sendgated/tokens.toml""",
        "sed -i 's/^#tokens_file/tokens_file/; s/^#console = .*/console = \"signed-in\"/' /etc/sendgated/sendgated.toml",
        f"{daemon()} >/tmp/out 2>/tmp/log & running=$!",
        f'await "{READY}"',
        "page /api/accounts | grep -q ' 401 ' || fail 'a visitor reads the accounts'",
        f"page /api/accounts 'Authorization: Bearer {token}\\r\\n' | grep -q 'acc-1' || fail 'the operator does not'",
        "kill -TERM $(pidof sendgated); wait $running || fail 'it did not end well'",
        "down",
    )
    done = root.run(step(major, *commands), "tokens", offline=True, rust=False)
    summary.add(root, case, "tokens file 0640, console for operators", done)
    unit = f"/usr/lib/systemd/system/{build.DAEMON}.service"
    verify = step(major, "install systemd >/dev/null", f"systemd-analyze verify --man=no {unit} 2>&1 | tee /tmp/verify")
    done = root.run(f"{verify}\ntest ! -s /tmp/verify", "verify", rust=False)
    summary.add(root, case, "systemd-analyze verify is silent", done)


def leave(summary: Summary, root: Root, major: int) -> None:
    """Removed, the database and the configuration stay; purged, nothing does; installed again, the books go on."""
    name = f"postgresql-{major}-sendgate"
    commands = (
        f"apt-get remove -qy {build.DAEMON} {name}",
        "test ! -e /usr/bin/sendgated && test -e /etc/sendgated/sendgated.toml || fail 'removed is something else'",
        "up",
        'test "$(sql "SELECT 1")" = 1',
        "sql \"SELECT sendgate.preview('acc-1', 'inmail')\" >/tmp/said 2>&1 && fail 'the library is still there' || true",
        "says 'could not access file' /tmp/said",
        "down",
    )
    done = root.run(step(major, *commands), "remove", rust=False)
    summary.add(root, "leave", "remove: the configuration and the books stay", done)
    commands = (
        # The extension's package has no configuration, so that of it nothing was left to be purged.
        f"apt-get purge -qy {build.DAEMON}",
        'test ! -e /etc/sendgated || fail "left: $(find /etc/sendgated)"',
        "getent passwd sendgated && fail 'the user is still there' || true",
        "getent group sendgated && fail 'the group is still there' || true",
        f"dpkg --list {build.DAEMON} {name} 2>/dev/null | grep '^[a-z]c' && fail 'not purged' || true",
        "find / -xdev -name '*sendgate*' -not -path '/proc/*' -not -path '/var/lib/postgresql/*' -not -path '/tmp/*'"
        f" -not -path '{PACKAGES}/*' -not -path '/var/log/*' > /tmp/left; test ! -s /tmp/left || fail \"$(cat /tmp/left)\"",
    )
    done = root.run(step(major, *commands), "purge", rust=False)
    summary.add(root, "leave", "purge: no file and no user is left", done)
    commands = (
        f"install {extension(major)} {the_daemon()}",
        "up",
        "books > /tmp/books; grep -qx '2|1' /tmp/books || fail 'the books are not as before'",
        "sql \"SELECT sendgate.breaker_clear('acc-1', 'bought credits')\"",
        f"send 3 {operation(3)}",
        "down",
    )
    done = root.run(step(major, *commands), "again", rust=False)
    summary.add(root, "leave", "installed again: the gate goes on", done)


def upgrade(summary: Summary, bare: Root, major: int) -> None:
    """From the packages of the release before, with data and a changed configuration."""
    root, case = bare.copy("upgrade"), "upgrade"
    before = f"{PACKAGES}/before"
    commands = (
        f"install {before}/postgresql-{major}-sendgate_*.deb {before}/{build.DAEMON}_*.deb",
        "up",
        "runuser -u postgres -- createdb app",
        'sql "CREATE EXTENSION sendgate"',
        ACCOUNT,
        LOGIN,
        CONFIGURE,
        f"send 1 {operation(1)}",
        f"sql \"SELECT proceed FROM sendgate.reserve('acc-1', 'inmail', 'p2', 'spring', '{operation(2)}')\"",
        "sql \"SELECT sendgate.enqueue('spring', 'p9', 'acc-1', 'invite')\"",
        "runuser -u sendgated -- sendgated --config /etc/sendgated/sendgated.toml tick",
        "books > /root/books",
        "down",
    )
    done = root.run(step(major, *commands), "before", rust=False)
    summary.add(root, case, "the release before, with data", done)
    commands = (
        f"install {extension(major)} {the_daemon()} 2>&1 | tee /tmp/said",
        "says 'ALTER EXTENSION sendgate UPDATE' /tmp/said",
        "grep -q '^database_url' /etc/sendgated/sendgated.toml || fail 'the configuration is not as it was'",
        "up",
        f"sql \"SELECT sendgate.confirm('acc-1', '{operation(2)}', 'chat-2')\" >/tmp/said 2>&1 && fail 'not refused' || true",
        "says 'ALTER EXTENSION sendgate UPDATE' /tmp/said",
        'sql "ALTER EXTENSION sendgate UPDATE"',
        "books > /tmp/books",
        "diff /root/books /tmp/books || fail 'the books differ'",
        f"sql \"SELECT sendgate.confirm('acc-1', '{operation(2)}', 'chat-2')\"",
        f"send 3 {operation(3)}",
        "runuser -u sendgated -- sendgated --config /etc/sendgated/sendgated.toml tick",
        "test \"$(sql 'SELECT count(*) FROM sendgate.enrollments')\" = 1 || fail 'campaign work is lost'",
        "down",
    )
    done = root.run(step(major, *commands), "upgrade", rust=False)
    summary.add(root, case, "these packages over it: refused, updated, goes on", done)
    root.remove()


def mistakes(summary: Summary, bare: Root, major: int) -> None:
    """Packages where they do not fit, and half of one."""
    root, case = bare.copy("mistakes"), "mistakes"
    other = next(one for one in SUITES.values() if one != major)
    done = root.run(step(major, f"install {extension(other)}"), "other-major", rust=False)
    summary.add(
        root, case, f"for PostgreSQL {other}, which is not there", done, rf"Depends: postgresql-{other} but", status=1
    )
    done = root.run(step(major, f"test ! -e /usr/lib/postgresql/{other}"), "nothing", rust=False)
    summary.add(root, case, "nothing of it is left", done)
    commands = (
        f"dpkg --install {extension(major)} 2>&1 | tee /tmp/said || true",
        "apt-get install -fqy --no-install-recommends",
    )
    mend = ("up", "runuser -u postgres -- createdb app", 'sql "CREATE EXTENSION sendgate"', "down")
    done = root.run(step(major, *commands, *mend), "dpkg", rust=False)
    said = (rf"postgresql-{major}-sendgate depends on postgresql-{major}",)
    summary.add(root, case, "dpkg without the server; apt-get -f mends it", done, *said)
    library = f"/usr/lib/postgresql/{major}/lib/{build.EXTENSION}.so"
    commands = (
        f"rm {library}",
        "up",
        "sql 'SELECT sendgate.clock()' 2>&1 | tee /tmp/said || true",
        "says 'could not access file' /tmp/said",
        f"dpkg --verify postgresql-{major}-sendgate | tee /tmp/said",
        f"says {library} /tmp/said",
        f"install --reinstall {extension(major)}",
        "sql 'SELECT sendgate.clock()'",
        "down",
    )
    done = root.run(step(major, *commands), "half", rust=False)
    summary.add(root, case, "half of it gone: said, and mended by --reinstall", done)
    root.remove()


def lint(summary: Summary, bare: Root, major: int) -> None:
    """lintian finds no error, and no warning that is not explained."""
    root = bare.copy("lint")
    commands = ("install lintian >/dev/null", f"{LINTIAN} {PACKAGES}/*.deb")
    summary.add(root, "lintian", "no error, no warning", root.run(step(major, *commands), "lintian", rust=False))
    root.remove()


CASES: dict[str, Callable[[Summary, Root, int], None]] = {
    "install": first_send,
    "upgrade": upgrade,
    "mistakes": mistakes,
    "rpm": rpm_cases.rpms,
    "lint": lint,
}
# Those that need the packages of the release before.
WITH_BEFORE = ("upgrade", "rpm")


def suite(summary: Summary, workshop: Workshop, name: str, only: str | None) -> None:
    """All cases of one suite."""
    bare = workshop.base(name, ("ca-certificates",))
    # As on a machine in use: apt knows its packages. They are not fetched yet.
    if bare.run("apt-get update -q", "apt-update", rust=False).status != 0:
        raise HarnessError(f"{name}: apt-get update failed.\nSee {workshop.logs}; MIRROR= names another archive.")
    for case, play in CASES.items():
        if only in (None, case):
            try:
                play(summary, bare, SUITES[name])
            except HarnessError as error:
                summary.lines.append(Line(name, case, "set-up", 0, str(error)))
                progress(f"  FAILED  {name}, {case}: {error}")
    bare.remove()


def extension(major: int) -> str:
    """The extension's package, for a shell in a root."""
    return f"{PACKAGES}/postgresql-{major}-sendgate_*.deb"


def the_daemon() -> str:
    """The daemon's package, for a shell in a root."""
    return f"{PACKAGES}/{build.DAEMON}_*.deb"
