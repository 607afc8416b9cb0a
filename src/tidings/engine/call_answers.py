"""What came of a call: the cursor moves, or there is a debt (contract 2.4 to 2.6).

Pure: `notifying.Settling` for callbacks. What an errand failed with is the webhook's one debt, as a
ping's is, by the callbacks' own schedule. All `now` are the monotonic clock's seconds; `present` is
the time of day.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

import msgspec

from tidings.domain.callback import Answer, answer_of
from tidings.domain.dispatch import Debt, Place
from tidings.domain.retry import wait_before_callback_retry
from tidings.domain.sheet_standing import is_called, stood
from tidings.domain.sheet_webhook import SheetStatus
from tidings.domain.webhook import Webhook
from tidings.engine import debts, pinging
from tidings.engine.calls import Calls, calls_of, is_active, waits
from tidings.engine.challenging import why_failed
from tidings.engine.flight import Call, Errand, Flight
from tidings.engine.subscriptions import Subscription
from tidings.ports import SendOutcome


def took(subscription: Subscription, outcome: SendOutcome) -> bool:
    """Whether the endpoint acknowledged what it was sent: by 200, and a challenge's value."""
    flight = subscription.flight
    if isinstance(flight, Call) and flight.errand is Errand.CHALLENGE:
        return why_failed(outcome, flight.challenge) is None
    late = outcome.error is not None
    return answer_of(outcome.status, late=late) is Answer.ACKNOWLEDGED


def acknowledged(subscription: Subscription, now: float, present: datetime) -> None:
    """Settle an attempt that its endpoint acknowledged: the cursor moves."""
    flight, subscription.flight = subscription.flight, None
    calls = calls_of(subscription)
    failures = 0 if subscription.debt is None else subscription.debt.failures
    subscription.debt = None
    if not isinstance(flight, Call):
        return
    cursor = calls.cursor
    if flight.errand is Errand.CHALLENGE:
        calls.cursor = msgspec.structs.replace(cursor, challenged=cursor.acknowledged)
        return
    cursor = msgspec.structs.replace(
        cursor,
        last_attempt_at=flight.sent_at,
        last_attempt_failures=failures,
        last_success_at=present,
    )
    if flight.errand is Errand.STATUS:
        calls.cursor = msgspec.structs.replace(cursor, told=flight.number)
        _all_told(calls, flight)
        return
    calls.cursor = msgspec.structs.replace(cursor, acknowledged=cursor.acknowledged + 1)
    pending = cursor.pending
    if pending is not None:
        move_on(subscription, pending.begins, pending.ends)
    if calls.cursor.acked.position <= flight.covered:
        calls.gather_due = now  # more than one callback holds: the next goes at once


def move_on(subscription: Subscription, begins: Place, ends: Place) -> None:
    """Let the cursor move behind events that were called, or are none; those alike join in.

    Only where their own cursor joins on: what else they are owed they are called for themselves.
    """
    for one in calls_of(subscription).alike:
        calls = calls_of(one)
        if begins <= calls.cursor.acked < ends:
            calls.cursor = msgspec.structs.replace(calls.cursor, acked=ends, pending=None)
            if one is not subscription and not waits(one):
                one.debt = None


def _all_told(told: Calls, call: Call) -> None:
    """One status change of a sheet is told once, for all webhooks that want the same.

    What has become of the sheet since the call took off is told by another.
    """
    for one in told.alike:
        calls = calls_of(one)
        if calls.owes_status and calls.sheet.status is call.status:
            number = calls.sheet.status_number
            calls.cursor = msgspec.structs.replace(calls.cursor, told=number)


def failed(
    subscription: Subscription, outcome: SendOutcome, *, now: float, present: datetime, draw: float
) -> None:
    """Turn a failed attempt into the webhook's one debt, due by the schedule of contract 2.6.

    At the schedule's end, or at once where the answer says never, the debt has ended: the webhook
    is to be disabled. A status change that nobody takes is left untold while it is disabled; what
    else fails then counts for nothing.
    """
    flight, subscription.flight = subscription.flight, None
    calls = calls_of(subscription)
    since, failures = debts.failures_until(subscription, present)
    if isinstance(flight, Call) and flight.errand is not Errand.CHALLENGE:
        calls.cursor = msgspec.structs.replace(
            calls.cursor, last_attempt_at=flight.sent_at, last_attempt_failures=failures
        )
    if not is_active(subscription) or not (subscription.enabled or _tells_status(flight)):
        return
    wait = None
    if _is_retried(flight, outcome):
        wait = wait_before_callback_retry(failures + 1, draw)
    if wait is None and not subscription.enabled:
        calls.cursor = msgspec.structs.replace(calls.cursor, told=calls.sheet.status_number)
        subscription.debt = None
        return
    error = _error_of(flight, outcome)
    debts.owe(subscription, error, failures + 1, since=since, wait=wait, now=now, present=present)


def given_up(subscription: Subscription, webhook: Webhook, debt: Debt) -> Webhook | None:
    """Return the row of a webhook whose debt has ended; None where that stands otherwise by now."""
    if debt.ended_at is None or not is_called(webhook):
        return None
    status = SheetStatus.DISABLED_CALLBACK_FAILED
    if calls_of(subscription).challenge_due:
        status = SheetStatus.DISABLED_VERIFICATION_FAILED
    return stood(webhook, status, at=debt.ended_at, details=debt.last_error)


def _is_retried(flight: Flight | None, outcome: SendOutcome) -> bool:
    status, late = outcome.status, outcome.error is not None
    if not _is_challenge(flight):
        return answer_of(status, late=late) is Answer.RETRIED
    # Wrong answers end it at once; none at all, or one from a server in trouble, doesn't.
    in_trouble = status == HTTPStatus.TOO_MANY_REQUESTS or (status or 0) >= 500
    return status is None or in_trouble or (status == HTTPStatus.OK and late)


def _error_of(flight: Flight | None, outcome: SendOutcome) -> str:
    if isinstance(flight, Call) and flight.errand is Errand.CHALLENGE:
        return why_failed(outcome, flight.challenge) or pinging.error_of(outcome)
    return pinging.error_of(outcome)


def _tells_status(flight: Flight | None) -> bool:
    """Whether it was to tell a status: also where nothing left, since only that was due then."""
    return not isinstance(flight, Call) or flight.errand is Errand.STATUS


def _is_challenge(flight: Flight | None) -> bool:
    return isinstance(flight, Call) and flight.errand is Errand.CHALLENGE
