"""One PostgreSQL database, opened: its ports share the lanes and a pool of connections."""

from __future__ import annotations

import asyncio

from tidings import telemetry
from tidings.domain import limits
from tidings.errors import StorageUnavailable
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
from tidings.storage.account_shares import AccountShares
from tidings.storage.postgres.account_stores import PostgresApplicationStore, PostgresKeyStore
from tidings.storage.postgres.change_log import PostgresChangeLog
from tidings.storage.postgres.connection import Database
from tidings.storage.postgres.count_store import PostgresCountStore
from tidings.storage.postgres.days import Days
from tidings.storage.postgres.dispatch_store import PostgresDispatchStore
from tidings.storage.postgres.lanes import Lanes
from tidings.storage.postgres.lifecycle_store import PostgresLifecycleStore
from tidings.storage.postgres.observed import check_usable, look_at_server
from tidings.storage.postgres.queries import load_queries
from tidings.storage.postgres.retention_store import PostgresRetentionStore
from tidings.storage.postgres.roster_store import PostgresRosterStore
from tidings.storage.postgres.schema import check_current, state_of
from tidings.storage.postgres.webhook_store import PostgresWebhookStore
from tidings.storage.watchers import Watchers

_SQL = load_queries("transactions")

CAPABILITIES = Capabilities(
    lanes=limits.POSTGRES_LANES, hints=False, sole_server=False, whole_days=True
)


async def open_postgres(
    url: str,
    clock: Clock,
    *,
    serve: bool,
    connections: int = limits.DATABASE_CONNECTIONS,
    statement_seconds: float = limits.STATEMENT_SECONDS,
) -> PostgresStorage:
    """Open a database whose schema is current. All durable times come from its own clock.

    Any number of processes may `serve`; one that does attaches the coming days first. `connections`
    are those of the pool; the lanes have one each besides.

    Raises SchemaBehind, SchemaAhead, DatabaseCorrupted, StorageUnavailable, StorageFault.
    """
    database = Database(url, connections=connections, statement_seconds=statement_seconds)
    days = Days(database)
    try:
        async with database.snapshot() as connection:
            check_usable(await look_at_server(connection))
            check_current(await state_of(connection))
        if serve:
            await days.prepare()
    except BaseException:
        await database.close()
        raise
    return PostgresStorage(database, clock, days, readers=connections)


class PostgresStorage:
    """ports.Storage on one PostgreSQL database."""

    def __init__(self, database: Database, clock: Clock, days: Days, *, readers: int) -> None:
        watchers = Watchers()
        lanes = Lanes(database, clock, days, watchers.announce)
        self.log: ChangeLog = PostgresChangeLog(lanes, watchers, AccountShares(readers))
        self.webhooks: WebhookStore = PostgresWebhookStore(lanes)
        self.dispatch: DispatchStore = PostgresDispatchStore(lanes, days)
        self.roster: RosterStore = PostgresRosterStore(database)
        self.counts: CountStore = PostgresCountStore(database)
        self.lifecycle: LifecycleStore = PostgresLifecycleStore(lanes)
        self.retention: RetentionStore = PostgresRetentionStore(database, days)
        self.keys: KeyStore = PostgresKeyStore(database)
        self.applications: ApplicationStore = PostgresApplicationStore(lanes)
        self.capabilities = CAPABILITIES
        self._database = database
        self._lanes = lanes
        self._days = days
        self._closing = asyncio.Lock()

    async def probe(self) -> None:
        """Write a row that nobody sees, durably; raise what hinders it.

        Also where the coming days' partitions are missing: without them nothing could be written
        soon (mechanics G1).
        """
        async with self._database.writing() as connection:
            await connection.execute(_SQL["probe_write"])
            await connection.execute(_SQL["probe_undo"])
            ahead = await self._days.ahead(connection)
        if ahead < limits.DAYS_AHEAD_LEAST:
            telemetry.logger().error(telemetry.DAYS_MISSING, ahead=ahead)
            raise StorageUnavailable(
                f"partitions are there for {ahead} days ahead only: is a sweeper running?"
            )

    async def close(self) -> None:
        """Commit what is queued and close. Twice is fine."""
        async with self._closing:
            await self._lanes.close()
            await self._database.close()
