"""Writing down each second what a crash must not lose of the dispatch (mechanics D1, D2).

A bucket's checkpoint stays behind its oldest position that is neither acknowledged nor in a debt;
it moves in one transaction with the debts and states, so that nothing falls between them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from tidings.domain import limits
from tidings.domain.dispatch import BucketSettlement, CallbackCursor, Debt, DispatchState
from tidings.engine import debts
from tidings.engine.dispatcher import Dispatcher
from tidings.engine.subscriptions import Subscription, Written
from tidings.ports import Clock, DispatchStore


class Checkpointing:
    """Settles a dispatcher's state with the database. A Worker."""

    name = "checkpointing"

    def __init__(self, dispatcher: Dispatcher, store: DispatchStore, clock: Clock) -> None:
        self.wake = asyncio.Event()
        self._dispatcher = dispatcher
        self._store = store
        self._clock = clock
        self._checkpoints: dict[int, int] = {}

    def begin_at(self, checkpoints: Mapping[int, int]) -> None:
        """Take note of the checkpoints that were loaded: they needn't be written again."""
        self._checkpoints.update(checkpoints)

    async def run_once(self) -> float:
        """Write what changed since the last round, fenced by the leases' epochs.

        One at a time, whoever calls: an older picture may not be written over a newer one.
        """
        async with self._dispatcher.leases.writing:
            return await self._write()

    async def _write(self) -> float:
        touched, self._dispatcher.touched = self._dispatcher.touched, set()
        touched = {one for one in touched if self._dispatcher.knows(one)}
        written: list[tuple[Subscription, Written]] = []
        try:
            settlements, written = self._gather(touched)
            left_out = await self._store.settle(settlements) if settlements else frozenset()
        except BaseException:
            self._dispatcher.touched |= touched
            for subscription, _ in written:
                subscription.written = None  # who knows: it may have been committed all the same
            raise
        for subscription, now_written in written:
            subscription.written = now_written
        for settlement in settlements:
            if settlement.checkpoint is not None:
                self._checkpoints[settlement.bucket] = settlement.checkpoint
        if left_out:
            epochs = {one.bucket: one.epoch for one in settlements}
            self._dispatcher.leases.drop({bucket: epochs[bucket] for bucket in left_out})
        return limits.FLUSH_SECONDS

    def _gather(
        self, touched: set[Subscription]
    ) -> tuple[list[BucketSettlement], list[tuple[Subscription, Written]]]:
        """Take one picture of all that is to be written, without a pause in it."""
        checkpoints = self._next_checkpoints(touched)
        changed: dict[int, _Changed] = defaultdict(_Changed)
        written: list[tuple[Subscription, Written]] = []
        for subscription in touched:
            now_written = changed[subscription.bucket].add(subscription)
            if now_written is not None:
                written.append((subscription, now_written))
        epochs = self._dispatcher.leases.epochs
        settlements = []
        for bucket, checkpoint in checkpoints.items():
            rows = changed.get(bucket)
            if rows or checkpoint != self._checkpoints.get(bucket):
                rows = rows or _Changed()
                settlements.append(rows.settlement(bucket, epochs[bucket], checkpoint))
        return settlements, written

    def _next_checkpoints(self, touched: set[Subscription]) -> dict[int, int]:
        """Return up to where each held bucket needn't be read again after a crash.

        What has been held back for too long becomes a debt first, and so is touched.
        """
        dispatcher = self._dispatcher
        now, present = self._clock.monotonic(), self._clock.now()
        checkpoints: dict[int, int] = {}
        for bucket, tail in dispatcher.tail.positions.items():
            if bucket not in dispatcher.leases.epochs:
                continue
            checkpoints[bucket] = tail
            while (oldest := dispatcher.holds.oldest(bucket)) is not None:
                position, subscription = oldest
                if not debts.held_too_long(subscription, now, present):
                    checkpoints[bucket] = min(tail, position - 1)
                    break
                touched.add(subscription)
                dispatcher.reschedule(subscription)
        return checkpoints


class _Changed:
    """The rows of one bucket that differ from what is written."""

    def __init__(self) -> None:
        self.states: list[DispatchState] = []
        self.debts: list[Debt] = []
        self.paid: list[str] = []
        self.cursors: list[CallbackCursor] = []

    def __bool__(self) -> bool:
        return bool(self.states or self.debts or self.paid or self.cursors)

    def add(self, subscription: Subscription) -> Written | None:
        """Take up a webhook's rows; return what will be written then, or None for nothing."""
        before = subscription.written
        now = subscription.to_write()
        if now == before:
            return None
        if before is None or now.state != before.state:
            self.states.append(
                DispatchState(
                    bucket=subscription.bucket,
                    webhook_id=subscription.webhook_id,
                    matched=now.matched,
                    notified=now.notified,
                    reminders=now.reminders,
                    remind_at=now.remind_at,
                    noticed=now.noticed,
                )
            )
        if before is None or now.debt != before.debt:
            if now.debt is None:
                self.paid.append(subscription.webhook_id)
            else:
                self.debts.append(now.debt)
        if now.cursor is not None and (before is None or now.cursor != before.cursor):
            self.cursors.append(now.cursor)
        return now

    def settlement(self, bucket: int, epoch: int, checkpoint: int) -> BucketSettlement:
        """Return what one transaction writes."""
        return BucketSettlement(
            bucket=bucket,
            epoch=epoch,
            checkpoint=checkpoint,
            states=tuple(self.states),
            debts=tuple(self.debts),
            paid=tuple(self.paid),
            cursors=tuple(self.cursors),
        )
