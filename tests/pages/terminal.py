"""What a command prints on a terminal, as a page that a browser can take a picture of."""

import html
import os
import pty
import re
import select
import struct
import subprocess
import termios
from fcntl import ioctl
from pathlib import Path

ROWS, COLUMNS = 40, 120
RUN_SECONDS = 60
STYLE = """
body { margin: 0; padding: 20px 24px; background: #12161f; color: #d5d9e2; }
pre { font: 14px/1.45 "DejaVu Sans Mono", monospace; margin: 0; }
b { font-weight: 600; } .dim { color: #8a92a3; }
.red { color: #ff8080; } .green { color: #7fd88f; } .yellow { color: #f2c66d; } .blue { color: #86b6ff; }
"""
# The select-graphic-rendition codes that the daemon's tables use.
CLASSES = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow", "34": "blue", "36": "blue", "90": "dim"}


def page(title: str, command: list, environment: dict[str, str], into: Path) -> str:
    """Run it on a terminal of its own and write the page; its address."""
    shown = f"<b>$ {html.escape(title)}</b>\n{coloured(typed(command, environment))}"
    into.write_text(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><pre>{shown}</pre>")
    return into.as_uri()


def typed(command: list, environment: dict[str, str]) -> str:
    """What it prints when its output is a terminal."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        command, env={"TERM": "xterm-256color"} | environment,
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    parts = []
    try:
        while select.select([ours], [], [], RUN_SECONDS)[0]:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # Linux' way to say that the other end is closed
                break
            parts.append(part)
    finally:
        os.close(ours)
        process.wait(RUN_SECONDS)
    return b"".join(parts).decode().replace("\r\n", "\n")


def coloured(text: str) -> str:
    """Escape sequences for colours as HTML."""
    out, is_open = [], False
    for part in re.split(r"(\x1b\[[0-9;]*m)", text):
        if codes := re.fullmatch(r"\x1b\[([0-9;]*)m", part):
            if is_open:
                out.append("</span>")
            names = [CLASSES[code] for code in codes[1].split(";") if code in CLASSES]
            is_open = bool(names)
            if is_open:
                out.append(f'<span class="{" ".join(names)}">')
        else:
            out.append(html.escape(part))
    return "".join(out) + ("</span>" if is_open else "")
