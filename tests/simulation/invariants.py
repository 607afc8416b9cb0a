"""One checker for each invariant of the design: each raises Violation where it is broken.

They judge what `history.py` wrote down. 11, guarded egress, is the sender's own: nothing leaves the
process here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise

from tests.simulation.history import Attempted, History, KeyUse, PageSeen, Subscriber
from tidings.domain import limits
from tidings.domain.lifecycle import Stage
from tidings.domain.retry import FIRST_WAIT_SECONDS, JITTER, RETRIES

ROUNDING_SECONDS = 0.002
DAYS_IN = {Stage.ACTIVE: 6, Stage.WARNED: 7, Stage.EXPIRED: 13, Stage.LAST_WARNED: 14}
"""When each stage ends, in days without ListEvents (contract 1.7)."""
_RETENTION = timedelta(days=limits.LOG_DAYS)
_GRACE = timedelta(hours=1)
"""Retention may be late by its round, and its clock may have been astray by as much."""


class Violation(AssertionError):
    """An invariant doesn't hold."""


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise Violation(what)


def nothing_lost(history: History, subscriber: Subscriber, walk: PageSeen) -> None:
    """1: every answered change is listed, until retention, by each webhook that covered it."""
    kept_from = walk.at - _RETENTION + _GRACE
    events = history.events_of(subscriber)
    owed = {change.position for change in events if change.answered_at > kept_from}
    lost = owed.difference(walk.positions)
    first = min(lost, default=0)
    _must(not lost, f"1: {subscriber.webhook_id} lost {len(lost)} events from {first} on")


def no_skip_no_repeat(history: History, subscriber: Subscriber, page: PageSeen) -> None:
    """2: each page holds every event between its token and the next one, once."""
    between = history.events_between(subscriber, page.after, page.next_token)
    expected = [change.position for change in between]
    if page.events_expired and page.positions:
        gone = [change for change in between if change.position < page.positions[0]]
        young = [change for change in gone if change.answered_at > page.at - _RETENTION + _GRACE]
        _must(not young, "2: events_expired for events that retention keeps")
        expected = expected[len(gone) :]
    elif page.events_expired:
        return
    _must(list(page.positions) == expected, f"2: {page} should hold {expected}")


def in_order(page: PageSeen) -> None:
    """3: events are listed in the order of their positions, and the token is not before them."""
    _must(list(page.positions) == sorted(set(page.positions)), f"3: out of order: {page}")
    _must(not page.positions or page.next_token >= page.positions[-1], f"3: token behind: {page}")
    _must(page.next_token >= page.after, f"3: the token went back: {page}")


def notified(history: History, subscriber: Subscriber, *, visibly_off: bool) -> None:
    """4: after its last event an enabled webhook got an acknowledged ping, or is visibly off."""
    events = history.events_of(subscriber)
    if not events or visibly_off or not subscriber.wanted_on:
        return
    last = events[-1].position
    read = subscriber.token is not None and subscriber.token >= last
    told = any(
        (attempt.sent.covered >= last or attempt.last_event >= last)
        and attempt.sent.outcome is not None
        and attempt.sent.outcome.error is None
        for attempt in subscriber.attempts
    )
    _must(told or read, f"4: {subscriber.webhook_id} was never told of {last}")


def only_while_enabled(attempt: Attempted) -> None:
    """4: nothing is sent to a webhook that is not enabled at that moment, but the last warning."""
    _must(
        attempt.enabled is not False or "notice" in attempt.sent.json,
        "4: pinged while it was not enabled",
    )


def listable_first(attempt: Attempted) -> None:
    """5: no notification is sent before its events can be listed."""
    _must(attempt.sent.covered <= attempt.listable, "5: pinged before it could be listed")


def one_in_flight(flying: Sequence[Attempted]) -> None:
    """6: one in flight for a webhook by one lease epoch."""
    lives = [attempt.life for attempt in flying]
    _must(len(lives) == len(set(lives)), "6: two pings in flight for one webhook")


