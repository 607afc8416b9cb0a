"""What one request was, and what became of it: what `tidings listen` tells of."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from http import HTTPStatus

import msgspec

from tidings.receiver.notification import ItemKind, Notification, ReceivedEvent
from tidings.receiver.reading import contents_of


class What(StrEnum):
    """What a request is, as far as its receiver can tell."""

    CALLBACK = "callback"
    PING = "ping"
    STATUS_CHANGE = "status change"
    CHALLENGE = "challenge"
    MESSAGE = "message"
    """Verified JSON that is none of the others."""
    REFUSED = "refused"


_WHAT = {
    ItemKind.EVENT: What.CALLBACK,
    ItemKind.PING: What.PING,
    ItemKind.STATUS_CHANGE: What.STATUS_CHANGE,
    ItemKind.UNKNOWN: What.MESSAGE,
}


class PassedOn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came back from where a request was passed on to."""

    url: str
    seconds: float
    status: int | None = None
    failure: str | None = None
    """Why there is no status."""
    challenge_failure: str | None = None
    """Of a challenge: why the answer doesn't pass it."""

    def acknowledges(self, what: What) -> bool:
        """Whether a sender would take the answer: 200 of a callback, any 2xx of others."""
        if self.status is None or self.challenge_failure is not None:
            return False
        if what in (What.CALLBACK, What.STATUS_CHANGE, What.CHALLENGE):
            return self.status == HTTPStatus.OK
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One request to an endpoint."""

    at: datetime
    what: What
    status: int | None = None
    """What the sender was told; None where nobody was."""
    why: str = ""
    """Why it was refused."""
    message_id: str = ""
    repeated: bool = False
    """Whether it was here before."""
    events: tuple[ReceivedEvent, ...] = ()
    """A callback's events; of others one, which is the whole body."""
    body: bytes = b""
    """JSON text; of what is refused, and of a challenge, nothing."""
    passed_on: PassedOn | None = None


def opened(notification: Notification) -> tuple[What, tuple[ReceivedEvent, ...]]:
    """Return what a notification is, and its events."""
    contents = contents_of(notification)
    parts = list(contents.parts())
    # A callback without events has no parts.
    what = _WHAT[parts[0].kind] if parts else What.CALLBACK
    return what, tuple([contents.event(part) for part in parts])
