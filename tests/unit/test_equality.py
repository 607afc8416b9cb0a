"""Two values are the same only if that is proved (mechanics L5)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from tidings.domain.equality import same_value, split_fields

_NUMBERS = st.one_of(
    st.integers().map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,4})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)


def _strings(draw: st.DrawFn) -> str:
    """Print a string with each character escaped or not."""
    text = draw(st.text(alphabet='aé"\\/\n😀', max_size=4))
    printed = [json.dumps(char, ensure_ascii=draw(st.booleans()))[1:-1] for char in text]
    return '"' + "".join(printed) + '"'


def _containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    keys = st.sampled_from(['"a"', '"b"', '"\\u0061"', '"c"'])
    members = st.lists(st.tuples(keys, st.sampled_from([":", " : "]), inner), max_size=3)
    objects = members.map(lambda found: "{" + ",".join(k + c + v for k, c, v in found) + "}")
    lists = st.lists(inner, max_size=3).map(lambda found: "[" + ", ".join(found) + "]")
    return objects | lists


_VALUES = st.recursive(
    st.sampled_from(["null", "true", "false", "0", "1", '"1"', '""', "[]", "{}"])
    | _NUMBERS
    | st.composite(_strings)(),
    _containers,
    max_leaves=6,
)


class _Twice(Exception):
    """The model's answer to an object that has a key twice."""


def _model(text: str) -> Any:
    """Decode to something that is the same only where the values are, slowly and plainly."""

    def unique(pairs: list[tuple[str, Any]]) -> tuple[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise _Twice
        return ("object", {name: _typed(value) for name, value in pairs})

    return _typed(
        json.loads(text, parse_int=Decimal, parse_float=Decimal, object_pairs_hook=unique)
    )


def _typed(value: Any) -> Any:
    if isinstance(value, list):
        return ("array", [_typed(item) for item in value])
    if isinstance(value, Decimal):
        return ("number", value)
    return (type(value).__name__, value)


@given(_VALUES, _VALUES)
@example("1", "1.0")
@example("-0", "0e5")
@example("[1,true]", "[1,1]")
@example('{"a":1,"b":2}', '{"b":2.0,"\\u0061":1}')
@example('"\\u00e9"', '"é"')
def test_values_are_the_same_where_a_slow_plain_model_says_so(one: str, other: str) -> None:
    try:
        expected = one == other or _model(one) == _model(other)
    except _Twice:
        expected = one == other
    assert same_value(Raw(one.encode()), Raw(other.encode())) is expected
    assert same_value(Raw(other.encode()), Raw(one.encode())) is expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0.1", "0.10000000000000000001", False),
        ("0.1", "1e-1", True),
        ("1e400", "10e399", True),
        ("1e400", "1e401", False),
        ("1e999999999", "10e999999998", True),
        ("1e999999999", "1e999999998", False),
        ("1e-999999999", "0", False),
        ("0e999999999999999999999999", "0", True),
        ("1e99999999999999999999", "10e99999999999999999998", False),
        ("9007199254740993", "9007199254740992", False),
        ("9007199254740993", "9007199254740993.0", True),
        ("1", "true", False),
        ("0", "false", False),
        ("0", "null", False),
        ('"1"', "1", False),
        ('{"a":1,"a":1}', '{"a":1}', False),
        ('{"a":1,"\\u0061":1}', '{"a":1}', False),
        ('[{"a":1,"a":1}]', '[{"a":1,"a":1 }]', False),
        ("[1,2]", "[2,1]", False),
        ("[1,2]", "[1, 2]", True),
        ('{"a":{"b":1.0}}', '{"a": {"b":1}}', True),
        ('"a\\/b"', '"a/b"', True),
        ('"\\ud83d\\ude00"', '"😀"', True),
        ('"é"', '"e\\u0301"', False),
    ],
)
def test_equality_is_exact(one: str, other: str, same: bool) -> None:
    assert same_value(Raw(one.encode()), Raw(other.encode())) is same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1" + "0" * 200_000, "1e200000"),
        ("0." + "0" * 200_000 + "1", "1e-200001"),
        ("1e" + "0" * 200_000 + "3", "1000"),
        ("1e-" + "0" * 200_000, "1"),
    ],
)
def test_a_number_of_any_length_is_compared_without_being_made(one: str, other: str) -> None:
    assert same_value(Raw(one.encode()), Raw(other.encode()))


_NAMES = st.sampled_from(["a", "b", "a:", ":", "", "é"])
_FIELD_VALUES = st.sampled_from(["1", '":"', '{"a":1,"a":2}', '[{"b":":"}]', '"\\""', "{}"])


@given(
    st.lists(st.tuples(_NAMES, _FIELD_VALUES), max_size=5),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]),
    st.booleans(),
)
def test_fields_are_split_with_their_bytes_and_repeated_names_are_found(
    members: list[tuple[str, str]], separators: tuple[str, str], escaped: bool
) -> None:
    comma, colon = separators

    def name_text(name: str) -> str:
        if escaped:
            return '"' + "".join(f"\\u{ord(char):04x}" for char in name) + '"'
        return f'"{name}"'

    raw = "{" + comma.join(name_text(name) + colon + value for name, value in members) + "}"
    fields, twice = split_fields(Raw(raw.encode()))
    names = [name for name, _ in members]
    assert {name: bytes(value).decode() for name, value in fields.items()} == dict(members)
    assert twice == {name for name in names if names.count(name) > 1}
