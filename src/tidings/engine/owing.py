"""What a webhook is owed, and when: every change of a Subscription's dispatch state, pure.

Three reasons for a ping, in this order: a debt (an attempt failed, or waited too long) that is
due; news (`owed`); unread events that a page left behind (`follow_up_at`). All `now` are the
monotonic clock's seconds; `present` is the time of day.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from tidings.domain import limits
from tidings.domain.dispatch import Debt, DispatchState, ReadNote
from tidings.domain.retry import DAY_SECONDS, LONGEST_WAIT_SECONDS, wait_before_retry
from tidings.engine.subscriptions import Before, Flight, Subscription, Written


def load(
    subscription: Subscription,
    state: DispatchState | None,
    debt: Debt | None,
    now: float,
    present: datetime,
) -> None:
    """Take up what the last holder wrote down."""
    if state is not None:
        subscription.matched = state.matched
        subscription.notified = state.notified
        subscription.owed = subscription.enabled and state.matched > state.notified
    if debt is not None:
        subscription.matched = max(subscription.matched, debt.owed_through)
        subscription.debt = debt
        wait = (debt.next_attempt_at - present).total_seconds()
        # No wait is over a day: more is left only where the time of day was set back.
        subscription.debt_due = now + min(wait, DAY_SECONDS)
        # While a debt stands, matches write nothing (D2): what this ping covers may be more than
        # `matched` says, and its plain id may have been seen for less.
        subscription.matched_unsure = True
    subscription.written = Written(subscription.matched, subscription.notified, debt)


def match(subscription: Subscription, position: int, now: float) -> bool:
    """Note a covered event; return whether a ping may have become due by it."""
    if position <= subscription.matched:
        return False  # read again after a crash
    subscription.matched = position
    subscription.matched_unsure = False
    if not subscription.enabled or subscription.debt is not None:
        return False
    subscription.owed = True
    if subscription.hold_from is None:
        subscription.hold_from, subscription.hold_since = position, now
    return subscription.flight is None


def change(subscription: Subscription, before: Before, now: float) -> None:
    """Take up that notifications were switched, or go elsewhere.

    Switching on starts afresh, and pings at once if events wait, or if something was still owed
    because nobody saw it off. Another endpoint isn't held to the failures of the one before it:
    what is owed goes there at once.
    """
    if not subscription.enabled:
        not_wanted(subscription)
    elif not before.enabled:
        owed = subscription.owed or subscription.debt is not None
        subscription.owed = owed or subscription.matched > subscription.read
        subscription.debt = None
        subscription.slow = False
        if not subscription.owed:
            subscription.notified = subscription.matched
    elif subscription.endpoint != before.endpoint:
        subscription.slow = False
        if subscription.debt is not None:
            subscription.debt = msgspec.structs.replace(subscription.debt, failures=0)
            subscription.debt_due = now


def not_wanted(subscription: Subscription) -> None:
    """Owe nothing: the webhook is not enabled. Collection goes on.

    A flight stays until it lands, so that its slot is given back once; it holds nothing back.
    """
    subscription.owed = False
    subscription.debt = None
    subscription.hold_from = None
    subscription.follow_up_at = None
    if subscription.flight is not None:
        subscription.flight.hold_from = None


def gone(subscription: Subscription) -> None:
    """Want nothing more: the webhook was deleted, or its bucket is another holder's now."""
    subscription.enabled = False
    not_wanted(subscription)


def found_disabled(subscription: Subscription) -> None:
    """Send nothing: the row says so, and the tail hasn't come to its control entry yet.

    That entry decides what is owed no more; until then nothing may be forgotten for good.
    """
    called_off(subscription)
    subscription.enabled = False


def note_read(subscription: Subscription, note: ReadNote, now: float) -> None:
    """Take up a listed page: one that leaves more behind is followed by a ping (D1).

    At once where the request carried the last page's token, since its reader keeps tokens and one
    page a ping is what it reads; 5 s later otherwise, since a reader without tokens would be
    driven round and round.
    """
    goes_on = note.asked is not None and note.asked == subscription.last_token
    subscription.last_token = note.read_position
    subscription.read = max(subscription.read, note.read_position)
    subscription.listed_by = note.key_id
    if not note.has_more:
        subscription.follow_up_at = None
    else:
        subscription.follow_up_at = now if goes_on else now + limits.UNREAD_PING_SECONDS


