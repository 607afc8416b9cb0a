"""What an update changed, and when it is proved to change nothing (mechanics L5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tidings.domain.difference import Difference, what_changed


def difference(
    data: str, *, before: str | None = None, previous: str | None = None, named: Any = None
) -> Difference:
    def raw(text: str | None) -> Raw | None:
        return None if text is None else Raw(text.encode())

    return what_changed(Raw(data.encode()), raw(before), raw(previous), named)


def test_with_nothing_to_compare_with_every_field_counts_as_changed() -> None:
    assert difference('{"a":1}') == Difference(None, b"{}")


def test_the_whole_record_before_tells_what_was_changed_added_and_removed() -> None:
    found = difference(
        '{"same": 1, "changed": [1,  2], "added": 3}',
        before='{"removed": "x", "changed": {"was" : 1e400}, "same": 1.0}',
    )
    assert found.changed == ("changed", "added", "removed")
    assert found.previous == b'{"changed":{"was" : 1e400},"added":null,"removed":"x"}'


@pytest.mark.parametrize(
    ("data", "before"),
    [
        ("{}", "{}"),
        ('{"a":1,"b":"\\u00e9"}', '{"b":"é", "a":1.00}'),
        ('{"a":{"x":1,"y":[true]}}', '{"a":{"y":[ true ],"x":10e-1}}'),
    ],
)
def test_an_update_proved_to_change_nothing_is_found(data: str, before: str) -> None:
    assert difference(data, before=before).proved_none


@pytest.mark.parametrize(
    ("data", "before"),
    [
        ('{"a":1,"a":1}', '{"a":1}'),
        ('{"a":1}', '{"a":1,"a":1}'),
        ('{"a":1,"a":1}', '{"a":1,"a":1}'),
        ('{"a":null}', "{}"),
        ("{}", '{"a":null}'),
        ('{"a":0.1}', '{"a":0.10000000000000000001}'),
        ('{"a":1}', '{"a":true}'),
        ('{"a":{"b":1,"b":1}}', '{"a":{"b":1}}'),
    ],
)
def test_in_doubt_it_changed(data: str, before: str) -> None:
    found = difference(data, before=before)
    assert found.changed == ("a",)
    assert not found.proved_none


def test_prior_values_that_prove_equal_are_cut() -> None:
    found = difference('{"a":1,"b":2}', previous='{"a":1.0,"b":3,"gone":"x"}')
    assert found.changed == ("b", "gone")
    assert found.previous == b'{"b":3,"gone":"x"}'


def test_a_field_named_without_a_prior_value_is_changed_and_left_out_of_previous() -> None:
    found = difference('{"a":1,"b":2}', previous='{"b":3}', named=["a", "b", "a"])
    assert found.changed == ("b", "a")
    assert found.previous == b'{"b":3}'


def test_names_alone_are_taken_at_their_word() -> None:
    assert difference('{"a":1}', named=["a", "b", "a"]) == Difference(("a", "b"), b"{}")


def test_a_proof_counts_for_more_than_a_name() -> None:
    assert difference('{"a":1}', before='{"a":1}', named=["a"]).proved_none
    assert difference('{"a":1,"b":1}', before='{"a":1,"b":2}', named=[]).changed == ("b",)


def test_a_name_that_neither_record_knows_can_not_be_proved_unchanged() -> None:
    found = difference('{"a":1}', before='{"a":1}', named=["computed"])
    assert found == Difference(("computed",), b"{}")


@pytest.mark.parametrize(
    ("previous", "named", "suppressed"),
    [
        (None, [], True),
        ('{"a":1}', [], True),
        ("{}", [], True),
        ('{"a":2}', [], False),
        ('{"a":1}', None, False),
        ("{}", None, False),
        ('{"a":1}', ["b"], False),
        ('{"a":1,"a":1}', [], False),
    ],
)
def test_without_before_only_an_explicitly_empty_list_of_names_can_prove_nothing_changed(
    previous: str | None, named: list[str] | None, suppressed: bool
) -> None:
    assert difference('{"a":1}', previous=previous, named=named).proved_none is suppressed


_RECORDS = st.dictionaries(
    st.sampled_from(["a", "b", "c", 'd"', "é:"]),
    st.sampled_from([0, 1, -1, True, None, "1", "é", [1], [1, 2], {"x": 1}, {"x": [None]}]),
    max_size=5,
)


@given(_RECORDS, _RECORDS, st.booleans(), st.booleans())
def test_previous_undoes_what_changed(
    after: dict[str, Any], before: dict[str, Any], spaced: bool, escaped: bool
) -> None:
    data = json.dumps(after, separators=(", ", ": ") if spaced else (",", ":"))
    prior = json.dumps(before, ensure_ascii=escaped, sort_keys=True)
    found = difference(data, before=prior)
    previous = json.loads(found.previous)
    assert found.changed is not None
    assert set(previous) == set(found.changed)
    undone = {name: value for name, value in after.items() if name not in previous}
    undone |= {name: value for name, value in previous.items() if name in before}
    assert json.dumps(undone, sort_keys=True) == json.dumps(before, sort_keys=True)
    assert all(previous[name] is None for name in previous if name not in before)
    assert found.proved_none is not bool(found.changed)
