"""What a bare listing decodes, and the page that it prints of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from bench.traffic import ACCOUNT


class Wish(msgspec.Struct):
    """The body of a request."""

    webhook_id: str
    page_token: str
    page_size: int


WISH = msgspec.json.Decoder(Wish)


def page_of(wish: Wish, solution: str, rows: Sequence[Any]) -> bytes:
    """Splice (position, body) rows into a page; one row more than it holds means has_more."""
    has_more = len(rows) > wish.page_size
    name = wish.webhook_id.encode()
    locator = msgspec.json.encode({"account_id": ACCOUNT, "solution_id": solution})
    prefix = b'{"webhook_id":"%b","locator":%b,"event_id":"%b.' % (name, locator, name)
    events = [b'%b%d"%b' % (prefix, *row) for row in rows[: wish.page_size]]
    return b'{"events":[%b],"next_page_token":"%d","has_more":%b}' % (
        b",".join(events),
        rows[len(events) - 1][0],
        b"true" if has_more else b"false",
    )
