"""The two acts: this month, in which credits run out, and the 1st of the next, on which they are back."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from harness.cluster import Cluster

from . import campaigns, stage, table, terminal
from .books import Books
from .campaigns import Campaigns
from .children import Child
from .stage import Readers, Session
from .terminal import heading, say

FIRST_ACT = 0.7
"""The part of the time that belongs to this month."""
OVERTIME_SECONDS_MAX = 20
"""How much longer an act may last until what it is to show has happened; a short demo needs it."""
SUMMARY_EVERY_SECONDS = 5
"""Between the lines of an output that cannot be redrawn."""
NOTES_SHOWN = 3
CONNECTIONS = "SELECT count(*) AS connected FROM pg_stat_activity WHERE usename = %s"
CUT_CONNECTIONS = "SELECT count(pg_terminate_backend(pid)) AS cut FROM pg_stat_activity WHERE usename = %s"


@dataclass
class Scene:
    """The running parts of the demo, and what it has to tell."""

    server: Cluster
    books: Readers
    admin: Session
    reader: Session
    campaigns: Campaigns
    workers: list[Child]
    notes: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def note(self, text: str) -> None:
        """Something that happened beside the sending."""
        self.notes.append(text)
        if not terminal.is_live:
            say(f"  {text}")


def this_month(scene: Scene, seconds: float) -> Books:
    """The workers send, are cut off from the database half-way, and accounts run out of credits. The
    books as they are at the end of the month."""
    seconds *= FIRST_ACT
    halfway = seconds / 2

    def disturb(passed: float) -> None:
        nonlocal halfway
        if passed > halfway and (_all_connected(scene) or passed > seconds):
            scene.note(f"at {passed:.0f} s the demo {_disturb(scene)}; the workers repeat their calls")
            halfway = float("inf")

    def seen() -> bool:
        campaigns = scene.campaigns
        return campaigns.switched and bool(campaigns.topped_up) and bool(Books.read(scene.books).deferred())

    _watch(scene, seconds, seen, disturb)
    return Books.read(scene.books)


def next_month(scene: Scene, at_month_end: Books, seconds: float) -> datetime:
    """Moves the clock to the 1st, where deferred work goes on by itself. Returns that instant."""
    first = campaigns.next_month(scene.server, scene.reader, scene.campaigns.provider_url)
    heading(f"The clock is set to {first:%B} 1st; the workers are not told")
    scene.notes.clear()
    deferred = at_month_end.deferred()

    def resumed() -> bool:
        delivered = deferred & Books.read(scene.books).delivered_since(first)
        return {account for account, *_ in deferred} == {account for account, *_ in delivered}

    _watch(scene, seconds * (1 - FIRST_ACT), resumed)
    return first


def _watch(
    scene: Scene,
    seconds: float,
    happened: Callable[[], bool],
    disturb: Callable[[float], None] = lambda passed: None,
) -> None:
    """Shows the sending for so long, and then until what this act is about has happened."""
    started = time.monotonic()
    summarized = float("-inf")
    while (passed := time.monotonic() - started) < seconds + OVERTIME_SECONDS_MAX:
        if passed >= seconds and happened():
            break
        disturb(passed)
        for text in scene.campaigns.go_on():
            scene.note(text)
        title = f"{campaigns.clock(scene.reader):%b %d %H:%M:%S} UTC   {passed:3.0f} s of {seconds:.0f}"
        if terminal.is_live:
            notes = [(f"· {note}", "yellow") for note in scene.notes[-NOTES_SHOWN:]]
            terminal.draw(table.lines(table.read(scene.reader), title) + notes)
        elif passed - summarized >= SUMMARY_EVERY_SECONDS:
            say(table.summary(table.read(scene.reader), title))
            summarized = passed
        _report_gone(scene)
        if len(scene.gone) == len(scene.workers):
            break
        time.sleep(min(1.0, max(0.1, seconds - (time.monotonic() - started))))


def _report_gone(scene: Scene) -> None:
    """Workers are not meant to end by themselves."""
    for worker in scene.workers:
        if worker.failed and worker.name not in scene.gone:
            scene.gone.add(worker.name)
            terminal.keep()
            say(f"{worker.name} ended by itself, status {worker.process.returncode}:", "red")
            say(worker.last_words())


def _all_connected(scene: Scene) -> bool:
    """Whether there is a connection of each worker; on a busy machine it takes them a while."""
    connected = scene.admin.rows(CONNECTIONS, [stage.WORKER])[0]["connected"]
    return connected >= len(scene.workers)


def _disturb(scene: Scene) -> str:
    """Takes the workers' connections away, as databases do now and then. Returns what it did, in words."""
    if os.environ.get("DEMO_CRASH") == "1":
        scene.server.restart("immediate")
        return "crashed the server"
    cut = scene.admin.rows(CUT_CONNECTIONS, [stage.WORKER])[0]["cut"]
    return f"cut {cut} connections"
