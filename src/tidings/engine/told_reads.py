"""Hearing of pages that other processes listed (mechanics D1)."""

from __future__ import annotations

import asyncio

from tidings.domain import limits
from tidings.engine.dispatcher import Dispatcher
from tidings.ports import DispatchStore


class ToldReads:
    """Takes the notes that were left for the dispatcher's buckets. A Worker.

    A note comes at most a flush and a round after its page, about TOLD_READS_SECONDS +
    FLUSH_SECONDS; those for a bucket that is given up wait for who takes it. One that is lost, with
    the process that took it, lets a reader be pinged for what it has read, and what its page left
    behind waits for the reminder.
    """

    name = "told-reads"

    def __init__(self, store: DispatchStore, dispatcher: Dispatcher) -> None:
        self.wake = asyncio.Event()
        self._store = store
        self._dispatcher = dispatcher

    async def run_once(self) -> float:
        """Take what is there."""
        buckets = list(self._dispatcher.staying)
        if buckets:
            notes = await self._store.take_told(buckets)
            unheard = [note for note in notes if not self._dispatcher.note_read(note)]
            elsewhere = [note for note in unheard if note.bucket not in self._dispatcher.staying]
            if elsewhere:  # the others' webhooks are gone
                await self._store.tell_reads(elsewhere)
        return limits.TOLD_READS_SECONDS
