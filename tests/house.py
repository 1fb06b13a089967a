"""Keeps the house in order: folders are floors, files are small, every SQL function is complete, words are plain.

    python3 tests/house.py

It reads the sources alone, in a second; `make check` and `make test` call it. Each fault is one line:
where it is, and what to do.
"""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import leaving_tables
import plain_words

REPO = Path(__file__).resolve().parents[1]

# Higher floors use lower ones. Folders of one floor do not know each other.
FLOORS = {
    "extension/src": {"triggers": 5, "verbs": 4, "books": 4, "gate": 3, "settle": 3, "tables": 2, "postgres": 1},
    "daemon/src": {
        "cli": 8,
        "commands": 7,
        "tasks": 6,
        "console": 5,
        "db": 4,
        "logging": 4,
        "config": 3,
        "job": 2,
        "schedule": 1,
        "terminal": 1,
        "words": 1,
        "shutdown": 1,
        "error": 1,
    },
    "extension/decision/src": {},
}
# A verb and a command stand alone: each uses the rooms below and its own children.
APART = {("extension/src", "verbs"), ("daemon/src", "commands")}

FILE_LINES_MAX = 400  # beyond that a file has two subjects
MAP_LINES_MAX = 80  # lib.rs and main.rs are maps
CODE = {".rs", ".py", ".sql", ".mjs", ".sh"}
READ = CODE | {".md", ".yml", ".spec", ".html"}
# Frozen releases are never edited; expected output is printed by the server; the rest is not ours.
FROZEN = re.compile(r"(^|/)(releases|expected|node_modules|target|results|\.run)/|^sql/sendgate--")

# Functions that no role calls directly, each with the reason.
WITHOUT_GRANT = {
    "append_only": "a trigger function: PostgreSQL calls it",
    "config_changed": "a trigger function: PostgreSQL calls it",
    "journal_event": "a trigger function: PostgreSQL calls it",
    "suppressions_changed": "a trigger function: PostgreSQL calls it",
    "account_leaves": "a trigger function: PostgreSQL calls it",
    "account_is_sound": "a trigger function: PostgreSQL calls it",
    "is_sound_history": "domains call it with the rights of who writes, which is the owner",
    "is_sound_operation": "a CHECK calls it with the table owner's rights",
}
# Functions that docs/reference.md names without a heading of their own, each with the reason.
WITHOUT_HEADING = {
    **dict.fromkeys(WITHOUT_GRANT, "internal: PostgreSQL calls it, people do not"),
    "credit_forecast": "described with the clock and readings: views call it",
    "breaker_state": "described with the clock and readings: views call it",
    "clock": "described with the clock and readings",
    "enforcement_of": "described with the clock and readings: views call it",
    "effective_cap": "described with the clock and readings: views call it",
    "next_credit_period": "described with the clock and readings: views call it",
    "sent_as_of": "described with the clock and readings: views call it",
    "sent_before_days": "described with the clock and readings",
    "sent_in_seven_days_as_of": "described with the clock and readings: views call it",
    "window_days_array": "described with the clock and readings: views call it",
    "window_since": "described with the clock and readings: why calls it",
    "outside_window": "described with the clock and readings: views call it",
}


# Where people have to find every refusal reason, each with what it says there.
TOLD = {
    "daemon/src/words.rs": "the console and the terminal show it in words",
    "docs/reference.md": "the table of reasons says when it holds and until when",
    "docs/application.md": "the table says what a worker does about it",
}
# Reasons that one of these does not need, each with the reason.
UNTOLD: dict[tuple[str, str], str] = {}


@dataclass
class Module:
    """One Rust file: its path inside the crate, and the modules that it imports, each with a line number."""

    file: Path
    path: tuple[str, ...]
    imports: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)


def shown(path: Path) -> str:
    """A path as people write it."""
    return str(path.relative_to(REPO))


def modules(root: Path) -> dict[tuple[str, ...], Module]:
    """The modules of a crate by their path, with what each imports."""
    found = {}
    for file in sorted(root.rglob("*.rs")):
        parts = file.relative_to(root).with_suffix("").parts
        path = () if parts in (("lib",), ("main",)) else tuple(part for part in parts if part != "mod")
        found[path] = Module(file, path)
    for module in found.values():
        module.imports = list(imports(module, set(found)))
    return found


