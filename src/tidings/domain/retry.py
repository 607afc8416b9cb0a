"""When a failed notification is tried again, and when no more (contract 1.6, 2.6).

Pure: the draw is an argument.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_WAIT_SECONDS = 10.0
RETRIES = 13
"""Waits of 10 s, 20 s, 40 s … 40,960 s: 81,910 s, which is 22.75 h, in all."""
JITTER = 0.1
DAY_SECONDS = 86_400.0
"""Counted from the first failure in a row: then the endpoint is given up, whatever is left."""
CALLBACK_RETRIES = 14
"""The first seven wait 10 s, 20 s … 640 s, the others three hours each: 21 h 21 min in all."""
_CALLBACK_BACKOFFS = 7
_CALLBACK_STEADY_WAIT_SECONDS = 3 * 3_600.0
_LAST_TRY_SECONDS = 1.0
"""With less left of the day there is no last try: two pings keep a second apart."""


def wait_before_retry(
    failures: int, draw: float, *, since_seconds: float, retry_after_seconds: float | None = None
) -> float | None:
    """Return the seconds to wait after the `failures`-th failure in a row (1, 2, …).

    `since_seconds` have passed since the first of them; `draw` in [0, 1) spreads the wait by
    ± 10 %. A `Retry-After` lengthens the wait and never shortens it. What would come after the day
    comes at its end: a last try. None: the schedule has ended, or the day.
    """
    left = DAY_SECONDS - max(0.0, since_seconds)
    if failures > RETRIES or left < _LAST_TRY_SECONDS:
        return None
    wait = _backoff(failures, draw)
    return min(max(wait, retry_after_seconds or 0.0), left)


def wait_before_callback_retry(failures: int, draw: float) -> float | None:
    """Return the seconds to wait after a callback's `failures`-th failure (1, 2, …): contract 2.6.

    `draw` in [0, 1) spreads the first seven by ± 10 %; `Retry-After` counts for nothing. None: the
    schedule has ended.
    """
    if failures > CALLBACK_RETRIES:
        return None
    if failures > _CALLBACK_BACKOFFS:
        return _CALLBACK_STEADY_WAIT_SECONDS
    return _backoff(failures, draw)


def _backoff(failures: int, draw: float) -> float:
    return FIRST_WAIT_SECONDS * 2.0 ** (failures - 1) * (1 + JITTER * (2 * draw - 1))


def retry_after_seconds(header: str | None, present: datetime) -> float | None:
    """Read a `Retry-After`: whole seconds or an HTTP date; anything else is ignored (RFC 9110)."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), DAY_SECONDS)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(0.0, (until - present).total_seconds()), DAY_SECONDS)
