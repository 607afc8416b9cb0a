"""The steps of a course, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tidings.client.messages import Event, EventsPage
from tidings.client.request import Request


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Events were dropped before they were read: older than the server keeps its log."""

    webhook_id: str
    token: str
    """After which the lost events stood."""
    next_page_token: str
    """After which it goes on, once the hook and what is handed over with it are done."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn came to: all that there was to read was handed over."""

    pages: int
    events: int


@dataclass(frozen=True)
class Load:
    """Give back the saved place."""


@dataclass(frozen=True)
class Ask:
    """Send this and give back the page, without waiting."""

    request: Request[EventsPage]


@dataclass(frozen=True)
class Move:
    """Do the work, if there is any, in the transaction that moves the place: gap, then events."""

    old: str
    new: str
    page: EventsPage | None = None
    event: Event | None = None
    gap: Gap | None = None


@dataclass(frozen=True)
class Tell:
    """Tell of a failure after which it is tried again in so many seconds."""

    failure: Exception
    wait_seconds: float


@dataclass(frozen=True)
class Wait:
    """Wait, for a wake-up too if it is `wakeable`; being stopped ends every wait."""

    seconds: float
    wakeable: bool


Step = Load | Ask | Move | Tell | Wait
