"""What a callback webhook is owed, and when: `notifying.Owing` for callbacks (contract 2.4 to 2.6).

Pure. Three errands, in this order: to tell that the sheet went or came back, to challenge, and to
bring events. What came of one is settled in `call_answers.py`. The checkpoint never waits for a
callback: its cursor says what is left (mechanics D5). All `now` are the monotonic clock's seconds;
`present` is the time of day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from tidings.domain import limits
from tidings.domain.dispatch import Place
from tidings.domain.notification import Scope
from tidings.domain.sheet_standing import is_called
from tidings.domain.webhook import Webhook
from tidings.engine import debts
from tidings.engine.calls import Calls, calls_of, is_active, waits
from tidings.engine.flight import Call, Errand, Flight
from tidings.engine.subscriptions import Before, Kept, Subscription


def load(
    subscription: Subscription, kept: Kept, *, now: float, present: datetime, draw: float
) -> bool:
    """Take up what the last holder wrote down; return whether that is to be written anew."""
    calls = calls_of(subscription)
    if kept.cursor is not None:
        calls.cursor = kept.cursor
    if kept.state is not None:
        subscription.matched, subscription.notified = kept.state.matched, kept.state.notified
    debt = kept.debt
    subscription.written = subscription.to_write()._replace(debt=debt)
    if debt is not None:
        # While it stood, matches wrote nothing (D2): the log is asked whether something waits.
        debts.load(subscription, debt, now, present)
        if not (subscription.enabled or calls.owes_status):
            subscription.debt = None
    return subscription.debt != debt


def match(subscription: Subscription, position: int, scope: Scope, now: float) -> bool:
    """Note a covered change; return whether a callback may have become due by it."""
    if position <= subscription.matched:
        return False  # read again after a crash
    calls = calls_of(subscription)
    waited = calls.cursor.pending is not None or waits(subscription)
    subscription.matched = position
    if position < calls.frontier.position:
        return False  # read again too: it was called before the crash
    if not waited and subscription.flight is None:
        # All before it lies behind: so retention that passes the cursor passes something owed.
        acked = max(calls.cursor.acked, Place(position))
        calls.cursor = msgspec.structs.replace(calls.cursor, acked=acked)
    if calls.gather_due is None:
        calls.gather_due = now + calls.gather_seconds
    return subscription.enabled and subscription.flight is None


def change(subscription: Subscription, before: Before, now: float) -> None:
    """Take up that the webhook's row is another: switched, elsewhere, or its sheet went or came.

    Whoever enabled it, or moved it, has challenged the endpoint just now (contract 2.4).
    """
    calls = calls_of(subscription)
    calls.withdrawn = False
    calls.not_before = 0.0
    moved = subscription.endpoint != before.endpoint
    if moved:
        subscription.slow = False
    if subscription.enabled and (moved or not before.enabled):
        subscription.debt = None
        subscription.slow = False
        if calls.gather_due is not None:
            calls.gather_due = min(calls.gather_due, now)
        if calls.sheet.status_number == 0 or moved:
            calls.cursor = msgspec.structs.replace(
                calls.cursor, challenged=calls.cursor.acknowledged
            )
    elif subscription.debt is not None:
        debt, told = subscription.debt, calls.sheet.status_number
        stands = subscription.enabled or (calls.owes_status and debt.revision >= told)
        if stands:
            debt = msgspec.structs.replace(debt, revision=subscription.revision)
        subscription.debt = debt if stands else None


def gone(subscription: Subscription) -> None:
    """Want nothing more: it was deleted, or its bucket is another holder's now."""
    subscription.enabled = False
    subscription.debt = None
    calls = calls_of(subscription)
    calls.withdrawn = True
    calls.judged.clear()


def wanted_at(subscription: Subscription) -> float | None:
    """Return when the next attempt is due; None: never."""
    calls = calls_of(subscription)
    if subscription.flight is not None or _another_calls(subscription, calls):
        return None
    due = _due(subscription, calls)
    return None if due is None else max(due, calls.not_before)


def _due(subscription: Subscription, calls: Calls) -> float | None:
    if not is_active(subscription):
        return None
    debt = subscription.debt
    if debt is not None:
        return subscription.debt_due if debt.ended_at is None else None
    if calls.owes_status:
        return 0.0
    if calls.cursor.pending is not None:
        return 0.0
    if waits(subscription):
        return calls.gather_due or 0.0
    return None


def _another_calls(subscription: Subscription, calls: Calls) -> bool:
    """Whether one that wants the same is under way, or its turn comes first: it calls for all."""
    if len(calls.alike) < 2:
        return False
    oldest = next(filter(is_active, calls.alike), subscription)
    if oldest is not subscription and _turn(oldest) <= _turn(subscription):
        return True  # as nearly all of them find, without a look at all the others
    if any(one.flight is not None for one in calls.alike):
        return True
    return min(filter(is_active, calls.alike), key=_turn, default=subscription) is not subscription


def _turn(subscription: Subscription) -> tuple[bool, Place]:
    """Return what turns go by: the oldest's is first, unless another is behind it.

    One that came from elsewhere has told its endpoint there what it never told here.
    """
    cursor = calls_of(subscription).cursor
    owed = cursor.pending is not None or waits(subscription)
    return not owed, cursor.acked


def take_off(subscription: Subscription, now: float, next_reminder: Callable[[], int]) -> Call:
    """Build the one attempt; what it carries is composed later."""
    calls = calls_of(subscription)
    subscription.last_started = now
    errand = Errand.EVENTS
    if calls.owes_status:
        errand = Errand.STATUS
    elif calls.challenge_due:
        errand = Errand.CHALLENGE
    elif calls.cursor.pending is None:
        calls.gather_due = None
    return Call(
        errand,
        covered=subscription.matched,
        number=calls.sheet.status_number,
        status=calls.sheet.status,
    )


def wanted(webhook: Webhook, flight: Flight) -> bool:
    """Whether a flight is still to be sent, by the row: judged when sending."""
    if isinstance(flight, Call) and flight.errand is Errand.STATUS:
        sheet = webhook.sheet
        return sheet is not None and sheet.status_number == flight.number and not sheet.key_revoked
    return is_called(webhook)


def found_unwanted(subscription: Subscription) -> None:
    """Send nothing: the row says so, and the tail hasn't come to its control entry yet.

    Where the creating key was revoked no entry will come, and nothing is sent any more.
    """
    subscription.flight = None
    calls_of(subscription).withdrawn = True


def called_off(subscription: Subscription) -> None:
    """Let it be due as before: the cursor says what."""
    subscription.flight = None
    subscription.last_started = None


def hindered(subscription: Subscription, now: float) -> None:
    """Wait a moment: what was to be sent couldn't be composed, by no fault of the endpoint."""
    calls_of(subscription).not_before = now + limits.FLUSH_SECONDS


def held_from(subscription: Subscription) -> int | None:
    """Return the position of a judgement that isn't in the row yet: the checkpoint waits for it."""
    judged = calls_of(subscription).judged
    return judged[0].position if judged else None


def beside(subscription: Subscription) -> Iterable[Subscription]:
    """Return the others whose turn it may be after what happened to this one.

    Also those that it left behind: it was deleted, or is called elsewhere now.
    """
    calls = calls_of(subscription)
    alike = calls.alike if calls.left is calls.alike else [*calls.left, *calls.alike]
    return [one for one in alike if one is not subscription]
