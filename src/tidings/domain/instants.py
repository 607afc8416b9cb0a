"""Instants: aware UTC datetimes to the millisecond, and the contract's text for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_milliseconds(instant: datetime) -> int:
    """Return whole milliseconds since 1970 (UTC) of an aware datetime."""
    return (instant - _EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the aware UTC datetime of milliseconds since 1970."""
    return _EPOCH + milliseconds * _MILLISECOND


def format_instant(instant: datetime) -> str:
    """Print an instant as the contract does: `2023-06-21T21:14:06.263Z` (contract 1.3)."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def format_second(instant: datetime) -> str:
    """Print an instant without its fraction: `2023-11-02T14:21:43Z` (contract 1.3, 2.1)."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def parse_instant(text: str) -> datetime:
    """Read an ISO 8601 date and time with its offset, as an aware UTC datetime.

    Raises ValueError for anything else, for a time without an offset, and for one that leaves the
    years 1970 to 9998 when it is turned to UTC.
    """
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError("a time needs its offset, such as Z")
    try:
        utc = parsed.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error
    if not 1970 <= utc.year <= 9998:
        raise ValueError("out of range")
    return utc
