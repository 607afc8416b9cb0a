"""Checkers of the invariants, by their numbers: each raises Violation where one is broken.

They judge what `history.py` wrote down; those of 8, exact times, are in `exact_times.py`, and those
of 11, guarded egress, in `egress.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from tests.simulation.history import Attempted, History, PageSeen, Subscriber
from tidings.domain import limits

SENDS, SENDS_OF_AN_ACCOUNT, SENDS_TO_A_HOST = 256, 32, 16
"""Attempts that may be in flight (mechanics D7)."""
_RETENTION = timedelta(days=limits.LOG_DAYS)
_GRACE = timedelta(hours=1)
"""Retention may be late by its round, and its clock may have been astray by as much."""


class Violation(AssertionError):
    """An invariant doesn't hold."""


def must(holds: bool, what: str) -> None:
    """Raise Violation, which begins with the invariant's number, unless it holds."""
    if not holds:
        raise Violation(what)


def nothing_lost(history: History, subscriber: Subscriber, walk: PageSeen) -> None:
    """1: every answered change is listed, until retention, by each webhook that covered it."""
    kept_from = walk.at - _RETENTION + _GRACE
    events = history.events_of(subscriber)
    owed = {change.position for change in events if change.answered_at > kept_from}
    lost = owed.difference(walk.positions)
    first = min(lost, default=0)
    must(not lost, f"1: {subscriber.webhook_id} lost {len(lost)} events from {first} on")


def no_skip_no_repeat(history: History, subscriber: Subscriber, page: PageSeen) -> None:
    """2: each page holds every event between its token and the next one, once."""
    between = history.events_between(subscriber, page.after, page.next_token)
    expected = [change.position for change in between]
    if page.events_expired:
        first = page.positions[0] if page.positions else page.next_token + 1
        gone = [change for change in between if change.position < first]
        young = [change for change in gone if change.answered_at > page.at - _RETENTION + _GRACE]
        must(not young, f"2: after {page.after}: skipped what retention keeps")
        expected = expected[len(gone) :]
    skipped = sorted({*expected}.difference(page.positions))[:5]
    strange = sorted({*page.positions}.difference(expected))[:5]
    found = f"skipped {skipped}, and strange {strange}"
    must(list(page.positions) == expected, f"2: after {page.after}: {found}")


def token_taken(status: int, said: bytes) -> None:
    """2: a page token that was given is taken, whatever the clock did since."""
    must(status != 400, f"2: our own page token was refused: {said!r}")


def kept_what_changed(accepted: int, *, changed: bool) -> None:
    """1: a change is suppressed only if it is proved to change nothing (mechanics L5)."""
    must(accepted >= changed, "1: a change was suppressed")
    must(accepted <= changed, "1: what changed nothing wasn't suppressed")


def in_order(page: PageSeen) -> None:
    """3: events are listed in the order of their positions, and the token is not before them."""
    must(list(page.positions) == sorted(set(page.positions)), f"3: out of order: {page}")
    must(not page.positions or page.next_token >= page.positions[-1], f"3: token behind: {page}")
    must(page.next_token >= page.after, f"3: the token went back: {page}")


def notified(history: History, subscriber: Subscriber, read_to: int, *, visibly_off: bool) -> None:
    """4: after its last event an enabled webhook got an acknowledged ping, or is visibly off.

    Who has read that far needs no ping, whoever read and wherever their tokens are: switching on
    pings only if events wait.
    """
    events = history.events_of(subscriber)
    if not events or visibly_off or not subscriber.wanted_on:
        return
    last = events[-1].position
    told = any(
        (attempt.sent.covered >= last or attempt.last_event >= last) and attempt.took
        for attempt in subscriber.attempts
    )
    must(told or read_to >= last, f"4: {subscriber.webhook_id} was never told of {last}")


