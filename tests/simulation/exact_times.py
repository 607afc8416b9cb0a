"""Invariant 8, exact times: what comes when, to the virtual second; and 4, what must follow a page.

Judged from outside, by what endpoints got and clients read (`history.py`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise, zip_longest

from tests.simulation.history import Attempted, Change, History, KeyUse, Read, Subscriber
from tests.simulation.invariants import must
from tidings.domain.lifecycle import Stage
from tidings.ports import SendOutcome

ROUNDING_SECONDS = 0.002
TURN_SECONDS = 2.0
"""What a ping that is due may wait for its turn: a webhook has one a second, a key three."""
DAYS_IN = {Stage.ACTIVE: 6, Stage.WARNED: 7, Stage.EXPIRED: 13, Stage.LAST_WARNED: 14}
"""When each stage ends, in days without ListEvents (contract 1.7)."""
DAY_SECONDS = 86_400.0
RETRIES, FIRST_WAIT_SECONDS, JITTER = 13, 10.0, 0.1
"""The schedule, as contract 1.6 has it: not read from the engine, which may have it wrong."""
REMINDERS_SECONDS = (60.0, 300.0, 1_800.0, 7_200.0, 21_600.0, 86_400.0)
"""From an acknowledged ping on, while events stay unread (contract 1.6)."""
FOLLOW_UP_SECONDS = 5.0
"""After a page that left more behind (contract 1.6)."""
PINGS_OF_A_KEY = 3
_GONE = 410
_AT_ONCE = 16
"""Webhooks of an account, up to which none waits for a slot."""
_SLOW_SECONDS, _SLOW_TURN_SECONDS = 2.0, 50.0
"""Endpoints that took longer wait for each other: two rounds of 24.9 s at most."""


def step_on_time(history: History, subscriber: Subscriber, left: Stage, at: float) -> None:
    """8: each step of a webhook's life comes at its millisecond, since it was listed last.

    Downtime is added to it (mechanics L8). Other trouble may delay it by as much as it lasted; only
    a clock that was set may hurry it.
    """
    late = at - (subscriber.extended + DAYS_IN[left] * DAY_SECONDS)
    down = history.down - subscriber.down
    hurried = history.astray - subscriber.astray - down + ROUNDING_SECONDS
    delayed = history.trouble - subscriber.trouble + ROUNDING_SECONDS
    must(-late <= hurried, f"8: the step out of {left} came {-late} s early")
    must(late <= delayed, f"8: the step out of {left} came {late} s late")


def retried_on_time(subscriber: Subscriber) -> None:
    """8: after the n-th failure in a row the next attempt comes in 10 s * 2**(n-1), within 10 %.

    `Retry-After` may lengthen that; a day after the first failure comes the last.
    """
    # What was under way when the owner changed something counts or not: a success makes it sure.
    failures = None if subscriber.restarted else 0
    since = 0.0
    for attempt, following in pairwise(subscriber.attempts[subscriber.restarted :]):
        outcome, ended = attempt.sent.outcome, attempt.ended
        if outcome is None or ended is None or following.trouble != attempt.trouble:
            return
        if attempt.is_notice or following.is_notice:
            return  # notices have a schedule of their own
        if attempt.took:
            failures = 0
        elif failures is not None:
            failures += 1
        if failures is None or failures > RETRIES:
            return
        if failures:
            since = ended if failures == 1 else since
            _waited(failures, outcome, following.began - ended, since + DAY_SECONDS - ended, ended)


def _waited(
    failures: int, outcome: SendOutcome, waited: float, left: float, failed_at: float
) -> None:
    wait = FIRST_WAIT_SECONDS * 2.0 ** (failures - 1)
    asked = float(outcome.headers.get("retry-after", 0))
    least = min(max(wait * (1 - JITTER), asked), left)
    most = min(max(wait * (1 + JITTER), asked), left)
    what = f"8: retry {failures} of what failed at {failed_at} came {waited} s later"
    must(least - ROUNDING_SECONDS <= waited <= most + TURN_SECONDS, what)


def given_up_on_time(
    history: History, subscriber: Subscriber, now: float, *, given_up: bool
) -> None:
    """8: a day after the first failure in a row at the latest pings are off; and not much sooner.

    At once by a 410, else after the schedule's 22.75 h.
    """
    failing = _failing(subscriber)
    if given_up:
        must(bool(failing), f"8: {subscriber.webhook_id} was given up, and its endpoint answers")
        outcome = failing[-1].sent.outcome
        gone = outcome is not None and outcome.status == _GONE
        must(
            gone or len(failing) > RETRIES or _failed_for(failing, now) > DAY_SECONDS / 2,
            f"8: {subscriber.webhook_id} was given up after {len(failing)} failures",
        )
    elif failing and subscriber.enabled:
        late = _failed_for(failing, now) - DAY_SECONDS - (history.trouble - failing[0].trouble)
        must(late < 60.0, f"8: {subscriber.webhook_id} should be off for {late} s")


def _failing(subscriber: Subscriber) -> Sequence[Attempted]:
    """Return the attempts since the last one that was acknowledged."""
    failing: list[Attempted] = []
    for attempt in reversed(subscriber.attempts[subscriber.restarted :]):
        if attempt.took and not attempt.is_notice:
            break
        if attempt.took is False and not attempt.is_notice:
            failing.insert(0, attempt)
    return failing


def _failed_for(failing: Sequence[Attempted], now: float) -> float:
    return now - (failing[0].ended or now)


def reminded_on_time(history: History, subscriber: Subscriber, now: float) -> None:
    """8: while events stay unread, reminders come 1, 5, 30 minutes, 2, 6, 24 h after the last ping.

    A reader that comes on begins them anew. Judged from the first ping on that surely was none.
    """
    rung: int | None = None
    attempts: list[Attempted | None] = [*subscriber.attempts[subscriber.restarted :], None]
    for attempt, following in pairwise(attempts):
        if attempt is None:
            return
        until = now if following is None else following.began
        reads = [read for read in subscriber.reads if attempt.began <= read.at <= until]
        if reads:
            rung = _begun_anew(attempt, following, reads)
        elif following is None:
            _reminder_is_out(history, subscriber, attempt, rung, now)
        else:
            rung = _climbed(attempt, following, rung)


def _begun_anew(
    attempt: Attempted, following: Attempted | None, reads: Sequence[Read]
) -> int | None:
    """Return the rung after a ping that followed reads: 0 for news before any reminder was due."""
    if following is None or following.sent.covered <= attempt.sent.covered:
        return None
    sooner = following.began - reads[-1].at < REMINDERS_SECONDS[0] - TURN_SECONDS
    undisturbed = reads[-1].trouble == following.trouble
    return 0 if sooner and undisturbed and any(read.comes_on for read in reads) else None


def _reminder_is_out(
    history: History, subscriber: Subscriber, attempt: Attempted, rung: int | None, now: float
) -> None:
    events = history.events_of(subscriber)
    unread = events and subscriber.read_to < events[-1].position <= attempt.sent.covered
    undisturbed = history.trouble == attempt.trouble and subscriber.enabled
    if rung is not None and unread and undisturbed and attempt.took:
        late = now - (attempt.ended or now) - _wait(rung)
        must(late <= TURN_SECONDS, f"8: reminder {rung} is out for {late} s")


def _climbed(attempt: Attempted, following: Attempted, rung: int | None) -> int | None:
    """Judge what follows a ping when nobody read; return the rung that then stands."""
    notices = attempt.is_notice or following.is_notice
    same = (following.trouble, following.life) == (attempt.trouble, attempt.life)
    if rung is None or notices or not same or not attempt.took:
        return None
    waited, wait = following.began - (attempt.ended or 0.0), _wait(rung)
    if following.sent.covered != attempt.sent.covered:
        return rung if waited < wait - TURN_SECONDS else None
    what = f"8: reminder {rung} came at {following.began}, {waited} s after the last ping"
    must(wait - ROUNDING_SECONDS <= waited <= wait + TURN_SECONDS, what)
    return rung + 1


def _wait(rung: int) -> float:
    return REMINDERS_SECONDS[min(rung, len(REMINDERS_SECONDS) - 1)]


def followed_up(subscriber: Subscriber, trouble: float, now: float) -> None:
    """4: a page that leaves more behind is followed by another ping, at once or 5 s later.

    Where its reader came no more, its endpoint is well and nothing disturbed.
    """
    for read, following in zip_longest(subscriber.reads, subscriber.reads[1:]):
        again = now if following is None else following.at
        if not read.has_more or read.at <= subscriber.restarted_at:
            continue
        due = read.at + (0.0 if read.walks else FOLLOW_UP_SECONDS)
        before = [attempt for attempt in subscriber.attempts if attempt.began < read.at]
        after = [attempt for attempt in subscriber.attempts if attempt.began >= read.at]
        if before and not before[-1].took:
            continue
        due = max(due, before[-1].ended or due) if before else due
        came_at = after[0].began if after else now
        disturbed = (after[0].trouble if after else trouble) != read.trouble
        if disturbed or again <= due + TURN_SECONDS or subscriber.enabled is not True:
            continue
        must(came_at <= due + TURN_SECONDS, f"4: no ping after a page at {read.at}")


def told_soon(history: History, subscriber: Subscriber) -> None:
    """8: news are pinged at once, or when the attempt that is under way has landed.

    Where pings are on, the endpoint is well and nothing disturbed.
    """
    living = [one for one in history.living() if one.account == subscriber.account]
    if subscriber.enabled is not True or len(living) > _AT_ONCE:
        return
    since = max(subscriber.restarted_at, subscriber.staged_at)
    attempts = subscriber.attempts
    begun = [attempt.began for attempt in attempts]
    for change in history.events_of(subscriber):
        index = bisect_right(begun, change.noted_at)
        if change.noted_at <= since or _is_told_or_owed(attempts[:index], change):
            continue
        told = next((one for one in attempts[index:] if _tells(one, change)), None)
        if change.trouble == (told.trouble if told else history.trouble):
            came_at = told.began if told else float("inf")
            latest = _latest(attempts[:index], change)
            must(came_at <= latest, f"8: {change.position} should be told at {latest}: {came_at}")


def _tells(attempt: Attempted, change: Change) -> bool:
    return not attempt.is_notice and attempt.sent.covered >= change.position


def _is_told_or_owed(attempts: Sequence[Attempted], change: Change) -> bool:
    """Whether it was told before its publisher was answered, or joins a debt."""
    pings = [attempt for attempt in attempts[-2:] if not attempt.is_notice]
    return bool(pings) and (_tells(pings[-1], change) or not pings[-1].took)


def _latest(attempts: Sequence[Attempted], change: Change) -> float:
    """Return when a change must be told: its own time, or when what is under way has landed."""
    if not attempts:
        return change.noted_at + 5 * TURN_SECONDS
    last = attempts[-1]
    ended = last.ended or last.began
    slow = ended - last.began > _SLOW_SECONDS
    turn = _SLOW_TURN_SECONDS if slow else 5 * TURN_SECONDS
    return max(change.noted_at, ended) + turn


def paced(attempts: Sequence[Attempted]) -> None:
    """8: at most one ping a second for a webhook."""
    for attempt, following in pairwise(attempts):
        if following.life == attempt.life and attempt.sent.outcome is not None:
            waited = following.began - attempt.began
            must(waited >= 1.0 - ROUNDING_SECONDS, f"8: the next ping {waited} s after the last")


def key_paced(subscribers: Iterable[Subscriber]) -> None:
    """8: at most three pings a second for the webhooks that one key last listed."""
    starts: dict[tuple[str, int], list[float]] = {}
    for subscriber in subscribers:
        listed = min((read.at for read in subscriber.reads), default=float("inf"))
        for attempt in subscriber.attempts:
            if attempt.began > listed + TURN_SECONDS:
                starts.setdefault((subscriber.key, attempt.life), []).append(attempt.began)
    for (key, _), begun in starts.items():
        begun.sort()
        for first, fourth in zip(begun, begun[PINGS_OF_A_KEY:], strict=False):
            must(fourth - first >= 1.0 - ROUNDING_SECONDS, f"8: {key} is driven to ask too often")


def penalty_exact(uses: Sequence[KeyUse]) -> None:
    """8: a sixth request within a second begins 30 s of refusals, to the millisecond."""
    answered: list[int] = []
    until = 0
    for use in uses:
        if use.status is None:
            continue
        now = round(use.at * 1_000)
        if now < until:
            refused = True
        else:
            refused = len([at for at in answered if now - at < 1_000]) >= 5
            until = now + 30_000 if refused else until
            answered = [] if refused else [*answered[-5:], now]
        must((use.status == 429) == refused, f"8: {use.status} at {use.at}, refused: {refused}")
