"""How a follower is to follow."""

from __future__ import annotations

from typing import Literal

import msgspec

from tidings.domain import limits
from tidings.errors import InvalidArgument

Resume = Literal["oldest", "newest"]
"""After a gap: from the oldest event that is still there, or from the newest."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook's; checked when made. Raises InvalidArgument."""

    webhook_id: str
    singly: bool
    """One event a transaction, not one page."""
    heeds_gaps: bool
    """Whether there is a hook for lost events."""
    resume: Resume
    every_seconds: float
    wait_seconds: int
    page_size: int

    def __post_init__(self) -> None:
        if not self.webhook_id:
            raise InvalidArgument("webhook_id", "webhook_id names the webhook to follow.")
        if not 0 < self.every_seconds <= limits.FOLLOWER_EVERY_SECONDS_MAX:
            raise InvalidArgument(
                "every_seconds",
                "every_seconds is over 0 and at most a day: what nobody reads expires after 7.",
            )
        if not 0 <= self.wait_seconds <= limits.WAIT_SECONDS_MAX:
            raise InvalidArgument(
                "wait_seconds", f"wait_seconds is 0 to {limits.WAIT_SECONDS_MAX}."
            )
        if not 1 <= self.page_size <= limits.PAGE_SIZE_MAX:
            raise InvalidArgument("page_size", f"page_size is 1 to {limits.PAGE_SIZE_MAX}.")
