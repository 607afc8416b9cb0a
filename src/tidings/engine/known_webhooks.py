"""Webhooks as they were when they were listed last, so that a page needn't begin by reading one.

What is remembered may be out of date. It is only ever used for a page whose own snapshot says that
it isn't (`log_entry.Standing`), and what a webhook's account, solution and start are never changes.
"""

from __future__ import annotations

from tidings.domain.buckets import bucket_of_webhook
from tidings.domain.dispatch import Tracked
from tidings.domain.limits import KNOWN_WEBHOOKS
from tidings.domain.log_entry import Standing
from tidings.ports import WebhookStore


class KnownWebhooks:
    """Finds webhooks. It remembers KNOWN_WEBHOOKS of them, and forgets the oldest."""

    def __init__(self, store: WebhookStore, *, remembers: int = KNOWN_WEBHOOKS) -> None:
        self._store = store
        self._remembers = remembers
        self._known: dict[str, Tracked] = {}

    async def find(self, webhook_id: str) -> Tracked | None:
        """Return a webhook, perhaps as it was a while ago; None if there is none."""
        return self._known.get(webhook_id) or await self.look(webhook_id)

    async def look(self, webhook_id: str) -> Tracked | None:
        """Return a webhook as it is now; None if there is none, or none any more."""
        self._known.pop(webhook_id, None)
        bucket = bucket_of_webhook(webhook_id)
        if bucket is None:
            return None
        tracked = await self._store.tracked(bucket, webhook_id)
        if tracked is not None:
            self._known[webhook_id] = tracked
            if len(self._known) > self._remembers:
                del self._known[next(iter(self._known))]
        return tracked


def standing_of(tracked: Tracked) -> Standing:
    """Return how a webhook stands by what is known of it."""
    return Standing(tracked.stage, tuple(one.from_position for one in tracked.revisions))
