"""A page's token, what it says of lost history, and its bytes: contract 1.5, mechanics P2."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from tidings.domain.event_page import event_prefix, history_is_gone, next_position, print_page
from tidings.domain.log_entry import Page, PageEntry
from tidings.domain.positions import position_at

READ_AT = datetime(2026, 1, 15, 0, 0, 1, tzinfo=UTC)
YESTERDAY = position_at(datetime(2026, 1, 14, tzinfo=UTC))
EVENT = PageEntry(7, b',"kind":"RECORD_CREATED"}')


def page(**fields: Any) -> Page:
    empty = Page(entries=(), end=5, has_more=False, floor=0, bucket_last=9, read_at=READ_AT)
    return msgspec.structs.replace(empty, **fields)


def test_an_empty_pages_token_is_no_older_than_the_previous_day() -> None:
    assert next_position(page()) == YESTERDAY


def test_an_empty_pages_token_never_goes_back() -> None:
    assert next_position(page(end=YESTERDAY + 1)) == YESTERDAY + 1


def test_a_page_with_events_ends_where_the_scan_ended() -> None:
    assert next_position(page(entries=(EVENT,), end=8)) == 8


def test_an_empty_page_of_a_scan_out_of_time_passes_nothing_unseen() -> None:
    assert next_position(page(has_more=True)) == 5


def test_history_is_gone_only_where_a_given_token_lies_behind_the_floor() -> None:
    retained = page(floor=10)
    assert history_is_gone(retained, token=9, after=9)
    assert not history_is_gone(retained, token=10, after=10)
    assert not history_is_gone(retained, token=3, after=12)
    assert not history_is_gone(retained, token=None, after=9)


def test_a_page_is_printed_with_the_publishers_own_bytes() -> None:
    body = b',"kind":"RECORD_CREATED","data":{"n": 1.50e400, "u":"\\u00e9"}}'
    printed = print_page(
        event_prefix("w", 'ac"me', "s"),
        (PageEntry(41, body), PageEntry(42, b"}")),
        position=42,
        has_more=True,
        events_expired=False,
    )
    prefix = (
        b'{"webhook_id":"w","locator":{"account_id":"ac\\"me","solution_id":"s"},"event_id":"w.'
    )
    assert printed == (
        b'{"events":[' + prefix + b'41"' + body + b"," + prefix + b'42"}'
        b'],"next_page_token":"42","has_more":true}'
    )


def test_an_empty_page_is_printed_whole() -> None:
    printed = print_page(b"", (), position=9, has_more=False, events_expired=True)
    assert json.loads(printed) == {
        "events": [],
        "next_page_token": "9",
        "has_more": False,
        "events_expired": True,
    }
