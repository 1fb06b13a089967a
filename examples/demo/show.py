"""What happens in the demo, from the first step to the exit status."""

import json
import math
import os
import signal
import sys
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness import venv
from harness.cluster import Cluster
from harness.console import HarnessError
from harness.postgres import Install

from . import children, prepare, stage, table, terminal, verdict
from .children import Child
from .stage import Session
from .terminal import heading, say, step

SECONDS_DEFAULT = 60
SUMMARY_EVERY_SECONDS = 5
"""Between the lines of an output that cannot be redrawn."""
OPERATORS_QUERY = """\
SELECT id, display_name, status, inmail_credits_exhausted_at
FROM linkedin_accounts
WHERE inmail_credits_exhausted_at IS NOT NULL
ORDER BY inmail_credits_exhausted_at DESC;"""
CUT_CONNECTIONS = "SELECT count(pg_terminate_backend(pid)) AS cut FROM pg_stat_activity WHERE usename = %s"


@dataclass
class Scene:
    """The running parts of the demo."""

    server: Cluster
    admin: Session
    reader: Session
    provider_url: str
    workers: list[Child]
    languages: str


def run() -> int:
    """The whole demo. Whatever ends it, what was started is stopped, the last first."""
    seconds = _seconds()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    heading("sendgate: preparing")
    python = venv.ensure()
    install = prepare.database()
    node_dir = prepare.node()
    with ExitStack() as cleanup:
        try:
            fine = _play(cleanup, install, python, node_dir, seconds)
        finally:
            children.ignore_interrupts()
    return 0 if fine else 1


def _play(cleanup: ExitStack, install: Install, python: Path, node_dir: Path | None, seconds: float) -> bool:
    """Sets the stage and plays. Whether the verdict is good."""
    logs = stage.logs()
    server = cleanup.enter_context(stage.cluster(install))
    admin = cleanup.enter_context(Session(server, "postgres"))
    reader = cleanup.enter_context(Session(server, stage.READER))
    stage.load(admin)
    started: list[Child] = []
    cleanup.callback(children.stop, started)
    url = children.start_provider(started, logs)
    step(f"mock provider at {url}")
    database = stage.environment(server, stage.WORKER)
    workers = children.start_workers(started, python, url, database, node_dir, logs)
    languages = "2 in Python, 2 in Node.js" if node_dir else "all in Python"
    scene = Scene(server, admin, reader, url, workers, languages)
    _send(scene, seconds)
    fine = _judge(scene, logs)
    _look_around(scene, logs)
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


def _send(scene: Scene, seconds: float) -> None:
    """Watches the workers for a while, and disturbs them half-way."""
    heading(f"{len(scene.workers)} workers are sending ({scene.languages}), for {seconds:g} s")
    started = time.monotonic()
    note, summarized, gone = "", 0.0, set()
    while (passed := time.monotonic() - started) < seconds:
        if not note and passed > seconds / 2:
            note = f"at {passed:.0f} s the demo {_disturb(scene)}; the workers repeat their calls"
            if not terminal.is_live:
                say(f"  {note}")
        cards = table.read(scene.reader)
        title = f"{passed:4.0f} s of {seconds:g}"
        if terminal.is_live:
            terminal.draw(table.lines(cards, f"{title}   {note}"))
        elif passed - summarized >= SUMMARY_EVERY_SECONDS:
            say(table.summary(cards, title))
            summarized = passed
        for worker in scene.workers:
            if worker.failed and worker.name not in gone:
                gone.add(worker.name)
                terminal.keep()
                say(f"{worker.name} ended by itself, status {worker.process.returncode}:", "red")
                say(worker.last_words())
        if len(gone) == len(scene.workers):
            break
        time.sleep(min(1.0, max(0.0, seconds - (time.monotonic() - started))))
    killed = children.stop(scene.workers)
    terminal.draw(table.lines(table.read(scene.reader), "the workers have stopped"))
    terminal.keep()
    for name in killed:
        say(f"{name} did not stop when asked and was killed.", "red")


def _disturb(scene: Scene) -> str:
    """Takes the workers' connections away, as databases do now and then. What was done, in words."""
    if os.environ.get("DEMO_CRASH") == "1":
        scene.server.restart("immediate")
        return "crashed the server"
    cut = scene.admin.rows(CUT_CONNECTIONS, [stage.WORKER])[0]["cut"]
    return f"cut {cut} connections"


def _judge(scene: Scene, logs: Path) -> bool:
    """Prints the verdict. Whether all is well."""
    with urllib.request.urlopen(scene.provider_url + "/ledger", timeout=30) as answer:
        ledger = json.load(answer)
    checks = verdict.judge(verdict.Books.read(scene.reader), ledger)
    failed = [worker.name for worker in scene.workers if worker.failed]
    checks.append(verdict.Check("the workers ran to the end", not failed, ", ".join(failed) or "all of them"))
    heading("Verdict: the provider's ledger against the gate's books")
    for check in checks:
        mark, style = {True: ("OK  ", "green"), False: ("FAIL", "red"), None: ("–   ", "dim")}[check.ok]
        say(f"  {terminal.styled(mark, style)}  {check.name:<42} {check.detail}")
    fine = all(check.ok is not False for check in checks)
    if not fine:
        say(f"  Logs and ledger: {logs}", "red")
    heading("Why some accounts send no InMails, in the words of an operator")
    for line in OPERATORS_QUERY.splitlines():
        say(f"  {line}")
    say()
    query = f"SET search_path = sendgate;\n\\pset format aligned\n\\pset tuples_only off\n{OPERATORS_QUERY}"
    for line in scene.server.psql(query, stage.DATABASE, stage.READER).splitlines():
        say(f"  {line}")
    return fine


def _look_around(scene: Scene, logs: Path) -> None:
    """Keeps the cluster for whoever sits at a terminal, until Enter."""
    asked = os.environ.get("DEMO_KEEP") == "1"
    if not sys.stdin.isatty() and not asked:
        say("Run it in a terminal, or with DEMO_KEEP=1, to look around in the database afterwards.")
        return
    heading("Look around")
    psql = scene.server.install.program("psql")
    address = f"host={scene.server.host} port={scene.server.port} dbname={stage.DATABASE} user=postgres"
    say(f'  {psql} "{address} options=-csearch_path=sendgate"')
    say(f"  ledger and logs: {logs}")
    if sys.stdin.isatty():
        say("Press Enter to stop the cluster and remove its data.")
        sys.stdin.readline()
    else:
        say("DEMO_KEEP=1: the cluster runs until this process is told to stop.")
        signal.pause()
