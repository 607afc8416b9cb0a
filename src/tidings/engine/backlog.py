"""Webhooks whose rows are to be written, together, until nothing is left to do for them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from tidings.domain import limits
from tidings.engine.subscriptions import Subscription

IDLE_SECONDS = 60.0
"""Between looks where nothing waits: whoever adds something wakes its worker."""


class Backlog:
    """What waits. `work` returns whether nothing is left to do for a webhook; else it waits on."""

    def __init__(self, work: Callable[[Subscription], Awaitable[bool]]) -> None:
        self._work = work
        self._waiting: dict[str, Subscription] = {}

    def add(self, subscription: Subscription) -> None:
        """Let a webhook wait, once."""
        self._waiting[subscription.webhook_id] = subscription

    async def work_off(self) -> float:
        """Try all that wait; return the seconds until the next try. Raises what hindered any."""
        waiting = iter(list(self._waiting.values()))
        while some := list(itertools.islice(waiting, limits.ENDINGS_AT_ONCE)):
            for subscription in some:  # whoever is added from here on waits for another try
                self._leave(subscription)
            # Together, so that they share a commit.
            done = await asyncio.gather(*map(self._work, some), return_exceptions=True)
            for subscription, result in zip(some, done, strict=True):
                if result is not True:
                    self._waiting.setdefault(subscription.webhook_id, subscription)
            for result in done:
                if isinstance(result, BaseException):
                    raise result
        return limits.FLUSH_SECONDS if self._waiting else IDLE_SECONDS

    def _leave(self, subscription: Subscription) -> None:
        if self._waiting.get(subscription.webhook_id) is subscription:
            del self._waiting[subscription.webhook_id]
