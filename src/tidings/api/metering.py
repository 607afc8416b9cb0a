"""Requests counted by key, and what their answers say about it (contract 1.8, 2.7, 3.2).

The fields are `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`, as the IETF's draft
(draft-ietf-httpapi-ratelimit-headers) had them up to version 06 and as clients in the field
read them; the later versions' one field `RateLimit` is read by few.
"""

from __future__ import annotations

from collections.abc import Callable

from tidings import telemetry
from tidings.api.responses import Answering
from tidings.domain.limits import PENALTY_SECONDS
from tidings.engine.rate_limit import Quota, RateLimit
from tidings.errors import RateLimited
from tidings.ports import Clock

_MINUTE_MS = 60_000

Count = Callable[[str], None]
"""Counts one request of the key with this id; raises RateLimited where it is one too many."""


class Meter:
    """Counts one service's requests."""

    def __init__(self, rate: RateLimit, clock: Clock, *, period: str = "second") -> None:
        self._rate = rate
        self._clock = clock
        self._period = period

    def of(self, answering: Answering) -> Count:
        """Return how to count the request that is answered so.

        Its answer, whatever it is, then says where the key stands.
        """

        def count(key_id: str) -> None:
            quota = self._rate.take(key_id, round(self._clock.monotonic() * 1_000))
            answering.headers.extend(_fields(quota))
            if not quota.admitted:
                raise _refusal(key_id, quota, self._period)

        return count


def service_meter(requests_per_second: int, clock: Clock) -> Meter:
    """Return the webhook service's: who asks more often is refused for 30 s (contract 1.8)."""
    rate = RateLimit(requests_per_second, penalty_ms=round(PENALTY_SECONDS * 1_000))
    return Meter(rate, clock)


def sheet_meter(requests_per_minute: int, clock: Clock) -> Meter:
    """Return the Smartsheet service's: without a penalty, by the minute (contract 2.7)."""
    rate = RateLimit(requests_per_minute, window_ms=_MINUTE_MS)
    return Meter(rate, clock, period="minute")


def publish_meter(requests_per_second: int | None, clock: Clock) -> Meter | None:
    """Return publishing's: without a penalty, and None where there is no limit (contract 3.2)."""
    return None if requests_per_second is None else Meter(RateLimit(requests_per_second), clock)


def _refusal(key_id: str, quota: Quota, period: str) -> RateLimited:
    if quota.penalty_begins:
        telemetry.logger().info(telemetry.KEY_PENALIZED, key_id=key_id)
    seconds = quota.retry_after_ms / 1_000
    message = f"this key may ask {quota.limit} times a {period}; it may ask again in {seconds:g} s"
    return RateLimited(message, retry_after_seconds=seconds)


def _fields(quota: Quota) -> tuple[tuple[bytes, bytes], ...]:
    """Return the fields; whole seconds, rounded up, so that who waits so long is served."""
    return (
        (b"ratelimit-limit", b"%d" % quota.limit),
        (b"ratelimit-remaining", b"%d" % quota.remaining),
        (b"ratelimit-reset", b"%d" % -(-quota.reset_ms // 1_000)),
    )
