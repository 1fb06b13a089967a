"""What happens in the demo, from the first step to the exit status."""

import math
import os
import signal
import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from harness import venv
from harness.progress import HarnessError

from . import acts, campaigns, children, console, partitions, prepare, stage, table, terminal, verdict
from .acts import Scene
from .books import Books, Case, Check
from .campaigns import Campaigns
from .children import Child
from .console import Console
from .stage import Readers, Session, Stage
from .terminal import heading, say, step

SECONDS_DEFAULT = 60
OPERATORS_QUERY = """\
SELECT id, display_name, status, inmail_credits_exhausted_at
FROM linkedin_accounts
WHERE inmail_credits_exhausted_at IS NOT NULL
ORDER BY inmail_credits_exhausted_at DESC;"""


def run() -> int:
    """The whole demo. However it ends, it stops everything that it started, in reverse order."""
    seconds, split = _seconds(), partitions.wanted()
    heading("sendgate: preparing")
    python = venv.ensure()
    front = partitions.proxy() if split else None
    install, daemon = prepare.programs()
    node_dir = prepare.node()
    place = partitions.stage(install, front, daemon, split) if front else stage.one_database(install)
    with ExitStack() as cleanup:
        try:
            fine = _play(cleanup, cleanup.enter_context(place), daemon, python, node_dir, seconds)
        finally:
            children.ignore_interrupts()
    return 0 if fine else 1


def _play(cleanup: ExitStack, place: Stage, daemon: Path, python: Path, node_dir: Path | None, seconds: float) -> bool:
    """Plays on that stage. Whether the verdict is good."""
    logs = stage.logs()
    books = cleanup.enter_context(Readers(place))
    admin, application, operator, reader = (
        cleanup.enter_context(Session(place.front, role))
        for role in ("postgres", stage.APPLICATION, stage.OPERATOR, stage.READER)
    )
    stage.load(operator)
    started: list[Child] = []
    cleanup.callback(children.stop, started)
    url = children.start_provider(started, logs)
    step(f"mock provider at {url}")
    plot = Campaigns(application, operator, reader, url)
    plot.start()
    shown = console.open_for(place, daemon, started, logs)
    step("sendgated keeps the books and serves the operators' console while the demo plays")
    shown.tell()
    database = stage.environment(place.front, stage.WORKER)
    workers = children.start_workers(started, python, url, database, node_dir, logs)
    languages = "2 in Python, 2 in Node.js" if node_dir else "all in Python"
    heading(f"{len(workers)} workers are sending ({languages}), for {seconds:g} s")
    scene = Scene(place.server, books, admin, reader, plot, workers)
    at_month_end = acts.this_month(scene, seconds)
    _show_stopped(scene, place)
    first = acts.next_month(scene, at_month_end, seconds)
    _stop_workers(scene)
    more = partitions.judge(books, admin, reader) if place.is_split else []
    fine = _judge(scene, at_month_end, first, logs, more)
    look_around(place, shown, logs)
    return fine


def _seconds() -> float:
    """How long to send, from the environment."""
    text = os.environ.get("DEMO_SECONDS") or str(SECONDS_DEFAULT)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 1 <= seconds <= 86_400:
        raise HarnessError(f"DEMO_SECONDS is {text!r}; it takes a number from 1 to 86400.")
    return seconds


def _show_stopped(scene: Scene, place: Stage) -> None:
    """What support is asked at the end of the month, and the query that answers it."""
    terminal.draw(table.lines(table.read(scene.reader), "the month ends"))
    terminal.keep()
    heading("Why some accounts send no InMails, in the words of an operator")
    for line in OPERATORS_QUERY.splitlines():
        say(f"  {line}")
    say()
    query = f"SET search_path = sendgate;\n\\pset format aligned\n\\pset tuples_only off\n{OPERATORS_QUERY}"
    for line in place.front.psql(query, stage.DATABASE, stage.READER).splitlines():
        say(f"  {line}")


def _stop_workers(scene: Scene) -> None:
    """Ends the sending, and shows where it ended."""
    killed = children.stop(scene.workers)
    terminal.draw(table.lines(table.read(scene.reader), "the workers have stopped"))
    terminal.keep()
    for name in killed:
        say(f"{name} did not stop when asked and was killed.", "red")


def _judge(scene: Scene, at_month_end: Books, first: datetime, logs: Path, more: list[Check]) -> bool:
    """Prints the verdict and what else was checked. Whether all is well."""
    ledger = campaigns.ask(scene.campaigns.provider_url + "/ledger")
    checks = verdict.judge(Case(Books.read(scene.books), at_month_end, ledger, first)) + more
    failed = [worker.name for worker in scene.workers if worker.failed]
    checks.append(Check("the workers ran to the end", not failed, ", ".join(failed) or "all of them"))
    heading("Verdict: the provider's ledger against the gate's books")
    for check in checks:
        mark, style = {True: ("OK  ", "green"), False: ("FAIL", "red"), None: ("–   ", "dim")}[check.ok]
        say(f"  {terminal.styled(mark, style)}  {check.name:<42} {check.detail}")
    for worker in scene.workers:
        if worker.failed and worker.name not in scene.gone:
            say(f"{worker.name} ended with status {worker.process.returncode}; its last words:", "red")
            say(worker.last_words())
    fine = all(check.ok is not False for check in checks)
    if not fine:
        say(f"  Logs and ledger: {logs}", "red")
    return fine


def look_around(place: Stage, shown: Console, logs: Path) -> None:
    """Keeps server and console until Enter, if a person sits at the terminal."""
    asked = os.environ.get("DEMO_KEEP") == "1"
    is_person = sys.stdin.isatty() and not os.environ.get("CI")
    if not is_person and not asked:
        say("Run it in a terminal, or with DEMO_KEEP=1, to look around in console and database afterwards.")
        return
    heading("Look around")
    shown.tell()
    psql = place.server.install.program("psql")
    for server, names in {place.front: [stage.DATABASE], place.server: place.databases}.items():
        for name in names:
            address = f"host={server.host} port={server.port} dbname={name} user=postgres"
            say(f'  {psql} "{address} options=-csearch_path=sendgate"')
    say(f"  ledger and logs: {logs}")
    if is_person:
        say("Press Enter to stop console and server and remove the data.")
        sys.stdin.readline()
    else:
        say("DEMO_KEEP=1: both run until this process is told to stop.")
        signal.pause()
