"""What can be seen of a PostgreSQL server: what Tidings needs of it, and what slows it down."""

from __future__ import annotations

import contextlib

import asyncpg
import msgspec

from tidings.domain import limits
from tidings.errors import StorageFault
from tidings.storage.postgres.connection import Connection, Database
from tidings.storage.postgres.days import Days
from tidings.storage.postgres.failures import ours
from tidings.storage.postgres.queries import load_queries

_SQL = load_queries("observed")
_OLDEST_VERSION = 150_000


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server as it is now."""

    version: int
    """As PostgreSQL counts: 150004 is 15.4."""
    shown: str
    standby: bool
    synchronous_commit: str
    fsync: bool
    oldest_snapshot_seconds: float
    now_seconds: float
    """Its clock, since 1970."""


def check_usable(server: Server) -> None:
    """Return if this server can keep a log as it is promised; raises StorageFault."""
    if server.version < _OLDEST_VERSION:
        raise StorageFault(f"the database is PostgreSQL {server.shown}: 15 or newer is needed")
    if server.synchronous_commit == "off":
        raise StorageFault(
            "synchronous_commit is off: a crash of the database would lose what was answered"
        )


async def look_at_server(connection: Connection) -> Server:
    """Look at the server behind a connection."""
    return Server(**await connection.fetchrow(_SQL["server"]))


async def look_at_database(url: str) -> tuple[Server, int]:
    """Look at the server at `url`, and for how many days ahead the log has its partitions.

    Raises StorageUnavailable, StorageFault: also where the schema isn't there.
    """
    database = Database(url, connections=1, statement_seconds=limits.STATEMENT_SECONDS)
    try:
        with ours():
            connection = await database.connect()
            try:
                server = await look_at_server(connection)
                return server, await Days(database).ahead(connection)
            finally:
                with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await connection.close()
    finally:
        await database.close()
