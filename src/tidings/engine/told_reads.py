"""Hearing of pages that other processes listed (mechanics D1)."""

from __future__ import annotations

import asyncio

from tidings.domain import limits
from tidings.engine.dispatcher import Dispatcher
from tidings.ports import DispatchStore


class ToldReads:
    """Takes the notes that were left for the dispatcher's buckets. A Worker.

    A note comes at most a flush and a round after its page, about TOLD_READS_SECONDS +
    FLUSH_SECONDS. One that is lost lets a reader be pinged for what it has read.
    """

    name = "told-reads"

    def __init__(self, store: DispatchStore, dispatcher: Dispatcher) -> None:
        self.wake = asyncio.Event()
        self._store = store
        self._dispatcher = dispatcher

    async def run_once(self) -> float:
        """Take what is there."""
        buckets = list(self._dispatcher.tail.positions)
        if buckets:
            for note in await self._store.take_told(buckets):
                self._dispatcher.note_read(note)
        return limits.TOLD_READS_SECONDS
