"""Who may send next: caps by pool, account and host, and turns between accounts (mechanics D7).

Without them one tenant's 256 dripping hosts, or 10,000 webhooks on one dead host, would hold every
slot. Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, TypeVar

from tidings.domain import limits
from tidings.engine.subscriptions import Subscription

_Second = TypeVar("_Second", str, bool)


class Slots:
    """Counts of attempts in flight, and their caps.

    The slow pool (endpoints that failed or were slow last time) has a quarter of all slots, and
    in either pool an account has at most an eighth.
    """

    def __init__(self, total: int = limits.SENDS) -> None:
        self.total = total
        self._slow_total = max(1, total // limits.SLOW_SHARE)
        self._account_cap = max(1, total // limits.ACCOUNT_SHARE)
        self._slow_account_cap = max(1, self._slow_total // limits.ACCOUNT_SHARE)
        self._host_cap = min(limits.HOST_SENDS, self._account_cap)
        self.used = 0
        self._slow_used = 0
        self._by_account: dict[tuple[str, bool], int] = {}
        self._by_host: dict[tuple[str, str], int] = {}

    def pool_has_room(self, *, slow: bool) -> bool:
        """Whether anyone may start one more attempt in this pool."""
        return self.used < self.total and not (slow and self._slow_used >= self._slow_total)

    def account_has_room(self, account: str, *, slow: bool) -> bool:
        """Whether this account may start one more attempt in this pool."""
        in_pool = self._by_account.get((account, slow), 0)
        both = in_pool + self._by_account.get((account, not slow), 0)
        return both < self._account_cap and (not slow or in_pool < self._slow_account_cap)

    def host_has_room(self, account: str, origin: str) -> bool:
        """Whether this account may start one more attempt to this host."""
        return self._by_host.get((account, origin), 0) < self._host_cap

    def take(self, account: str, origin: str, *, slow: bool) -> None:
        """Count an attempt that starts."""
        self.used += 1
        self._slow_used += slow
        _count(self._by_account, (account, slow), 1)
        _count(self._by_host, (account, origin), 1)

    def free(self, account: str, origin: str, *, slow: bool) -> None:
        """Count an attempt that ended."""
        self.used -= 1
        self._slow_used -= slow
        _count(self._by_account, (account, slow), -1)
        _count(self._by_host, (account, origin), -1)


def _count(counts: dict[tuple[str, _Second], int], key: tuple[str, _Second], step: int) -> None:
    count = counts.get(key, 0) + step
    if count:
        counts[key] = count
    else:
        del counts[key]


class Start(NamedTuple):
    """A webhook that may send now, and the slot it took: what `Slots.free` must be given."""

    subscription: Subscription
    origin: str
    slow: bool


class ReadyQueue:
    """Webhooks whose ping is due, in lanes by pool, account and host; all of them take turns."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._turns: dict[bool, deque[str]] = {False: deque(), True: deque()}
        self._lanes: dict[tuple[str, bool], dict[str, deque[Subscription]]] = {}

    def put(self, subscription: Subscription) -> None:
        """Add a webhook, once, behind the others of its host."""
        if subscription.queued:
            return
        subscription.queued = True
        account, slow = subscription.account, subscription.slow
        hosts = self._lanes.get((account, slow))
        if hosts is None:
            hosts = self._lanes[account, slow] = {}
            self._turns[slow].append(account)
        hosts.setdefault(subscription.origin, deque()).append(subscription)

    def take(self) -> Start | None:
        """Return the next webhook that has a slot, with the slot taken; None if there is none."""
        return self._take_from(slow=False) or self._take_from(slow=True)

    def _take_from(self, *, slow: bool) -> Start | None:
        turns = self._turns[slow]
        for _ in range(len(turns)):
            if not self._slots.pool_has_room(slow=slow):
                return None
            account = turns[0]
            turns.rotate(-1)
            if self._slots.account_has_room(account, slow=slow):
                start = self._next_of(account, slow=slow)
                if start is not None:
                    return start
        return None

    def _next_of(self, account: str, *, slow: bool) -> Start | None:
        hosts = self._lanes[account, slow]
        for origin, waiting in hosts.items():
            if not self._slots.host_has_room(account, origin):
                continue
            subscription = waiting.popleft()
            subscription.queued = False
            del hosts[origin]
            if waiting:
                hosts[origin] = waiting  # to the end: hosts take turns too
            if not hosts:
                del self._lanes[account, slow]
                self._turns[slow].remove(account)
            self._slots.take(account, origin, slow=slow)
            return Start(subscription, origin, slow)
        return None

    def take_some_of(self, origin: str, at_most: int) -> list[Subscription]:
        """Return some that wait for one host and port, of every account, without slots."""
        taken: list[Subscription] = []
        for account, slow in list(self._lanes):
            hosts = self._lanes[account, slow]
            waiting = hosts.get(origin, ())
            while waiting and len(taken) < at_most:
                taken.append(waiting.popleft())
            if not waiting:
                hosts.pop(origin, None)
            if not hosts:
                del self._lanes[account, slow]
                self._turns[slow].remove(account)
        for subscription in taken:
            subscription.queued = False
        return taken
