"""Page tokens: the position after which the next page starts, as text (contract 1.5)."""

from __future__ import annotations

from datetime import datetime

from tidings.domain.positions import PER_MINUTE, position_at
from tidings.errors import InvalidArgument

_MAX_DIGITS = 16
"""2^53 has 16 digits; what is longer is no token of ours and is not even parsed."""


def format_token(position: int) -> str:
    """Print a position as a page token."""
    return str(position)


def parse_token(text: str) -> int:
    """Read a page token; raises InvalidArgument for anything but a decimal number."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise InvalidArgument(
            "page_token", "page_token must be a next_page_token of an earlier answer"
        )
    return int(text)


def check_not_ahead(token: int, *, now: datetime, last_position: int) -> None:
    """Refuse a token that no answer can have given (contract 1.5, mechanics P3).

    Over a minute past both now and the bucket's last position: a clock that stepped back must not
    refuse the tokens that we issued before.
    """
    if token > max(position_at(now), last_position) + PER_MINUTE:
        raise InvalidArgument("page_token", "page_token lies in the future")
