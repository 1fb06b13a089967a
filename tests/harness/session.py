"""What ``psql -X -q -A -t -v ON_ERROR_STOP=1 -f -`` does, in a session of this process: a program less to start.

Most calls of the tests are short, and starting psql costs more than what it is started for. It needs psycopg, which only
the tests' own Python has, and it leaves to psql what only psql understands.
"""

import re
from itertools import pairwise

# A quote, a comment, a body, a bracket, the end of a statement, or what is psql's alone.
TOKEN = re.compile(r"'|\"|--|/\*|\$(?:[A-Za-z_\x80-\uffff][A-Za-z0-9_\x80-\uffff]*)?\$|[();\\]")
# COPY may read what follows it; the body of a function of the standard's kind has statements of its own; a variable.
PSQL_ALONE = re.compile(r"\b(?:COPY|ATOMIC)\b|(?<!:):[A-Z'\"{]", re.IGNORECASE | re.ASCII)
LETTER = re.compile(r"\w", re.ASCII)


class SessionFailed(Exception):
    """The exit status that psql would end with, and what it would say."""

    def __init__(self, status: int, output: str):
        super().__init__(output)
        self.status = status
        self.output = output


def is_there() -> bool:
    """Whether this process has psycopg."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return False
    return True


def statements(sql: str) -> list[tuple[int, str]] | None:
    """The line on which each statement ends, and the statement as psql sends it; None if psql has to read the text."""
    if PSQL_ALONE.search(sql):
        return None
    ends, at, depth = [0], 0, 0
    while token := TOKEN.search(sql, at):
        word, at = token[0], token.end()
        if word == "\\":
            return None
        if word in "'\"":
            # A string with escapes, such as E'\'': not read here.
            if word == "'" and LETTER.match(sql, token.start() - 1):
                return None
            at = sql.find(word, at) + 1
        elif word == "--":
            at = sql.find("\n", at) + 1 or len(sql)
        elif word == "/*":
            at = sql.find("*/", at) + 2
            if "/*" in sql[token.end() : at]:
                return None
        elif word[0] == "$":
            if LETTER.match(sql, token.start() - 1):
                return None
            at = sql.find(word, at) + len(word)
        elif word == ";" and depth == 0:
            ends.append(at)
        elif word in "()":
            depth += 1 if word == "(" else -1
        if at < token.end():  # a string, a comment or a body has no end
            return None
    parts = [(sql.count("\n", 0, end) + 1, sql[begin:end].strip()) for begin, end in pairwise([*ends, len(sql)])]
    return [(line, part) for line, part in parts if part]


def run(dsn: str, found: list[tuple[int, str]], seconds: int) -> str:
    """Run the statements, each in a transaction of its own, until one fails; unaligned rows, each with its line end."""
    import psycopg

    printed: list[str] = []
    try:
        connection = psycopg.connect(
            dsn, autocommit=True, prepare_threshold=None, connect_timeout=seconds, fallback_application_name="psql"
        )
    except psycopg.OperationalError as error:
        raise SessionFailed(2, f"psql: error: {error}") from error
    try:
        for line, sql in found:
            try:
                cursor = connection.execute(sql)
            except psycopg.Error as error:
                said = error.pgresult.error_message.decode(errors="replace") if error.pgresult else str(error)
                status = 2 if connection.closed else 3
                raise SessionFailed(status, "".join(printed) + f"psql:<stdin>:{line}: {said}") from error
            printed += rows(cursor)
    finally:
        connection.close()
    return "".join(printed)


def rows(cursor) -> list[str]:
    """A line for each row of all results of a statement."""
    lines = []
    while True:
        result = cursor.pgresult
        columns = range(result.nfields)
        if columns:
            for row in range(result.ntuples):
                values = (result.get_value(row, column) or b"" for column in columns)
                lines.append(b"|".join(values).decode(errors="replace") + "\n")
        if not cursor.nextset():
            return lines
