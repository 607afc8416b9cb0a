"""The dispatcher: follows the log, decides who is pinged when, sends, and remembers what is owed.

One round (`run_once`) reads the tail, matches it in memory, and starts the pings that are due and
have a slot. What must survive a crash is written by the Checkpointing worker (`checkpoint.py`).
The rules are mechanics D1 to D4, D6 and D7; contract 1.6.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tidings import telemetry
from tidings.domain import limits
from tidings.domain.buckets import BUCKETS
from tidings.domain.dispatch import BucketState, ReadNote
from tidings.domain.log_entry import Appended
from tidings.domain.notification import Scope, reminder_number
from tidings.domain.retry import retry_after_seconds
from tidings.domain.webhook import Webhook
from tidings.engine import owing
from tidings.engine.attempts import AttemptLog
from tidings.engine.endings import Endings
from tidings.engine.flights import Flights
from tidings.engine.leases import Leases
from tidings.engine.matching import Matcher, Tail
from tidings.engine.pace import KeyPace
from tidings.engine.pinging import (
    acknowledged,
    error_of,
    gone,
    wanted,
)
from tidings.engine.slots import ReadyQueue, Slots, Start
from tidings.engine.subscriptions import (
    Before,
    Flight,
    Subscription,
    Subscriptions,
)
from tidings.engine.timers import Timers
from tidings.errors import TidingsError
from tidings.ports import Clock, Sender, SendOutcome, Storage

FORGET_QUIET_KEYS_SECONDS = 60.0


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
        *,
        sends: int = limits.SENDS,
    ) -> None:
        self.wake = asyncio.Event()
        self.subscriptions = Subscriptions()
        self.tail = Tail(storage)
        self.leases = leases
        self.touched: set[Subscription] = set()
        """Whose dispatch state may differ from what is written; the checkpointing takes them."""
        self._storage = storage
        self._clock = clock
        self._endings = endings
        self._slots = Slots(sends)
        self._ready = ReadyQueue(self._slots)
        self._pace = KeyPace()
        self._timers = Timers()
        self._reminders = 0
        self._flights = Flights(
            sender, clock, attempts, on_landed=self._settle, on_called_off=self._called_off
        )
        self._failing: set[str] = set()
        """Hosts that can't be reached, while those who wait for them are told."""
        self._draining = False
        self._forget_at = 0.0
        self._matcher = Matcher(
            storage,
            self.subscriptions,
            on_match=self._matched,
            on_change=self._changed,
            on_gone=self._gone,
        )
        leases.on_lost = self._lost

    async def start(self) -> None:
        """Take the leases and load their buckets: pings go on from the checkpoints."""
        await self.leases.take(
            range(BUCKETS), predecessor_gone=self._storage.capabilities.sole_server
        )
        for bucket in sorted(self.leases.epochs):
            self._load(await self._storage.dispatch.load(bucket))

    @property
    def sending(self) -> int:
        """How many attempts are in flight."""
        return self._slots.used

    # --- what others tell it ------------------------------------------------------------------

    def appended(self, hint: Appended) -> None:
        """Take a hint of a commit in this process."""
        self.tail.appended(hint)
        self.wake.set()

    def note_read(self, note: ReadNote) -> None:
        """Take note of a page: what it left behind is followed by another ping (mechanics D1)."""
        subscription = self.subscriptions.get(note.webhook_id)
        if subscription is None:
            return
        now = self._clock.monotonic()
        if owing.note_read(subscription, note, now, self._clock.now()):
            self.touched.add(subscription)
        self._schedule(subscription, now)
        if subscription.follow_up_at is not None:
            self.wake.set()

    # --- a round ------------------------------------------------------------------------------

    async def run_once(self) -> float:
        """Match what is new, start what is due; return the seconds until something is due."""
        now = self._clock.monotonic()
        if not self.leases.sure:
            self._flights.abort_all()
            return limits.LEASE_RENEW_SECONDS / 2
        await self._follow(now)
        now = self._clock.monotonic()
        for subscription in self._timers.ripe(now):
            self._schedule(subscription, now)
        await self._start_due()
        if now >= self._forget_at:
            self._pace.forget_quiet(now)
            self._forget_at = now + FORGET_QUIET_KEYS_SECONDS
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
        return self._timers.next_due()

    def _next_due(self) -> float:
        next_read, next_due = self.tail.next_read(), self._timers.next_due()
        return next_read if next_due is None else min(next_read, next_due)

    # --- matching -----------------------------------------------------------------------------

    def _matched(self, subscription: Subscription, position: int, scope: Scope) -> None:
        now = self._clock.monotonic()
        if subscription.debt is None:  # while a debt stands, matches write nothing (D2)
            self.touched.add(subscription)
        if owing.match(subscription, position, scope, now):
            self._schedule(subscription, now)

    def _changed(self, subscription: Subscription, before: Before) -> None:
        now = self._clock.monotonic()
        owing.change(subscription, before, now)
        self.touched.add(subscription)
        self._schedule(subscription, now)

    def _gone(self, subscription: Subscription) -> None:
        owing.gone(subscription)
        self._timers.drop(subscription)
        self.touched.discard(subscription)
        self._flights.abort(subscription.webhook_id)

    def _load(self, state: BucketState) -> None:
        self.tail.positions[state.bucket] = state.checkpoint
        now, present = self._clock.monotonic(), self._clock.now()
        debts = {debt.webhook_id: debt for debt in state.debts}
        states = {row.webhook_id: row for row in state.states}
        for tracked in state.webhooks:
            subscription = self.subscriptions.put(tracked)
            webhook_id = tracked.webhook_id
            if owing.load(
                subscription,
                states.get(webhook_id),
                debts.get(webhook_id),
                now=now,
                present=present,
                draw=self._clock.draw(),
            ):
                self.touched.add(subscription)
            self._schedule(subscription, now)
            self._endings.look_at(subscription)

    # --- when ---------------------------------------------------------------------------------

    def _schedule(self, subscription: Subscription, now: float) -> None:
        """Queue a webhook whose ping is due, or set a timer for when it will be."""
        wanted = owing.wanted_at(subscription)
        if wanted is None or subscription.queued:
            return
        due = self._due(subscription, wanted, now)
        if due <= now:
            self._ready.put(subscription)
        else:
            self._timers.set(subscription, due)

    def reschedule(self, subscription: Subscription) -> None:
        """Look again at when a webhook's ping is due: its state was changed from outside."""
        self._schedule(subscription, self._clock.monotonic())
        self.wake.set()

    # --- sending ------------------------------------------------------------------------------

    async def _start_due(self) -> None:
        starts: dict[int, list[Start]] = defaultdict(list)
        while not self._draining and (start := self._ready.take()) is not None:
            now = self._clock.monotonic()
            subscription = start.subscription
            wanted = owing.wanted_at(subscription)
            if wanted is None or self._due(subscription, wanted, now) > now:
                self._free(start)
                self._schedule(subscription, now)
                continue
            self._pace.started(subscription.listed_by, now)
            subscription.flight = self._flight(subscription, now)
            starts[subscription.bucket].append(start)
        try:
            while starts:
                await self._launch(*starts.popitem())
        finally:
            for of_bucket in starts.values():
                for start in of_bucket:
                    self._called_off(start)

    def _due(self, subscription: Subscription, wanted: float, now: float) -> float:
        return max(wanted, self._pace.next_start(subscription.listed_by, now))

    def _flight(self, subscription: Subscription, now: float) -> Flight:
        def next_reminder() -> int:
            self._reminders += 1
            return reminder_number(self.leases.epochs[subscription.bucket], self._reminders)

        return owing.take_off(subscription, now, next_reminder)

    async def _launch(self, bucket: int, starts: Sequence[Start]) -> None:
        """Start attempts for those that are enabled now: it is judged when sending."""
        ids = [start.subscription.webhook_id for start in starts]
        try:
            current: Mapping[str, Webhook] = await self._storage.webhooks.current(bucket, ids)
        except BaseException:
            for start in starts:
                self._called_off(start)
            raise
        for start in starts:
            webhook = current.get(start.subscription.webhook_id)
            flight = start.subscription.flight
            if flight is None:
                raise AssertionError("an attempt without a flight")
            if webhook is None or not wanted(webhook, flight):
                owing.found_unwanted(start.subscription)
                self.touched.add(start.subscription)
                self._free(start)
            elif bucket in self.leases.epochs and self.leases.sure:
                self._flights.send(start, webhook, flight)
            else:
                self._called_off(start)

    def _settle(self, start: Start, outcome: SendOutcome, origin: str) -> None:
        subscription = start.subscription
        self.touched.add(subscription)
        self._free(start)
        subscription.slow = (
            not acknowledged(outcome) or outcome.elapsed_seconds > limits.SLOW_SECONDS
        )
        if acknowledged(outcome):
            owing.acknowledged(subscription, self._clock.monotonic(), self._clock.now())
        else:
            self._failed([subscription], outcome)
            if outcome.unreachable:
                # The host is the one that was tried: the webhook may have moved since then.
                self._fail_waiting(origin, outcome)
        self._schedule(subscription, self._clock.monotonic())
        self.wake.set()

    def _fail_waiting(self, origin: str, outcome: SendOutcome) -> None:
        """Let a host that can't be reached fail for all who wait for it (mechanics D7).

        10,000 webhooks on it must not take 10,000 time-outs; nor may they hold up everybody for
        a quarter of a second, so they fail some in a turn of the event loop.
        """
        if origin not in self._failing:
            self._failing.add(origin)
            self._fail_some(origin, outcome)

    def _fail_some(self, origin: str, outcome: SendOutcome) -> None:
        waiting = self._ready.take_some_of(origin, limits.FAILURES_A_TURN)
        if waiting:
            asyncio.get_running_loop().call_soon(self._fail_some, origin, outcome)
            self._failed(waiting, outcome)
        else:
            self._failing.discard(origin)

    def _failed(self, subscriptions: Iterable[Subscription], outcome: SendOutcome) -> None:
        now, present = self._clock.monotonic(), self._clock.now()
        asked = retry_after_seconds(outcome.headers.get("retry-after"), present)
        for subscription in subscriptions:
            subscription.slow = True
            self.touched.add(subscription)
            owing.failed(
                subscription,
                error_of(outcome),
                for_good=gone(outcome),
                now=now,
                present=present,
                draw=self._clock.draw(),
                retry_after=asked,
            )
            telemetry.logger().info(
                telemetry.ATTEMPT_FAILED,
                webhook_id=subscription.webhook_id,
                status=outcome.status,
                failures=subscription.debt.failures if subscription.debt else 0,
            )
            self._schedule(subscription, now)
            self._endings.look_at(subscription)

    def _called_off(self, start: Start) -> None:
        """An attempt that came to nothing by our own doing: it is owed as before."""
        owing.called_off(start.subscription)
        self._free(start)
        self._schedule(start.subscription, self._clock.monotonic())

    def _free(self, start: Start) -> None:
        self._slots.free(start.subscription.account, start.origin, slow=start.slow)

    # --- ending -------------------------------------------------------------------------------

    def _lost(self, buckets: Iterable[int]) -> None:
        for bucket in buckets:
            self.tail.positions.pop(bucket, None)
            for subscription in self.subscriptions.of_bucket(bucket):
                self.touched.discard(subscription)
                self.subscriptions.remove(subscription.webhook_id)
                self._gone(subscription)

    async def drain(self, timeout_seconds: float) -> None:
        """Start nothing more; let what is in flight end, and abort what doesn't in time."""
        self._draining = True
        await self._flights.drain(timeout_seconds)
