"""When two values, or two records, are the same (mechanics L5): in doubt, they are not.

Values are compared as the bytes that the publisher sent, and decoded only where those differ.
Nothing is ever turned into a float or a big integer: `1e999999999` is a legal number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

import msgspec

from tidings.domain.json_text import decode_json

_EXPONENT_DIGITS = 18
"""A longer exponent isn't computed with: such a number equals only its own bytes."""
_NUMBER = re.compile(
    r"(?P<sign>-?)(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]+))?(?:[eE](?P<exponent>[-+]?[0-9]+))?"
)

Fields = Mapping[str, msgspec.Raw]
_NUMBER_STARTS = frozenset(b"%c" % byte for byte in b"-0123456789")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Number(msgspec.Struct, frozen=True):
    """A number's exact value: its digits, without zeros at either end, times 10^exponent."""

    negative: bool
    digits: str
    exponent: int


_ZERO = Number(False, "", 0)


class _Incomparable:
    """A value that equals nothing but itself, and no other value is itself."""


def split_fields(raw: msgspec.Raw) -> tuple[dict[str, msgspec.Raw], frozenset[str]]:
    """Split an object into its fields' bytes; also return the names that it has twice.

    Raises InvalidArgument or MalformedRequest where `raw` is no object.
    """
    fields = decode_json(_FIELDS, raw)
    return fields, _repeated(raw, fields)


def same_value(one: msgspec.Raw, other: msgspec.Raw) -> bool:
    """Whether two JSON values are proved equal (mechanics L5).

    The same bytes are the same value. Otherwise strings by decoded text, numbers by exact decimal
    value, booleans never numbers, containers recursively, objects in any order of keys; an object
    that has a key twice equals no other.
    """
    return one == other or _same_meaning(bytes(one), bytes(other))


def _same_meaning(one: bytes, other: bytes) -> bool:
    """Compare two values whose bytes differ."""
    kind = one[:1]
    if kind == b'"' and b"\\" not in one and b"\\" not in other:
        # Without escapes a string is its bytes. (Most changed values end here, undecoded.)
        return False
    if kind in _NUMBER_STARTS:
        return other[:1] in _NUMBER_STARTS and _decoded(one) == _decoded(other)
    return kind == other[:1] and _decoded(one) == _decoded(other)


def _number(text: str) -> Number | _Incomparable:
    """Return a number's exact value, by moving its point only."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return _Incomparable()
    part = found["part"] or ""
    digits = (found["whole"] + part).lstrip("0")
    if not digits:
        return _ZERO
    exponent = found["exponent"] or ""
    # Zeros go first: int() refuses thousands of digits, also where they are all zeros.
    magnitude = exponent.lstrip("+-0") or "0"
    if len(magnitude) > _EXPONENT_DIGITS:
        return _Incomparable()
    power = -int(magnitude) if exponent.startswith("-") else int(magnitude)
    shortest = digits.rstrip("0")
    scale = power - len(part) + len(digits) - len(shortest)
    return Number(found["sign"] == "-", shortest, scale)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object] | _Incomparable:
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else _Incomparable()


_DECODER = json.JSONDecoder(parse_int=_number, parse_float=_number, object_pairs_hook=_object)


def _decoded(raw: bytes) -> object:
    """Decode a value so that Python's == on it says what L5 says."""
    return _DECODER.decode(raw.decode())


def _repeated(raw: msgspec.Raw, fields: Fields) -> frozenset[str]:
    """Return the names that an object has twice; a decoder silently keeps the last of each.

    Each member has a colon of its own beside those in its name and its value. So where there are
    no more than the kept fields and their values account for, no member was dropped. Otherwise (a
    name may hold a colon) it is looked at exactly.
    """
    text = bytes(raw)
    if text.count(b":") == len(fields) + b"".join(fields.values()).count(b":"):
        return frozenset()
    return _twice(_names(text))


def _names(text: bytes) -> Iterable[str]:
    """Return the names of an object's own members, in order, as often as they stand there."""
    # Pairs are gathered from the innermost object out, so the last ones are the object's own.
    latest: list[str] = []

    def gather(pairs: list[tuple[str, object]]) -> None:
        nonlocal latest
        latest = [name for name, _ in pairs]

    json.loads(text.decode(), parse_int=str, parse_float=str, object_pairs_hook=gather)
    return latest


def _twice(names: Iterable[str]) -> frozenset[str]:
    seen: set[str] = set()
    twice: set[str] = set()
    for name in names:
        (twice if name in seen else seen).add(name)
    return frozenset(twice)
