"""Whether a ping tells of anything that wasn't read yet. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def tells_of_more(ping: Mapping[str, Any], webhook_id: str, place: str) -> bool:
    """Whether a verified ping's body is reason to look: it is this webhook's, and not of the past.

    In doubt it is: a needless look costs one request, and a ping that is passed over waits for a
    reminder. A notice (EXPIRES_SOON) always is.
    """
    if ping.get("webhookId") != webhook_id:
        return False
    newest = ping.get("transactionNumber")
    if "notice" in ping or type(newest) is not int or not place.isascii() or not place.isdigit():
        return True
    return newest > int(place)
