"""Writing callbacks' cursors before their first attempt, many in one transaction (mechanics D5)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tidings.domain.dispatch import BucketSettlement, CallbackCursor
from tidings.engine.leases import Leases
from tidings.engine.subscriptions import Subscription
from tidings.ports import DispatchStore


class _Waiting(NamedTuple):
    bucket: int
    epoch: int
    subscriptions: Sequence[Subscription]
    written: asyncio.Future[bool]


class CursorWriter:
    """What comes while one transaction is under way goes into the next, without a timer."""

    def __init__(self, store: DispatchStore, leases: Leases) -> None:
        self._store = store
        self._leases = leases
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, bucket: int, subscriptions: Sequence[Subscription]) -> bool:
        """Write the cursors of some of a bucket's webhooks, durably, as far as they have moved.

        False where its lease is another holder's by now: they are written under the lease of this
        moment, not under a later one of ours. Raises what the store does: then they may have been
        written all the same.
        """
        epoch = self._leases.epochs.get(bucket)
        if epoch is None:
            return False
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(bucket, epoch, subscriptions, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_waiting())
        return await written

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                async with self._leases.writing:
                    batch, self._waiting = self._waiting, []
                    await self._write_batch(batch)
        finally:
            self._writing = None

    async def _write_batch(self, batch: Sequence[_Waiting]) -> None:
        ours, over = self._parted(batch)
        _answer(over, False)
        moved = _moved(ours)
        try:
            left_out = await self._store.settle(_settlements(ours, moved))
        except Exception as error:  # noqa: BLE001 - raised where each of them waits
            _answer(ours, error)
            return
        for subscription, cursor in moved.items():
            if subscription.written is not None and subscription.bucket not in left_out:
                subscription.written = subscription.written._replace(cursor=cursor)
        for one in ours:
            _answer([one], one.bucket not in left_out)
        self._leases.drop({one.bucket: one.epoch for one in ours if one.bucket in left_out})

    def _parted(self, batch: Sequence[_Waiting]) -> tuple[list[_Waiting], list[_Waiting]]:
        """Part those whose lease still stands from those whose lease is over."""
        ours: list[_Waiting] = []
        over: list[_Waiting] = []
        for one in batch:
            (ours if self._leases.epochs.get(one.bucket) == one.epoch else over).append(one)
        return ours, over


def _moved(batch: Sequence[_Waiting]) -> dict[Subscription, CallbackCursor]:
    """Return the cursors that aren't written as they are now."""
    moved: dict[Subscription, CallbackCursor] = {}
    for subscription in (one for waiting in batch for one in waiting.subscriptions):
        cursor, written = subscription.to_write().cursor, subscription.written
        if cursor is not None and (written is None or cursor != written.cursor):
            moved[subscription] = cursor
    return moved


def _settlements(
    batch: Sequence[_Waiting], moved: Mapping[Subscription, CallbackCursor]
) -> list[BucketSettlement]:
    cursors: dict[int, list[CallbackCursor]] = defaultdict(list)
    for subscription, cursor in moved.items():
        cursors[subscription.bucket].append(cursor)
    return [
        BucketSettlement(
            bucket=bucket, epoch=epoch, checkpoint=None, cursors=tuple(cursors[bucket])
        )
        for bucket, epoch in {one.bucket: one.epoch for one in batch}.items()
    ]


def _answer(batch: Sequence[_Waiting], result: Exception | bool) -> None:
    for one in batch:
        if one.written.done():  # whoever waited was told to stop
            continue
        if isinstance(result, Exception):
            one.written.set_exception(result)
        else:
            one.written.set_result(result)
