"""Gathering the events of callbacks from the log: once for all who want the same at one moment."""

from __future__ import annotations

import msgspec

from tidings.domain import limits
from tidings.domain.callback import gather
from tidings.domain.dispatch import Place
from tidings.domain.log_entry import CallbackQuery
from tidings.ports import ChangeLog, Clock


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What one callback would hold."""

    begins: Place
    """Behind what retention has dropped, where that is later than what was asked for."""
    ends: Place
    events: msgspec.Raw
    """As JSON."""
    empty: bool
    floor: int


class Gathering:
    """Reads the log for a callback, and remembers for a moment what it found.

    A change of a sheet is owed to all its webhooks at once: most of them ask for the same stretch,
    which is the same for as long as retention leaves it.
    """

    def __init__(self, log: ChangeLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._recent: dict[tuple[CallbackQuery, Place], tuple[float, Batch]] = {}

    async def next_batch(
        self, query: CallbackQuery, columns: frozenset[int], begins: Place
    ) -> Batch:
        """Return what comes from `begins` on, at most what a callback holds (contract 2.5)."""
        key = (query, begins)
        read_at, batch = self._recent.get(key, (0.0, None))
        now = self._clock.monotonic()
        if batch is not None and now - read_at < limits.CALLBACK_SHARED_SECONDS:
            return batch
        batch = await self._read(query, columns, begins)
        self._recent.pop(key, None)
        self._recent[key] = (now, batch)
        if len(self._recent) > limits.CALLBACKS_SHARED:
            del self._recent[next(iter(self._recent))]
        return batch

    async def _read(self, query: CallbackQuery, columns: frozenset[int], begins: Place) -> Batch:
        found = await self._log.read_callback(query)
        if found.floor >= begins.position:
            begins = Place(found.floor + 1)
        gathered = gather(found.entries, columns, begins, limits.CALLBACK_EVENTS)
        ends = gathered.ends
        last = found.entries[-1].position if found.entries else 0
        if ends > Place(last) and not ends.part:
            ends = Place(found.end + 1)  # all was gathered: behind what was looked at
        return Batch(
            begins=begins,
            ends=ends,
            events=msgspec.Raw(msgspec.json.encode(gathered.events)),
            empty=not gathered.events,
            floor=found.floor,
        )
