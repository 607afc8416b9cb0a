"""Dropping what is over its time, on PostgreSQL: whole days (mechanics L2, L7, G1)."""

from __future__ import annotations

from datetime import datetime

from tidings.domain import limits
from tidings.domain.buckets import BUCKETS
from tidings.domain.instants import to_milliseconds
from tidings.domain.positions import DAY_MS, PER_MILLISECOND, position_at
from tidings.storage.postgres.connection import Database
from tidings.storage.postgres.days import ATTEMPT, CHANGE_LOG, IDEMPOTENCY, Days
from tidings.storage.postgres.queries import load_queries

_SQL = load_queries("retention")


class PostgresRetentionStore:
    """ports.RetentionStore on PostgreSQL."""

    def __init__(self, database: Database, days: Days) -> None:
        self._database = database
        self._days = days

    async def prepare_days(self) -> None:
        """Attach today's and the coming days' partitions (ports.RetentionStore)."""
        await self._days.prepare()

    async def raise_floor(self, before: datetime) -> None:
        """Let the log begin at `before` in all buckets (ports.RetentionStore)."""
        floor = position_at(before) - 1
        async with self._database.writing() as connection:
            rows = [(bucket, floor) for bucket in range(BUCKETS)]
            await connection.executemany(_SQL["raise_floor"], rows)

    async def drop_entries(self) -> int:
        """Drop a day that lies wholly behind the floor of all buckets."""
        [row] = await self._database.fetch(_SQL["lowest_floor"])
        day = (row["floor"] + 1) // (DAY_MS * PER_MILLISECOND)
        return await self._days.drop_before(CHANGE_LOG, day)

    async def drop_revisions(self) -> int:
        """Delete a batch of revisions that no page asks for any more."""
        async with self._database.writing() as connection:
            rows = await connection.fetchmany(
                _SQL["drop_revisions"],
                [(bucket, limits.RETENTION_STEP_ROWS) for bucket in range(BUCKETS)],
            )
        return len(rows)

    async def drop_attempts(self, before: datetime) -> int:
        """Drop a day of attempts that were all made before an instant."""
        return await self._days.drop_before(ATTEMPT, to_milliseconds(before) // DAY_MS)

    async def drop_idempotency_keys(self, before: datetime) -> int:
        """Drop a day of keys that were all first used before an instant."""
        return await self._days.drop_before(IDEMPOTENCY, to_milliseconds(before) // DAY_MS)
