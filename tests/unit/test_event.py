"""Events as bytes: what the contract's part 1.3 says, around the publisher's own bytes."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from msgspec import Raw

from tidings.domain.change import judge
from tidings.domain.event import SEED_BYTES, Batch, batch_entries, made_ids, splice_event
from tidings.domain.filter import EVERY_FIELD, field_mask
from tidings.domain.lines import read_line
from tidings.domain.log_entry import NewEntry, PageEntry

BATCH = Batch(account='ac"me', solution="sé", batch_id="b-1")
SEED = bytes(range(SEED_BYTES))
PREFIX = b'{"webhook_id":"W","locator":{"account_id":"a","solution_id":"s"},"event_id":"W.'


def entries(*lines: str, batch: Batch = BATCH, seed: bytes = SEED) -> list[NewEntry]:
    judged = [judge(read_line(line.encode()), "2026-01-15T12:00:00.000Z") for line in lines]
    made = made_ids(seed, len(lines))
    return batch_entries(batch, [change for change in judged if change is not None], made)


def event(entry: NewEntry) -> Any:
    return json.loads(splice_event(PREFIX, PageEntry(994, entry.body)))


def created(members: str = "") -> str:
    return (
        '{"kind":"RECORD_CREATED","application_id":"app","record_id":"r\\"1","data":{"a":1}'
        + members
        + "}"
    )


def test_an_event_has_the_members_of_the_contract_in_their_order() -> None:
    [entry] = entries(created(',"change_id":"c-1","at":"2023-06-21T21:14:06.263Z"'))
    found = event(entry)
    assert found == {
        "webhook_id": "W",
        "locator": {"account_id": "a", "solution_id": "s"},
        "event_id": "W.994",
        "kind": "RECORD_CREATED",
        "event_at": "2023-06-21T21:14:06.263Z",
        "record_event_data": {
            "record_id": 'r"1',
            "locator": {"account_id": 'ac"me', "solution_id": "sé", "application_id": "app"},
            "data": {"a": 1},
            "previous": {},
        },
        "ctx": {
            "change_id": "c-1",
            "change_size": 1,
            "batch_id": "b-1",
            "batch_size": 1,
            "source": "UNKNOWN",
            "handler": "API",
        },
    }
    assert list(found) == [
        "webhook_id", "locator", "event_id", "kind", "event_at", "record_event_data", "ctx",
    ]  # fmt: skip


def test_events_of_applications_and_fields_carry_their_own_data() -> None:
    application, field = entries(
        '{"kind":"APPLICATION_UPDATED","application_id":"app","data":{"name":"N"},'
        '"before":{"name":"M"}}',
        '{"kind":"FIELD_CREATED","application_id":"app","field_id":"f","data":{"type":"text"}}',
    )
    locator = {"account_id": 'ac"me', "solution_id": "sé", "application_id": "app"}
    assert event(application)["application_event_data"] == {
        "locator": locator,
        "data": {"name": "N"},
        "previous": {"name": "M"},
    }
    assert event(field)["field_event_data"] == {
        "field_id": "f",
        "locator": locator,
        "data": {"type": "text"},
        "previous": {},
    }


NASTY = [
    "1e400",
    "0.10000000000000000001",
    "123456789012345678901234567890",
    "-0",
    '"\\u00e9"',
    '"é"',
    '"\\/"',
    '{"z":1,"a":2,"z":3}',
    "[ 1 ,\t2 ]",
    '"\\u0000\\ud83d\\ude00"',
    "{ }",
]


@pytest.mark.parametrize("value", NASTY)
def test_the_publisher_s_bytes_are_listed_unchanged(value: str) -> None:
    data = f'{{ "b" : {value},"a":{value},"\\u0062x":1}}'
    [entry] = entries(
        '{"kind":"RECORD_UPDATED","application_id":"app","record_id":"r",'
        f'"data":{data},"before":{{"b":{value}, "c": {value} ,"a":"other"}}}}'
    )
    assert b'"data":' + data.encode() + b',"previous":' in entry.body
    assert b'"previous":{"a":"other","bx":null,"c":' + value.encode() + b"}" in entry.body
    assert event(entry)["kind"] == "RECORD_UPDATED"


def test_sizes_count_what_was_accepted() -> None:
    unchanged = (
        '{"kind":"RECORD_UPDATED","application_id":"app","record_id":"r","data":{},"before":{},'
        '"change_id":"c"}'
    )
    found = entries(created(',"change_id":"c"'), created(), unchanged, created(',"change_id":"c"'))
    sizes = [event(entry)["ctx"] for entry in found]
    assert [ctx["change_size"] for ctx in sizes] == [2, 1, 2]
    assert {ctx["batch_size"] for ctx in sizes} == {3}


def test_a_change_without_an_id_gets_a_uuid_of_its_own() -> None:
    found = [event(entry)["ctx"]["change_id"] for entry in entries(*[created()] * 50)]
    assert len(set(found)) == 50
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in found} == {
        (4, uuid.RFC_4122)
    }
    assert [str(uuid.UUID(text)) for text in found] == found
    others = [event(e)["ctx"]["change_id"] for e in entries(created(), seed=b"\1" * SEED_BYTES)]
    assert not set(others) & set(found)


def test_the_log_s_columns_say_what_filters_ask() -> None:
    record, field = entries(
        '{"kind":"RECORD_UPDATED","application_id":"app","record_id":"r","data":{"a":1,"b":2},'
        '"before":{"a":1,"b":3},"by":"12","change_agent":"bot"}',
        '{"kind":"FIELD_DELETED","application_id":"app","field_id":"f"}',
    )
    assert (record.kind, record.application, record.subject) == (2, "app", "r")
    assert (record.changed, record.mask) == (("b",), field_mask(["b"]))
    assert (record.by, record.change_agent) == ("12", "bot")
    assert (field.changed, field.subject) == (("f",), "f")
    [made] = entries(created())
    assert (made.changed, made.mask) == (None, EVERY_FIELD)


def test_entries_keep_no_hold_on_the_body_they_came_from() -> None:
    [entry] = entries(created())
    assert type(entry.body) is bytes
    assert not isinstance(entry.body, Raw)
