"""Events as bytes: the part that is stored once, and the head that each webhook sees."""

from __future__ import annotations

from tidings.domain.log_entry import PageEntry


def splice_event(prefix: bytes, entry: PageEntry) -> bytes:
    """Return an event's JSON of a webhook's prefix and a stored entry.

    `prefix` ends inside the event's id: `{"webhook_id":"W","locator":{…},"event_id":"W.`.
    """
    return b'%b%d"%b' % (prefix, entry.position, entry.body)
