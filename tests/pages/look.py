"""Every page of the console as PNGs, at the width of a desk and of a phone, in light and dark: to be looked at.

    python3 tests/pages/look.py --into DIRECTORY [--accounts 0,1,200] [--only PART]

With 0 accounts the database is empty, with 1 there is one account that sends; with more, accounts in every kind of
trouble are among them (`story`). A page that is higher than what can be read at once has further PNGs, `…-2.png` and so on.
"""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from harness.browser import Browser
from harness.progress import HarnessError, progress
from pages import story
from pages.stage import Stage

SIZES = {"desk": (1280, 800), "phone": (390, 844)}
SCHEMES = ("light", "dark")
# The height of a picture, in pixels.
PART_MAX = 1500
# The forms of the acts, each with its subject.
ACTS = {
    **dict.fromkeys(("probe", "clear", "force-open", "pause-account"), "id=acc-no-credits"),
    "cooldown": "id=acc-slow-down",
    "connect": "id=acc-restricted",
    "pace": "id=acc-pace",
    "cap": "id=acc-0007",
    "all-not-sent": "id=acc-unknown",
    "suppress": "id=p-1",
    "unsuppress": "id=q-9",
    "limits": "id=spring",
    "switch": "id=autumn",
    "requeue-parked": "id=autumn",
    "acknowledge-all": "item=failing",
    "force-auto": "id=acc-stopped",
    "pause-campaign": "id=spring",
    "resume-campaign": "id=winter",
    "all-sent": "id=acc-unknown",
    **dict.fromkeys(("sent", "not-sent"), f"id=acc-unknown&item={story.ZEROS}000000000911"),
}
# Acts whose links other pages have.
LINKED = {"requeue": "/campaign?id=autumn", "acknowledge": "/alerts"}
# What stops everything is said on every page.
BANNERS = {"banner-accounts": "/", "banner-account": "/account?id=acc-failing", "act-resume": "/act?do=resume"}
PAUSE = "SELECT sendgate.pause_all('The provider has an incident: https://status.example.com')"


def fill(psql, accounts: int) -> None:
    """The database of so many accounts."""
    if accounts == 1:
        psql("SELECT sendgate.upsert_account('acc-0001', 'sales_navigator', 'Ada Byron')")
        story.settled(psql)
    elif accounts > 1:
        story.fleet(psql, accounts)


def pages_of(browser: Browser, base: str, accounts: int) -> dict[str, str]:
    """The pages of the menu and those behind them, by a name for the picture."""
    menu = browser.run("return [...document.querySelectorAll('#menu a')].map((a) => a.getAttribute('href'))")
    pages = {page.strip("/").split("?")[0] or "accounts": page for page in menu}
    pages |= {
        "zone": "/zone",
        "no-such-account": "/account?id=no-such",
        "odd": "/events?after=x",
        "act-pause": "/act?do=pause",
    }
    pages |= {"search": "/?q=ada", "prospect-none": "/prospect?id=no-such", "sign-in": "/sign-in"}
    if accounts == 1:
        pages["account"] = "/account?id=acc-0001"
    if accounts > 1:
        pages |= {f"account-{trouble.account[4:]}": f"/account?id={trouble.account}" for trouble in story.TROUBLES}
        pages |= {f"account-{name}": f"/account?id=acc-{name}" for name in ("probe", "unknown", "observed", "0007")}
        pages |= {"account-wide": f"/account?id={story.WIDE}", "account-invite": "/account?id=acc-0007&chart=invite"}
        pages |= {
            "prospect": "/prospect?id=p-1",
            "prospect-many": "/prospect?id=p-3",
            "campaign": "/campaign?id=spring",
            "campaign-full": "/campaign?id=autumn",
            "campaign-paused": "/campaign?id=winter",
            "prospect-suppressed": "/prospect?id=q-9",
        }
        pages |= {
            "filter": "/?filter=cannot-send",
            "filter-window": "/?filter=outside-window",
            "tier": "/?tier=sales_navigator",
            "search-prospect": "/?q=p-1",
            "alerts-kind": "/alerts?kind=failing",
            "unknown-of": "/unknown?of=acc-unknown",
        }
        pages |= {f"act-{act}": f"/act?do={act}&{of}" for act, of in ACTS.items()}
        for act, page in LINKED.items():
            browser.open(base + page)
            pages[f"act-{act}"] = browser.run(
                f"return document.querySelector('[href*=\"do={act}&\"]').getAttribute('href')"
            )
    return pages


def parts(browser: Browser, path: Path) -> None:
    """The page in pictures of at most ``PART_MAX`` pixels."""
    height = browser.height()
    for number, top in enumerate(range(0, height, PART_MAX), 1):
        name = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        browser.picture(name, part=(top, min(top + PART_MAX, height)))


def take(browser: Browser, stage: Stage, pages: dict[str, str], options: argparse.Namespace) -> None:
    """Pictures of these pages."""
    for name, page in pages.items():
        if options.only not in name:
            continue
        for size, (width, height) in SIZES.items():
            browser.resize(width, height)
            browser.open(stage.base + page)
            for scheme in SCHEMES:
                browser.scheme(scheme)
                parts(browser, options.into / f"{stage.accounts}-{name}-{size}-{scheme}.png")


def main() -> int:
    """Takes them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--accounts", default="0,1,200")
    parser.add_argument("--only", default="", help="a part of the pages' names")
    options = parser.parse_args()
    for accounts in map(int, options.accounts.split(",")):
        with Stage(accounts, fill) as stage:
            with Browser() as browser:
                stage.sign_in(browser)
                take(browser, stage, pages_of(browser, stage.base, accounts), options)
                if accounts > 1:
                    stage.cluster.psql(PAUSE, "console")
                    take(browser, stage, BANNERS, options)
            progress(f"  {options.into}: {accounts} accounts")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
