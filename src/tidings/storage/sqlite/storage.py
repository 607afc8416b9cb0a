"""One SQLite file, opened: its ports share one writer and a few readers."""

from __future__ import annotations

import asyncio
import os.path

import apsw

from tidings.ports import (
    ApplicationStore,
    Capabilities,
    ChangeLog,
    Clock,
    CountStore,
    DispatchStore,
    KeyStore,
    LifecycleStore,
    RetentionStore,
    RosterStore,
    WebhookStore,
)
from tidings.storage.sqlite.account_stores import SqliteApplicationStore, SqliteKeyStore
from tidings.storage.sqlite.change_log import SqliteChangeLog
from tidings.storage.sqlite.connection import connect_writer
from tidings.storage.sqlite.count_store import SqliteCountStore
from tidings.storage.sqlite.dispatch_store import SqliteDispatchStore
from tidings.storage.sqlite.failures import ours
from tidings.storage.sqlite.lifecycle_store import SqliteLifecycleStore
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.readers import Readers
from tidings.storage.sqlite.retention_store import SqliteRetentionStore
from tidings.storage.sqlite.roster_store import SqliteRosterStore
from tidings.storage.sqlite.schema import check_current, schema_state_of_file
from tidings.storage.sqlite.server_lock import ServerLock
from tidings.storage.sqlite.transaction import Transaction
from tidings.storage.sqlite.webhook_store import SqliteWebhookStore
from tidings.storage.sqlite.writer import Writer
from tidings.storage.watchers import Watchers

_SQL = load_queries("transactions")

CAPABILITIES = Capabilities(lanes=1, hints=True, sole_server=True, whole_days=False)


async def open_sqlite(path: str, clock: Clock, *, serve: bool) -> SqliteStorage:
    """Open a database file whose schema is current.

    `serve` takes the server's lock (mechanics Q1); without it the storage is for short work beside
    a server, such as making and revoking keys. All durable times come from `clock`.

    Raises DatabaseInUse, SchemaBehind, SchemaAhead, DatabaseCorrupted, StorageUnavailable,
    ConfigurationError; whatever it raises, it has changed nothing.
    """
    return _open(path, clock, serve=serve)


def _open(path: str, clock: Clock, *, serve: bool) -> SqliteStorage:
    path = os.path.realpath(path)  # two names of one file share one lock
    lock = ServerLock(path) if serve else None
    try:
        with ours(path):
            check_current(schema_state_of_file(path), path)
            connection = connect_writer(path)
            readers = Readers(path)
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    watchers = Watchers()
    writer = Writer(connection, path, clock, watchers.announce)
    return SqliteStorage(connection, writer, readers, watchers, clock, lock)


class SqliteStorage:
    """ports.Storage on one file."""

    def __init__(
        self,
        connection: apsw.Connection,
        writer: Writer,
        readers: Readers,
        watchers: Watchers,
        clock: Clock,
        lock: ServerLock | None,
    ) -> None:
        self.log: ChangeLog = SqliteChangeLog(writer, readers, watchers, clock)
        self.webhooks: WebhookStore = SqliteWebhookStore(writer, readers)
        self.dispatch: DispatchStore = SqliteDispatchStore(writer, readers)
        self.roster: RosterStore = SqliteRosterStore(writer)
        self.counts: CountStore = SqliteCountStore(clock)
        self.lifecycle: LifecycleStore = SqliteLifecycleStore(writer, readers, clock)
        self.retention: RetentionStore = SqliteRetentionStore(writer, clock)
        self.keys: KeyStore = SqliteKeyStore(writer, readers)
        self.applications: ApplicationStore = SqliteApplicationStore(writer, readers)
        self.capabilities = CAPABILITIES
        self._connection = connection
        self._writer = writer
        self._readers = readers
        self._lock = lock
        self._closing = asyncio.Lock()

    async def probe(self) -> None:
        """Write a row that nobody sees, durably; raise what hinders it."""
        await self._writer.run(_probe)

    async def close(self) -> None:
        """Commit what is queued, close, and end the server's lock. Twice is fine."""
        async with self._closing:
            await self._writer.close()
            await self._readers.close()
            await asyncio.to_thread(self._connection.close)
            if self._lock is not None:
                self._lock.release()


def _probe(transaction: Transaction) -> None:
    transaction.connection.execute(_SQL["probe_write"])
    transaction.connection.execute(_SQL["probe_undo"])
