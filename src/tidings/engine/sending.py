"""From being due to being settled: attempts are started, and what came of them is taken up.

What is pinged and what is called back go the same way: see `notifying.py`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from functools import partial

from tidings import telemetry
from tidings.domain import limits
from tidings.domain.notification import reminder_number
from tidings.domain.webhook import Webhook
from tidings.engine.attempts import AttemptLog
from tidings.engine.composing import Composer
from tidings.engine.departure import Compose, Departure
from tidings.engine.endings import Endings
from tidings.engine.flight import Call, Flight
from tidings.engine.flights import Flights
from tidings.engine.leases import Leases
from tidings.engine.notifying import owing_of, settling_of
from tidings.engine.pinging import attempt_of, departure_of, ping_of
from tidings.engine.schedule import Schedule
from tidings.engine.slots import Start
from tidings.engine.subscriptions import Subscription, origin_of
from tidings.ports import Clock, Sender, SendOutcome, WebhookStore


class Sending:
    """Sends what the schedule says is due.

    `on_touched` is told of webhooks whose dispatch state may differ from what is written,
    `on_landed` that a slot is free again.
    """

    def __init__(
        self,
        webhooks: WebhookStore,
        sender: Sender,
        clock: Clock,
        leases: Leases,
        attempts: AttemptLog,
        endings: Endings,
        schedule: Schedule,
        composer: Composer,
        *,
        on_touched: Callable[[Subscription], None],
        on_landed: Callable[[], None],
    ) -> None:
        self._webhooks = webhooks
        self._clock = clock
        self._leases = leases
        self._endings = endings
        self._attempts = attempts
        self._schedule = schedule
        self._composer = composer
        self._on_touched = on_touched
        self._on_landed = on_landed
        self._flights = Flights(sender, on_landed=self._settle, on_called_off=self._called_off)
        self._reminders = 0
        self._failing: set[str] = set()
        """Hosts that can't be reached, while those who wait for them are told."""
        self._draining = False

    async def start_due(self) -> None:
        """Start what is due and has a slot, and is enabled now: it is judged when sending.

        Nothing starts whose lease is over by the time its row was read, or about to be.
        """
        starts: list[Start] = []
        wanted: dict[int, list[str]] = defaultdict(list)
        while not self._draining:
            now = self._clock.monotonic()
            start = self._schedule.take(now)
            if start is None:
                break
            subscription = start.subscription
            subscription.flight = self._flight(subscription, now)
            starts.append(start)
            wanted[subscription.bucket].append(subscription.webhook_id)
        if not starts:
            return
        epochs = {bucket: self._leases.epochs[bucket] for bucket in wanted}
        try:
            current = await self._webhooks.current(wanted)
        except BaseException:
            for start in starts:
                self._called_off(start)
            raise
        for start in starts:
            subscription = start.subscription
            webhook = current.get(subscription.webhook_id)
            self._launch(start, webhook, epochs[subscription.bucket])

    def abort(self, webhook_id: str) -> None:
        """Hang up a webhook's attempt, if one is under way."""
        self._flights.abort(webhook_id)

    def abort_all(self) -> None:
        """Hang up all of them."""
        self._flights.abort_all()

    async def land(self, webhook_ids: Collection[str], timeout_seconds: float) -> None:
        """Let the attempts of some webhooks end, and abort those that don't in time."""
        await self._flights.drain(timeout_seconds, webhook_ids)

    async def drain(self, timeout_seconds: float) -> None:
        """Start nothing more; let what is in flight end, and abort what doesn't in time."""
        self._draining = True
        await self._flights.drain(timeout_seconds)

    def _flight(self, subscription: Subscription, now: float) -> Flight:
        def next_reminder() -> int:
            self._reminders += 1
            return reminder_number(self._leases.epochs[subscription.bucket], self._reminders)

        return owing_of(subscription).take_off(subscription, now, next_reminder)

    def _launch(self, start: Start, webhook: Webhook | None, epoch: int) -> None:
        subscription = start.subscription
        flight = subscription.flight
        if flight is None:
            raise AssertionError("an attempt without a flight")
        if webhook is None or not owing_of(subscription).wanted(webhook, flight):
            owing_of(subscription).found_unwanted(subscription)
            self._on_touched(subscription)
            self._schedule.free(start)
            self._look_beside(subscription)
        elif self._may_send(subscription.bucket, epoch):
            self._flights.send(start, self._composing(subscription, webhook, flight))
        else:
            self._called_off(start)

    def _may_send(self, bucket: int, epoch: int) -> bool:
        held = self._leases.epochs.get(bucket) == epoch and self._leases.sure
        return held and bucket not in self._schedule.leaving

    def _composing(self, subscription: Subscription, webhook: Webhook, flight: Flight) -> Compose:
        if isinstance(flight, Call):
            return partial(self._composer.compose, subscription, webhook, flight)
        ping, at = ping_of(webhook, flight), self._clock.now()

        async def compose() -> Departure:
            return departure_of(webhook, ping, at)

        return compose

    def _settle(self, start: Start, departed: Departure | None, outcome: SendOutcome) -> None:
        subscription = start.subscription
        settling = settling_of(subscription)
        self._on_touched(subscription)
        self._schedule.free(start)
        took = settling.took(subscription, outcome)
        if departed is not None:
            self._attempts.add(attempt_of(departed, outcome, took=took))
        if departed is not None and _has_moved(subscription, departed):
            owing_of(subscription).called_off(subscription)
        elif took:
            subscription.slow = outcome.elapsed_seconds > limits.SLOW_SECONDS
            settling.acknowledged(subscription, self._clock.monotonic(), self._clock.now())
        else:
            self._failed([subscription], outcome)
        if outcome.unreachable and departed is not None:
            # The host is the one that was tried: the webhook may have moved since then.
            self._fail_waiting(origin_of(departed.request.url), outcome)
        self._schedule.look_at(subscription, self._clock.monotonic())
        self._look_beside(subscription)
        self._on_landed()

    def _look_beside(self, subscription: Subscription) -> None:
        for other in owing_of(subscription).beside(subscription):
            self._on_touched(other)
            self._schedule.look_at(other, self._clock.monotonic())

    def _fail_waiting(self, origin: str, outcome: SendOutcome) -> None:
        """Let a host that can't be reached fail for all who wait for it (mechanics D7).

        10,000 webhooks on it must not take 10,000 time-outs; nor may they hold up everybody for
        a quarter of a second, so they fail some in a turn of the event loop.
        """
        if origin not in self._failing:
            self._failing.add(origin)
            self._fail_some(origin, outcome)

    def _fail_some(self, origin: str, outcome: SendOutcome) -> None:
        waiting = self._schedule.take_some_of(origin, limits.FAILURES_A_TURN)
        if waiting:
            asyncio.get_running_loop().call_soon(self._fail_some, origin, outcome)
            self._failed(waiting, outcome)
        else:
            self._failing.discard(origin)

    def _failed(self, subscriptions: Iterable[Subscription], outcome: SendOutcome) -> None:
        now, present = self._clock.monotonic(), self._clock.now()
        for subscription in subscriptions:
            subscription.slow = True
            self._on_touched(subscription)
            settling_of(subscription).failed(
                subscription, outcome, now=now, present=present, draw=self._clock.draw()
            )
            telemetry.logger().info(
                telemetry.ATTEMPT_FAILED,
                webhook_id=subscription.webhook_id,
                status=outcome.status,
                error=outcome.error,
                failures=subscription.debt.failures if subscription.debt else 0,
            )
            self._schedule.look_at(subscription, now)
            self._endings.look_at(subscription)

    def _called_off(self, start: Start) -> None:
        """An attempt that came to nothing by our own doing: it is owed as before."""
        owing_of(start.subscription).called_off(start.subscription)
        self._schedule.free(start)
        self._schedule.look_at(start.subscription, self._clock.monotonic())
        self._look_beside(start.subscription)


def _has_moved(subscription: Subscription, departed: Departure) -> bool:
    """Whether a webhook goes elsewhere since an attempt left.

    Then its answer counts for nothing: it says neither that the new endpoint has what was sent, nor
    that it fails.
    """
    moved = subscription.endpoint != hash(departed.request.url)
    return moved and subscription.revision > departed.revision
