"""Places in SQLite: in a file of the follower's own, or beside the consumer's tables."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tidings.domain.limits import DATABASE_BUSY_MS
from tidings.errors import StorageUnavailable
from tidings.receiver.follower.place import (
    BEGINNING,
    check_held,
    check_idle,
    check_moved,
    check_open,
)
from tidings.receiver.follower.statements import NAMED, named


class SqlitePlaces:
    """A PlaceStore whose transactions are `sqlite3.Connection`s.

    Given a path, it keeps a file of its own, in which the consumer may have tables too; given a
    connection, it uses the consumer's, which nothing else may use while the follower runs. Its
    table is made where it isn't there. Raises StorageUnavailable where SQLite fails,
    FailedPrecondition where the connection has an open transaction.
    """

    def __init__(self, database: str | Path | sqlite3.Connection) -> None:
        if isinstance(database, sqlite3.Connection):
            check_idle(not database.in_transaction)
            self._connection, self._owned = database, False
        else:
            with _translated():
                self._connection, self._owned = _opened(database), True
        with _translated():
            self._connection.execute(NAMED.make_table)
            self._connection.commit()

    def close(self) -> None:
        """Close the file, if it is the follower's own."""
        if self._owned:
            self._connection.close()

    def load(self, webhook_id: str) -> str:
        """Return a webhook's place."""
        with _translated():
            rows = self._connection.cursor()
            rows.row_factory = None  # the consumer's own rows may be anything
            row = rows.execute(NAMED.load, {"webhook_id": webhook_id}).fetchone()
        return BEGINNING if row is None else str(row[0])

    @contextmanager
    def moving(self, webhook_id: str, old: str, new: str) -> Iterator[sqlite3.Connection]:
        """Enter a transaction, given for the work; see PlaceStore."""
        connection = self._connection
        check_idle(not connection.in_transaction)
        try:
            with _translated():
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(NAMED.begin_row, {"webhook_id": webhook_id})
                held = connection.execute(NAMED.hold, named(webhook_id, old)).rowcount
            check_held(held)
            with _unended(connection):
                yield connection
            with _translated():
                check_moved(connection.execute(NAMED.move, named(webhook_id, new)).rowcount)
                connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.rollback()


class AsyncSqlitePlaces:
    """The same for an AsyncFollower; SQLite's own work, mostly a disk's sync, blocks the loop."""

    def __init__(self, database: str | Path | sqlite3.Connection) -> None:
        self._places = SqlitePlaces(database)

    def close(self) -> None:
        """Close the file, if it is the follower's own."""
        self._places.close()

    async def load(self, webhook_id: str) -> str:
        """Return a webhook's place."""
        return self._places.load(webhook_id)

    @asynccontextmanager
    async def moving(
        self, webhook_id: str, old: str, new: str
    ) -> AsyncIterator[sqlite3.Connection]:
        """Enter a transaction, given for the work; see PlaceStore."""
        with self._places.moving(webhook_id, old, new) as connection:
            yield connection


def _opened(path: str | Path) -> sqlite3.Connection:
    """Open a file for whichever thread runs the follower; a commit is on the disk (FULL)."""
    connection = sqlite3.connect(
        path, timeout=DATABASE_BUSY_MS / 1000, isolation_level=None, check_same_thread=False
    )
    # A journal that stays costs half the syncs of one that is deleted. Not a WAL: SQLite before
    # 3.51.3, which most interpreters bring, may lose one that two processes checkpoint at once.
    connection.execute("PRAGMA journal_mode = PERSIST")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def _unended(connection: sqlite3.Connection) -> Iterator[None]:
    """Have SQLite refuse to end the transaction meanwhile, and say so whatever becomes of that."""
    refused: list[object] = []

    def judge(action: int, *words: object) -> int:
        if action != sqlite3.SQLITE_TRANSACTION:
            return sqlite3.SQLITE_OK
        refused.append(words)
        return sqlite3.SQLITE_DENY

    connection.set_authorizer(judge)
    try:
        yield
    finally:
        connection.set_authorizer(None)
        check_open(not refused and connection.in_transaction)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageUnavailable(f"The follower's place can't be kept: {error}.") from error
