"""What API processes tell each other of the requests that they counted: on SQLite there is one."""

from __future__ import annotations

from tidings.domain.count_note import CountNote, HeardCounts
from tidings.domain.instants import to_milliseconds
from tidings.ports import Clock


class SqliteCountStore:
    """ports.CountStore where one process serves a file: nobody else would hear of anything."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def tell(self, note: CountNote) -> None:
        """Keep nothing."""

    async def hear(self, listener: str, since_ms: int) -> HeardCounts:
        """Return the time, and no notes."""
        return HeardCounts(to_milliseconds(self._clock.now()), ())
