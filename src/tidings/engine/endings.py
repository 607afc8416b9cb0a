"""Disabling notifications that nobody acknowledged to the end (contract 1.6).

The decision is a debt that has ended: it is durable before or after the webhook's row, and a start
takes it up again, so that a crash in between ends the same. The row is written by its revision, and
only once the dispatcher has taken up all that its owner did: an owner's change is never undone.
"""

from __future__ import annotations

import asyncio

from tidings import telemetry
from tidings.domain.dispatch import Debt
from tidings.engine.backlog import Backlog
from tidings.engine.leases import Leases
from tidings.engine.notifying import settling_of
from tidings.engine.subscriptions import Subscription
from tidings.errors import LeaseLost, NotFound, RevisionConflict
from tidings.ports import WebhookStore


class Endings:
    """Webhooks whose notifications are to be disabled. A Worker; what fails is tried again."""

    name = "endings"

    def __init__(self, store: WebhookStore, leases: Leases) -> None:
        self.wake = asyncio.Event()
        self._store = store
        self._leases = leases
        self._backlog = Backlog(self._end)

    def look_at(self, subscription: Subscription) -> None:
        """Take up a webhook if its debt has ended."""
        if _ended(subscription) is not None:
            self._backlog.add(subscription)
            self.wake.set()

    async def run_once(self) -> float:
        """Disable those that wait; raise what hindered any of them. They wait on then."""
        return await self._backlog.work_off()

    async def _end(self, subscription: Subscription) -> bool:
        """Disable one; return whether nothing is left to do for it."""
        if _ended(subscription) is None:
            return True
        epoch = self._leases.epochs.get(subscription.bucket)
        if epoch is None:
            return True  # whoever holds its bucket finds the debt
        if not self._leases.sure:
            return False
        webhook = await self._store.get(subscription.bucket, subscription.webhook_id)
        debt = _ended(subscription)
        if webhook is None or debt is None:
            return True  # deleted, or its owner was faster
        if webhook.revision != subscription.revision:
            return False  # the tail comes first: it says whether the debt still stands
        ended = settling_of(subscription).given_up(subscription, webhook, debt)
        if ended is None:
            return True
        try:
            await self._store.update(ended, epoch=epoch)
        except RevisionConflict:
            return False
        except NotFound:
            return True
        except LeaseLost:
            self._leases.drop({subscription.bucket: epoch})
            return True
        telemetry.logger().warning(
            telemetry.NOTIFICATIONS_DISABLED,
            webhook_id=webhook.webhook_id,
            failures=debt.failures,
            error=debt.last_error,
        )
        return True


def _ended(subscription: Subscription) -> Debt | None:
    """Return the debt that has ended, as long as notifications are on."""
    debt = subscription.debt
    if debt is None or debt.ended_at is None or not subscription.enabled:
        return None
    return debt
