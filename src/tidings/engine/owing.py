"""What a webhook is owed, and when: every change of a Subscription's dispatch state, pure.

Four reasons for a ping, in this order: a debt (an attempt failed, or waited too long) that is
due; news (`owed`); unread events that a page left behind (`follow_up_at`); events that stay unread
(`reminding.py`). A notice is told by a ping of its own (`notices.py`). All `now` are the monotonic
clock's seconds; `present` is the time of day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from tidings.domain import limits
from tidings.domain.dispatch import Debt, ReadNote
from tidings.domain.notification import UNKNOWN_SCOPE, Scope, joined
from tidings.domain.retry import retry_after_seconds, wait_before_retry
from tidings.domain.webhook import Webhook
from tidings.domain.webhook import given_up as webhook_given_up
from tidings.engine import debts, notices, pinging, reminding
from tidings.engine.flight import Flight
from tidings.engine.subscriptions import Before, Kept, Subscription
from tidings.ports import SendOutcome


def load(
    subscription: Subscription, kept: Kept, *, now: float, present: datetime, draw: float
) -> bool:
    """Take up what the last holder wrote down; return whether that is to be written anew.

    `draw` in [0, 1) spreads what fell due meanwhile and can wait.
    """
    state, debt = kept.state, kept.debt
    if state is not None:
        subscription.matched = state.matched
        subscription.notified = state.notified
        subscription.noticed = state.noticed
        subscription.owed = subscription.enabled and state.matched > state.notified
        subscription.scope = UNKNOWN_SCOPE if subscription.owed else None
    if debt is not None:
        subscription.matched = max(subscription.matched, debt.owed_through)
    written = subscription.to_write()._replace(debt=debt)
    if state is not None:
        written = written._replace(reminders=state.reminders, remind_at=state.remind_at)
        reminding.load(subscription, state, now=now, present=present, draw=draw)
    if debt is not None:
        debts.load(subscription, debt, now, present)
    subscription.written = written
    return subscription.debt != debt


def match(subscription: Subscription, position: int, scope: Scope, now: float) -> bool:
    """Note a covered event; return whether a ping may have become due by it."""
    if position <= subscription.matched:
        return False  # read again after a crash
    subscription.matched = position
    subscription.matched_unsure = False
    if not subscription.enabled or subscription.debt is not None:
        return False
    subscription.owed = True
    subscription.scope = joined(subscription.scope, scope)
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
        subscription.owed = owed or reminding.unread(subscription)
        subscription.debt = None
        subscription.slow = False
        subscription.reminders = 0
        subscription.scope = UNKNOWN_SCOPE if subscription.owed else None
        if not subscription.owed:
            subscription.notified = subscription.matched
    elif subscription.debt is not None:
        debt = msgspec.structs.replace(subscription.debt, revision=subscription.revision)
        if subscription.endpoint == before.endpoint:
            subscription.debt = debt
        else:
            debts.start_afresh(subscription, debt, now)
    if subscription.endpoint != before.endpoint:
        subscription.slow = False


def not_wanted(subscription: Subscription) -> None:
    """Owe nothing: the webhook is not enabled. Collection goes on.

    A flight stays until it lands, so that its slot is given back once; it holds nothing back.
    """
    subscription.owed = False
    subscription.debt = None
    subscription.hold_from = None
    subscription.follow_up_at = None
    subscription.scope = None
    reminding.stop(subscription)
    if subscription.flight is not None:
        subscription.flight.hold_from = None


def gone(subscription: Subscription) -> None:
    """Want nothing more: the webhook was deleted, or its bucket is another holder's now."""
    subscription.enabled = False
    subscription.notice = None
    not_wanted(subscription)


def found_unwanted(subscription: Subscription) -> None:
    """Send nothing: the row says so, and the tail hasn't come to its control entry yet.

    That entry decides what is owed no more; until then nothing may be forgotten for good.
    """
    flight = subscription.flight
    called_off(subscription)
    if flight is not None and flight.notice is not None:
        notices.withdrawn(subscription)
    else:
        subscription.enabled = False


def note_read(subscription: Subscription, note: ReadNote, now: float, present: datetime) -> bool:
    """Take up a listed page: one that leaves more behind is followed by a ping (D1).

    Return whether the dispatch state is to be written for it.

    At once where the request carried the last page's token, since its reader keeps tokens and one
    page a ping is what it reads; 5 s later otherwise, since a reader without tokens would be
    driven round and round.
    """
    goes_on = note.asked is not None and note.asked == subscription.last_token
    subscription.last_token = note.read_position
    comes_on = note.read_position > subscription.read
    subscription.read = max(subscription.read, note.read_position)
    subscription.listed_by = note.key_id
    if not note.has_more:
        subscription.follow_up_at = None
    else:
        subscription.follow_up_at = now if goes_on else now + limits.UNREAD_PING_SECONDS
    return comes_on and subscription.enabled and reminding.came_on(subscription, now, present)


def wanted_at(subscription: Subscription) -> float | None:
    """Return when the next ping is due, by what is owed and by the webhook's pace; None: never."""
    if subscription.flight is not None:
        return None
    due = _earlier(_ping_wanted_at(subscription), notices.wanted_at(subscription))
    if due is not None and subscription.last_started is not None:
        due = max(due, subscription.last_started + limits.WEBHOOK_PING_SECONDS)
    return due


