"""`make pictures`: console and terminal as PNGs in docs/pictures/, from a database that looks real.

python3 tests/pages/pictures.py [--into DIRECTORY]
"""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness.browser import Browser
from harness.places import REPO
from harness.progress import HarnessError, progress
from pages import story, world
from pages.stage import Stage

ACCOUNTS = 2_000
DESK, PHONE = 1280, 390
# Name, page, colour scheme, height of the window, and its width where it is a phone's.
PICTURES = (
    ("console-accounts", "/", "light", 760),
    ("console-account", "/account?id=acc-000003", "light", 1180),
    ("console-account-dark", "/account?id=acc-000003", "dark", 1180),
    ("console-phone", "/account?id=acc-000003", "light", 1400, PHONE),
    ("console-probe", "/act?do=probe&id=acc-000003", "light", 800),
    ("console-events", "/events", "light", 620),
    ("console-alerts", "/alerts", "light", 620),
    ("console-unknown", "/unknown", "light", 620),
    ("console-heartbeats", "/heartbeats", "light", 620),
)
# Name, what is typed, and height.
TERMINALS = (
    ("terminal-status", ["status", "--limit", "12"], 560),
    ("terminal-account", ["account", "acc-000003"], 720),
)
# Who or what stopped the accounts that cannot send; ids in the order of time.
REASONS = """
SET session_replication_role = replica;
CREATE FUNCTION pg_temp.id_of(at timestamptz) RETURNS uuid LANGUAGE sql AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(r, 1, 3) || '8' || substr(r, 4, 15))::uuid
    FROM md5(random()::text) AS r $$;
INSERT INTO sendgate.admin_log (id, at, actor, verb, account_id, subject, before, after, note)
SELECT pg_temp.id_of(x.at), x.at, CASE a.status WHEN 'paused' THEN 'grace' ELSE 'worker' END,
       CASE a.status WHEN 'paused' THEN 'set_status' ELSE 'rollback' END, a.id, 'status', '"connected"', to_jsonb(a.status::text),
       CASE a.status WHEN 'paused' THEN 'its owner is on holiday' WHEN 'restricted' THEN 'Your account was restricted.'
                     ELSE 'sign in again' END
FROM sendgate.accounts AS a
CROSS JOIN LATERAL (SELECT sendgate.clock() - interval '20 days' - interval '1 hour' * length(a.display_name) AS at) AS x
WHERE a.status <> 'connected' ORDER BY x.at;
INSERT INTO sendgate.cooldown_log (id, at, until, account_id, action, cause, http_status, error_type, error, actor)
SELECT pg_temp.id_of(x.at), x.at, a.cooldown_until, a.id, NULL, 'rate_limited', 429, 'errors/too_many_requests', 'slow down', 'worker'
FROM sendgate.accounts AS a CROSS JOIN LATERAL (SELECT sendgate.clock() - interval '20 minutes' AS at) AS x
WHERE a.cooldown_until > sendgate.clock();
RESET session_replication_role;
"""


def fill(psql, accounts: int) -> None:
    """The world of the figures, with its reasons; the account that is pictured has a past."""
    world.load(psql, accounts)
    story.lived(psql, "a.id = 'acc-000003'")
    psql(REASONS)


def main() -> int:
    """Takes them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--into", type=Path, default=REPO / "docs" / "pictures", help="where they go")
    into = parser.parse_args().into
    with Stage(ACCOUNTS, fill) as stage:
        for name, page, scheme, height, *width in PICTURES:
            with Browser(*(width or [DESK]), height) as browser:
                stage.sign_in(browser)
                browser.scheme(scheme)
                browser.open(stage.base + page)
                browser.picture(into / f"{name}.png", whole=False)
                progress(f"  {into / name}.png")
        for name, arguments, height in TERMINALS:
            with Browser(height=height) as browser:
                browser.open(stage.typed(arguments))
                browser.picture(into / f"{name}.png", whole=False)
                progress(f"  {into / name}.png")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
