"""Writing into callback webhooks' rows what the log says of their sheets (contract 2.6).

A sheet that was deleted disables its webhooks, and what happens in it later enables them. The
tail brings it in order; until it is written the bucket's checkpoint waits, so that a crash only
lets it be judged again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tidings import telemetry
from tidings.domain.sheet_standing import scope_judged, sheet_of, told_of_loss
from tidings.engine.backlog import Backlog
from tidings.engine.calls import Judgement, calls_of
from tidings.engine.leases import Leases
from tidings.engine.subscriptions import Subscription
from tidings.errors import LeaseLost, NotFound, RevisionConflict
from tidings.ports import Clock, WebhookStore


class Standings:
    """Webhooks whose sheet went or came. A Worker; what fails is tried again.

    `on_touched` is told of those whose judgement is written: the checkpoint may move again.
    """

    name = "standings"

    def __init__(self, store: WebhookStore, leases: Leases, clock: Clock) -> None:
        self.wake = asyncio.Event()
        self.on_touched: Callable[[Subscription], None] = lambda subscription: None
        self._store = store
        self._leases = leases
        self._clock = clock
        self._backlog = Backlog(self._write)

    def look_at(self, subscription: Subscription) -> None:
        """Take up a webhook with a judgement that isn't in its row yet."""
        self._backlog.add(subscription)
        self.wake.set()

    async def run_once(self) -> float:
        """Write what waits; raise what hindered any of it. It waits on then."""
        return await self._backlog.work_off()

    async def _write(self, subscription: Subscription) -> bool:
        """Write what is to be said of a webhook, one after the other; return whether all is."""
        calls = calls_of(subscription)
        while calls.judged or calls.expired:
            epoch = self._leases.epochs.get(subscription.bucket)
            if epoch is None or not self._leases.sure:
                return epoch is None  # whoever holds its bucket judges it again
            judgement, expired = calls.judged[0] if calls.judged else None, calls.expired
            try:
                if judgement is not None:
                    await self._enter(subscription, judgement, epoch)
                elif expired is not None:
                    await self._say_expired(subscription, expired, epoch)
            except RevisionConflict:
                return False
            except LeaseLost:
                self._leases.drop({subscription.bucket: epoch})
                return True
            except NotFound:
                calls.judged.clear()
            if judgement is None:
                calls.expired = None
            self.on_touched(subscription)
        return True

    async def _say_expired(self, subscription: Subscription, told: str, epoch: int) -> None:
        webhook = await self._store.get(subscription.bucket, subscription.webhook_id)
        changed = None if webhook is None else told_of_loss(webhook, told)
        if changed is not None:
            await self._store.update(changed, epoch=epoch)

    async def _enter(self, subscription: Subscription, judgement: Judgement, epoch: int) -> None:
        """Enter a judgement into the row, unless that says otherwise by now."""
        calls = calls_of(subscription)
        webhook = await self._store.get(subscription.bucket, subscription.webhook_id)
        if webhook is None:
            calls.drop(judgement)
            return
        judged = scope_judged(
            webhook, gone=judgement.gone, position=judgement.position, at=self._clock.now()
        )
        if judged is webhook:
            calls.drop(judgement)
            return
        await self._store.update(judged, epoch=epoch)
        calls.enter(judgement)
        telemetry.logger().warning(
            telemetry.SCOPE_MOVED,
            webhook_id=webhook.webhook_id,
            status=sheet_of(judged).status.value,
        )
