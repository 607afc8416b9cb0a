"""Who is to be sent something next: timers, the queue of those that are due, slots and pace.

Pure: the monotonic time is an argument.
"""

from __future__ import annotations

from tidings.domain import limits
from tidings.engine.notifying import owing_of
from tidings.engine.pace import KeyPace
from tidings.engine.slots import ReadyQueue, Slots, Start
from tidings.engine.subscriptions import Subscription
from tidings.engine.timers import Timers

FORGET_QUIET_KEYS_SECONDS = 60.0


class Schedule:
    """Every webhook that something is due to, now or later (mechanics D4, D7)."""

    def __init__(self, sends: int = limits.SENDS) -> None:
        self._slots = Slots(sends)
        self._ready = ReadyQueue(self._slots)
        self._pace = KeyPace()
        self._timers = Timers()
        self._forget_at = 0.0
        self.leaving: set[int] = set()
        """Buckets for which nothing more is started: they go to another dispatcher."""

    def __len__(self) -> int:
        return len(self._timers)

    @property
    def sending(self) -> int:
        """How many slots are taken."""
        return self._slots.used

    def next_due(self) -> float | None:
        """Return the monotonic time at which somebody is due next, or earlier; None: nobody is."""
        return self._timers.next_due()

    def look_at(self, subscription: Subscription, now: float) -> None:
        """Queue a webhook that something is due to, or set a timer for when it will be."""
        if subscription.queued:
            return
        due = self._due(subscription, now)
        if due is None:
            return
        if due <= now:
            self._ready.put(subscription)
        else:
            self._timers.set(subscription, due)

    def wake_ripe(self, now: float) -> None:
        """Look again at those whose time has come."""
        for subscription in self._timers.ripe(now):
            self.look_at(subscription, now)
        if now >= self._forget_at:
            self._pace.forget_quiet(now)
            self._forget_at = now + FORGET_QUIET_KEYS_SECONDS

    def take(self, now: float) -> Start | None:
        """Return the next webhook that may be sent something now, with its slot; None: nobody."""
        while (start := self._ready.take()) is not None:
            due = self._due(start.subscription, now)
            if due is not None and due <= now:
                self._pace.started(start.subscription.listed_by, now)
                return start
            self.free(start)
            self.look_at(start.subscription, now)
        return None

    def take_some_of(self, origin: str, at_most: int) -> list[Subscription]:
        """Return some that wait for one host and port, without slots (mechanics D7)."""
        return self._ready.take_some_of(origin, at_most)

    def free(self, start: Start) -> None:
        """Give a slot back."""
        self._slots.free(start.subscription.account, start.origin, slow=start.slow)

    def drop(self, subscription: Subscription) -> None:
        """Forget a webhook's timer."""
        self._timers.drop(subscription)

    def _due(self, subscription: Subscription, now: float) -> float | None:
        wanted = owing_of(subscription).wanted_at(subscription)
        if wanted is None or subscription.bucket in self.leaving:
            return None
        return max(wanted, self._pace.next_start(subscription.listed_by, now))
