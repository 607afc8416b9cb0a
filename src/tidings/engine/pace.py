"""How fast pings may follow each other, so that they never drive a client into its rate limit.

One a second for a webhook, three a second for the webhooks that one key last listed (contract 1.6,
mechanics D4). Pure: the monotonic time is an argument.
"""

from __future__ import annotations

from collections import deque

from tidings.domain import limits


class KeyPace:
    """Starts of pings within the last second, by the key that last listed their webhooks."""

    def __init__(self, per_second: int = limits.KEY_PINGS_PER_SECOND) -> None:
        self._per_second = per_second
        self._starts: dict[str, deque[float]] = {}

    def next_start(self, key_id: str | None, now: float) -> float:
        """Return when a ping for this key may start: `now`, or later. No key: no cap."""
        starts = self._starts.get(key_id) if key_id is not None else None
        if not starts or len(starts) < self._per_second:
            return now
        return max(now, starts[0] + 1.0)

    def started(self, key_id: str | None, now: float) -> None:
        """Count a ping that starts."""
        if key_id is None:
            return
        starts = self._starts.setdefault(key_id, deque(maxlen=self._per_second))
        starts.append(now)

    def forget_quiet(self, now: float) -> None:
        """Drop keys whose last start is over a second ago: they are as good as unknown."""
        quiet = [key for key, starts in self._starts.items() if starts[-1] + 1.0 <= now]
        for key in quiet:
            del self._starts[key]
