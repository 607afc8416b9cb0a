"""No inbox of ours: the consumer keeps each notification in a transaction of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from tidings.receiver.hooks import called
from tidings.receiver.notification import Notification, ReceivedEvent
from tidings.receiver.reading import contents_of


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """A verified notification and the events in it, as OwnTransaction's function gets them."""

    identity: str
    """The same whenever the sender repeats itself: unique in the consumer's table. Empty where it
    can't be known, which is so for pings that nobody signs."""
    notification: Notification
    events: tuple[ReceivedEvent, ...]
    """Also a ping, a status change or an unknown message, each as the only one."""


class OwnTransaction:
    """Calls `keep` for each notification, before the sender is answered.

    `keep`, async or plain, has to have stored it durably when it returns, and to know a repetition
    by its `identity`. Whatever it raises, the sender is told 503 and sends it again. A plain
    function runs in a thread.
    """

    def __init__(self, keep: Callable[[Callback], Awaitable[object] | object]) -> None:
        self._keep = called(keep)

    async def keep(self, notification: Notification) -> None:
        """Hand a notification over; raise what the consumer's function raises."""
        await self._keep(callback_of(notification))


def callback_of(notification: Notification) -> Callback:
    """Return a notification with its events."""
    contents = contents_of(notification)
    return Callback(
        identity="" if notification.identity is None else notification.identity.hex(),
        notification=notification,
        events=tuple(contents.event(part) for part in contents.parts()),
    )
