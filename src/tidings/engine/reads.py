"""What was listed, gathered and written each second (mechanics P7): ListEvents writes nothing.

A crash loses at most the last second of it, which shortens by as much the 7 days of a webhook whose
reader comes at least as often. Near a limit nothing is gathered: see `engine/listing.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from tidings import telemetry
from tidings.domain import limits
from tidings.domain.dispatch import ReadNote
from tidings.ports import DispatchStore


class Reads:
    """The NotificationHints of the API, and the Worker that writes them down."""

    name = "reads"

    def __init__(self, store: DispatchStore) -> None:
        self.wake = asyncio.Event()
        self._store = store
        self._notes: dict[str, ReadNote] = {}
        self._untold: dict[str, ReadNote] = {}
        """Of webhooks that no dispatcher of this process holds."""
        self._listeners: list[Callable[[ReadNote], bool]] = []

    def listen(self, listener: Callable[[ReadNote], bool]) -> None:
        """Tell `listener` of each page too: a dispatcher of the same process.

        It returns whether it holds the webhook. What none of them holds is left for another
        process's.
        """
        self._listeners.append(listener)

    def note_read(self, note: ReadNote) -> None:
        """Take note of a page; of one webhook the last is kept, with the farthest position."""
        self._keep(note, self._notes.get(note.webhook_id))
        if not any(listener(note) for listener in self._listeners):
            self._untold[note.webhook_id] = note

    async def run_once(self) -> float:
        """Write what was gathered; what can't be written is kept for the next round."""
        if self._notes:
            notes, self._notes = self._notes, {}
            try:
                revived = await self._store.note_reads(list(notes.values()))
            except BaseException:
                newer, self._notes = self._notes, notes
                for note in newer.values():
                    self._keep(note, notes.get(note.webhook_id))
                raise
            for webhook_id in revived:
                telemetry.logger().info(telemetry.WEBHOOK_REVIVED, webhook_id=webhook_id)
        if self._untold:
            untold, self._untold = self._untold, {}
            await self._store.tell_reads(list(untold.values()))  # a hint: lost where this fails
        return limits.FLUSH_SECONDS

    def _keep(self, note: ReadNote, before: ReadNote | None) -> None:
        if before is not None and before.read_position > note.read_position:
            note = replace(note, read_position=before.read_position)
        self._notes[note.webhook_id] = note
