"""The RPMs in a Debian root, whose own ``rpm`` installs them.

There is no RPM-based system here. So rpm's database knows no package of the system's: what the RPMs need is
compared with the names that PGDG and Enterprise Linux give it, and then not asked for (``--nodeps``). PGDG's
directories are links to Debian's server. All else is as on such a system: files, modes, owners, scripts, upgrade, removal.
"""

import re

from fresh.roots import Root
from fresh.summary import Summary
from harness import build

from .shell import ACCOUNT, CONFIGURE, LOGIN, PACKAGES, daemon, operation, step

CASE = "rpm"
# Debian 12's rpm wants to be told that it is meant, Debian 13's knows no such option, and mounts for scripts what no
# chroot allows; the RPMs are not signed.
RPM = "rpms"
FUNCTION = """
rpms() {
    if rpm --force-debian --version >/dev/null 2>&1; then set -- --force-debian "$@"; fi
    rpm --undefine=__transaction_unshare --nosignature "$@"
}"""
PGDG = """
for part in lib share; do
    mkdir -p /usr/pgsql-MAJOR
    test "$part" = lib && target=/usr/lib/postgresql/MAJOR/lib || target=/usr/share/postgresql/MAJOR
    ln -s "$target" "/usr/pgsql-MAJOR/$part"
done"""
# Names as PGDG and Enterprise Linux give them; rpm's own features aside.
NEEDS = re.compile(
    r"postgresql\d+-server|ca-certificates|shadow-utils|/bin/sh|rtld\(GNU_HASH\)|rpmlib\(.*\) .*|config\(sendgated\) = .*"
    r"|(?:libc|libm|libgcc_s|ld-linux-x86-64|ld-linux-aarch64)\.so\.\d(?:\(\w[\w.]*\)|\(\))?\(64bit\)"
)
READY = "page /readyz | grep -q '200 OK'"
BEFORE = f"{PACKAGES}/before"


def rpms(summary: Summary, bare: Root, major: int) -> None:
    """Installed, used, updated from the release before, removed."""
    root = bare.copy(CASE)
    installed = (f"install rpm postgresql-{major} adduser >/dev/null", PGDG.replace("MAJOR", str(major)))
    done = root.run(step(major, *installed), "rpm-setup", rust=False)
    summary.add(root, CASE, "rpm, and a server in PGDG's directories", done)
    _refused(summary, root, major)
    _used(summary, root, major)
    _removed(summary, root, major)
    _upgraded(summary, root, major)
    root.remove()


def _refused(summary: Summary, root: Root, major: int) -> None:
    """Without the server it is not installed, and nothing of it is left."""
    commands = (
        f"{RPM} --install {both(major)} >/tmp/said 2>&1 && fail 'it was installed' || true",
        f"says 'postgresql{major}-server is needed by sendgate_{major}' /tmp/said",
        f"test ! -e /usr/pgsql-{major}/lib/{build.EXTENSION}.so && test ! -e /etc/sendgated || fail 'something is left'",
    )
    done = root.run(step(major, FUNCTION, *commands), "rpm-refused", rust=False)
    summary.add(root, CASE, "without PGDG's server: refused, nothing is left", done)


def _used(summary: Summary, root: Root, major: int) -> None:
    """Files and owners as the RPMs say, a guarded send, the daemon as its unit runs it."""
    unit = f"/usr/lib/systemd/system/{build.DAEMON}.service"
    commands = (
        f"{RPM} --install --nodeps {both(major)} | tee /tmp/said",
        "says 'systemctl enable --now sendgated' /tmp/said",
        f"{RPM} --verify --nodeps sendgate_{major} {build.DAEMON} || fail 'files are not as the packages say'",
        "test \"$(stat --format='%a %U:%G' /etc/sendgated/tokens.toml)\" = '640 root:sendgated' || fail 'mode of the tokens'",
        "getent passwd sendgated | grep -q ':/nonexistent:/usr/sbin/nologin$' || fail 'the user'",
        f"test -f {unit} || fail 'no unit'",
        "up",
        "runuser -u postgres -- createdb app",
        'sql "CREATE EXTENSION sendgate"',
        ACCOUNT,
        f"send 1 {operation(1)}",
        "books > /tmp/books; grep -qx '1|1' /tmp/books || fail 'the send is not in the books'",
        LOGIN,
        CONFIGURE,
        f"{daemon()} >/tmp/out 2>/tmp/log & running=$!",
        f'await "{READY}"',
        "kill -TERM $(pidof sendgated); wait $running || fail 'it did not end well'",
        "down",
    )
    done = root.run(step(major, FUNCTION, *commands), "rpm-used", rust=False)
    summary.add(root, CASE, "installed: modes, owners, a guarded send, the daemon", done)


