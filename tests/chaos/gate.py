"""A session that gets its answer, whatever happens to the server meanwhile."""

import time

import psycopg

# After these an application repeats its call with the same ids: the server stops, starts or is full, or another
# session holds the account.
REPEATED = ("08", "57P", "53", "SG3", "40001")
# A killed server is back in seconds. After this time the call fails.
PATIENCE_SECONDS = 120
PAUSE_SECONDS = 0.02
CONNECT_SECONDS = 5
IDLE = psycopg.pq.TransactionStatus.IDLE


class Gate:
    """One connection, opened when it is needed and again when it is lost."""

    def __init__(self, dsn: str, *setup: str):
        self.dsn = dsn
        self._setup = setup
        self._connection: psycopg.Connection | None = None

    def ask(self, sql: str, values=None) -> list[tuple]:
        """Run a statement until it is answered; errors that repeating does not help are raised."""
        return self.insist(lambda connection: rows_of(connection.execute(sql, values)))

    def insist(self, work):
        """The same for any work with the connection."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return work(self.connection())
            except psycopg.Error as error:
                if not is_repeated(error) or time.monotonic() > deadline:
                    raise
                if not self._is_idle():
                    self.close()
                time.sleep(PAUSE_SECONDS)

    def connection(self) -> psycopg.Connection:
        """The connection, which may be a new one."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.dsn, autocommit=True, connect_timeout=CONNECT_SECONDS)
            for statement in self._setup:
                self._connection.execute(statement)
        return self._connection

    def _is_idle(self) -> bool:
        """Not lost, and not in the middle of a transaction either."""
        return self._connection is not None and self._connection.info.transaction_status == IDLE

    def close(self) -> None:
        """Drop the connection, without a word to the server."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def is_repeated(error: psycopg.Error) -> bool:
    """Whether repeating may help: also when there is no answer at all."""
    if error.sqlstate is None:
        return isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return error.sqlstate.startswith(REPEATED)


def rows_of(cursor: psycopg.Cursor) -> list[tuple]:
    """All rows, or none of a command."""
    return cursor.fetchall() if cursor.description else []
