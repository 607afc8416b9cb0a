"""An attempt as it leaves: one request, and what the log of attempts says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from tidings.ports import SendRequest


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, under which name, covering the log up to where, and when.

    `revision` is the webhook's, of the row that says where to.
    """

    bucket: int
    webhook_id: str
    revision: int
    request: SendRequest
    identity: str
    covered: int
    at: datetime


Compose = Callable[[], Awaitable[Departure | None]]
"""Makes what is to be sent; None where there turns out to be nothing, or it can't be made now."""
