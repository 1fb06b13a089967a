"""The parts that a benchmark measured last, kept in tests/results: parts may be measured one after the other.

A part stays in the report until it is measured again, as long as the sources and the sizes are the same.
"""

import json
from pathlib import Path

from harness.places import RESULTS

BENCH, BOOKS = RESULTS / "bench.json", RESULTS / "books.json"
# What has to be the same for two parts to stand in one report.
SAME = ("sources", "profile", "quick", "postgresql", "accounts")


def kept(machine: dict, file: Path) -> dict:
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


def keep(found: dict, file: Path) -> None:
    """Writes all parts down."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1, default=vars))


def told(facts: dict[str, str]) -> str:
    """On what and with what each part was measured: in one line where it is the same for all of them."""
    by_facts: dict[str, list[str]] = {}
    for part, said in facts.items():
        by_facts.setdefault(said, []).append(part)
    if len(by_facts) == 1:
        return next(iter(by_facts))
    return "\n".join(f"- {', '.join(parts)}: {said}" for said, parts in by_facts.items())
