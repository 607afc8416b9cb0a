"""Writing callbacks' cursors before their first attempt, many in one transaction (mechanics D5)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from tidings.domain.dispatch import BucketSettlement, CallbackCursor
from tidings.engine.leases import Leases
from tidings.ports import DispatchStore

_Waiting = tuple[Sequence[CallbackCursor], asyncio.Future[bool]]


class CursorWriter:
    """What comes while one transaction is under way goes into the next, without a timer."""

    def __init__(self, store: DispatchStore, leases: Leases) -> None:
        self._store = store
        self._leases = leases
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, cursors: Sequence[CallbackCursor]) -> bool:
        """Write a bucket's cursors, durably; False where its lease is another holder's by now.

        Raises what the store does: then they may have been written all the same.
        """
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((cursors, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_waiting())
        return await written

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    left_out = await self._store.settle(self._settlements(batch))
                except Exception as error:  # noqa: BLE001 - raised where each of them waits
                    _answer(batch, error)
                else:
                    held = self._leases.epochs.keys() - left_out
                    _answer(batch, held)
                    self._leases.drop(left_out)
        finally:
            self._writing = None

    def _settlements(self, batch: Sequence[_Waiting]) -> list[BucketSettlement]:
        by_bucket: dict[int, list[CallbackCursor]] = defaultdict(list)
        for cursors, _ in batch:
            for cursor in cursors:
                by_bucket[cursor.bucket].append(cursor)
        epochs = self._leases.epochs
        return [
            BucketSettlement(
                bucket=bucket, epoch=epochs[bucket], checkpoint=None, cursors=tuple(cursors)
            )
            for bucket, cursors in by_bucket.items()
            if bucket in epochs
        ]


def _answer(batch: Sequence[_Waiting], result: Exception | frozenset[int] | set[int]) -> None:
    for cursors, written in batch:
        if written.done():  # whoever waited was told to stop
            continue
        if isinstance(result, Exception):
            written.set_exception(result)
        else:
            written.set_result(all(cursor.bucket in result for cursor in cursors))
