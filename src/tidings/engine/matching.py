"""Following the log's tail and telling webhooks what they cover (design, Dispatch).

Hints from the same process save the read where they join on to the tail without a gap; everything
else is read from the log (mechanics L7).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from tidings.domain import limits
from tidings.domain.kinds import CONTROL, Kind
from tidings.domain.log_entry import Appended, Header
from tidings.domain.notification import UNKNOWN_SCOPE, Scope, scope_of
from tidings.engine.subscriptions import Before, Subscription, Subscriptions
from tidings.ports import Storage

MATCHES_A_TURN = 5_000
"""Matches after which the event loop gets a turn, so that a wide solution doesn't stop the API."""

POLL_SECONDS = 0.05
"""Between reads of the tail where no hints come (design, Wake-up)."""
HINTED_POLL_SECONDS = 1.0
"""Between reads of the tail where hints come: only against a hint that was lost."""
HINTED_HEADERS = 20_000
"""Headers that may wait as hints; beyond it they are dropped, and the log is read instead."""


class Tail:
    """Where each bucket has been read to, and the hints that wait to be joined on."""

    def __init__(self, storage: Storage) -> None:
        self.positions: dict[int, int] = {}
        self.poll_seconds = HINTED_POLL_SECONDS if storage.capabilities.hints else POLL_SECONDS
        self._log = storage.log
        self._hints: deque[Appended] = deque()
        self._hinted = 0
        self._gaps: set[int] = set()
        self._read_from: dict[int, int] = {}
        """Where the tails were that the headers which were returned last join on to."""
        self._behind = True
        self._hints_first = True
        self._next_poll = 0.0

    def appended(self, hint: Appended) -> None:
        """Take a hint; too many of them are dropped."""
        if hint.bucket not in self.positions:
            return
        if self._hinted + len(hint.headers) > HINTED_HEADERS:
            self._gaps.add(hint.bucket)
            return
        self._hints.append(hint)
        self._hinted += len(hint.headers)

    async def read(self, now: float) -> Sequence[Header]:
        """Return what follows the tails, each bucket's without a gap. The tails stay.

        Whoever has worked all of it off calls `advance`; whoever couldn't calls `retreat`.
        """
        due = self._behind or now >= self._next_poll
        # In turns where the log is to be read too: hints of a busy bucket may never cease.
        self._read_from = dict(self.positions)
        joined = self._joined_hints() if self._hints_first or not (due or self._gaps) else []
        self._hints_first = not joined
        if joined:
            return joined
        wanted = self._read_from  # a reader's thread walks through it
        if not due:
            wanted = {b: tail for b, tail in wanted.items() if b in self._gaps}
        if not wanted:
            if due:  # another dispatcher holds all buckets
                self._behind = False
                self._next_poll = now + self.poll_seconds
            return ()
        headers = await self._log.read_tail(wanted, limits.TAIL_HEADERS)
        self._behind = bool(headers)  # however the limit cut: only an empty read is the end
        if not headers:
            self._gaps -= set(wanted)
            if due:
                self._next_poll = now + self.poll_seconds
        return headers

    def advance(self, headers: Sequence[Header]) -> None:
        """Move the tails behind headers that were worked off.

        Not where a bucket was lost meanwhile, even if it is held again: then it was loaded anew,
        from a place that may lie before these.
        """
        ends = {header.bucket: header.position for header in headers}
        for bucket, end in ends.items():
            if self.positions.get(bucket) == self._read_from.get(bucket):
                self.positions[bucket] = end

    def forget(self, bucket: int) -> None:
        """Follow a bucket no more: it is another holder's."""
        self.positions.pop(bucket, None)
        self._gaps.discard(bucket)

    def retreat(self) -> None:
        """Read again from the tails: what was returned last couldn't be worked off."""
        self._behind = True

    def next_read(self) -> float:
        """Return the monotonic time at which `read` wants to be called again."""
        return 0.0 if self._behind or self._hints or self._gaps else self._next_poll

    def _joined_hints(self) -> list[Header]:
        joined: list[Header] = []
        ends: dict[int, int] = {}
        while self._hints and len(joined) < limits.TAIL_HEADERS:
            hint = self._hints.popleft()
            self._hinted -= len(hint.headers)
            tail = ends.get(hint.bucket, self.positions.get(hint.bucket))
            if tail is None or not hint.headers or hint.headers[-1].position <= tail:
                continue
            if hint.previous != tail or hint.bucket in self._gaps:
                self._gaps.add(hint.bucket)
                continue
            joined.extend(hint.headers)
            ends[hint.bucket] = hint.headers[-1].position
        return joined


class Matcher:
    """Takes headers in order: control entries change subscriptions, changes are matched."""

    def __init__(
        self,
        storage: Storage,
        subscriptions: Subscriptions,
        *,
        on_match: Callable[[Subscription, int, Scope], None],
        on_change: Callable[[Subscription, Before], None],
        on_gone: Callable[[Subscription], None],
        on_scope: Callable[[Subscription, int, bool], None],
    ) -> None:
        self._webhooks = storage.webhooks
        self._subscriptions = subscriptions
        self._on_match = on_match
        self._on_change = on_change
        self._on_gone = on_gone
        self._on_scope = on_scope

    async def take(self, headers: Sequence[Header]) -> None:
        """Match headers, with a turn for the event loop now and then."""
        matches = 0
        for header in headers:
            if header.kind == CONTROL:
                await self._control(header)
                continue
            scope: Scope | None = None
            for subscription in self._subscriptions.matching(header):
                scope = scope or scope_of(header.application, header.changed)
                self._on_match(subscription, header.position, scope)
                matches += 1
            if header.kind == Kind.APPLICATION_DELETED or self._subscriptions.without_scope:
                gone = header.kind == Kind.APPLICATION_DELETED
                for subscription in self._subscriptions.called_for(header):
                    self._on_scope(subscription, header.position, gone)
            if matches >= MATCHES_A_TURN:
                matches = 0
                await asyncio.sleep(0)

    async def _control(self, header: Header) -> None:
        """Let a webhook become what its row says now; its revisions say what held before.

        The row may be newer than this entry: then later entries find nothing left to change.
        """
        webhook_id = header.subject
        tracked = await self._webhooks.tracked(header.bucket, webhook_id)
        if tracked is None:
            gone = self._subscriptions.remove(webhook_id)
            if gone is not None:
                self._on_gone(gone)
            return
        known = self._subscriptions.get(webhook_id)
        before = known.before(tracked) if known else Before(False, None)
        subscription = self._subscriptions.put(tracked)
        starts_in_the_past = tracked.start_position < tracked.created_position == header.position
        if starts_in_the_past or subscription.matched_unsure:
            # What lies between its beginning (`start_at`) and here is news to its endpoint; and
            # where it isn't known what was matched, this entry's place is surely past all of it.
            self._on_match(subscription, header.position, UNKNOWN_SCOPE)
        self._on_change(subscription, before)
