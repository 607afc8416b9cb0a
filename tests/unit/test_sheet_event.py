"""What a change is in a sheet (contract 2.5)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sheet_changes import entries_of, entry_of
from tidings.domain.sheet_event import events_of

NAMES = st.sampled_from(["11", "12", "13", "name", "014", "9007199254740992"])
"""Three columns, and what is none: a slug, a leading zero, a number that is too great."""
VALUES = st.sampled_from([None, "", "a", 0, False, [], {}, [None], {"x": 1}])
RECORDS = st.dictionaries(NAMES, VALUES, max_size=6)
COLUMNS = st.frozensets(st.sampled_from([11, 12, 99]), max_size=2)

AT = "2015-10-27T17:03:15.000+0000"
ROW = 7129509179746180


def told(change: dict[str, Any], columns: frozenset[int] = frozenset()) -> list[Any]:
    """Return a change's events as they are sent."""
    encoded = msgspec.json.encode(events_of(entry_of(change), columns))
    events: list[Any] = msgspec.json.decode(encoded)
    return events


def brief(events: list[Any]) -> list[tuple[str, str, int, int | None]]:
    """Return of each event what happened to which row or column, and which cell."""
    return [
        (e["objectType"], e["eventType"], e.get("id") or e["rowId"], e.get("columnId"))
        for e in events
    ]


def change(kind: str, **members: Any) -> dict[str, Any]:
    return {"kind": kind, "application_id": "1", "record_id": str(ROW), **members}


def test_a_new_row_is_told_and_then_each_cell_that_has_a_value() -> None:
    data: dict[str, Any] = {
        "11": "a",
        "12": None,
        "13": 0,
        "14": [],
        "15": "",
        "16": {},
        "17": False,
        "18": [0],
    }
    sent = change("RECORD_CREATED", at="2015-10-27T17:03:15Z", by="9007194052434043", data=data)
    common = {"eventType": "created", "userId": 9007194052434043, "timestamp": AT}
    cells = [
        {"objectType": "cell", "rowId": ROW, "columnId": column, **common}
        for column in (11, 13, 17, 18)
    ]
    assert told(sent) == [{"objectType": "row", "id": ROW, **common}, *cells]


def test_the_members_stand_in_the_order_of_the_contracts_example() -> None:
    sent = change("RECORD_CREATED", at="2015-10-27T17:03:15Z", by="5", data={"11": 1})
    events = events_of(entry_of(sent), frozenset())
    assert msgspec.json.encode(events) == (
        b'[{"objectType":"row","eventType":"created","id":7129509179746180,"userId":5,'
        b'"timestamp":"2015-10-27T17:03:15.000+0000"},'
        b'{"objectType":"cell","eventType":"created","rowId":7129509179746180,"columnId":11,'
        b'"userId":5,"timestamp":"2015-10-27T17:03:15.000+0000"}]'
    )


def test_an_update_is_a_row_and_the_cells_that_changed() -> None:
    sent = change("RECORD_UPDATED", data={"11": 1, "12": 2}, before={"11": 1, "12": 3, "13": 4})
    assert brief(told(sent)) == [
        ("row", "updated", ROW, None),
        ("cell", "updated", ROW, 12),
        ("cell", "updated", ROW, 13),
    ]


def test_where_nobody_told_what_changed_every_cell_did() -> None:
    sent = change("RECORD_UPDATED", data={"11": 1, "12": None})
    assert brief(told(sent))[1:] == [("cell", "updated", ROW, 11), ("cell", "updated", ROW, 12)]


def test_with_a_subscope_other_columns_are_left_out_and_a_deleted_row_is_always_told() -> None:
    watched = frozenset({12})
    created = change("RECORD_CREATED", data={"11": 1, "12": 2})
    assert brief(told(created, watched)) == [
        ("row", "created", ROW, None),
        ("cell", "created", ROW, 12),
    ]
    assert told(change("RECORD_UPDATED", data={"11": 1}, changed_fields=["11"]), watched) == []
    deleted = told(change("RECORD_DELETED", before={"11": 1}), watched)
    assert brief(deleted) == [("row", "deleted", ROW, None)]


@pytest.mark.parametrize("happened", ["CREATED", "UPDATED", "DELETED"])
def test_a_field_is_a_column(happened: str) -> None:
    sent = {"kind": f"FIELD_{happened}", "application_id": "1", "field_id": "11", "data": {}}
    assert brief(told(sent)) == [("column", happened.lower(), 11, None)]
    assert brief(told(sent, frozenset({11}))) == [("column", happened.lower(), 11, None)]
    assert told(sent, frozenset({12})) == []
    assert told({**sent, "field_id": "name"}) == []


@pytest.mark.parametrize("happened", ["CREATED", "UPDATED", "DELETED"])
def test_a_change_of_the_application_is_no_event(happened: str) -> None:
    assert told({"kind": f"APPLICATION_{happened}", "application_id": "1", "data": {}}) == []


@pytest.mark.parametrize("record", ["r1", "007", "-1", "1.0", "9007199254740992", "٣"])
def test_a_record_whose_id_is_no_number_makes_no_event(record: str) -> None:
    assert told({**change("RECORD_CREATED", data={"11": 1}), "record_id": record}) == []


@pytest.mark.parametrize(("by", "user"), [("42", 42), ("Jane Doe", None), ("042", None)])
def test_who_did_it_is_told_where_that_is_a_number(by: str, user: int | None) -> None:
    (event,) = told(change("RECORD_DELETED", by=by))
    assert event.get("userId") == user


def test_the_agent_is_cut_from_the_front() -> None:
    agent = "".join(str(n % 10) for n in range(600)) + "end"
    (event,) = told(change("RECORD_DELETED", change_agent=agent))
    assert event["changeAgent"] == agent[-512:]
    assert "changeAgent" not in told(change("RECORD_DELETED"))[0]


@given(before=RECORDS, after=RECORDS, columns=COLUMNS)
def test_an_update_is_told_of_exactly_the_watched_columns_that_differ(
    before: dict[str, Any], after: dict[str, Any], columns: frozenset[int]
) -> None:
    """By a second account of it: the two records compared as JSON, name by name."""
    sent = change("RECORD_UPDATED", data=after, before=before)
    differing = {
        name
        for name in before.keys() | after.keys()
        if msgspec.json.encode(before.get(name, "absent"))
        != msgspec.json.encode(after.get(name, "absent"))
    }
    watched = {"11", "12", "13"} & ({str(c) for c in columns} if columns else {"11", "12", "13"})
    entries = entries_of([sent])
    if not differing:
        assert not entries
        return
    events = brief(told(sent, columns))
    cells = [column for what, _, _, column in events if what == "cell" and column is not None]
    assert sorted(cells) == sorted(int(name) for name in differing & watched)
    assert len(events) == len(cells) + 1 or (columns and not events)


@given(data=RECORDS, columns=COLUMNS)
def test_no_values_ever_leave(data: dict[str, Any], columns: frozenset[int]) -> None:
    allowed = {"objectType", "eventType", "id", "rowId", "columnId", "timestamp"}
    for kind in ("RECORD_CREATED", "RECORD_UPDATED"):
        for event in told(change(kind, data=data), columns):
            assert set(event) <= allowed
