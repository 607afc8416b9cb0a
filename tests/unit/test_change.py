"""A change is refused with the name of what is wrong, suppressed, or valid (contract 3.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidings.domain.change import Change, judge
from tidings.domain.kinds import Kind
from tidings.domain.limits import CHANGED_FIELDS, ID_LENGTH, PUBLISH_CHANGES
from tidings.domain.lines import read_line
from tidings.domain.publication import judge_changes, read_publication
from tidings.errors import InvalidArgument, TidingsError, TooLarge

NOW = "2026-01-15T12:00:00.000Z"
CREATED = {"kind": "RECORD_CREATED", "application_id": "app", "record_id": "r", "data": {"a": 1}}
UPDATED = {**CREATED, "kind": "RECORD_UPDATED"}
DELETED = {"kind": "RECORD_DELETED", "application_id": "app", "record_id": "r"}
FIELD_UPDATED = {"kind": "FIELD_UPDATED", "application_id": "app", "field_id": "f", "data": {}}
TABLE_UPDATED = {"kind": "APPLICATION_UPDATED", "application_id": "app", "data": {"name": "New"}}


def judged(change: dict[str, Any], **members: Any) -> Change | None:
    return judge(read_line(json.dumps({**change, **members}).encode()), NOW)


def accepted(change: dict[str, Any], **members: Any) -> Change:
    valid = judged(change, **members)
    assert valid is not None
    return valid


@pytest.mark.parametrize(
    ("change", "members", "argument"),
    [
        (CREATED, {"kind": "RECORD_MOVED"}, "kind"),
        (CREATED, {"kind": 1}, "kind"),
        (CREATED, {"kind": None}, "kind"),
        (CREATED, {"application_id": ""}, "application_id"),
        (CREATED, {"application_id": "a\0"}, "application_id"),
        (CREATED, {"application_id": 5}, "application_id"),
        (CREATED, {"record_id": None}, "record_id"),
        (CREATED, {"record_id": ""}, "record_id"),
        (CREATED, {"record_id": "r" * (ID_LENGTH + 1)}, "record_id"),
        (CREATED, {"record_id": ["r"]}, "record_id"),
        (CREATED, {"change_id": ""}, "change_id"),
        (CREATED, {"by": "x" * 256}, "by"),
        (CREATED, {"at": "yesterday"}, "at"),
        (CREATED, {"at": "2023-06-21T21:14:06"}, "at"),
        (CREATED, {"at": 1687382046}, "at"),
        (CREATED, {"data": None}, "data"),
        (CREATED, {"data": [1]}, "data"),
        (CREATED, {"data": "{}"}, "data"),
        (CREATED, {"before": 1}, "before"),
        (UPDATED, {"before": {}, "previous": {}}, "previous"),
        (UPDATED, {"previous": []}, "previous"),
        (UPDATED, {"changed_fields": "a"}, "changed_fields"),
        (UPDATED, {"changed_fields": ["a", 1]}, "changed_fields[1]"),
        (UPDATED, {"changed_fields": ["a"] * (CHANGED_FIELDS + 1)}, "changed_fields"),
        (UPDATED, {"data": {str(n): 0 for n in range(CHANGED_FIELDS + 1)}}, "data"),
        (FIELD_UPDATED, {"field_id": None}, "field_id"),
        (FIELD_UPDATED, {"field_id": "\n"}, "field_id"),
        (FIELD_UPDATED, {"data": None}, "data"),
    ],
)
def test_what_is_wrong_with_a_change_is_named(
    change: dict[str, Any], members: dict[str, Any], argument: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        judged(change, **members)
    assert caught.value.argument == argument


def test_null_means_absent_and_unknown_members_are_ignored() -> None:
    nothing = dict.fromkeys(
        ["change_id", "at", "by", "change_agent", "before", "previous", "changed_fields"]
    )
    assert accepted(CREATED, **nothing, sent_by={"x": [1]}) == accepted(CREATED)


def test_a_created_or_deleted_record_passes_every_field_filter_and_has_no_previous() -> None:
    for change in (CREATED, DELETED):
        valid = accepted(change, before={"a": 2})
        assert (valid.changed, valid.previous) == (None, b"{}")


def test_of_a_deleted_record_data_is_what_was_given_else_before_else_nothing() -> None:
    assert bytes(accepted(DELETED, data={"a": 1}, before={"b": 1}).data) == b'{"a": 1}'
    assert bytes(accepted(DELETED, before={"b": 1}, data=None).data) == b'{"b": 1}'
    assert bytes(accepted(DELETED).data) == b"{}"


@pytest.mark.parametrize("kind", ["APPLICATION_DELETED", "FIELD_DELETED"])
def test_what_holds_for_deleted_records_holds_for_deleted_metadata(kind: str) -> None:
    valid = accepted({"kind": kind, "application_id": "app", "field_id": "f"}, before={"b": 1})
    assert bytes(valid.data) == b'{"b": 1}'


def test_a_field_s_change_passes_the_filters_of_that_field() -> None:
    valid = accepted(FIELD_UPDATED, data={"label": "New"}, before={"label": "Old"})
    assert (valid.subject, valid.changed) == ("f", ("f",))
    assert valid.previous == b'{"label":"Old"}'


def test_an_application_s_change_passes_every_field_filter_and_has_no_subject() -> None:
    valid = accepted(TABLE_UPDATED, previous={"name": "Old"})
    assert (valid.subject, valid.changed) == ("", None)
    assert valid.previous == b'{"name":"Old"}'


@pytest.mark.parametrize("change", [UPDATED, FIELD_UPDATED, TABLE_UPDATED])
def test_an_update_that_changes_nothing_is_suppressed(change: dict[str, Any]) -> None:
    assert judged(change, before=change["data"]) is None
    assert judged(change, changed_fields=[]) is None


@pytest.mark.parametrize("change", [CREATED, DELETED])
def test_only_updates_are_suppressed(change: dict[str, Any]) -> None:
    assert judged(change, changed_fields=[]) is not None


def test_at_is_printed_in_utc_to_the_millisecond_and_defaults_to_now() -> None:
    assert accepted(CREATED, at="2023-06-21T23:14:06.263999+02:00").event_at == (
        "2023-06-21T21:14:06.263Z"
    )
    assert accepted(CREATED).event_at == NOW


def test_a_change_agent_is_cut_from_the_front() -> None:
    assert accepted(CREATED, change_agent="x" * 10 + "y" * 512).change_agent == "y" * 512


def publication(**members: Any) -> bytes:
    return json.dumps({"solution_id": "s", "changes": [CREATED], **members}).encode()


@pytest.mark.parametrize(
    ("members", "argument"),
    [
        ({"solution_id": ""}, "solution_id"),
        ({"solution_id": None}, "solution_id"),
        ({"batch_id": ""}, "batch_id"),
        ({"batch_id": 7}, "batch_id"),
        ({"source": "x" * 256}, "source"),
        ({"handler": ["API"]}, "handler"),
        ({"changes": None}, "changes"),
        ({"changes": {}}, "changes"),
        ({"changes": [CREATED, 3]}, "changes[1]"),
        ({"changes": [CREATED, {**CREATED, "record_id": 3}]}, "changes[1].record_id"),
        ({"changes": [CREATED, {**CREATED, "record_id": ""}]}, "changes[1].record_id"),
        ({"changes": [CREATED] * (PUBLISH_CHANGES + 1)}, "changes"),
        ({"changes": [CREATED, {**CREATED, "data": {"a": "x" * 1_048_576}}]}, "changes[1]"),
    ],
)
def test_what_is_wrong_with_a_publish_is_named_by_its_path(
    members: dict[str, Any], argument: str
) -> None:
    with pytest.raises((InvalidArgument, TooLarge)) as caught:
        judge_changes(read_publication(publication(**members)).changes, NOW)
    assert caught.value.argument == argument


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'{"solution_id":"\\ud800"}', b"\xff"])
def test_a_body_that_is_no_publish_at_all_is_refused(body: bytes) -> None:
    with pytest.raises(TidingsError):
        read_publication(body)


def test_the_changes_of_a_publish_keep_their_order() -> None:
    sent = [{**CREATED, "record_id": str(number)} for number in range(20)]
    valid = judge_changes(read_publication(publication(changes=sent)).changes, NOW)
    assert [change.subject for change in valid] == [str(number) for number in range(20)]
    assert {change.kind for change in valid} == {Kind.RECORD_CREATED}
