"""The one debt of a webhook: the ping that it is owed since an attempt failed or waited (D2).

Pure. And what holds the checkpoint back as long as no debt stands for it. All `now` are the
monotonic clock's seconds; `present` is the time of day.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from tidings.domain import limits
from tidings.domain.dispatch import Debt
from tidings.domain.retry import DAY_SECONDS
from tidings.engine.subscriptions import Subscription


def load(subscription: Subscription, debt: Debt, now: float, present: datetime) -> None:
    """Take up the debt that the last holder wrote down."""
    if debt.revision in (0, subscription.revision):
        subscription.debt = debt
        wait = (debt.next_attempt_at - present).total_seconds()
        # No wait is over a day: more is left only where the time of day was set back.
        subscription.debt_due = now + min(wait, DAY_SECONDS)
    else:  # the owner changed something that nobody took up: perhaps off and on, or the URL
        start_afresh(subscription, debt, now)
    # While a debt stands, matches write nothing (D2): what this ping covers may be more than
    # `matched` says, and its plain id may have been seen for less.
    subscription.matched_unsure = True


def start_afresh(subscription: Subscription, debt: Debt, now: float) -> None:
    """Let a debt be paid at once, and forget how often and since when that failed."""
    subscription.debt = msgspec.structs.replace(
        debt, failures=0, ended_at=None, revision=subscription.revision
    )
    subscription.debt_due = now


def failures_until(subscription: Subscription, present: datetime) -> tuple[datetime, int]:
    """Return since when attempts failed, and how many did in a row; from `present` on if none."""
    debt = subscription.debt
    return (debt.since_at, debt.failures) if debt is not None and debt.failures else (present, 0)


def held_too_long(subscription: Subscription, now: float, present: datetime) -> bool:
    """Make a debt of what has held the checkpoint for 30 s; return whether it has (D2)."""
    held_since = _hold(subscription)[1]
    if held_since is None or now - held_since < limits.CHECKPOINT_HELD_SECONDS:
        return False
    since, failures = failures_until(subscription, present)
    error = "waiting to be sent"
    owe(subscription, error, failures, since=since, wait=0.0, now=now, present=present)
    return True


def owe(
    subscription: Subscription,
    error: str,
    failures: int,
    *,
    since: datetime,
    wait: float | None,
    now: float,
    present: datetime,
) -> None:
    """Make the debt, due after `wait` seconds; None: it has ended, nothing more is sent."""
    subscription.debt = Debt(
        bucket=subscription.bucket,
        webhook_id=subscription.webhook_id,
        owed_through=subscription.matched,
        failures=failures,
        next_attempt_at=present + timedelta(seconds=wait or 0.0),
        since_at=since,
        last_error=error,
        revision=subscription.revision,
        ended_at=present if wait is None else None,
    )
    subscription.debt_due = now + (wait or 0.0)
    subscription.owed = False
    subscription.scope = None
    subscription.hold_from = None
    if subscription.flight is not None:
        subscription.flight.hold_from = None


def held_from(subscription: Subscription) -> int | None:
    """Return the oldest position that is neither acknowledged nor in a debt; None: none is."""
    return _hold(subscription)[0]


def _hold(subscription: Subscription) -> tuple[int | None, float | None]:
    flight = subscription.flight
    if flight is not None and flight.hold_from is not None:
        return flight.hold_from, flight.hold_since
    if subscription.hold_from is not None:
        return subscription.hold_from, subscription.hold_since
    return None, None
