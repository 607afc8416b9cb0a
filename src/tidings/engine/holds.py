"""What holds each bucket's checkpoint back (mechanics D1, D2). Pure.

Asked each second, while ten thousand may wait for a slot: so the oldest is found without a look at
the others.
"""

from __future__ import annotations

import heapq

from tidings.engine.notifying import owing_of
from tidings.engine.subscriptions import Subscription


class Holds:
    """The webhooks that may hold a checkpoint back, by bucket, those with older positions first.

    An entry lies at its webhook's hold or before it, as long as that has one: what a webhook holds
    only moves on, and is looked up when its entry has come up. So there is one entry a webhook,
    and nobody tells of holds that end.
    """

    def __init__(self) -> None:
        self._heaps: dict[int, list[tuple[int, int, Subscription]]] = {}
        self._noted: set[Subscription] = set()
        self._count = 0

    def __len__(self) -> int:
        return len(self._noted)

    def note(self, subscription: Subscription, position: int) -> None:
        """Take note of a webhook that may hold its bucket from a position on, none before it."""
        if subscription in self._noted:
            return
        self._noted.add(subscription)
        self._count += 1
        heap = self._heaps.setdefault(subscription.bucket, [])
        heapq.heappush(heap, (position, self._count, subscription))

    def oldest(self, bucket: int) -> tuple[int, Subscription] | None:
        """Return the oldest position that is held in a bucket, and by whom; None: none is."""
        heap = self._heaps.get(bucket)
        while heap:
            position, count, subscription = heap[0]
            held = owing_of(subscription).held_from(subscription)
            if held is None:
                heapq.heappop(heap)
                self._noted.remove(subscription)
            elif held > position:
                heapq.heapreplace(heap, (held, count, subscription))
            else:
                return held, subscription
        return None

    def forget(self, bucket: int) -> None:
        """Forget a bucket: it is another holder's."""
        for _, _, subscription in self._heaps.pop(bucket, ()):
            self._noted.remove(subscription)
