"""A page of events: its token, what it says of the log's beginning, and its bytes.

Contract 1.5, mechanics P2 and P3.
"""

from __future__ import annotations

import msgspec

from tidings.domain.log_entry import Page, PageEntry
from tidings.domain.page_token import format_token
from tidings.domain.positions import previous_day_start


def next_position(page: Page) -> int:
    """Return the position that a page's token names (mechanics P2).

    The last one that was scanned. Where nothing more is there now, it is at least the start of the
    previous UTC day, so that a quiet webhook's token doesn't fall behind retention. An empty page
    of a scan that ran out of time has seen its `end`, and no more than that.
    """
    if page.entries or page.has_more:
        return page.end
    return max(page.end, previous_day_start(page.read_at))


def history_is_gone(page: Page, *, token: int | None, after: int) -> bool:
    """Whether the page says `events_expired` (contract 1.5).

    Only where a token was given, and what follows `after`, the greater of it and the webhook's
    beginning, was dropped by retention.
    """
    return token is not None and after < page.floor


def event_prefix(webhook_id: str, account: str, solution: str) -> bytes:
    """Return what every event of a webhook begins with, up to the position in its id."""
    locator = msgspec.json.encode({"account_id": account, "solution_id": solution})
    name = webhook_id.encode()
    return b'{"webhook_id":"%b","locator":%b,"event_id":"%b.' % (name, locator, name)


def print_page(
    prefix: bytes,
    entries: tuple[PageEntry, ...],
    *,
    position: int,
    has_more: bool,
    events_expired: bool,
) -> bytes:
    """Return ListEvents' answer, with the stored bytes spliced in (contract 1.4)."""
    return b'{"events":[%b],"next_page_token":"%b","has_more":%b%b}' % (
        # `splice_event`, in line: a call for each of a thousand events is a fifth of their cost.
        b",".join([b'%b%d"%b' % (prefix, entry.position, entry.body) for entry in entries]),
        format_token(position).encode(),
        b"true" if has_more else b"false",
        b',"events_expired":true' if events_expired else b"",
    )
