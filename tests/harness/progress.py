"""Progress lines, running commands, and the one error type of the harness."""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

# How often a silent terminal gets a sign of life, and how often a log file does.
TICK_SECONDS_TERMINAL = 1
TICK_SECONDS_LOG = 15
# Lines of a failed command's output that go into the error.
TAIL_LINES = 60
# What each line of this process begins with, where several share a terminal.
prefix = ""
# Longest reason that is told again at the end; the whole of it is where it happened.
REASON_CHARS = 600
# What failed so far, each with its name and why: told again at the end, where people look first.
failures: list[str] = []


class HarnessError(Exception):
    """Something the reader can mend; the message says what to do next."""


class CommandFailed(HarnessError):
    """A command ended with another status than 0; the message holds only the end of ``output``."""

    def __init__(self, command: list[str], status: int, output: str):
        said = output.rstrip().splitlines()
        cut = [f"… ({len(said) - TAIL_LINES} earlier lines)"] if len(said) > TAIL_LINES else []
        shown = "\n".join("    " + line for line in cut + said[-TAIL_LINES:])
        super().__init__(f"{' '.join(command)}\nended with status {status} and said:\n{shown}")
        self.output = output


def ended(main: Callable[[], int]) -> int:
    """Runs a command; its exit status, also for what it gives up with and for Ctrl-C."""
    try:
        return main()
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def begin_lines_with(text: str) -> None:
    """What each line of this process begins with from now on."""
    global prefix
    prefix = text


def progress(text: str) -> None:
    """Print at once, also into a pipe, and whole, also beside other processes."""
    lines = [f"{prefix}{line}" for line in text.split("\n")] if prefix else [text]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def note_failure(name: str, why: str) -> None:
    """Keep for the end of the run what failed and, shortened, why."""
    why = "\n    ".join(why.strip().splitlines())
    job = prefix.rstrip("│ ")
    failures.append(f"FAILED  {f'{job} {name}'.strip()}:\n    {why[:REASON_CHARS]}")


def own_environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """This process's environment without libpq's variables (``PGHOST``, ``PGOPTIONS``, …)."""
    clean = {k: v for k, v in os.environ.items() if not re.fullmatch(r"PG[A-Z]+", k)}
    return clean | (extra or {})


def duration(seconds: float) -> str:
    """Seconds as people read them: ``0.4 s``, ``34 s``, ``2 min 05 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def quiet(command: list, *, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a quick command and return its standard output."""
    command = [str(part) for part in command]
    try:
        done = subprocess.run(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise HarnessError(f"cannot run {command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise CommandFailed(command, done.returncode, done.stdout + done.stderr)
    return done.stdout


def watched(
    command: list,
    what: str,
    *,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a slow command under a ticking line and return all of its output.

    ``what`` completes "… 34 s", for instance "building sendgate for PostgreSQL 18".
    """
    command = [str(part) for part in command]
    started = time.monotonic()
    lines = _Lines()
    try:
        process = subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise HarnessError(f"cannot run {command[0]}: {error.strerror}") from error
    reader = threading.Thread(target=lines.extend_from, args=(process.stdout,), daemon=True)
    reader.start()
    ticker = _Ticker(what, started)
    try:
        while process.poll() is None:
            ticker.tick(lines[-1] if lines else "")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    reader.join(timeout=5)  # a daemonized child may hold the pipe open for ever
    ticker.done(process.returncode == 0)
    output = "\n".join(lines)
    if process.returncode != 0:
        raise CommandFailed(command, process.returncode, output)
    return output


class _Lines(list):
    """A list that a thread fills from a stream."""

    def extend_from(self, stream) -> None:
        for line in stream:
            self.append(line.rstrip())


class _Ticker:
    """Rewrites one line on a terminal; prints a line now and then anywhere else."""

    def __init__(self, what: str, started: float):
        self.what = what
        self.started = started
        self.terminal = sys.stdout.isatty() and not prefix
        self.next = started + (TICK_SECONDS_TERMINAL if self.terminal else TICK_SECONDS_LOG)

    def tick(self, last_line: str) -> None:
        now = time.monotonic()
        if now < self.next:
            return
        text = f"  {self.what}: {duration(now - self.started)}"
        if last_line:
            text += f"  ({last_line.strip()[:60]})"
        if self.terminal:
            print(f"\r\x1b[K{text}", end="", flush=True)
            self.next = now + TICK_SECONDS_TERMINAL
        else:
            progress(text)
            self.next = now + TICK_SECONDS_LOG

    def done(self, well: bool) -> None:
        if self.terminal:
            print("\r\x1b[K", end="")
        seconds = time.monotonic() - self.started
        progress(f"  {self.what}: {duration(seconds)}, {'done' if well else 'failed'}")
