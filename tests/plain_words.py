"""Keeps some words out of comments, docstrings, the catalog's comments, messages and the pages.

They are not wrong, but sentences that are built around them have to be read twice, mostly because the subject is
missing: `what was put off waits for whoever comes first`. Say instead who does what to which thing, with the words
of the glossary in CONTRIBUTING.md. `tests/house.py` calls this.
"""

import ast
import io
import itertools
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

# Each with what to write instead.
INSTEAD = {
    "whoever": "the worker, call or session that …",
    "whomever": "the worker, call or session that …",
    "nobody": "no worker, call or session",
    "somebody": "another session, an operator, a worker",
    "anybody": "every user, an operator",
    "of which": "two sentences, or the thing itself: its rows",
    "of whom": "two sentences, or the people themselves",
    "put off": "postponed (by a rule about the prospect), deferred (by the breaker)",
    "what was": "the thing itself: the delivered operations, the planted rows",
}
WORDS = re.compile(rf"\b({'|'.join(INSTEAD)})\b", re.IGNORECASE)
# Quoted code, such as the operating system's user `nobody`, is a name and no word.
QUOTED = re.compile(r"``[^`]*``|`[^`]*`")
# Places that keep such a word, each with the reason.
ALLOWED: dict[tuple[str, str], str] = {}

PROSE = {".md", ".yml"}
SLASHES = {".rs", ".mjs"}
HASHES = {".spec", ".sh"}
SQL_COMMENT = re.compile(r"^COMMENT ON .*?';$", re.MULTILINE | re.DOTALL)

# The parts of a file that people read as sentences: the line on which one begins, and its text.
Sentences = Iterator[tuple[int, str]]


def faults(repo: Path, files: list[Path]) -> Iterator[str]:
    """One line for each of the words in one of the files, with what to do."""
    for file in files:
        # Quickly: most files have none at all, and need not be taken apart.
        text = file.read_text(errors="replace")
        if WORDS.search(text):
            yield from _faults(str(file.relative_to(repo)), sentences(file.suffix, text))


def _faults(name: str, found: Sentences) -> Iterator[str]:
    for first, text in found:
        for number, line in enumerate(QUOTED.sub(_blank, text).split("\n")):
            for match in WORDS.finditer(line):
                word = match[1].lower()
                if (name, word) not in ALLOWED:
                    yield (
                        f"{name}:{first + number}: “{match[1]}”. Name the subject: {INSTEAD[word]}; "
                        "or give the reason in ALLOWED of tests/plain_words.py."
                    )


def sentences(suffix: str, text: str) -> Sentences:
    """What people read as sentences in a file of this kind: comments, docstrings, pages."""
    if suffix == ".py":
        return _python(text)
    if suffix in PROSE:
        return iter([(1, re.sub(r"^```.*?^```", _blank, text, flags=re.MULTILINE | re.DOTALL))])
    if suffix in SLASHES:
        return itertools.chain(_after("//", text), _strings(text))
    if suffix == ".html":
        return iter([(1, text)])
    if suffix in HASHES:
        return _after("#", text)
    if suffix == ".sql":
        return _sql(text)
    return iter(())


def _python(text: str) -> Sentences:
    """Comments, and strings that are statements of their own: docstrings."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def _sql(text: str) -> Sentences:
    """Comments in the text, and those that go into the catalog."""
    yield from _after("--", text)
    for match in SQL_COMMENT.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[0]


def _strings(text: str) -> Sentences:
    """What stands in double quotes, line by line: messages, hints and pages."""
    for number, line in enumerate(text.split("\n"), 1):
        yield from ((number, quoted) for quoted in re.findall(r'"((?:[^"\\]|\\.)*)"', line))


def _after(mark: str, text: str) -> Sentences:
    """The rest of each line after the mark, unless the mark is inside a string."""
    for number, line in enumerate(text.split("\n"), 1):
        before, found, comment = line.partition(mark)
        if found and before.count('"') % 2 == 0 and before.count("'") % 2 == 0:
            yield number, comment


def _blank(match: re.Match) -> str:
    """As many lines, without words."""
    return "\n" * match[0].count("\n")