def imports(module: Module, known: set[tuple[str, ...]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The modules of the same crate that a file names, with ``use`` or in full."""
    text = re.sub(r"//[^\n]*", lambda comment: " " * len(comment[0]), module.file.read_text())
    # What only the tests of a module import says nothing about the house.
    text = text.split("#[cfg(test)]\nmod tests {")[0]
    for match in re.finditer(r"\b(crate|super)::", text):
        base = () if match[1] == "crate" else module.path[:-1]
        line = text.count("\n", 0, match.start()) + 1
        for path in expanded(text[match.end() :]):
            if target := longest(base + path, known):
                yield line, target


def expanded(text: str) -> Iterator[tuple[str, ...]]:
    """The paths that ``a::{b::c, d}`` stands for, read from the beginning of ``text``."""
    head = re.match(r"(?:\w+::)*", text)[0]
    start = tuple(head.split("::")[:-1])
    rest = text[len(head) :]
    if not rest.startswith("{"):
        word = re.match(r"\w*", rest)[0]
        yield start + ((word,) if word else ())
        return
    depth, begin = 0, 1
    for i, letter in enumerate(rest):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if (letter == "," and depth == 1) or depth == 0:
            for path in expanded(rest[begin:i].strip()):
                yield start + path
            begin = i + 1
        if depth == 0:
            return


def longest(path: tuple[str, ...], known: set[tuple[str, ...]]) -> tuple[str, ...]:
    """The module that a path leads into: the rest of it is an item there."""
    while path and path not in known:
        path = path[:-1]
    return path


def floors(crate: str) -> Iterator[str]:
    """Imports that lead upward, beside, or from one verb to another."""
    floor = FLOORS[crate]
    for module in modules(REPO / crate).values():
        room = module.path[0] if module.path else ""
        if room not in floor:
            continue
        for line, target in module.imports:
            where = f"{shown(module.file)}:{line}"
            other = target[0]
            if other != room and other in floor and floor[other] >= floor[room]:
                yield (
                    f"{where}: {room} imports {'::'.join(target)}, which is not below it. "
                    f"Move what both need to a lower room ({rooms_below(floor, room)})."
                )
            apart = (crate, room) in APART and other == room and len(target) > 1 and len(module.path) > 1
            if apart and target[1] != module.path[1]:
                yield (
                    f"{where}: {'::'.join(module.path)} imports its neighbour {'::'.join(target)}. "
                    f"Move what both need to a lower room ({rooms_below(floor, room)})."
                )


def rooms_below(floor: dict[str, int], room: str) -> str:
    """The rooms that a room may use."""
    return ", ".join(name for name, number in floor.items() if number < floor[room]) or "none is below it"


def circles(crate: str) -> Iterator[str]:
    """Modules that import each other, directly or around corners. Parent and child count as one."""
    found = modules(REPO / crate)
    after = {
        path: sorted({target for _, target in module.imports if target and not related(path, target)})
        for path, module in found.items()
        if path
    }
    state: dict[tuple[str, ...], int] = {}
    trail: list[tuple[str, ...]] = []

    def visit(path: tuple[str, ...]) -> Iterator[str]:
        state[path] = 1
        trail.append(path)
        for target in after.get(path, []):
            if state.get(target) == 1:
                around = " → ".join("::".join(one) for one in [*trail[trail.index(target) :], target])
                yield f"{shown(found[path].file)}: a circle of imports: {around}. Move what both need below them."
            elif target not in state:
                yield from visit(target)
        trail.pop()
        state[path] = 2

    for path in after:
        if path not in state:
            yield from visit(path)


def related(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one module lies inside the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def files(suffixes: set[str]) -> list[Path]:
    """The files of these kinds, without what is frozen, was built or is not ours."""
    found = []
    for folder, folders, names in os.walk(REPO):
        here = Path(folder)
        # Not into .run and the like: a test that runs at the moment may remove a folder there.
        folders[:] = [name for name in folders if name != ".git" and not FROZEN.search(shown(here / name) + "/")]
        found += [here / name for name in names if Path(name).suffix in suffixes]
    return sorted(file for file in found if not FROZEN.search(shown(file)))


def sizes() -> Iterator[str]:
    """Files that are longer than a reader's patience."""
    for file in files(CODE):
        lines = file.read_text().count("\n")
        is_map = file.name in ("lib.rs", "main.rs") and shown(file.parent) in FLOORS
        limit = MAP_LINES_MAX if is_map else FILE_LINES_MAX
        if lines > limit:
            yield f"{shown(file)}: {lines} lines, at most {limit}. It has more than one subject: give each a file."


@dataclass
class Function:
    """A function or procedure that the install script defines."""

    kind: str
    name: str
    arguments: int
    symbol: str | None
    where: str


def sql_functions() -> list[Function]:
    """What the numbered files of ``sql/`` define."""
    found = []
    for file in sorted((REPO / "sql").glob("[0-9][0-9]_*.sql")):
        text = file.read_text()
        for match in re.finditer(r"^CREATE (FUNCTION|PROCEDURE) sendgate\.(\w+)\((.*?)\)", text, re.M | re.S):
            # Up to the next statement that begins a line: that is where the body and the symbol are.
            following = re.search(r"^(CREATE|COMMENT|GRANT|ALTER)\b", text[match.end() :], re.M)
            body = text[match.end() : match.end() + following.start()] if following else text[match.end() :]
            symbol = re.search(r"'MODULE_PATHNAME', '(\w+)'", body)
            where = f"{shown(file)}:{text.count(chr(10), 0, match.start()) + 1}"
            arguments = len([part for part in match[3].split(",") if part.strip()])
            found.append(Function(match[1], match[2], arguments, symbol and symbol[1], where))
    return found


def complete() -> Iterator[str]:
    """SQL functions that lack a symbol, a comment, a grant, a heading or a test; symbols without a function."""
    sql = {file: file.read_text() for file in sorted((REPO / "sql").glob("[0-9][0-9]_*.sql"))}
    script = "\n".join(sql.values())
    grants = (REPO / "sql/90_privileges.sql").read_text()
    reference = (REPO / "docs/reference.md").read_text()
    headings = "\n".join(re.findall(r"^####.*$", reference, re.M))
    regress = "\n".join(file.read_text() for file in (REPO / "tests/regress/sql").glob("*.sql"))
    rust = "\n".join(file.read_text() for file in (REPO / "extension/src").rglob("*.rs"))
    symbols = set(re.findall(r"\bsql_(?:function|statements|reading)!\(\s*(\w+)", rust))
    functions = sql_functions()
    for function in functions:
        name, where = function.name, function.where
        if function.symbol and function.symbol not in symbols:
            yield f"{where}: no Rust file exports {function.symbol}. Add sql_function!({function.symbol}, …)."
        if not re.search(rf"^COMMENT ON {function.kind} sendgate\.{name}\(", script, re.M):
            yield f"{where}: {name} has no comment. Add COMMENT ON {function.kind} right after it."
        granted = re.search(rf"\bsendgate\.{name}\(", grants)
        if not granted and name not in WITHOUT_GRANT:
            yield (
                f"{where}: no role may call {name}. Grant it in sql/90_privileges.sql, "
                "or give the reason in WITHOUT_GRANT of tests/house.py."
            )
        if f"{name}(" not in headings and name not in WITHOUT_HEADING:
            yield (
                f"{where}: docs/reference.md has no heading for {name}. Describe it there, "
                "or give the reason in WITHOUT_HEADING of tests/house.py."
            )
        if name not in WITHOUT_GRANT and not re.search(rf"\b{name}\s*\(", regress):
            yield f"{where}: no file of tests/regress/sql calls {name}. Show there what it answers."
    # Symbols that only a frozen release names must stay, or it cannot be installed to be upgraded.
    frozen = "\n".join(file.read_text() for file in (REPO / "tests/upgrade/releases").rglob("install.sql"))
    named = {function.symbol for function in functions} | set(re.findall(r"'MODULE_PATHNAME', '(\w+)'", frozen))
    for symbol in sorted(symbols - named):
        yield f"extension/src: {symbol} is exported, but no SQL function uses it. Remove it, or define its function."


def reasons() -> Iterator[str]:
    """Refusal reasons that a page or the console does not explain."""
    names = REPO / "extension/decision/src/names.rs"
    listed = re.search(r"^    Reason \{\n(.*?)^    \}", names.read_text(), re.M | re.S) if names.exists() else None
    for reason in re.findall(r'=> "(\w+)"', listed[1]) if listed else ():
        for place, what in TOLD.items():
            if (place, reason) not in UNTOLD and not re.search(rf"\b{reason}\b", (REPO / place).read_text()):
                yield f"{shown(names)}: {place} does not name the reason {reason}. Add it there: {what}."


def faults() -> list[str]:
    """Everything that is not in order."""
    found = [fault for crate in FLOORS for fault in (*floors(crate), *circles(crate))]
    found += [*sizes(), *complete(), *reasons(), *leaving_tables.faults(REPO)]
    return found + list(plain_words.faults(REPO, files(READ)))


def main() -> int:
    """The command."""
    found = faults()
    for fault in found:
        print(fault)
    print(f"house: {len(found)} faults" if found else "house: in order")
    return 1 if found else 0


def test_the_house_is_in_order() -> None:
    """The same, for ``pytest tests/house.py``."""
    assert faults() == []


if __name__ == "__main__":
    sys.exit(main())