def _ping_wanted_at(subscription: Subscription) -> float | None:
    if not subscription.enabled:
        return None
    debt = subscription.debt
    if debt is not None:
        return subscription.debt_due if debt.ended_at is None else None
    if subscription.owed:
        return 0.0
    return _earlier(subscription.follow_up_at, subscription.remind_due)


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def take_off(subscription: Subscription, now: float, next_reminder: Callable[[], int]) -> Flight:
    """Build the one attempt: it covers all that is matched now (D3 decides its name).

    A notice that is due goes first: it would never have its turn before a busy webhook's pings.
    """
    subscription.last_started = now
    notice_at = notices.wanted_at(subscription)
    if notice_at is not None and notice_at <= now:
        return Flight(covered=subscription.matched, notice=subscription.notice)
    news = subscription.matched > subscription.notified and not subscription.matched_unsure
    if news:
        subscription.reminder = None
    elif subscription.reminder is None:
        subscription.reminder = next_reminder()
    remind_due = subscription.remind_due
    flight = Flight(
        covered=subscription.matched,
        reminder=subscription.reminder,
        hold_from=subscription.hold_from,
        hold_since=subscription.hold_since,
        # What a debt's ping covers isn't known for sure: nobody noted what joined it.
        scope=subscription.scope if news and subscription.debt is None else UNKNOWN_SCOPE,
        climbs=remind_due is not None and remind_due <= now,
    )
    subscription.owed = False
    subscription.scope = None
    subscription.hold_from = None
    subscription.follow_up_at = None
    return flight


def acknowledged(subscription: Subscription, now: float, present: datetime) -> None:
    """Settle an attempt that its endpoint acknowledged."""
    flight, subscription.flight = subscription.flight, None
    if flight is None:
        return
    if flight.notice is not None:
        notices.acknowledged(subscription, flight.notice)
        return
    subscription.notified = max(subscription.notified, flight.covered)
    subscription.reminder = None
    subscription.matched_unsure = False
    if subscription.enabled:
        reminding.acknowledged(subscription, climbs=flight.climbs, now=now, present=present)
    if subscription.debt is None:
        return
    if subscription.matched <= flight.covered:
        subscription.debt = None
    else:  # matched after the attempt was built: it stays due at once (D2)
        debt = msgspec.structs.replace(subscription.debt, owed_through=subscription.matched)
        debts.start_afresh(subscription, debt, now)


def wanted(webhook: Webhook, flight: Flight) -> bool:
    """Whether a flight is still to be sent, by the row: judged when sending."""
    return pinging.wanted(webhook, flight)


def held_from(subscription: Subscription) -> int | None:
    """Return the oldest position that is neither acknowledged nor in a debt; None: none is."""
    return debts.held_from(subscription)


def beside(subscription: Subscription) -> Iterable[Subscription]:
    """Return nobody: every webhook is pinged for itself."""
    return ()


def given_up(subscription: Subscription, webhook: Webhook, debt: Debt) -> Webhook | None:
    """Return the row of a webhook whose debt has ended; None where it hasn't."""
    if debt.ended_at is None:
        return None
    return webhook_given_up(webhook, at=debt.ended_at, error=debt.last_error)


def took(subscription: Subscription, outcome: SendOutcome) -> bool:
    """Whether the endpoint acknowledged what it was sent."""
    return pinging.acknowledged(outcome)


def failed(
    subscription: Subscription,
    outcome: SendOutcome,
    *,
    now: float,
    present: datetime,
    draw: float,
) -> None:
    """Turn a failed attempt into the webhook's one debt, due by the schedule of contract 1.6.

    At the schedule's end, a day after the first failure, or at once where the endpoint is gone for
    good, the debt has ended: notifications are to be disabled. A webhook that was disabled
    meanwhile is owed nothing.
    """
    flight, subscription.flight = subscription.flight, None
    retry_after = retry_after_seconds(outcome.headers.get("retry-after"), present)
    ping = flight.notice is None if flight is not None else _ping_due(subscription, now)
    if not ping:
        notices.failed(subscription, now=now, draw=draw, retry_after=retry_after)
    elif subscription.enabled:
        since, failures = debts.failures_until(subscription, present)
        wait = None
        if not pinging.gone(outcome):
            since_seconds = (present - since).total_seconds()
            wait = wait_before_retry(
                failures + 1, draw, since_seconds=since_seconds, retry_after_seconds=retry_after
            )
        error = pinging.error_of(outcome)
        debts.owe(
            subscription, error, failures + 1, since=since, wait=wait, now=now, present=present
        )


def _ping_due(subscription: Subscription, now: float) -> bool:
    due = _ping_wanted_at(subscription)
    return due is not None and due <= now


def called_off(subscription: Subscription) -> None:
    """Put back what an attempt took off with: it was never judged by its endpoint.

    A webhook that was disabled meanwhile is owed nothing.
    """
    flight, subscription.flight = subscription.flight, None
    if flight is None:
        return
    subscription.last_started = None
    if flight.notice is not None or not subscription.enabled:
        return
    if subscription.debt is None:
        subscription.owed = True
        subscription.scope = joined(flight.scope, subscription.scope)
        if flight.hold_from is not None:
            subscription.hold_from, subscription.hold_since = flight.hold_from, flight.hold_since
