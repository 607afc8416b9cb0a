"""How often a key may ask (contract 1.8, 2.7, 3.2). Pure: times are arguments, in milliseconds.

Counted over any second: a request and one that comes 1,000 ms later don't count together. Whole
milliseconds, because the decision has to be exact where a float's last digit isn't.
"""

from __future__ import annotations

from collections import deque

import msgspec

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
    """

    def __init__(self, at_most: int, *, penalty_ms: int = 0, window_ms: int = WINDOW_MS) -> None:
        self._at_most = at_most
        self._window_ms = window_ms
        self._penalty_ms = penalty_ms
        # Both in the order in which they end, so that what is to be forgotten stands in front.
        self._admitted: dict[str, deque[int]] = {}
        self._penalties: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._admitted) + len(self._penalties)

    def take(self, key_id: str, now_ms: int) -> Quota:
        """Count a request of a key at a time that is no earlier than the last one's."""
        self._forget_quiet(now_ms)
        until = self._penalties.get(key_id, now_ms)
        if until > now_ms:
            return self._refused(until - now_ms, until - now_ms)
        self._penalties.pop(key_id, None)
        admitted = self._admitted.get(key_id) or deque()
        while admitted and admitted[0] + self._window_ms <= now_ms:
            admitted.popleft()
        if len(admitted) < self._at_most:
            admitted.append(now_ms)
            self._admitted.pop(key_id, None)
            self._admitted[key_id] = admitted  # at the end: it is the last to be forgotten
            return Quota(self._at_most, self._at_most - len(admitted), self._window_ms)
        if self._penalty_ms:
            del self._admitted[key_id]
            self._penalties[key_id] = now_ms + self._penalty_ms
            return self._refused(self._penalty_ms, self._penalty_ms, begins=True)
        return self._refused(
            admitted[0] + self._window_ms - now_ms, reset_ms=admitted[-1] + self._window_ms - now_ms
        )

    def _refused(self, retry_after_ms: int, reset_ms: int, *, begins: bool = False) -> Quota:
        return Quota(self._at_most, 0, reset_ms, retry_after_ms, begins)

    def _forget_quiet(self, now_ms: int) -> None:
        for _ in range(_FORGOTTEN_AT_ONCE):
            key_id = next(iter(self._admitted), None)
            if key_id is None or self._admitted[key_id][-1] + self._window_ms > now_ms:
                break
            del self._admitted[key_id]
        for _ in range(_FORGOTTEN_AT_ONCE):
            key_id = next(iter(self._penalties), None)
            if key_id is None or self._penalties[key_id] > now_ms:
                break
            del self._penalties[key_id]
