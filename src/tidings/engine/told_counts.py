"""Rate limits over all processes of one database (contract 1.8, 2.7, 3.2; decision 0031)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tidings.domain import limits
from tidings.domain.count_note import CountNote, HeardCounts
from tidings.engine.rate_limit import RateLimit
from tidings.ports import Clock, CountStore

_LATE_MS = 500
"""A note that can be read only so long after it was left isn't heard."""
_ROUNDING_MS = 2
"""What cutting to whole milliseconds may come to, here and in the database."""


class ToldCounts:
    """Tells other processes what this one admitted, and hears what they did. A Worker.

    No request waits for it. Where the database is slow or away each process counts for itself.

    Requests and penalties are told by the database's clock, of which it is known only that it was
    read between the asking and the answer. So each lies between two times; the earlier is taken,
    here and there: no request counts for longer than its window, and no penalty is lengthened.
    """

    name = "told-counts"

    def __init__(
        self, store: CountStore, clock: Clock, teller: str, rates: Mapping[str, RateLimit]
    ) -> None:
        self.wake = asyncio.Event()
        self._store = store
        self._clock = clock
        self._teller = teller
        self._rates = rates
        self._number = 0
        self._heard_at_ms = 0
        self._heard: dict[str, int] = {}
        """The number of each teller's last note; who was last heard of stands last."""

    async def run_once(self) -> float:
        """Hear, then tell."""
        asked_ms = self._now_ms()
        heard = await self._store.hear(self._teller, self._heard_at_ms - _LATE_MS)
        answered_ms = self._now_ms()
        self._take_in(heard, asked_ms - heard.now_ms - _ROUNDING_MS, answered_ms)
        await self._tell(heard.now_ms - answered_ms - _ROUNDING_MS)
        return limits.TOLD_COUNTS_SECONDS

    def _take_in(self, heard: HeardCounts, to_here_ms: int, now_ms: int) -> None:
        self._heard_at_ms = heard.now_ms
        for note in heard.notes:
            last = self._heard.pop(note.teller, 0)
            self._heard[note.teller] = max(last, note.number)
            if note.number > last:
                self._count_note(note, to_here_ms, now_ms)
        while len(self._heard) > limits.TELLERS:
            del self._heard[next(iter(self._heard))]

    def _count_note(self, note: CountNote, to_here_ms: int, now_ms: int) -> None:
        for service in self._rates.keys() & note.counted.keys():
            counted = [one.moved(to_here_ms) for one in note.counted[service]]
            self._rates[service].hear(counted, now_ms)

    async def _tell(self, to_database_ms: int) -> None:
        counted = {
            service: [one.moved(to_database_ms) for one in untold]
            for service, rate in self._rates.items()
            if (untold := rate.untold())
        }
        if counted:
            self._number += 1
            await self._store.tell(CountNote(self._teller, self._number, counted))

    def _now_ms(self) -> int:
        return round(self._clock.monotonic() * 1_000)
