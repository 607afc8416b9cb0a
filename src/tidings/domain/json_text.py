"""JSON from strangers: what is checked before it is decoded, and errors that name the field.

msgspec checks the grammar of what it skips into `Raw`, but not that it is UTF-8, and it recurses:
so both are looked at first (contract 3.2: depth 64).
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TypeVar

import msgspec

from tidings.errors import InvalidArgument, MalformedRequest, RequestError

T = TypeVar("T")

_BRACKETS_TO_STEPS = bytes.maketrans(b"{[}]", b"\x01\x01\xff\xff")
_NO_BRACKET_OR_QUOTE = bytes(byte for byte in range(256) if byte not in b'{[}]"')
_SHORT_BYTES = 2_048
_PEELS = 3
"""Layers of innermost containers that are taken off whole, which is faster than walking them."""
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>[^`]*)`$")
_NAMED = re.compile(r"`([^`]*)`")
_JSON_NAMES = {"str": "string", "int": "whole number", "float": "number", "bool": "boolean"}


def check_json_text(raw: bytes, *, max_depth: int, argument: str | None = None) -> None:
    """Return if `raw` is UTF-8 and nests at most `max_depth` containers.

    Linear in time and without recursion, whatever it is given; text that isn't JSON at all may
    pass, since the decoder refuses it. Raises MalformedRequest, or InvalidArgument where an
    `argument` is to be named.
    """
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            raise _refusal(argument, "not UTF-8") from None
    # In a short text the opening brackets bound the depth well enough, and are quickly counted.
    short = len(raw) <= _SHORT_BYTES and raw.count(b"{") + raw.count(b"[") <= max_depth
    if not short and json_depth(raw) > max_depth:
        raise _refusal(argument, f"nested more than {max_depth} deep")


def json_depth(raw: bytes) -> int:
    """Return how deep the containers of a JSON text nest: 0 for a scalar.

    Of text that isn't JSON it never returns less than its brackets nest.
    """
    # Backslashes stand in strings only; without their pairs every quote left opens or closes one.
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    kept = raw.translate(_BRACKETS_TO_STEPS, _NO_BRACKET_OR_QUOTE)
    # Two quotes side by side change nothing for what stands around them, whichever they are.
    kept = kept.replace(b'""', b"")
    if b'"' in kept:
        kept = b"".join(kept.split(b'"')[::2])
    peeled = 0
    while peeled < _PEELS and b"\x01\xff" in kept:
        kept = kept.replace(b"\x01\xff", b"")
        peeled += 1
    return peeled + max(accumulate(memoryview(kept).cast("b")), default=0)


def decode_json(decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw) -> T:
    """Decode `raw`, which passed `check_json_text`.

    Raises MalformedRequest for what isn't JSON, and InvalidArgument, naming the path, where a
    value has the wrong type.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRequest(f"the JSON can't be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return str(error).removeprefix("JSON is malformed: ")


def _refusal(argument: str | None, what: str) -> RequestError:
    if argument is None:
        return MalformedRequest(f"the JSON is {what}")
    return InvalidArgument(argument, f"{argument} is {what}")


def _explained(text: str) -> RequestError:
    """Turn msgspec's sentence, which names Python's types, into ours, which names JSON's."""
    found = _PLACE.match(text)
    what, path = (found["what"], found["path"]) if found else (text, None)
    place = (path or "$").removeprefix("$").removeprefix(".")
    missing = _MISSING.match(what)
    if missing:
        argument = f"{place}.{missing['name']}" if place else missing["name"]
        return InvalidArgument(argument, f"{argument} is required")
    what = _NAMED.sub(lambda name: _json_names(name[1]), what)
    what = what[:1].lower() + what[1:]
    if not place or place.startswith("["):
        # No member, or one that msgspec doesn't name: a number of thousands of digits in it.
        return MalformedRequest(f"the JSON is wrong: {what}")
    return InvalidArgument(place, f"{place}: {what}")


def _json_names(types: str) -> str:
    names = (_JSON_NAMES.get(name.strip(), name.strip()) for name in types.split("|"))
    return " or ".join(names)
