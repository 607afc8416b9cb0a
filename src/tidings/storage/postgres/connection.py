"""Connections to PostgreSQL: what each is told when it opens, and the pool of those that read."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import msgspec

from tidings.domain import limits
from tidings.errors import ConfigurationError, StorageUnavailable
from tidings.storage.postgres.failures import PerhapsHereAlone, closed, is_lost, ours
from tidings.storage.postgres.hosts import Hosts, sought
from tidings.storage.postgres.pool import Pool
from tidings.storage.postgres.queries import load_queries

_SQL = load_queries("transactions")
_COMMITTED = "COMMIT"
_WARNING = "01000"

Row: TypeAlias = asyncpg.Record

_PLANS = {
    # Every statement of ours goes by an index, whatever a table's statistics say at the moment: a
    # plan made while a day's partition was empty must be right when it holds a hundred million.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    # Planning over the log's days costs more than most statements; it is done once a connection.
    "plan_cache_mode": "force_generic_plan",
    # Costs that count scans turned off as dear would have everything compiled.
    "jit": "off",
}


class Connection(asyncpg.Connection):  # type: ignore[misc,unused-ignore]  # asyncpg is partly typed
    """One of ours. It needs no cleaning between borrowers: none of them changes its session."""


class Copy(msgspec.Struct, frozen=True):
    """Rows that are copied into a table."""

    table: str
    columns: Sequence[str]
    rows: Sequence[tuple[object, ...]]


class Database:
    """Where connections come from: single ones for the lanes, pooled ones for all else."""

    def __init__(self, url: str, *, connections: int, statement_seconds: float) -> None:
        self._hosts = Hosts(url)
        self._target = sought(url)
        self._statement_seconds = statement_seconds
        self._pool: Pool[Connection] = Pool(connections, self.connect)
        self._closed = False

    async def connect(self, settings: Mapping[str, str] | None = None) -> Connection:
        """Open a connection of one's own; the caller translates what it raises."""
        if self._closed:
            raise closed()
        options = self._options(settings or {})

        async def connected(url: str) -> Connection:
            connection: Connection = await asyncpg.connect(url, **options)
            return connection

        return await self._hosts.first(connected)

    async def fetch(self, query: str, *values: object) -> list[Row]:
        """Run a read; once more on another connection where the first was lost."""
        with ours():
            try:
                return await self._fetch(query, values)
            except Exception as error:
                if not is_lost(error) or self._closed:
                    raise
            return await self._fetch(query, values)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        """Let the block run in one transaction, durable when it ends; READ COMMITTED, said so."""
        async with self._transaction("begin_write") as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Let all reads of the block see one state of the database."""
        async with self._transaction("begin_read") as connection:
            yield connection

    async def _fetch(self, query: str, values: tuple[object, ...]) -> list[Row]:
        async with self._borrowed() as connection:
            rows: list[Row] = await connection.fetch(query, *values)
            return rows

    async def close(self) -> None:
        """Close the pool; borrowed connections are waited for. A second call does nothing."""
        self._closed = True
        await self._pool.close()

    @asynccontextmanager
    async def _transaction(self, begin: str) -> AsyncIterator[Connection]:
        with ours():
            async with self._borrowed() as connection:
                await connection.execute(_SQL[begin])
                yield connection
                await commit(connection)

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Connection]:
        """Borrow a pooled connection; what an error left open on it is rolled back."""
        connection = await self._pool.take()
        try:
            yield connection
        except BaseException as error:
            if is_lost(error) or not isinstance(error, Exception):
                connection.terminate()  # cancelled in the midst: nobody knows what is open on it
            elif connection.is_in_transaction():
                with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await connection.execute(_SQL["rollback"])
                if connection.is_in_transaction():
                    connection.terminate()
            raise
        finally:
            self._pool.give_back(connection)

    def _options(self, settings: Mapping[str, str]) -> dict[str, Any]:
        statement_ms = round(self._statement_seconds * 1000)
        idle_ms = round(limits.IDLE_IN_TRANSACTION_SECONDS * 1000)
        return {
            "connection_class": Connection,
            "target_session_attrs": self._target,
            "timeout": self._hosts.patience_seconds,
            # For a server that doesn't answer at all, where its own limit can't reach us.
            "command_timeout": self._statement_seconds + limits.DATABASE_CONNECT_SECONDS,
            "server_settings": {
                "application_name": "tidings",
                "statement_timeout": str(statement_ms),
                "idle_in_transaction_session_timeout": str(idle_ms),
                "timezone": "UTC",
                **_PLANS,
                **settings,
            },
        }


async def commit(connection: Connection, last: Copy | None = None) -> None:
    """Commit the open transaction, as durably as the database is told to, with its last rows.

    These and the word go over together: a round trip less.

    Raises PerhapsHereAlone where it says success and warns at once: somebody broke off the wait
    for a standby, and what was committed is lost with this machine. Raises StorageUnavailable where
    the database undid the transaction instead.
    """
    warnings: list[object] = []

    def note(_: object, message: Any) -> None:
        if message.sqlstate == _WARNING:
            warnings.append(message)

    connection.add_log_listener(note)
    try:
        if last is None:
            said = await connection.execute(_SQL["commit"])
        else:
            said = await connection.copy_records_to_table(
                last.table,
                records=last.rows,
                columns=last.columns,
                # The end of the statement, and the only place where asyncpg lets another follow.
                where=f"true; {_SQL['commit']}",
            )
    finally:
        connection.remove_log_listener(note)
    if warnings:
        raise PerhapsHereAlone("the wait for a standby was broken off")
    if said != _COMMITTED:
        raise StorageUnavailable("the database undid a transaction instead of committing it")


def check_url(url: str) -> None:
    """Return if asyncpg can make sense of a URL; raises ConfigurationError."""
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres"} or not rest:
        raise ConfigurationError("database", "database must be postgresql://user@host/name")
