"""What is checked of JSON before it is decoded, and how its errors are told."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.domain.json_text import check_json_text, decode_json, json_depth
from tidings.domain.limits import JSON_DEPTH, PUBLISH_BODY_BYTES
from tidings.errors import InvalidArgument, MalformedRequest

_TRICKY = st.text(alphabet='{}[]"\\ aé\n', max_size=12)
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | _TRICKY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TRICKY, inner, max_size=4),
    max_leaves=30,
)


def _walked_depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_walked_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_walked_depth, value), default=0)
    return 0


@given(_DOCUMENTS, st.booleans(), st.sampled_from([None, 1]))
def test_the_depth_is_that_of_the_containers_whatever_the_strings_hold(
    document: Any, escaped: bool, indent: int | None
) -> None:
    raw = json.dumps(document, ensure_ascii=escaped, indent=indent).encode()
    assert json_depth(raw) == _walked_depth(document)


@given(st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b"a", b":"]), max_size=60))
def test_what_msgspec_reads_is_never_deeper_than_the_check_said(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    try:
        document = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return
    assert json_depth(raw) == _walked_depth(document)


@pytest.mark.parametrize("around", [b"", b" " * 5_000])
def test_the_limit_of_depth_is_the_last_that_passes(around: bytes) -> None:
    def nested(depth: int) -> bytes:
        return around + b'{"a":' * depth + b"1" + b"}" * depth

    check_json_text(nested(JSON_DEPTH), max_depth=JSON_DEPTH)
    with pytest.raises(MalformedRequest, match="more than 64 deep"):
        check_json_text(nested(JSON_DEPTH + 1), max_depth=JSON_DEPTH)


def test_many_shallow_containers_are_not_deep() -> None:
    check_json_text(b"[" + b'{"a":[]},' * 1_000 + b"1]", max_depth=3)


@pytest.mark.parametrize("piece", [b"[", b"[]", b'"', b"\\", b'["', b'\\"', b'"[",', b"[}"])
def test_a_hostile_body_of_the_largest_size_is_judged_without_recursion(piece: bytes) -> None:
    raw = piece * (PUBLISH_BODY_BYTES // len(piece) // 8)
    assert json_depth(raw) >= 0


def test_what_is_not_utf_8_is_refused_also_where_it_would_be_skipped() -> None:
    with pytest.raises(MalformedRequest, match="UTF-8"):
        check_json_text(b'{"skipped":"\xff"}', max_depth=JSON_DEPTH)
    with pytest.raises(InvalidArgument) as caught:
        check_json_text(b'"\xff"', max_depth=JSON_DEPTH, argument="data")
    assert caught.value.argument == "data"


class _Inner(msgspec.Struct):
    name: str
    size: int | None = None


class _Outer(msgspec.Struct):
    inner: list[_Inner]


@pytest.mark.parametrize(
    ("raw", "argument", "says"),
    [
        (b'{"inner":[{"name":"a"},{"name":1}]}', "inner[1].name", "expected string"),
        (b'{"inner":[{"name":"a","size":1.5}]}', "inner[0].size", "whole number or null"),
        (b'{"inner":[{}]}', "inner[0].name", "is required"),
        (b"{}", "inner", "is required"),
        (b'{"inner":{}}', "inner", "expected array, got object"),
    ],
)
def test_a_wrong_type_names_its_path_and_json_s_own_types(
    raw: bytes, argument: str, says: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        decode_json(msgspec.json.Decoder(_Outer), raw)
    assert caught.value.argument == argument
    assert says in caught.value.message


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"inner":[]} x', b"nul", b'{"a":"\\ud800"}'])
def test_what_is_no_json_object_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedRequest):
        decode_json(msgspec.json.Decoder(_Outer), raw)
