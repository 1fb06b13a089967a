"""The parts that `make bench` measured last, kept in tests/results: parts may be measured one after the other.

A part stays in the report until it is measured again, as long as the sources and the sizes are the same.
"""

import json
from pathlib import Path

from harness.places import RESULTS

FILE = RESULTS / "bench.json"
# What has to be the same for two parts to stand in one report.
SAME = ("sources", "profile", "quick", "postgresql", "accounts")


def kept(machine: dict, file: Path = FILE) -> dict:
    """The earlier parts that may stand beside those that are measured now on this machine."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        found = {}
    machines = {
        part: was
        for part, was in found.get("machines", {}).items()
        if part in found and all(was.get(name) == machine[name] for name in SAME)
    }
    return {"machines": machines} | {part: found[part] for part in machines}


def keep(found: dict, file: Path = FILE) -> None:
    """Writes all parts down."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1, default=vars))
