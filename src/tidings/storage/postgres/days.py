"""Tables that are kept a day a partition: days are attached ahead and dropped whole (mechanics G1).

Attaching a plain table that has a CHECK, detaching CONCURRENTLY and dropping afterwards keep no
reader or writer out. Each statement waits for a lock for a moment only: what waits for a lock is
waited for in turn by all that come after it, also by publishes. Where that is too short the next
sweep tries again; days are attached long before they are needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import asyncpg
import msgspec

from tidings.domain import limits
from tidings.domain.positions import DAY_MS, PER_MILLISECOND
from tidings.storage.postgres.connection import Connection, Database
from tidings.storage.postgres.failures import ours
from tidings.storage.postgres.queries import load_queries

_SQL = load_queries("days")
_NOW = load_queries("transactions")["now"]
_EPOCH = date(1970, 1, 1)


class DailyTable(msgspec.Struct, frozen=True):
    """A partitioned table: its column, and how many of the column's units a day has."""

    name: str
    column: str
    per_day: int

    def partition(self, day: int) -> str:
        """Return the name of a day's partition."""
        return f"{self.name}_{_EPOCH + timedelta(days=day):%Y%m%d}"

    def day_of(self, partition: str) -> int:
        """Return the day, since 1970, of a partition's name."""
        text = partition.removeprefix(f"{self.name}_")
        return (datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date() - _EPOCH).days

    def statement(self, name: str, day: int) -> str:
        """Return a statement about a day; names and bounds are ours, never a client's."""
        return _SQL[name].format(
            table=self.name,
            day=self.partition(day),
            column=self.column,
            begins=day * self.per_day,
            ends=(day + 1) * self.per_day,
        )


CHANGE_LOG = DailyTable("change_log", "position", DAY_MS * PER_MILLISECOND)
IDEMPOTENCY = DailyTable("idempotency", "kept_day", 1)
ATTEMPT = DailyTable("attempt", "attempted_at", DAY_MS)
DAILY_TABLES = (CHANGE_LOG, IDEMPOTENCY, ATTEMPT)

_RIVALRY = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.UniqueViolationError,
    asyncpg.DuplicateTableError,
    asyncpg.DuplicateObjectError,
    asyncpg.WrongObjectTypeError,
)
"""What two that attach the same day at the same moment get to see."""


def misses_a_day(error: BaseException) -> bool:
    """Whether a row has no partition to go into: the one CHECK failure that names no constraint."""
    return (
        isinstance(error, asyncpg.CheckViolationError)
        and error.constraint_name is None
        and error.table_name in {table.name for table in DAILY_TABLES}
    )


class Days:
    """Attaches and drops days, each statement by itself on a connection of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prepare(self) -> int:
        """Attach today's and the coming days' partitions; return how many days lie ahead."""
        async with self._working() as connection:
            today = await _today(connection)
            await _attach_all(connection, range(today, today + limits.DAYS_AHEAD + 1))
            return await _days_ahead(connection, today)

    async def ahead(self, connection: Connection) -> int:
        """Return for how many days after today every table has its partition."""
        return await _days_ahead(connection, await _today(connection))

    async def attach(self, days: Iterable[int]) -> None:
        """Attach these days' partitions: where nobody swept for so long that one is missing."""
        async with self._working() as connection:
            await _attach_all(connection, sorted(days))

    async def drop_before(self, table: DailyTable, day: int) -> int:
        """Drop one partition that lies before a day; return 1, or 0 where there is none.

        A detach that was broken off is ended first, and a table that hangs loose dropped. Where
        another process is about the same, it goes on with it.
        """
        async with self._working() as connection:
            with contextlib.suppress(asyncpg.UndefinedTableError, asyncpg.WrongObjectTypeError):
                return await _drop_oldest(connection, table, day)
            return 0

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[Connection]:
        connection = await self._database.connect({"lock_timeout": str(limits.DAY_LOCK_MS)})
        try:
            with ours():
                yield connection
        finally:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close()


async def _today(connection: Connection) -> int:
    now_ms: int = await connection.fetchval(_NOW)
    return now_ms // DAY_MS


async def _days_ahead(connection: Connection, today: int) -> int:
    ahead = []
    for table in DAILY_TABLES:
        rows = await connection.fetch(_SQL["days_of"], table.name)
        there = {table.day_of(row["name"]) for row in rows}
        ahead.append(next(n for n in range(len(there) + 1) if today + n + 1 not in there))
    return min(ahead)


async def _drop_oldest(connection: Connection, table: DailyTable, day: int) -> int:
    for row in await connection.fetch(_SQL["loose_days"], table.name):
        if (loose := table.day_of(row["name"])) < day:
            await connection.execute(table.statement("drop_day", loose))
            return 1
    rows = await connection.fetch(_SQL["days_of"], table.name)
    pending = [table.day_of(row["name"]) for row in rows if row["pending"]]
    old = [found for row in rows if (found := table.day_of(row["name"])) < day]
    if not pending and not old:
        return 0
    which = pending[0] if pending else old[0]
    how = "finish_detaching" if pending else "detach_day"
    try:
        await connection.execute(table.statement(how, which))
    except asyncpg.FeatureNotSupportedError:
        # Tables that Citus has spread: the next moment without a reader, for which it waits no
        # longer than for any lock here.
        await connection.execute(table.statement("detach_day_alone", which))
    await connection.execute(table.statement("drop_day", which))
    return 1


async def _attach_all(connection: Connection, days: Iterable[int]) -> None:
    days = list(days)
    for table in DAILY_TABLES:
        rows = await connection.fetch(_SQL["days_of"], table.name)
        there = {row["name"] for row in rows}
        for day in days:
            if table.partition(day) not in there:
                await _attach(connection, table, day)


async def _attach(connection: Connection, table: DailyTable, day: int) -> None:
    """Attach one day; where another process does it at this moment, that is as well."""
    for last_try in (False,) * (limits.DAY_TRIES - 1) + (True,):
        try:
            await connection.execute(table.statement("create_day", day))
            await connection.execute(table.statement("attach_day", day))
        except _RIVALRY:
            rows = await connection.fetch(_SQL["days_of"], table.name)
            if table.partition(day) in {row["name"] for row in rows}:
                return
            if last_try:
                raise
        else:
            return
