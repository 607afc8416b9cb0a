"""Dropping what is over its time, on SQLite (mechanics L2, L7)."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from tidings.domain import limits
from tidings.domain.instants import to_milliseconds
from tidings.domain.positions import position_at
from tidings.ports import Clock
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.transaction import Transaction
from tidings.storage.sqlite.writer import Writer

_SQL = load_queries("retention")


class SqliteRetentionStore:
    """ports.RetentionStore on one file."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def prepare_days(self) -> None:
        """Do nothing: all days lie in one table."""

    async def raise_floor(self, before: datetime) -> None:
        """Let the log begin at `before` in all buckets (ports.RetentionStore)."""
        await self._writer.run(partial(_raise_floor, floor=position_at(before) - 1))

    async def drop_entries(self) -> int:
        """Delete a batch of log entries behind the floor."""
        return await self._drop("drop_entries", bytes=limits.RETENTION_STEP_BYTES)

    async def drop_revisions(self) -> int:
        """Delete a batch of revisions that no page asks for any more."""
        return await self._drop("drop_revisions")

    async def drop_attempts(self, before: datetime) -> int:
        """Delete a batch of attempts that were made before an instant."""
        return await self._drop("drop_attempts", before=to_milliseconds(before))

    async def drop_idempotency_keys(self, before: datetime) -> int:
        """Delete a batch of keys that were first used before an instant."""
        return await self._drop("drop_idempotency_keys", before=to_milliseconds(before))

    async def _drop(self, name: str, **values: int) -> int:
        asked_at = self._clock.monotonic()
        return await self._writer.run(
            partial(_drop, clock=self._clock, asked_at=asked_at, name=name, values=values)
        )


def _raise_floor(transaction: Transaction, *, floor: int) -> None:
    transaction.connection.execute(_SQL["raise_floors"], (floor,))


def _drop(
    transaction: Transaction, *, clock: Clock, asked_at: float, name: str, values: dict[str, int]
) -> int:
    """Delete step by step until the batch's time is over or nothing is left.

    A batch may take twice as long as it had to wait for its turn: where appends want all of the
    writer's time they get a third of it, and since a row costs as much to delete as to append, the
    log doesn't grow. Where little is written a batch is short, so that nobody waits for it.
    """
    connection = transaction.connection
    step = {"rows": limits.RETENTION_STEP_ROWS, **values}
    begun_at = clock.monotonic()
    share = min(2 * (begun_at - asked_at), limits.RETENTION_SHARE_SECONDS)
    ends_at = begun_at + max(share, limits.RETENTION_BATCH_SECONDS)
    dropped = 0
    for _ in range(limits.RETENTION_BATCH_STEPS):
        connection.execute(_SQL[name], step)
        dropped += connection.changes()
        if connection.changes() == 0 or clock.monotonic() >= ends_at:
            break
    return dropped
