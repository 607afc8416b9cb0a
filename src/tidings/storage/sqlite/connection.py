"""Connections to the one file: what each is told when it opens."""

from __future__ import annotations

import apsw

from tidings.domain import limits
from tidings.storage.sqlite.queries import load_queries

_SQL = load_queries("transactions")
_BEGIN, _ROLLBACK = _SQL["begin_read"], _SQL["rollback"]


def _connect(path: str) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(path, flags=flags)
    connection.set_busy_timeout(limits.DATABASE_BUSY_MS)
    # Plans don't go by what is bound: else SQLite (built with STAT4) parses and plans a query anew
    # for each execution, which cost more than a small read itself.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    return connection


def connect_writer(path: str) -> apsw.Connection:
    """Open the connection that writes: WAL, every commit synced before it returns."""
    connection = _connect(path)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("cache_size", -limits.WRITER_CACHE_KIBIBYTES)
    return connection


def connect_reader(path: str) -> apsw.Connection:
    """Open a connection that only reads, beside the writer."""
    connection = _connect(path)
    connection.pragma("query_only", True)
    connection.pragma("cache_size", -limits.READER_CACHE_KIBIBYTES)
    return connection


class snapshot:  # noqa: N801 - read as words: `with snapshot(connection):`
    """Lets all reads of a `with` block see one state of the database."""

    __slots__ = ("_connection",)

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        """Begin; the first read takes the snapshot."""
        self._connection.execute(_BEGIN)

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        if self._connection.in_transaction:
            self._connection.execute(_ROLLBACK)
