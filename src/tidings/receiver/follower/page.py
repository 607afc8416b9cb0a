"""What a page may be: it follows its token, in order. A page that doesn't is none. Pure."""

from __future__ import annotations

from tidings.client.messages import Event, EventsPage
from tidings.errors import ServerFault


def following(page: EventsPage, token: str, webhook_id: str) -> None:
    """Raise ServerFault unless a page is this webhook's, in order, and behind the token.

    A proxy may have answered from its memory, a server from a copy that is behind: what such a page
    repeats would be done twice, and what it leaves out never.
    """
    last = _number(token)
    for event in page.events:
        position = position_of(event)
        if event.webhook_id != webhook_id or position <= last:
            raise ServerFault("The server's page isn't the one that follows the page token.")
        last = position
    if _number(page.next_page_token) < last:
        raise ServerFault("The server's page goes back behind its own events.")


def position_of(event: Event) -> int:
    """Return an event's position. Raises ServerFault where its id has none."""
    position = _number(event.event_id.rpartition(".")[2])
    if position < 0:
        raise ServerFault("An event's id has no position.")
    return position


def _number(token: str) -> int:
    """Return a token as the position that it is; -1 where it isn't one, as at the beginning."""
    return int(token) if token.isascii() and token.isdigit() and len(token) < 20 else -1