def _removed(summary: Summary, root: Root, major: int) -> None:
    """Nothing is left but the books, the user and what an administrator wrote."""
    commands = (
        f"{RPM} --erase --nodeps sendgate_{major} {build.DAEMON}",
        "test -e /etc/sendgated/sendgated.toml.rpmsave || fail 'the changed configuration is gone'",
        "test ! -e /etc/sendgated/tokens.toml && test ! -e /usr/bin/sendgated || fail 'something is left'",
        "find /usr -xdev -name '*sendgate*' > /tmp/left; test ! -s /tmp/left || fail \"$(cat /tmp/left)\"",
        "up",
        "sql \"SELECT sendgate.preview('acc-1', 'inmail')\" >/tmp/said 2>&1 && fail 'the library is still there' || true",
        "says 'could not access file' /tmp/said",
        "runuser -u postgres -- dropdb app",
        "sql() { runuser -u postgres -- psql -X -q -d postgres -c \"$1\"; }; sql 'DROP ROLE sendgated'",
        "down",
        "rm -r /etc/sendgated",
    )
    done = root.run(step(major, FUNCTION, *commands), "rpm-removed", rust=False)
    summary.add(root, CASE, "removed: books and a changed configuration stay", done)


def _upgraded(summary: Summary, root: Root, major: int) -> None:
    """From the RPMs of the release before, with data."""
    commands = (
        f"{RPM} --install --nodeps {BEFORE}/sendgate_{major}-*.rpm {BEFORE}/{build.DAEMON}-*.rpm",
        "up",
        "runuser -u postgres -- createdb app",
        'sql "CREATE EXTENSION sendgate"',
        ACCOUNT,
        CONFIGURE,
        f"send 1 {operation(1)}",
        f"sql \"SELECT proceed FROM sendgate.reserve('acc-1', 'inmail', 'p2', 'spring', '{operation(2)}')\"",
        "books > /root/books",
        "down",
        f"{RPM} --upgrade --nodeps {both(major)} | tee /tmp/said",
        "says 'ALTER EXTENSION sendgate UPDATE' /tmp/said",
        "grep -q '^database_url' /etc/sendgated/sendgated.toml || fail 'the configuration is not as it was'",
        f"test \"$({RPM} --query {build.DAEMON} | wc -l)\" = 1 || fail 'two versions are installed'",
        "up",
        f"sql \"SELECT sendgate.confirm('acc-1', '{operation(2)}', 'chat-2')\" >/tmp/said 2>&1 && fail 'not refused' || true",
        "says 'ALTER EXTENSION sendgate UPDATE' /tmp/said",
        'sql "ALTER EXTENSION sendgate UPDATE"',
        "books > /tmp/books",
        "diff /root/books /tmp/books || fail 'the books differ'",
        f"sql \"SELECT sendgate.confirm('acc-1', '{operation(2)}', 'chat-2')\"",
        f"send 3 {operation(3)}",
        "down",
    )
    done = root.run(step(major, FUNCTION, *commands), "rpm-upgraded", rust=False)
    summary.add(root, CASE, "the release before, with data; these over it", done)


def both(major: int) -> str:
    """The extension's and the daemon's package, for a shell in a root."""
    return f"{PACKAGES}/sendgate_{major}-*.rpm {PACKAGES}/{build.DAEMON}-*.rpm"