def wanted_at(subscription: Subscription) -> float | None:
    """Return when the next ping is due, by what is owed and by the webhook's pace; None: never."""
    if not subscription.enabled or subscription.flight is not None:
        return None
    if subscription.debt is not None:
        due = subscription.debt_due
    elif subscription.owed:
        due = 0.0
    elif subscription.follow_up_at is not None:
        due = subscription.follow_up_at
    else:
        return None
    if subscription.last_started is not None:
        due = max(due, subscription.last_started + limits.WEBHOOK_PING_SECONDS)
    return due


def take_off(subscription: Subscription, now: float, next_reminder: Callable[[], int]) -> Flight:
    """Build the one attempt: it covers all that is matched now (D3 decides its name)."""
    news = subscription.matched > subscription.notified and not subscription.matched_unsure
    if news:
        subscription.reminder = None
    elif subscription.reminder is None:
        subscription.reminder = next_reminder()
    flight = Flight(
        covered=subscription.matched,
        reminder=subscription.reminder,
        hold_from=subscription.hold_from,
        hold_since=subscription.hold_since,
    )
    subscription.owed = False
    subscription.hold_from = None
    subscription.follow_up_at = None
    subscription.last_started = now
    return flight


def acknowledged(subscription: Subscription, now: float) -> None:
    """Settle an attempt that its endpoint acknowledged."""
    flight, subscription.flight = subscription.flight, None
    if flight is None:
        return
    subscription.notified = max(subscription.notified, flight.covered)
    subscription.reminder = None
    subscription.matched_unsure = False
    if subscription.debt is None:
        return
    if subscription.matched <= flight.covered:
        subscription.debt = None
    else:  # matched after the attempt was built: it stays due at once (D2)
        subscription.debt = msgspec.structs.replace(
            subscription.debt, owed_through=subscription.matched, failures=0
        )
        subscription.debt_due = now


def failed(
    subscription: Subscription,
    error: str,
    *,
    now: float,
    present: datetime,
    draw: float,
    retry_after: float | None,
) -> None:
    """Turn a failed attempt into the webhook's one debt, due by the schedule of contract 1.6.

    A webhook that was disabled meanwhile is owed nothing.
    """
    if not subscription.enabled:
        subscription.flight = None
        return
    failures = (subscription.debt.failures if subscription.debt else 0) + 1
    # The end of the schedule is to disable; until that is built the longest wait repeats.
    wait = wait_before_retry(failures, draw, retry_after_seconds=retry_after)
    wait = LONGEST_WAIT_SECONDS if wait is None else wait
    _owe(subscription, error, failures, present, wait)
    subscription.debt_due = now + wait
    subscription.flight = None


def held_too_long(subscription: Subscription, now: float, present: datetime) -> bool:
    """Make a debt of what has held the checkpoint for 30 s; return whether it has (D2)."""
    since = _hold(subscription)[1]
    if since is None or now - since < limits.CHECKPOINT_HELD_SECONDS:
        return False
    failures = subscription.debt.failures if subscription.debt else 0
    _owe(subscription, "waiting to be sent", failures, present, 0.0)
    subscription.debt_due = now
    return True


def _owe(
    subscription: Subscription, error: str, failures: int, present: datetime, wait: float
) -> None:
    since = subscription.debt.since_at if subscription.debt else present
    subscription.debt = Debt(
        bucket=subscription.bucket,
        webhook_id=subscription.webhook_id,
        owed_through=subscription.matched,
        failures=failures,
        next_attempt_at=present + timedelta(seconds=wait),
        since_at=since,
        last_error=error,
    )
    subscription.owed = False
    subscription.hold_from = None
    if subscription.flight is not None:
        subscription.flight.hold_from = None


def called_off(subscription: Subscription) -> None:
    """Put back what an attempt took off with: it was never judged by its endpoint.

    A webhook that was disabled meanwhile is owed nothing.
    """
    flight, subscription.flight = subscription.flight, None
    if flight is None or not subscription.enabled:
        return
    subscription.last_started = None
    if subscription.debt is None:
        subscription.owed = True
        if flight.hold_from is not None:
            subscription.hold_from, subscription.hold_since = flight.hold_from, flight.hold_since


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
