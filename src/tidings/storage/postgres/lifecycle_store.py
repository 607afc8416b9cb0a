"""What time does to webhooks, on PostgreSQL (contract 1.7; mechanics L8, P7)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial

from tidings.domain.instants import to_milliseconds
from tidings.domain.lifecycle import STEPS, Stage, Step
from tidings.domain.sweep import MoveBatch, Moved, SweepTime, lag
from tidings.errors import NotFound
from tidings.storage.postgres.lanes import Lanes
from tidings.storage.postgres.lifecycle_time import in_ms, lag_ms, sweep_time_of
from tidings.storage.postgres.queries import load_queries
from tidings.storage.postgres.revival import enter, revive
from tidings.storage.postgres.transaction import LaneTransaction
from tidings.storage.postgres.webhook_rows import held_webhook
from tidings.storage.postgres.webhook_store import delete_webhook
from tidings.storage.rows.instants import loaded, stored
from tidings.storage.rows.webhooks import NEVER_MS

_SQL = load_queries("lifecycle")
_LOCK = load_queries("webhooks")["lock_webhook"]


class PostgresLifecycleStore:
    """ports.LifecycleStore on PostgreSQL."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._database = lanes.database

    async def time(self) -> SweepTime:
        """Return the time that the last sweep stored, and the database's clock now."""
        [row] = await self._database.fetch(_SQL["sweep_time"])
        return sweep_time_of(row)

    async def keep_time(self, last: SweepTime, paused: timedelta) -> bool:
        """Store this sweep's time (ports.LifecycleStore.keep_time)."""
        kept = (to_milliseconds(last.now), in_ms(paused))
        before = (stored(last.swept_at), in_ms(last.paused))
        async with self._database.writing() as connection:
            rows = await connection.fetch(_SQL["keep_time"], *kept, *before)
        if rows:
            self._lanes.bound.keep(last.now)
        return bool(rows)

    async def next_due(self) -> datetime | None:
        """Return when a webhook may be due for its next step, at the earliest."""
        stages = [stage.value for stage in Stage]
        [row] = await self._database.fetch(_SQL["next_due"], stages, NEVER_MS)
        return loaded(row["due_at"])

    async def step(self, step: Step, limit: int) -> MoveBatch:
        """Let webhooks take a step that is due (ports.LifecycleStore.step).

        Each in a transaction of its own: one that moved webhooks of many buckets and accounts
        would take their locks in an order that another's deadlocks with. The lanes work side by
        side.
        """
        time = await self.time()
        now_ms = to_milliseconds(time.now) - in_ms(lag(time))
        rows = await self._database.fetch(_SQL["due"], step.leaves.value, now_ms, limit)
        taken = await asyncio.gather(
            *(
                self._lanes.of(row["bucket"]).run(
                    row["bucket"],
                    partial(_take, step=step, bucket=row["bucket"], webhook_id=row["webhook_id"]),
                )
                for row in rows
            ),
            return_exceptions=True,
        )
        for failure in taken:
            if isinstance(failure, BaseException):
                raise failure
        moved = tuple(one for one in taken if isinstance(one, Moved))
        return MoveBatch(moved, more=len(rows) == limit)

    async def extend(self, bucket: int, webhook_id: str, listed_by: str) -> bool:
        """Let a webhook's limits count from now on (ports.LifecycleStore.extend)."""
        extend = partial(_extend, bucket=bucket, webhook_id=webhook_id, listed_by=listed_by)
        return await self._lanes.of(bucket).run(bucket, extend)


async def _take(
    transaction: LaneTransaction, *, step: Step, bucket: int, webhook_id: str
) -> Moved | None:
    """Let one webhook take a step, if it is still in that stage and wasn't listed meanwhile."""
    connection = transaction.connection
    await connection.fetch(_LOCK, bucket, webhook_id)
    extended_at: int | None = await connection.fetchval(
        _SQL["counted_since"], bucket, webhook_id, step.leaves.value
    )
    if extended_at is None:
        return None
    step_at = extended_at + in_ms(step.after)
    if step_at > transaction.now_ms - await lag_ms(connection):
        await connection.execute(_SQL["put_off"], bucket, webhook_id, step_at)
        return None
    webhook = await held_webhook(connection, bucket, webhook_id)
    if step.enters is None:
        await delete_webhook(transaction, webhook)
    else:
        await enter(transaction, webhook, step.enters, warns=step.warns)
    return Moved(
        webhook_id=webhook_id, account=webhook.account, left=step.leaves, entered=step.enters
    )


async def _extend(
    transaction: LaneTransaction, *, bucket: int, webhook_id: str, listed_by: str
) -> bool:
    """The opposite of what a sweep asks before it deletes (mechanics P7)."""
    transaction.check_clock()  # it would take each webhook for one that is past its end
    connection = transaction.connection
    await connection.fetch(_LOCK, bucket, webhook_id)
    extended_at: int | None = await connection.fetchval(
        _SQL["counted_since"], bucket, webhook_id, None
    )
    now_ms = transaction.now_ms - await lag_ms(connection)
    if extended_at is None or extended_at + in_ms(STEPS[-1].after) <= now_ms:
        raise NotFound("no such webhook")
    listing = (bucket, webhook_id, transaction.now_ms, listed_by, now_ms)
    await connection.execute(_SQL["extend"], *listing)
    return await revive(transaction, bucket, webhook_id)
