"""What happens when: a queue of moments, and stations where work waits, is served, and goes on."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")
Happening = Callable[[], None]


class Agenda:
    """Virtual time: what was planned happens in order, at one moment in the order of planning."""

    def __init__(self) -> None:
        self.now = 0.0
        self._planned: list[tuple[float, int, Happening]] = []
        self._number = 0

    def plan(self, after_seconds: float, happening: Happening) -> None:
        """Have something happen so many seconds from now."""
        self._number += 1
        heapq.heappush(self._planned, (self.now + after_seconds, self._number, happening))

    def run(self, until: float) -> None:
        """Let all happen that is planned up to a moment."""
        while self._planned and self._planned[0][0] <= until:
            self.now, _, happening = heapq.heappop(self._planned)
            happening()
        self.now = until


class Station(Generic[T]):
    """`servers` that serve what waits, in groups of at most `most`; one at a time with `most` 1.

    `seconds_of` says how long a group keeps its server, `served` where it goes. A group is whatever
    waits when a server becomes free: that is a group commit.
    """

    def __init__(
        self,
        agenda: Agenda,
        *,
        servers: int,
        seconds_of: Callable[[Sequence[T]], float],
        served: Callable[[Sequence[T]], None],
        most: int = 1,
    ) -> None:
        self.busy_seconds = 0.0
        self.waiting: deque[T] = deque()
        self._agenda = agenda
        self._idle = servers
        self._seconds_of = seconds_of
        self._served = served
        self._most = most
        self._opens_at = 0.0

    def put(self, item: T) -> None:
        """Let something wait here."""
        self.waiting.append(item)
        self._serve()

    def close(self, seconds: float) -> None:
        """Begin nothing for so long; what is being served ends as planned."""
        self._opens_at = self._agenda.now + seconds
        self._agenda.plan(seconds, self._serve)

    def _serve(self) -> None:
        while self._idle and self.waiting and self._agenda.now >= self._opens_at:
            group = [self.waiting.popleft() for _ in range(min(self._most, len(self.waiting)))]
            self._idle -= 1
            seconds = self._seconds_of(group)
            self.busy_seconds += seconds
            self._agenda.plan(seconds, partial(self._end, group))

    def _end(self, group: Sequence[T]) -> None:
        self._idle += 1
        self._served(group)
        self._serve()


def percentile(weighted: Sequence[tuple[float, float]], percent: float) -> float:
    """Return the value below which `percent` of the weight lies; 0 where there is none."""
    ranked = sorted(weighted)
    goal, sum_ = sum(weight for _, weight in ranked) * percent / 100, 0.0
    for value, weight in ranked:
        sum_ += weight
        if sum_ >= goal:
            return value
    return 0.0