def read_to_the_end(history: History, subscriber: Subscriber, read_to: int) -> None:
    """4: who reads a page at each ping has read all of it by now."""
    events = history.events_of(subscriber)
    last = events[-1].position if events else 0
    must(read_to >= last, f"4: {subscriber.webhook_id} was left with unread events")


def only_while_enabled(attempt: Attempted) -> None:
    """4: nothing is sent to a webhook that is not enabled at that moment, but the last warning."""
    must(
        attempt.enabled is not False or attempt.is_notice,
        "4: pinged while it was not enabled",
    )


def listable_first(attempt: Attempted) -> None:
    """5: no notification is sent before its events can be listed."""
    must(attempt.sent.covered <= attempt.listable, "5: pinged before it could be listed")


def one_in_flight(flying: Sequence[Attempted]) -> None:
    """6: one in flight for a webhook by one lease epoch."""
    lives = [attempt.life for attempt in flying]
    must(len(lives) == len(set(lives)), "6: two pings in flight for one webhook")


def one_name_one_coverage(attempts: Iterable[Attempted]) -> None:
    """6: the same webhook-id never stands for more than it did (mechanics D3)."""
    covered: dict[str, int] = {}
    for attempt in attempts:
        sent = attempt.sent
        if attempt.is_notice:
            continue  # its own, and it tells of no events: a ping of their own does
        first = covered.setdefault(sent.notification_id, sent.covered)
        must(sent.covered == first, f"6: {sent.notification_id} names two coverages")


def within_caps(flying: Sequence[Subscriber]) -> None:
    """6: so many attempts in flight in all, for an account, and of it to a host, and no more."""
    in_all = sum(len(one.flying) for one in flying)
    must(in_all <= SENDS, f"6: {in_all} attempts in flight")
    of_account: dict[str, int] = {}
    to_host: dict[tuple[str, str | None], int] = {}
    for subscriber in flying:
        account = subscriber.account
        for attempt in subscriber.flying:
            host = (account, urlsplit(attempt.sent.url).hostname)
            of_account[account] = of_account.get(account, 0) + 1
            to_host[host] = to_host.get(host, 0) + 1
    busiest = max(of_account.values(), default=0)
    must(busiest <= SENDS_OF_AN_ACCOUNT, f"6: {busiest} attempts of an account in flight")
    busiest = max(to_host.values(), default=0)
    must(busiest <= SENDS_TO_A_HOST, f"6: {busiest} attempts to a host in flight")


def collection_never_stops(history: History, subscriber: Subscriber, walk: PageSeen) -> None:
    """7: what happened while a webhook was not enabled is in its events too."""
    kept_from = walk.at - _RETENTION + _GRACE
    listed = frozenset(walk.positions)
    for change in history.events_of(subscriber):
        if change.position in subscriber.while_off and change.answered_at > kept_from:
            must(change.position in listed, f"7: {change.position} was not collected")


def tenancy(text: bytes, strangers: Iterable[str]) -> None:
    """9: no answer and no ping shows one account anything of another."""
    for account in strangers:
        must(account.encode() not in text, f"9: {account} is named to another account")


def turned_away(status: int) -> None:
    """9: whoever asks for another account's webhook by its id is told that there is none."""
    must(status in (0, 404, 429, 503), f"9: a stranger was answered {status}")


def tells_no_secret(line: str, accounts: Iterable[str], secrets: Iterable[str]) -> None:
    """9: no log line holds a key, a secret or a value, nor names two accounts at once."""
    for secret in secrets:
        must(secret not in line, f"9: a log line tells {secret!r}: {line}")
    named = [account for account in accounts if account in line]
    must(len(named) < 2, f"9: a log line names {named}")


def idempotent(first: bytes, again: bytes) -> None:
    """10: the same Idempotency-Key answers the same (that it appends once, 2 sees)."""
    must(first == again, f"10: {again!r}, and at first {first!r}")


def bounded(name: str, count: int, limit: int) -> None:
    """12: what is held in memory, in rows and in flight has its limit."""
    must(count <= limit, f"12: {count} {name}, over {limit}")
