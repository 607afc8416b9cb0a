"""Optional instants as the integers that the tables hold: milliseconds since 1970."""

from __future__ import annotations

from datetime import datetime

from tidings.domain.instants import from_milliseconds, to_milliseconds


def stored(instant: datetime | None) -> int | None:
    """Return what the table holds for an instant."""
    return None if instant is None else to_milliseconds(instant)


def loaded(milliseconds: int | None) -> datetime | None:
    """Return the instant that the table holds."""
    return None if milliseconds is None else from_milliseconds(milliseconds)
