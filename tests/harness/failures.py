"""What a failed build has to say: the compiler's first error, and where the whole log is."""

import os
import re
from pathlib import Path

from .places import run_dir
from .progress import CommandFailed, HarnessError

LINES_MAX = 30
BLOCK_START = re.compile(r"^error(\[\w+\])?: ")
# Lines that cargo adds after the error itself.
AFTERWORD = re.compile(r"^error: (could not compile|aborting due to|build failed)")
BUILD_SCRIPT = re.compile(r"^error: failed to run custom build command for `([^`]+)`")
PANIC = re.compile(r"^\s*thread '[^']*'(?: \(\d+\))? panicked at (.*)$")
BACKTRACE = re.compile(r"^\s*(stack backtrace:|note: run with `RUST_BACKTRACE)")


def explained(failure: CommandFailed, what: str, name: str) -> HarnessError:
    """The failure as the reader should meet it; the whole output goes into ``.run/logs/NAME.log``."""
    log = written(failure.output, name)
    said = first_error(failure.output) or "\n".join(failure.output.rstrip().splitlines()[-LINES_MAX:])
    shown = "\n".join(f"    {line}".rstrip() for line in said.splitlines())
    return HarnessError(f"{what} failed. The first error:\n{shown}\nThe whole log: {log}")


def written(output: str, name: str) -> Path:
    """Keep a command's output; written beside its place and renamed, as another run may be reading it."""
    logs = run_dir() / "logs"
    logs.mkdir(exist_ok=True)
    fresh, log = logs / f".{name}.{os.getpid()}", logs / f"{name}.log"
    fresh.write_text(output.rstrip() + "\n")
    return fresh.replace(log)


def first_error(output: str) -> str | None:
    """The first error of cargo's output, without a backtrace; None if there is none that is known."""
    lines = output.splitlines()
    for number, line in enumerate(lines):
        if script := BUILD_SCRIPT.match(line):
            return _build_script_error(script[1], lines[number:])
        if BLOCK_START.match(line) and not AFTERWORD.match(line):
            return "\n".join(_block(lines[number:]))
    return None


def _block(lines: list[str]) -> list[str]:
    """An error to the blank line behind it; cargo sets the cause of its own errors off by one, which is kept."""
    end = 0
    while end < len(lines):
        if not lines[end].strip() and not (end + 1 < len(lines) and lines[end + 1].startswith("Caused by:")):
            break
        end += 1
    return _shortened(lines[:end])


def _build_script_error(crate: str, lines: list[str]) -> str:
    """What a build script said last: its panic's message, else the end of its error output."""
    head = f"the build script of {crate} failed"
    for number, line in enumerate(lines):
        if PANIC.match(line):
            return "\n".join([f"{head}:", *_shortened(_message(lines[number + 1 :]))])
    errors = [number for number, line in enumerate(lines) if line.strip() == "--- stderr"]
    said = _message(lines[errors[-1] + 1 :]) if errors else _block(lines)
    return "\n".join([f"{head}:", *said[-LINES_MAX:]])


def _message(lines: list[str]) -> list[str]:
    """The lines before a backtrace, and before whatever cargo says next."""
    kept = []
    for line in lines:
        if BACKTRACE.match(line) or line.startswith(("warning: build failed", "error: ")):
            break
        kept.append(line.strip())
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= LINES_MAX:
        return lines
    return [*lines[:LINES_MAX], f"… ({len(lines) - LINES_MAX} more lines)"]
