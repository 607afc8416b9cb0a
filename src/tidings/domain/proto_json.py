"""Reading a request's JSON by proto3's rules, so that generated clients work (contract 1.2).

Every field is known by its snake_case and its camelCase name. `null` means absent, and so does an
empty string; whole numbers may come as strings. Unknown fields are ignored. Whatever the JSON
holds, only RequestError is raised, and it names the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from tidings.domain.json_text import check_json_text, decode_json
from tidings.domain.limits import ID_LENGTH, JSON_DEPTH
from tidings.errors import InvalidArgument

_DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=float)
"""With Python's own float `1e400` is infinite, and refused under its name, or ignored without one
of ours, where msgspec's would refuse the whole body."""
_MAX_DIGITS = 19
"""Digits of a 64-bit number; a longer one means the same as the greatest."""


@lru_cache(maxsize=1_024)
def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Message:
    """A JSON object of a request; `path` is its name there, empty for the whole."""

    __slots__ = ("_members", "path")

    def __init__(self, members: dict[str, Any], path: str = "") -> None:
        self._members = members
        self.path = path

    def name(self, field: str) -> str:
        """Return a field's full name, for errors: `webhook.filter`."""
        return f"{self.path}.{field}" if self.path else field

    def value(self, field: str) -> Any:
        """Return a field's JSON value; None where it is absent or null."""
        found = self._members.get(field)
        return self._members.get(_camel_case(field)) if found is None else found

    def text(self, field: str, *, limit: int = ID_LENGTH) -> str:
        """Return a string of at most `limit` characters; empty where it is absent."""
        value = self.value(field)
        return "" if value is None else check_text(value, self.name(field), limit)

    def required_text(self, field: str, *, limit: int = ID_LENGTH) -> str:
        """Return a string that must be there and not be blank."""
        text = self.text(field, limit=limit)
        if not text.strip():
            raise InvalidArgument(self.name(field), f"{self.name(field)} is required")
        return text

    def whole_number(self, field: str) -> int:
        """Return a whole number that isn't negative; 0 where it is absent, null or empty."""
        value = self.value(field)
        number = _whole(value)
        if number is None or number < 0:
            name = self.name(field)
            raise InvalidArgument(name, f"{name} must be a whole number that is not negative")
        return number

    def message(self, field: str) -> Message | None:
        """Return a nested object; None where it is absent or null."""
        value = self.value(field)
        if value is None:
            return None
        name = self.name(field)
        if not isinstance(value, dict):
            raise InvalidArgument(name, f"{name} must be an object")
        return Message(value, name)

    def array(self, field: str) -> list[Any] | None:
        """Return an array's elements as they are; None where it is absent or null."""
        value = self.value(field)
        if value is not None and not isinstance(value, list):
            raise InvalidArgument(self.name(field), f"{self.name(field)} must be an array")
        return value

    def texts(self, field: str, *, at_most: int) -> tuple[str, ...]:
        """Return an array of ids, none of them blank, each once; empty where it is absent."""
        name = self.name(field)
        elements = dict.fromkeys(
            check_text(element, name, ID_LENGTH) for element in self.array(field) or ()
        )
        if len(elements) > at_most:
            raise InvalidArgument(name, f"{name} must name at most {at_most}")
        if not all(element.strip() for element in elements):
            raise InvalidArgument(name, f"{name} must not hold a blank id")
        return tuple(elements)

    def only_member(self, fields: Sequence[str]) -> tuple[str, Message]:
        """Return the one of `fields` that is there, with its object (a proto3 `oneof`)."""
        present = [field for field in fields if self.value(field) is not None]
        if len(present) != 1:
            choices = ", ".join(fields)
            raise InvalidArgument(self.path, f"{self.path} must have exactly one of: {choices}")
        member = self.message(present[0])
        assert member is not None
        return present[0], member


def parse_message(raw: bytes) -> Message:
    """Read a request's body; an empty one is `{}` (contract 1.2).

    Raises MalformedRequest for what is no JSON object, no UTF-8 or too deep.
    """
    if not raw.strip():
        return Message({})
    check_json_text(raw, max_depth=JSON_DEPTH)
    return Message(decode_json(_DECODER, raw))


def check_text(value: object, name: str, limit: int) -> str:
    """Return `value` if it is a string within `limit` characters and without control characters.

    They have no place in an id, and not every database keeps a NUL.
    """
    if not isinstance(value, str):
        raise InvalidArgument(name, f"{name} must be a string")
    if len(value) > limit:
        raise InvalidArgument(name, f"{name} must have at most {limit} characters")
    if not value.isprintable() and any(ord(sign) < 32 or ord(sign) == 127 for sign in value):
        raise InvalidArgument(name, f"{name} must not hold control characters")
    return value


def _whole(value: object) -> int | None:
    """Return a JSON value as a whole number, or None where it is none."""
    if value is None or value == "":
        return 0
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit()):
            return None
        return int(value[: _MAX_DIGITS + 1]) if len(value) > _MAX_DIGITS else int(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return None
