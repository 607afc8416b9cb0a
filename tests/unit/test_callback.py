"""What goes into a callback, its bytes, and what an answer means (contract 2.5, 2.6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sheet_changes import entries_of
from tidings.domain.callback import (
    Answer,
    answer_of,
    callback_body,
    callback_headers,
    events_between,
    gather,
    status_body,
)
from tidings.domain.dispatch import PendingCallback, Place
from tidings.domain.sheet_event import SheetEvent
from tidings.domain.sheet_webhook import SheetPart, SheetStatus
from tidings.domain.signing import verify_callback

ALL: frozenset[int] = frozenset()
AT = datetime(2015, 10, 27, 17, 4, 23, 795_000, tzinfo=UTC)
SHEET = SheetPart(
    name="a sheet",
    sheet=4509506114742148,
    key_id="key_1",
    status=SheetStatus.DISABLED_SCOPE_INACCESSIBLE,
    status_at=AT,
    status_number=3,
)


def rows(*cells: int) -> list[dict[str, Any]]:
    """Return a new row for each number: with so many cells."""
    return [
        {
            "kind": "RECORD_CREATED",
            "application_id": "1",
            "record_id": str(1000 + number),
            "data": {str(column + 1): "x" for column in range(count)},
        }
        for number, count in enumerate(cells)
    ]


@given(
    st.lists(st.integers(0, 9), max_size=8),
    st.integers(1, 12),
    st.lists(st.integers(1, 4), min_size=1),
)
def test_callbacks_one_after_the_other_hold_each_event_once_and_in_order(
    cells: list[int], at_most: int, reads: list[int]
) -> None:
    """However few entries each read of the log brings, and wherever a callback ends in one."""
    entries = entries_of(rows(*cells)) if cells else []
    everything = events_between(entries, ALL, Place(0), Place(len(cells) + 1))
    told: list[SheetEvent] = []
    place, number = Place(0), 0
    while left := [entry for entry in entries if entry.position >= place.position]:
        gathered = gather(left[: reads[number % len(reads)]], ALL, place, at_most)
        assert place < gathered.ends
        assert len(gathered.events) <= at_most
        again = events_between(left, ALL, place, gathered.ends)
        assert again == gathered.events, "a retry is made of the same events"
        told += gathered.events
        place, number = gathered.ends, number + 1
    assert tuple(told) == everything


def test_one_change_can_be_more_than_a_callback() -> None:
    entries = entries_of(rows(5))
    gathered = gather(entries, ALL, Place(0), 4)
    assert gathered.ends == Place(1, 4)
    rest = gather(entries, ALL, gathered.ends, 4)
    assert [event.column_id for event in rest.events] == [4, 5]
    assert rest.ends == Place(2)


def test_a_callback_is_written_as_the_contract_shows_it() -> None:
    nonce = "4b2ed20d-6f00-4b0c-8fac-082182aa9aac"
    pending = PendingCallback(begins=Place(1), ends=Place(2), nonce=nonce, built_at=AT)
    told = events_between(entries_of(rows(0)), ALL, Place(1), Place(2))
    events = msgspec.Raw(msgspec.json.encode(told))
    assert callback_body("4503604829677444", SHEET, pending, events) == (
        b'{"nonce":"4b2ed20d-6f00-4b0c-8fac-082182aa9aac",'
        b'"timestamp":"2015-10-27T17:04:23.795+0000","webhookId":4503604829677444,'
        b'"scope":"sheet","scopeObjectId":4509506114742148,"events":['
        b'{"objectType":"row","eventType":"created","id":1000,'
        b'"timestamp":"2026-03-01T12:00:00.250+0000"}]}'
    )


def test_a_status_change_is_told_without_events_and_the_same_each_time() -> None:
    body = status_body("4503604829677444", SHEET)
    told = msgspec.json.decode(body)
    assert "events" not in told
    assert told["newWebhookStatus"] == "DISABLED_SCOPE_INACCESSIBLE"
    assert status_body("4503604829677444", SHEET) == body
    later = msgspec.structs.replace(
        SHEET,
        status=SheetStatus.ENABLED,
        status_number=4,
        status_at=AT + timedelta(seconds=1),
    )
    assert msgspec.json.decode(status_body("4503604829677444", later))["nonce"] != told["nonce"]


def test_what_is_sent_names_its_webhook_and_is_signed() -> None:
    body = b'{"nonce":"n"}'
    headers = dict(callback_headers("4503604829677444", "3qo29mvjou6xt5fujukjtwzhj0", body))
    assert headers["Smartsheet-Hook-Id"] == "4503604829677444"
    assert headers["Content-Type"] == "application/json"
    verify_callback(["3qo29mvjou6xt5fujukjtwzhj0"], headers, body)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (None, Answer.RETRIED),
        (200, Answer.ACKNOWLEDGED),
        *((status, Answer.REFUSED) for status in (201, 204, 299, 300, 301, 307, 308, 309, 399)),
        *((status, Answer.RETRIED) for status in (400, 401, 404, 409, 411, 429, 499, 500, 599)),
        (410, Answer.REFUSED),
    ],
)
def test_only_200_acknowledges(status: int | None, meaning: Answer) -> None:
    assert answer_of(status, late=False) is meaning


def test_a_200_that_still_came_at_the_deadline_is_tried_again() -> None:
    assert answer_of(200, late=True) is Answer.RETRIED
