"""The dispatcher: follows the log, and lets those be notified whom it concerns.

One round (`run_once`) reads the tail, matches it in memory, and starts what is due and has a slot
(`sending.py`). What must survive a crash is written by the Checkpointing worker (`checkpoint.py`).
The rules are mechanics D1 to D4, D6 and D7; contract 1.6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from tidings.domain import limits
from tidings.domain.dispatch import BucketState, ReadNote
from tidings.domain.log_entry import Appended
from tidings.domain.notification import Scope
from tidings.engine import owing
from tidings.engine.attempts import AttemptLog
from tidings.engine.calls import Judgement, calls_of
from tidings.engine.composing import Composer
from tidings.engine.cursors import CursorWriter
from tidings.engine.endings import Endings
from tidings.engine.holds import Holds
from tidings.engine.leases import Leases
from tidings.engine.matching import Matcher, Tail
from tidings.engine.notifying import owing_of
from tidings.engine.schedule import Schedule
from tidings.engine.sending import Sending
from tidings.engine.standings import Standings
from tidings.engine.subscriptions import Before, Kept, Subscription, Subscriptions
from tidings.errors import TidingsError
from tidings.ports import Clock, Sender, Storage


class Dispatcher:
    """Pings for the buckets whose leases it holds. A Worker."""

    name = "dispatcher"

    def __init__(
        self,
        storage: Storage,
        sender: Sender,
        clock: Clock,
        leases: Leases,
        attempts: AttemptLog,
        endings: Endings,
        standings: Standings,
        *,
        sends: int = limits.SENDS,
        gather_seconds: float = limits.CALLBACK_GATHER_SECONDS,
    ) -> None:
        self.wake = asyncio.Event()
        self.subscriptions = Subscriptions(gather_seconds)
        self.tail = Tail(storage)
        self.leases = leases
        self.touched: set[Subscription] = set()
        """Whose dispatch state may differ from what is written; the checkpointing takes them."""
        self.holds = Holds()
        self._storage = storage
        self._clock = clock
        self._endings = endings
        self._standings = standings
        standings.on_touched = self._touch
        self._schedule = Schedule(sends)
        self._sending = Sending(
            storage.webhooks,
            sender,
            clock,
            leases,
            attempts,
            endings,
            self._schedule,
            Composer(
                storage.log,
                clock,
                CursorWriter(storage.dispatch, leases),
                self.tail.positions,
                on_touched=self._touch,
                on_expired=standings.look_at,
            ),
            on_touched=self._touch,
            on_landed=self.wake.set,
        )
        self._matcher = Matcher(
            storage,
            self.subscriptions,
            on_match=self._matched,
            on_change=self._changed,
            on_scope=self._scope_moved,
            on_gone=self._gone,
        )
        leases.on_lost = self._lost

    async def take_over(self, buckets: Collection[int]) -> None:
        """Take buckets, and load what is held and not loaded yet: pings go on from checkpoints."""
        if buckets:
            await self.leases.take(buckets, predecessor_gone=self._storage.capabilities.sole_server)
        for bucket in sorted(self.leases.epochs.keys() - self.tail.positions.keys()):
            epoch = self.leases.epochs.get(bucket)
            state = await self._storage.dispatch.load(bucket)
            if epoch is not None and self.leases.epochs.get(bucket) == epoch:
                self._load(state)
                self.tail.retreat()
                self.wake.set()

    def knows(self, subscription: Subscription) -> bool:
        """Whether this is what is known of a webhook: not what was, under a lease that is over."""
        return self.subscriptions.get(subscription.webhook_id) is subscription

    @property
    def staying(self) -> Collection[int]:
        """The buckets that are loaded, and aren't being given up."""
        return self.tail.positions.keys() - self._schedule.leaving

    @property
    def sending(self) -> int:
        """How many attempts are in flight."""
        return self._schedule.sending

    # --- what others tell it ------------------------------------------------------------------

    def appended(self, hint: Appended) -> None:
        """Take a hint of a commit in this process."""
        self.tail.appended(hint)
        self.wake.set()

    def note_read(self, note: ReadNote) -> bool:
        """Take note of a page: what it left behind is followed by another ping (mechanics D1).

        Return whether its webhook is held here, and stays: nothing is followed up for a bucket that
        goes to another dispatcher.
        """
        subscription = self.subscriptions.get(note.webhook_id)
        if subscription is None or subscription.bucket in self._schedule.leaving:
            return False
        now = self._clock.monotonic()
        if owing.note_read(subscription, note, now, self._clock.now()):
            self.touched.add(subscription)
        self._schedule.look_at(subscription, now)
        if subscription.follow_up_at is not None:
            self.wake.set()
        return True

    # --- a round ------------------------------------------------------------------------------

    async def run_once(self) -> float:
        """Match what is new, start what is due; return the seconds until something is due."""
        now = self._clock.monotonic()
        if not self.leases.sure:
            return limits.LEASE_RENEW_SECONDS / 2
        await self._follow(now)
        now = self._clock.monotonic()
        self._schedule.wake_ripe(now)
        await self._sending.start_due()
        return max(0.0, self._next_due() - self._clock.monotonic())

    async def _follow(self, now: float) -> None:
        headers = await self.tail.read(now)
        if not headers:
            return
        try:
            await self._matcher.take(headers)
        except TidingsError:
            self.tail.retreat()
            raise
        self.tail.advance(headers)

    def next_ping_due(self) -> float | None:
        """Return the monotonic time at which a ping is due next, or earlier; None: none is."""
        return self._schedule.next_due()

    def _next_due(self) -> float:
        next_read, next_due = self.tail.next_read(), self._schedule.next_due()
        return next_read if next_due is None else min(next_read, next_due)

    def _touch(self, subscription: Subscription) -> None:
        self.touched.add(subscription)

    # --- matching -----------------------------------------------------------------------------

    def _matched(self, subscription: Subscription, position: int, scope: Scope) -> None:
        now = self._clock.monotonic()
        if subscription.debt is None:  # while a debt stands, matches write nothing (D2)
            self.touched.add(subscription)
        if owing_of(subscription).match(subscription, position, scope, now):
            self._schedule.look_at(subscription, now)
        if subscription.hold_from == position:
            self.holds.note(subscription, position)

    def _changed(self, subscription: Subscription, before: Before) -> None:
        now = self._clock.monotonic()
        owing_of(subscription).change(subscription, before, now)
        self.touched.add(subscription)
        self._schedule.look_at(subscription, now)
        self._look_beside(subscription, now)

    def _scope_moved(self, subscription: Subscription, position: int, gone: bool) -> None:
        if calls_of(subscription).judge(Judgement(position, gone)):
            self.subscriptions.scope_judged(subscription)
            self.touched.add(subscription)
            self.holds.note(subscription, position)
            self._standings.look_at(subscription)

    def _look_beside(self, subscription: Subscription, now: float) -> None:
        for other in owing_of(subscription).beside(subscription):
            self._schedule.look_at(other, now)

    def _gone(self, subscription: Subscription) -> None:
        owing_of(subscription).gone(subscription)
        self._look_beside(subscription, self._clock.monotonic())
        self._schedule.drop(subscription)
        self.touched.discard(subscription)
        self._sending.abort(subscription.webhook_id)

    def _load(self, state: BucketState) -> None:
        self.tail.positions[state.bucket] = state.checkpoint
        now, present = self._clock.monotonic(), self._clock.now()
        debts = {debt.webhook_id: debt for debt in state.debts}
        states = {row.webhook_id: row for row in state.states}
        cursors = {cursor.webhook_id: cursor for cursor in state.cursors}
        for tracked in state.webhooks:
            subscription = self.subscriptions.put(tracked)
            webhook_id = tracked.webhook_id
            if owing_of(subscription).load(
                subscription,
                Kept(states.get(webhook_id), debts.get(webhook_id), cursors.get(webhook_id)),
                now=now,
                present=present,
                draw=self._clock.draw(),
            ):
                self.touched.add(subscription)
            self._schedule.look_at(subscription, now)
            self._endings.look_at(subscription)

    def reschedule(self, subscription: Subscription) -> None:
        """Look again at when something is due to a webhook: its state was changed from outside."""
        self._schedule.look_at(subscription, self._clock.monotonic())
        self.wake.set()

    # --- ending -------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """Abort all that is in flight: the leases aren't surely held any more (mechanics D6)."""
        self._sending.abort_all()

    def pause(self, buckets: Collection[int]) -> None:
        """Start nothing more for these buckets; what is in flight goes on."""
        self._schedule.leaving.update(buckets)

    def resume(self, buckets: Collection[int]) -> None:
        """Start again what is due for these buckets."""
        self._schedule.leaving.difference_update(buckets)
        for bucket in buckets:
            for subscription in self.subscriptions.of_bucket(bucket):
                self.reschedule(subscription)

    async def land(self, buckets: Collection[int], timeout_seconds: float) -> None:
        """Let what is in flight for paused buckets end, and abort what doesn't in time."""
        of_buckets = [one for bucket in buckets for one in self.subscriptions.of_bucket(bucket)]
        await self._sending.land([one.webhook_id for one in of_buckets], timeout_seconds)

    def _lost(self, buckets: Iterable[int]) -> None:
        for bucket in buckets:
            self._schedule.leaving.discard(bucket)
            self.tail.forget(bucket)
            self.holds.forget(bucket)
            for subscription in self.subscriptions.of_bucket(bucket):
                self.touched.discard(subscription)
                self.subscriptions.remove(subscription.webhook_id)
                self._gone(subscription)

    async def drain(self, timeout_seconds: float) -> None:
        """Start nothing more; let what is in flight end, and abort what doesn't in time."""
        await self._sending.drain(timeout_seconds)
