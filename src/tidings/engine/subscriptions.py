"""The webhooks of a dispatcher's buckets in memory, found by what a change is (design, Dispatch).

Kept true by control entries, which the tail brings in order (mechanics L7). URLs and secrets are
not here: a webhook's row is read when its ping is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from tidings.domain import limits
from tidings.domain.dispatch import CallbackCursor, Debt, DispatchState, Notice, Tracked
from tidings.domain.filter import Revision, Rule, revision_at
from tidings.domain.log_entry import Header
from tidings.domain.notification import Scope
from tidings.engine.calls import Calls, Wish
from tidings.engine.flight import Flight


class Written(NamedTuple):
    """What the database holds of a webhook's dispatch state."""

    matched: int
    notified: int
    reminders: int
    remind_at: datetime | None
    noticed: int
    debt: Debt | None
    cursor: CallbackCursor | None

    @property
    def state(self) -> tuple[object, ...]:
        """What its state row holds."""
        return self[:5]


NOTHING_WRITTEN = Written(0, 0, 0, None, 0, None, None)


class Kept(NamedTuple):
    """What the last holder wrote down of a webhook."""

    state: DispatchState | None
    debt: Debt | None
    cursor: CallbackCursor | None = None


class Before(NamedTuple):
    """How a webhook's notifications stood before its row was read again.

    `enabled` says that they were on without a break until then.
    """

    enabled: bool
    endpoint: int | None


class Subscription:
    """A webhook as the dispatcher knows it. Times are the monotonic clock's seconds.

    `matched` is the newest covered position, `notified` the newest acknowledged one.
    `matched_unsure` says that there may be newer ones: those that came while a debt stood, before
    a crash. `hold_from` is the oldest position that is matched, not acknowledged and not in a
    debt: it holds the bucket's checkpoint back. `owed` says that a ping for news is due.
    `endpoint` is a hash of the URL, to see that it changed. `written` is None where a flush
    failed: it may have been committed.
    `scope` is that of the matched events that no attempt has covered yet (None: there are none).
    `reminders`, `remind_at`, `remind_due` are `reminding.py`'s; those of notices `notices.py`'s.
    `calls` is what only a webhook has that is called back.
    """

    __slots__ = (
        "_rule",
        "_rule_from",
        "account",
        "bucket",
        "calls",
        "debt",
        "debt_due",
        "enabled",
        "endpoint",
        "flight",
        "follow_up_at",
        "hold_from",
        "hold_since",
        "last_started",
        "last_token",
        "listed_by",
        "matched",
        "matched_unsure",
        "notice",
        "notice_due",
        "notice_failures",
        "noticed",
        "notified",
        "origin",
        "owed",
        "queued",
        "read",
        "remind_at",
        "remind_due",
        "reminder",
        "reminders",
        "revision",
        "revisions",
        "scope",
        "slow",
        "solution",
        "start_position",
        "webhook_id",
        "written",
    )

    def __init__(
        self, tracked: Tracked, gather_seconds: float = limits.CALLBACK_GATHER_SECONDS
    ) -> None:
        self.bucket = tracked.bucket
        self.webhook_id = tracked.webhook_id
        self.account = tracked.account
        self.solution = tracked.solution
        self.matched = 0
        self.matched_unsure = False
        self.notified = 0
        self.hold_from: int | None = None
        self.hold_since = 0.0
        self.owed = False
        self.debt: Debt | None = None
        self.debt_due = 0.0
        self.flight: Flight | None = None
        self.follow_up_at: float | None = None
        self.last_started: float | None = None
        self.last_token: int | None = None
        self.read = 0
        self.listed_by: str | None = None
        self.slow = False
        self.reminder: int | None = None
        self.queued = False
        self.scope: Scope | None = None
        self.reminders = 0
        self.remind_at: datetime | None = None
        self.remind_due: float | None = None
        self.notice: Notice | None = None
        self.noticed = 0
        self.notice_failures = 0
        self.notice_due: float | None = None
        self.written: Written | None = NOTHING_WRITTEN
        self.calls: Calls | None = None
        if tracked.sheet is not None:
            self.calls = Calls(tracked, tracked.sheet, gather_seconds)
            self.written = NOTHING_WRITTEN._replace(cursor=self.calls.cursor)
        self.become(tracked)

    def before(self, tracked: Tracked) -> Before:
        """Say how this stood before `tracked`.

        Where revisions were passed over nobody knows what they said: perhaps "off".
        """
        unbroken = tracked.revision <= self.revision + 1
        return Before(self.enabled and unbroken, self.endpoint)

    def become(self, tracked: Tracked) -> None:
        """Take over what the webhook's row and revisions say now."""
        self.enabled = tracked.enabled and tracked.url is not None
        self.origin = origin_of(tracked.url)
        self.endpoint = None if tracked.url is None else hash(tracked.url)
        self.start_position = tracked.start_position
        self.revision = tracked.revision
        self.revisions: tuple[Revision, ...] = tracked.revisions
        self._rule: Rule = tracked.revisions[-1].rule
        self._rule_from = tracked.revisions[-1].from_position if len(tracked.revisions) > 1 else 0
        if self.calls is not None and tracked.sheet is not None:
            self.calls.become(tracked.sheet, tracked.url)
        notice, last = tracked.notice, self.notice
        if notice is not None and (last is None or notice.number != last.number):
            self.notice_failures, self.notice_due = 0, 0.0
        self.notice = notice
        self.read = max(self.read, tracked.read_position)
        self.listed_by = tracked.listed_by or self.listed_by

    def to_write(self) -> Written:
        """Return what the database should hold of its dispatch state."""
        return Written(
            self.matched,
            self.notified,
            self.reminders,
            self.remind_at,
            self.noticed,
            self.debt,
            None if self.calls is None else self.calls.cursor,
        )

    def covers(self, header: Header) -> bool:
        """Whether the change is one of this webhook's events, by the revision of its place."""
        position = header.position
        if position <= self.start_position:
            return False
        rule = self._rule
        if position <= self._rule_from:
            rule = revision_at(self.revisions, position).rule
        return rule.matches(header.kind, header.application, header.changed)


