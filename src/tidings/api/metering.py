"""Requests counted by key, and what their answers say about it (contract 1.8, 2.7, 3.2).

The fields are `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`, as the IETF's draft
(draft-ietf-httpapi-ratelimit-headers) had them up to version 06 and as clients in the field
read them; the later versions' one field `RateLimit` is read by few.
"""

from __future__ import annotations

from collections.abc import Callable

from tidings import telemetry
from tidings.api.responses import Answering
from tidings.domain.limits import (
    PENALTY_SECONDS,
    REQUESTS_PER_SECOND,
    SHEET_REQUESTS_PER_MINUTE,
)
from tidings.engine.rate_limit import Quota, RateLimit
from tidings.errors import RateLimited
from tidings.ports import Clock

_MINUTE_MS = 60_000

Count = Callable[[str], None]
"""Counts one request of the key with this id; raises RateLimited where it is one too many."""


class Rates:
    """How often one key may ask each service; `shared`: over all processes of a database."""

    def __init__(
        self,
        *,
        requests_per_second: int = REQUESTS_PER_SECOND,
        sheet_requests_per_minute: int = SHEET_REQUESTS_PER_MINUTE,
        publish_requests_per_second: int | None = None,
        shared: bool = False,
    ) -> None:
        penalty_ms = round(PENALTY_SECONDS * 1_000)
        self.webhooks = RateLimit(requests_per_second, penalty_ms=penalty_ms, shared=shared)
        """SmartSuite's webhook service: who asks more often is refused for 30 s (contract 1.8)."""
        self.sheets = RateLimit(sheet_requests_per_minute, window_ms=_MINUTE_MS, shared=shared)
        """Smartsheet's: without a penalty, by the minute (contract 2.7)."""
        self.publishing: RateLimit | None = None
        """Publishing and applications: without a penalty; None: no limit (contract 3.2)."""
        if publish_requests_per_second is not None:
            self.publishing = RateLimit(publish_requests_per_second, shared=shared)

    def by_service(self) -> dict[str, RateLimit]:
        """Return those that there are, by the names under which processes tell of them."""
        rates = {"webhooks": self.webhooks, "sheets": self.sheets}
        return rates if self.publishing is None else rates | {"publishing": self.publishing}


class Meter:
    """Counts one service's requests."""

    def __init__(self, rate: RateLimit, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._period = "minute" if rate.window_ms == _MINUTE_MS else "second"

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
