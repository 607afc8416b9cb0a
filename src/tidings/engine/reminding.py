"""The ladder of reminders while events stay unread (contract 1.6; mechanics D1). Pure.

Nothing is scanned to know what is unread: read < matched. `remind_due` is the monotonic clock's,
`remind_at` the same instant by the time of day, for the state row.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tidings.domain import limits
from tidings.domain.dispatch import DispatchState
from tidings.domain.reminder import LADDER_SECONDS, spread_wait, wait_before_reminder
from tidings.engine.subscriptions import Subscription


def unread(subscription: Subscription) -> bool:
    """Whether events wait that its reader hasn't listed."""
    return subscription.read < subscription.matched


def load(
    subscription: Subscription,
    state: DispatchState,
    *,
    now: float,
    present: datetime,
    draw: float,
) -> None:
    """Take up what the last holder wrote down.

    What fell due meanwhile, or was never written because a crash came first, is spread.
    """
    subscription.reminders = state.reminders
    if not (subscription.enabled and unread(subscription)):
        return
    wait = 0.0
    if state.remind_at is not None:
        # None is over a day: more is left only where the time of day was set back.
        wait = min((state.remind_at - present).total_seconds(), LADDER_SECONDS[-1])
    if wait <= 0.0:
        wait = spread_wait(state.reminders, draw, limits.REMINDERS_SPREAD_SECONDS)
    _remind_in(subscription, wait, now, present)


def acknowledged(
    subscription: Subscription, *, climbs: bool, now: float, present: datetime
) -> None:
    """Set the next reminder after an acknowledged ping; `climbs` where it was a reminder itself."""
    if climbs:
        subscription.reminders += 1
    if unread(subscription):
        wait = wait_before_reminder(subscription.reminders)
        _remind_in(subscription, wait, now, present)
    else:
        stop(subscription)


def came_on(subscription: Subscription, now: float, present: datetime) -> bool:
    """Start anew: the reader has come on. Return whether a crash should not lose that."""
    climbed, subscription.reminders = subscription.reminders, 0
    if unread(subscription):
        _remind_in(subscription, wait_before_reminder(0), now, present)
        return True
    # What is written may go on saying when to remind: it is heeded only where events are unread.
    stop(subscription)
    return climbed > 0


def stop(subscription: Subscription) -> None:
    """Remind no more: all is read, or nobody wants to hear of it."""
    subscription.remind_at = subscription.remind_due = None


def _remind_in(subscription: Subscription, wait: float, now: float, present: datetime) -> None:
    subscription.remind_due = now + wait
    subscription.remind_at = present + timedelta(seconds=wait)
