"""When to look at a webhook again. Pure: the monotonic time is an argument."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from tidings.engine.subscriptions import Subscription

_SPARE_ENTRIES = 64


class Timers:
    """One time a webhook, the nearest that was asked for.

    Whoever comes up is looked at, and sets its next time then; so a later time than the one that
    stands needs no entry. Entries that a nearer time overtook are swept out once they are more
    than the others: however often a webhook is set, the memory is that of the webhooks.
    """

    def __init__(self) -> None:
        self._due: dict[Subscription, float] = {}
        self._heap: list[tuple[float, int, Subscription]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, subscription: Subscription, due: float) -> None:
        """Let a webhook come up at `due`, or sooner if it would anyhow."""
        standing = self._due.get(subscription)
        if standing is not None and standing <= due:
            return
        self._due[subscription] = due
        self._push(subscription, due)
        if len(self._heap) > 2 * len(self._due) + _SPARE_ENTRIES:
            self._heap = []
            for each, its_due in self._due.items():
                self._push(each, its_due)

    def drop(self, subscription: Subscription) -> None:
        """Forget a webhook."""
        self._due.pop(subscription, None)

    def next_due(self) -> float | None:
        """Return when somebody comes up next; perhaps too early, None: nobody."""
        return self._heap[0][0] if self._heap else None

    def ripe(self, now: float) -> Iterator[Subscription]:
        """Take out those whose time has come."""
        while self._heap and self._heap[0][0] <= now:
            due, _, subscription = heapq.heappop(self._heap)
            if self._due.get(subscription) == due:  # else it was overtaken or dropped
                del self._due[subscription]
                yield subscription

    def _push(self, subscription: Subscription, due: float) -> None:
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, subscription))