def origin_of(url: str | None) -> str:
    """Return `host:port` of an endpoint: whom slots and failed connects count for."""
    if url is None:
        return ""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


class _SolutionIndex:
    """The webhooks of one solution, by the application they name."""

    __slots__ = ("by_application", "everywhere")

    def __init__(self) -> None:
        self.everywhere: dict[str, Subscription] = {}
        self.by_application: dict[str, dict[str, Subscription]] = {}


class Subscriptions:
    """All of them, by id, by bucket and by solution.

    What waits for a callback is gathered for `gather_seconds`.
    """

    def __init__(self, gather_seconds: float = limits.CALLBACK_GATHER_SECONDS) -> None:
        self._gather_seconds = gather_seconds
        self._alike: dict[Wish, list[Subscription]] = {}
        self._without_scope: set[str] = set()
        self._by_id: dict[str, Subscription] = {}
        self._by_bucket: dict[int, dict[str, Subscription]] = {}
        self._by_solution: dict[tuple[str, str], _SolutionIndex] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, webhook_id: str) -> Subscription | None:
        """Return a webhook that is in memory."""
        return self._by_id.get(webhook_id)

    def of_bucket(self, bucket: int) -> list[Subscription]:
        """Return a bucket's webhooks."""
        return list(self._by_bucket.get(bucket, {}).values())

    def put(self, tracked: Tracked) -> Subscription:
        """Add a webhook, or let the known one become what its row says now."""
        known = self._by_id.get(tracked.webhook_id)
        if known is None:
            known = Subscription(tracked, self._gather_seconds)
            self._by_id[tracked.webhook_id] = known
            self._by_bucket.setdefault(tracked.bucket, {})[tracked.webhook_id] = known
        else:
            self._unindex(known)
            known.become(tracked)
        self._index(known)
        return known

    def remove(self, webhook_id: str) -> Subscription | None:
        """Forget a webhook; return what was known of it."""
        known = self._by_id.pop(webhook_id, None)
        if known is not None:
            self._by_bucket[known.bucket].pop(webhook_id, None)
            self._unindex(known)
        return known

    def matching(self, header: Header) -> Iterator[Subscription]:
        """Yield the webhooks that cover a change."""
        index = self._by_solution.get((header.account, header.solution))
        if index is None:
            return
        for subscription in index.everywhere.values():
            if subscription.covers(header):
                yield subscription
        for subscription in index.by_application.get(header.application, {}).values():
            if subscription.covers(header):
                yield subscription

    @property
    def without_scope(self) -> bool:
        """Whether there may be callback webhooks whose sheet was deleted."""
        return bool(self._without_scope)

    def scope_judged(self, subscription: Subscription) -> None:
        """Take note that the log judged a sheet, before its webhook's row says so."""
        self._without_scope.add(subscription.webhook_id)

    def called_for(self, header: Header) -> list[Subscription]:
        """Return the callback webhooks of the sheet that a change is of, whatever they cover."""
        index = self._by_solution.get((header.account, header.solution))
        if index is None:
            return []
        named = index.by_application.get(header.application, {})
        return [one for one in named.values() if one.calls is not None]

    def _index(self, subscription: Subscription) -> None:
        if subscription.calls is not None:
            alike = self._alike.setdefault(subscription.calls.wish, [])
            alike.append(subscription)
            alike.sort(key=_age)
            subscription.calls.alike = alike
            if subscription.calls.is_without_scope:
                self._without_scope.add(subscription.webhook_id)
        key = (subscription.account, subscription.solution)
        index = self._by_solution.setdefault(key, _SolutionIndex())
        named = _named_applications(subscription)
        if named is None:
            index.everywhere[subscription.webhook_id] = subscription
            return
        for application in named:
            places = index.by_application.setdefault(application, {})
            places[subscription.webhook_id] = subscription

    def _unindex(self, subscription: Subscription) -> None:
        if subscription.calls is not None:
            alike = self._alike[subscription.calls.wish]
            self._without_scope.discard(subscription.webhook_id)
            alike.remove(subscription)
            subscription.calls.left = alike
            if not alike:
                del self._alike[subscription.calls.wish]
        key = (subscription.account, subscription.solution)
        index = self._by_solution[key]
        index.everywhere.pop(subscription.webhook_id, None)
        for application in _named_applications(subscription) or ():
            places = index.by_application.get(application, {})
            places.pop(subscription.webhook_id, None)
            if not places:
                index.by_application.pop(application, None)
        if not index.everywhere and not index.by_application:
            del self._by_solution[key]


def _age(subscription: Subscription) -> tuple[int, str]:
    calls = subscription.calls
    return (calls.created_position if calls is not None else 0, subscription.webhook_id)


def _named_applications(subscription: Subscription) -> frozenset[str] | None:
    """All that any revision names: yesterday's log is matched by yesterday's filter."""
    named: set[str] = set()
    for revision in subscription.revisions:
        applications = revision.rule.applications
        if applications is None:
            return None
        named |= applications
    return frozenset(named)
