"""A notice as a webhook owes it: sent by a ping of its own, by the retry schedule (contract 1.7).

Pure. It never makes a debt and never disables anything: it stands until its limit has come, or
until the webhook is listed.
"""

from __future__ import annotations

from tidings.domain.dispatch import Notice
from tidings.domain.retry import wait_before_retry
from tidings.domain.webhook import Webhook
from tidings.engine.subscriptions import Subscription


def wanted_at(subscription: Subscription) -> float | None:
    """Return when the notice that stands is due, also while pings are off; None: never."""
    notice = subscription.notice
    if notice is None or notice.number <= subscription.noticed:
        return None
    return subscription.notice_due


def stands(webhook: Webhook, notice: Notice) -> bool:
    """Whether this notice is still to be sent: judged by the row, when sending (contract 1.6)."""
    standing = webhook.notice
    return (
        webhook.notifications.enabled and standing is not None and standing.number == notice.number
    )


def acknowledged(subscription: Subscription, notice: Notice) -> None:
    """Settle a notice that its endpoint acknowledged."""
    subscription.noticed = max(subscription.noticed, notice.number)


def failed(
    subscription: Subscription, *, now: float, draw: float, retry_after: float | None
) -> None:
    """Try again later; after the schedule's end no more."""
    subscription.notice_failures += 1
    wait = wait_before_retry(
        subscription.notice_failures, draw, since_seconds=0.0, retry_after_seconds=retry_after
    )
    subscription.notice_due = None if wait is None else now + wait


def withdrawn(subscription: Subscription) -> None:
    """Send no notice: the row says so, and the tail hasn't come to its control entry yet."""
    subscription.notice = None
