"""What platforms, owners, clients and endpoints did and saw in a simulated month.

A second account of it, from outside: it knows the wire, never how the engine works. The checks are
in `invariants.py`.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

import msgspec

from tests.simulation.endpoints import Sent
from tidings.domain import limits
from tidings.domain.filter import ApplicationFilter, Revision
from tidings.domain.lifecycle import NOTIFIED, Stage
from tidings.engine.worker import PAUSE_AFTER_FAILURE_SECONDS

_POSITION = attrgetter("position")


class Change(msgspec.Struct, frozen=True):
    """One change as it was published and answered."""

    position: int
    application: str
    changed: tuple[str, ...] | None
    answered_at: datetime
    noted_at: float
    trouble: float


class PageSeen(msgspec.Struct, frozen=True):
    """One page as its reader saw it."""

    after: int
    next_token: int
    positions: tuple[int, ...]
    events_expired: bool
    at: datetime


class Read(msgspec.Struct, frozen=True):
    """When a client read a page, and what that said of how far it has come."""

    at: float
    comes_on: bool
    """Whether it got farther than ever before."""
    has_more: bool
    walks: bool
    """Whether the request carried the token of the page before."""
    trouble: float


class Attempted(msgspec.Struct):
    """One request that an endpoint got; its outcome is in `sent` once it is over."""

    sent: Sent
    life: int
    listable: int
    """The newest position of the bucket that any reader saw when it began."""
    enabled: bool | None
    last_event: int
    """The webhook's newest event that had been answered to its publisher when it began."""
    began: float
    trouble: float
    ended: float | None = None

    @property
    def took(self) -> bool | None:
        """Whether its endpoint took it; None where nobody knows: under way, or aborted."""
        outcome = self.sent.outcome
        if outcome is None or self.ended is None:
            return None
        return outcome.error is None and outcome.status is not None and outcome.status < 300

    @property
    def is_notice(self) -> bool:
        """Whether it tells of the webhook's end, and of no events."""
        return "notice" in self.sent.json


class Subscriber:
    """A webhook as its owner, its endpoint and its client see it."""

    def __init__(self, webhook_id: str, account: str, bucket: int, key: str, url: str) -> None:
        self.webhook_id = webhook_id
        self.account = account
        self.bucket = bucket
        self.key = key
        self.url = url
        self.wanted_on: bool | None = True
        """The owner's switch; None while it is being moved, or nobody knows whether it was."""
        self.alive = True
        self.start = 0
        self.revisions: dict[int, Revision] = {}
        self.pages: list[PageSeen] = []
        self.attempts: list[Attempted] = []
        self.reads: list[Read] = []
        self.flying: list[Attempted] = []
        self.extended = 0.0
        """The monotonic time from which its limits count."""
        self.trouble = 0.0
        """The world's trouble by then: see History.trouble."""
        self.astray = 0.0
        """How far clocks had gone astray by then; endless where a lost read may be newer."""
        self.down = 0.0
        """The world's downtime by then."""
        self.stage: Stage = Stage.ACTIVE
        self.staged_at = 0.0
        self.dying = False
        """Whether its endpoint fails from now on, until it is given up."""
        self.read_to = 0
        """The farthest token that any of its pages had."""
        self.last_token: int | None = None
        self.asking = asyncio.Lock()
        """Held while a request about it is under way: it may be in either state then."""
        self.token: int | None = None
        self.while_off: set[int] = set()
        """The changes that were published while it was surely not enabled."""
        self.restarted = 0
        """How many of its attempts are from before its owner's last word."""
        self.restarted_at = 0.0
        self._events: list[Change] = []
        self._judged = 0
        self._judged_by = (0, 0)

    @property
    def enabled(self) -> bool | None:
        """Whether it may be pinged now; None while that is being changed."""
        if self.asking.locked() or self.wanted_on is None:
            return None
        return self.alive and self.wanted_on and self.stage in NOTIFIED

    def covers(self, change: Change) -> bool:
        """Whether a change is one of its events (contract 1.3)."""
        if change.position <= self.start:
            return False
        places = [place for place in self.revisions if place < change.position]
        wanted = self.revisions[max(places) if places else min(self.revisions)].filter
        if not isinstance(wanted, ApplicationFilter):
            return True
        if wanted.application_id != change.application:
            return False
        fields = wanted.field_ids
        return not fields or change.changed is None or bool({*fields} & {*change.changed})

    def events_among(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Return its events among its account's changes, in the order of their positions.

        `changes` only grows; each change is judged once, until what the webhook covers changes.
        """
        judged_by = (self.start, len(self.revisions))
        if judged_by != self._judged_by:
            self._events, self._judged, self._judged_by = [], 0, judged_by
        if self._judged < len(changes):
            self._events += [change for change in changes[self._judged :] if self.covers(change)]
            self._events.sort(key=_POSITION)
            self._judged = len(changes)
        return self._events


class KeyUse(msgspec.Struct):
    """One request of a key to the webhook service, and how it was answered.

    None: it isn't yet, or wasn't counted.
    """

    at: float
    status: int | None = None


class History:
    """All that happened."""

    def __init__(self) -> None:
        self.changes: dict[str, list[Change]] = {}
        """By account: each has one solution here."""
        self.subscribers: dict[str, Subscriber] = {}
        self.key_uses: dict[str, list[KeyUse]] = {}
        self.trouble = 0.0
        """Seconds in which the server was down, the storage failing or the clock astray. Between
        two moments with the same trouble, times are exact to the millisecond."""
        self.astray = 0.0
        """Seconds by which the time of day was set: the part of `trouble` that may hurry time."""
        self.down = 0.0
        """Seconds in which the server was down for so long that they are added to every limit."""

    def was_down(self, seconds: float) -> None:
        """Take note of downtime that has just ended."""
        self.trouble += seconds + limits.DOWNTIME_SECONDS
        if seconds > limits.DOWNTIME_SECONDS:
            self.down += seconds

    def was_struck(self) -> None:
        """Take note that the storage failed: a worker's round comes to nothing, and it pauses."""
        self.trouble += PAUSE_AFTER_FAILURE_SECONDS

    def was_set(self, seconds: float) -> None:
        """Take note that the time of day stepped."""
        self.trouble += abs(seconds) + limits.DOWNTIME_SECONDS
        self.astray += abs(seconds)

    def living(self) -> list[Subscriber]:
        """Return the webhooks that are there, as far as anybody knows."""
        return [one for one in self.subscribers.values() if one.alive]

    def listed(self, subscriber: Subscriber, now: float) -> None:
        """Take note that a webhook's limits count from now on."""
        subscriber.extended = now
        subscriber.trouble, subscriber.astray = self.trouble, self.astray
        subscriber.down = self.down
        if subscriber.stage is not Stage.ACTIVE:
            subscriber.stage, subscriber.staged_at = Stage.ACTIVE, now

    def events_of(self, subscriber: Subscriber) -> Sequence[Change]:
        """Return a webhook's events, in order."""
        return subscriber.events_among(self.changes.get(subscriber.account, ()))

    def events_between(self, subscriber: Subscriber, after: int, until: int) -> Sequence[Change]:
        """Return a webhook's events within (after, until], in order."""
        events = self.events_of(subscriber)
        first = bisect_right(events, after, key=_POSITION)
        return events[first : bisect_right(events, until, key=_POSITION)]