def one_name_one_coverage(attempts: Iterable[Attempted]) -> None:
    """6: the same webhook-id never stands for more than it did (mechanics D3)."""
    covered: dict[str, int] = {}
    for attempt in attempts:
        sent = attempt.sent
        first = covered.setdefault(sent.notification_id, sent.covered)
        _must(sent.covered == first, f"6: {sent.notification_id} names two coverages")


def collection_never_stops(history: History, subscriber: Subscriber, walk: PageSeen) -> None:
    """7: what happened while a webhook was not enabled is in its events too."""
    kept_from = walk.at - _RETENTION + _GRACE
    listed = frozenset(walk.positions)
    for change in history.events_of(subscriber):
        if change.position in subscriber.while_off and change.answered_at > kept_from:
            _must(change.position in listed, f"7: {change.position} was not collected")


def step_on_time(history: History, subscriber: Subscriber, left: Stage, at: float) -> None:
    """8: each step of a webhook's life comes at its millisecond, since it was listed last.

    Trouble may delay it by as much as it lasted; only a clock that was set may hurry it.
    """
    late = at - (subscriber.extended + DAYS_IN[left] * 86_400.0)
    hurried = history.astray - subscriber.astray + ROUNDING_SECONDS
    delayed = history.trouble - subscriber.trouble + ROUNDING_SECONDS
    _must(-late <= hurried, f"8: the step out of {left} came {-late} s early")
    _must(late <= delayed, f"8: the step out of {left} came {late} s late")


def retried_on_time(subscriber: Subscriber) -> None:
    """8: after the n-th failure in a row the next attempt comes in 10 s * 2**(n-1), within 10 %."""
    # What was under way when the owner changed something counts or not: a success makes it sure.
    failures = None if subscriber.restarted else 0
    attempts = subscriber.attempts[subscriber.restarted :]
    for attempt, following in pairwise(attempts):
        outcome = attempt.sent.outcome
        undisturbed = following.trouble == attempt.trouble and attempt.ended is not None
        if outcome is None or not undisturbed or attempt.ended is None:
            return
        if outcome.error is None:
            failures = 0
        elif failures is not None:
            failures += 1
        if failures is None or failures > RETRIES or "notice" in following.sent.json:
            return
        if not failures:
            continue
        wait = FIRST_WAIT_SECONDS * 2.0 ** (failures - 1)
        asked = float(outcome.headers.get("retry-after", 0))
        least, most = max(wait * (1 - JITTER), asked), max(wait * (1 + JITTER), asked)
        waited = following.began - attempt.ended
        _must(waited >= least - ROUNDING_SECONDS, f"8: retry {failures} after {waited} s, too soon")
        _must(waited <= most + 1.0, f"8: retry {failures} after {waited} s, too late")


def penalty_exact(uses: Sequence[KeyUse]) -> None:
    """8: a sixth request within a second begins 30 s of refusals, to the millisecond."""
    answered: list[int] = []
    until = 0
    for use in uses:
        now = round(use.at * 1_000)
        if now < until:
            refused = True
        else:
            refused = len([at for at in answered if now - at < 1_000]) >= 5
            until = now + 30_000 if refused else until
            answered = [] if refused else [*answered[-5:], now]
        _must((use.status == 429) == refused, f"8: {use.status} at {use.at}, refused: {refused}")


def tenancy(text: bytes, strangers: Iterable[str]) -> None:
    """9: no answer and no ping shows one account anything of another."""
    for account in strangers:
        _must(account.encode() not in text, f"9: {account} is named to another account")


def idempotent(first: bytes, again: bytes) -> None:
    """10: the same Idempotency-Key answers the same (that it appends once, 2 sees)."""
    _must(first == again, f"10: {again!r}, and at first {first!r}")


def bounded(name: str, count: int, limit: int) -> None:
    """12: what is held in memory, in rows and in flight has its limit."""
    _must(count <= limit, f"12: {count} {name}, over {limit}")
