"""What the steps in a root are made of: a server that runs for the length of one step, and shell functions.

A step is a process namespace of its own, and every process of it ends with it. So each step starts the server. It listens
on its socket alone: a root shares the host's network, where another server may have its port, and would then get the next.
"""

import re

from harness import build

from .content import PACKAGING

PACKAGES = "/opt/source"
# The longest wait for the daemon; a wait ends with its condition.
WAIT_TENTHS_MAX = 300
LISTEN = "127.0.0.1 8787"

FUNCTIONS = """
set -eu
cd /
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
sql() { runuser -u postgres -- psql -X -q -A -t -v ON_ERROR_STOP=1 -d app -c "$1"; }
up() {
    pg_conftool MAJOR main set port 5432
    pg_conftool MAJOR main set listen_addresses ''
    if pg_ctlcluster MAJOR main status >/dev/null; then down; fi
    pg_ctlcluster MAJOR main start
}
down() { pg_ctlcluster MAJOR main stop; }
install() { apt-get install -qy --no-install-recommends "$@"; }
fail() { echo "FAILED: $*"; exit 1; }
says() { grep -q -- "$1" "$2" || { cat "$2"; fail "$2 does not say $1"; }; }
await() { for _ in $(seq WAIT); do if eval "$1"; then return 0; fi; sleep 0.1; done; cat /tmp/log; fail "waited in vain: $1"; }
page() { (exec 3<>/dev/tcp/HOST/PORT && printf 'GET %s HTTP/1.1\\r\\nHost: HOST\\r\\nConnection: close\\r\\n%b\\r\\n' \\
    "$1" "${2:-}" >&3 && cat <&3) 2>/dev/null; }
send() {
    test "$(sql "SELECT proceed FROM sendgate.reserve('acc-1', 'inmail', 'p$1', 'spring', '$2')")" = t || fail "no slot"
    sql "SELECT sendgate.confirm('acc-1', '$2', 'chat-$1')"
}
books() {
    sql "SELECT count(*), count(*) FILTER (WHERE state = 'delivered') FROM sendgate.send_operations"
    sql "SELECT count(*) FROM sendgate.linkedin_events"
    sql "SELECT inmails_sent_today FROM sendgate.account_cards"
}
"""
ACCOUNT = "sql \"SELECT sendgate.upsert_account('acc-1', 'sales_navigator', 'Ada')\""
LOGIN = 'sql "CREATE ROLE sendgated LOGIN; GRANT sendgate_daemon TO sendgated"'
# The configuration names the database on this machine already; it only has to be let in.
CONFIGURE = "sed -i 's/^#database_url/database_url/' /etc/sendgated/sendgated.toml"


def operation(number: int) -> str:
    """The id of a test's operation."""
    return f"00000000-0000-4000-8000-{number:012d}"


def step(major: int, *commands: str) -> str:
    """A command for a root that runs these one after the other; the first that fails ends it."""
    host, port = LISTEN.split()
    functions = FUNCTIONS.replace("MAJOR", str(major)).replace("WAIT", str(WAIT_TENTHS_MAX))
    return "\n".join((functions.replace("HOST", host).replace("PORT", port), *commands))


def daemon() -> str:
    """The command that systemd runs, as the unit's user and with none of this shell's environment."""
    unit = (PACKAGING / f"{build.DAEMON}.service").read_text()
    command = re.search(r"^ExecStart=(.+)$", unit, re.MULTILINE)[1]
    user = re.search(r"^User=(.+)$", unit, re.MULTILINE)[1]
    return f"runuser -u {user} -- env -i PATH=/usr/bin:/bin LANG=C.UTF-8 {command}"
