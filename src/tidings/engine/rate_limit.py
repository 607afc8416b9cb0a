"""How often a key may ask (contract 1.8, 2.7, 3.2). Pure: times are arguments, in milliseconds.

Counted over any second: a request and one that comes 1,000 ms later don't count together. Whole
milliseconds, because the decision has to be exact where a float's last digit isn't.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable

import msgspec

from tidings.domain.count_note import Counted
from tidings.domain.limits import UNTOLD_COUNTS

WINDOW_MS = 1_000
"""What "a second" is: any, not one that begins on the clock's."""
_FORGOTTEN_AT_ONCE = 2
"""Quiet keys that one request forgets: more than it can add, so that memory follows the traffic,
and few, so that no request pays for a crowd that went away."""


class Quota(msgspec.Struct, frozen=True):
    """Where a key stands after a request. Times are milliseconds from that request on."""

    limit: int
    """Requests that any second, or any minute, may see."""
    remaining: int
    """How many more would be admitted right now."""
    reset_ms: int
    """Until all of `limit` would be admitted again."""
    retry_after_ms: int = 0
    """Until a request is admitted again; 0 where this one was."""
    penalty_begins: bool = False
    """This request is the one for which the penalty began."""

    @property
    def admitted(self) -> bool:
        """Whether the request may be answered."""
        return self.retry_after_ms == 0


class RateLimit:
    """Counts requests by key: `at_most` within any `window_ms`, a second unless told otherwise.

    With a penalty, a key that goes past is refused until that is over. `penalty_ms` is 0 for none,
    or at least `window_ms`: what was counted before it is old behind it.
    What is refused isn't counted: neither does it lengthen the penalty (contract 1.8), nor the
    wait where there is none. It remembers the keys that asked within the last window and those
    under a penalty, and forgets the rest as others ask.

    `shared`: several processes count the same keys, and tell each other (`untold`, `hear`). A key
    that keeps to its limit is refused by none of them. What they admitted too much, because they
    hadn't heard of each other yet, is paid back: it counts as if it had come as soon as there was
    room. Until it is paid back no penalty begins: it was our mistake, not the key's.
    """

    def __init__(
        self,
        at_most: int,
        *,
        penalty_ms: int = 0,
        window_ms: int = WINDOW_MS,
        shared: bool = False,
    ) -> None:
        self._at_most = at_most
        self.window_ms = window_ms
        self._penalty_ms = penalty_ms
        # Both in the order in which they end, so that what is to be forgotten stands in front
        # (nearly: what is heard of others may end sooner than what stands before it).
        self._admitted: dict[str, deque[int]] = {}
        self._penalties: dict[str, int] = {}
        self._paid_back_at: dict[str, int] = {}
        """When what was admitted too much is paid back; only keys of which that is so."""
        untold = UNTOLD_COUNTS if shared else 0
        self._untold: deque[tuple[str, int]] = deque(maxlen=untold)
        self._untold_penalties: deque[tuple[str, int]] = deque(maxlen=untold)

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._admitted) + len(self._penalties)

    def take(self, key_id: str, now_ms: int) -> Quota:
        """Count a request of a key at a time that is no earlier than the last one's."""
        self._forget_quiet(now_ms, _FORGOTTEN_AT_ONCE)
        until = self._penalties.get(key_id, now_ms)
        if until > now_ms:
            return self._refused(until - now_ms, until - now_ms)
        self._penalties.pop(key_id, None)
        admitted = self._admitted.get(key_id) or deque()
        while admitted and admitted[0] + self.window_ms <= now_ms:
            admitted.popleft()
        if len(admitted) < self._at_most:
            admitted.append(now_ms)
            self._admitted.pop(key_id, None)
            self._admitted[key_id] = admitted  # at the end: it is the last to be forgotten
            self._untold.append((key_id, now_ms))
            return Quota(self._at_most, self._at_most - len(admitted), self.window_ms)
        if self._penalty_ms and self._paid_back_at.get(key_id, now_ms) <= now_ms:
            self._penalize(key_id, now_ms + self._penalty_ms)
            self._untold_penalties.append((key_id, now_ms + self._penalty_ms))
            return self._refused(self._penalty_ms, self._penalty_ms, begins=True)
        return self._refused(
            admitted[-self._at_most] + self.window_ms - now_ms,
            reset_ms=admitted[-1] + self.window_ms - now_ms,
        )

    def untold(self) -> tuple[Counted, ...]:
        """Return what was counted here since the last call, by key; empty unless `shared`."""
        admitted: dict[str, list[int]] = {}
        for key_id, at_ms in self._untold:
            admitted.setdefault(key_id, []).append(at_ms)
        penalties = dict(self._untold_penalties)
        self._untold.clear()
        self._untold_penalties.clear()
        return tuple(
            Counted(key_id, tuple(admitted.get(key_id, ())), penalties.get(key_id))
            for key_id in admitted | penalties
        )

    def hear(self, told: Iterable[Counted], now_ms: int) -> None:
        """Count what another process did, by this one's clock; not what is over, or lies ahead.

        Of two penalties the first to end holds: the other began with a request during that one.
        """
        for one in told:
            if one.penalty_until is not None:
                self._heed(one.key_id, one.penalty_until, now_ms)
            if self._penalties.get(one.key_id, now_ms) <= now_ms:
                self._add(one.key_id, one.admitted_at, now_ms)
        self._forget_quiet(now_ms, len(self))

    def _heed(self, key_id: str, until_ms: int, now_ms: int) -> None:
        known = self._penalties.get(key_id, now_ms)
        if now_ms < until_ms <= (known if known > now_ms else now_ms + self._penalty_ms):
            self._penalize(key_id, until_ms)

    def _penalize(self, key_id: str, until_ms: int) -> None:
        self._admitted.pop(key_id, None)
        self._paid_back_at.pop(key_id, None)
        self._penalties[key_id] = until_ms

    def _add(self, key_id: str, heard: Iterable[int], now_ms: int) -> None:
        known = self._admitted.pop(key_id, ())
        times = sorted((*known, *(at for at in heard if at <= now_ms)))
        times = times[bisect_right(times, now_ms - self.window_ms) :]
        for place in range(self._at_most, len(times)):
            room_at = times[place - self._at_most] + self.window_ms
            if room_at > times[place]:
                times[place] = room_at
                self._paid_back_at[key_id] = room_at + self.window_ms
        if times:
            self._admitted[key_id] = deque(times)
        else:
            self._paid_back_at.pop(key_id, None)

    def _refused(self, retry_after_ms: int, reset_ms: int, *, begins: bool = False) -> Quota:
        return Quota(self._at_most, 0, reset_ms, retry_after_ms, begins)

    def _forget_quiet(self, now_ms: int, keys: int) -> None:
        for _ in range(keys):
            key_id = next(iter(self._admitted), None)
            if key_id is None or self._admitted[key_id][-1] + self.window_ms > now_ms:
                break
            del self._admitted[key_id]
            self._paid_back_at.pop(key_id, None)
        for _ in range(keys):
            key_id = next(iter(self._penalties), None)
            if key_id is None or self._penalties[key_id] > now_ms:
                break
            del self._penalties[key_id]
