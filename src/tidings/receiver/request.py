"""A request as every framework hands it over, and the answer that every framework gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was read to its end, or as far as it may be read.

    `headers` have their names in lower case; a header that came more than once has its values
    joined by commas. `body` is None where it is larger than the receiver takes.
    """

    method: str = "POST"
    headers: Mapping[str, str]
    body: bytes | None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the sender is told."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


def refusal(status: HTTPStatus, sentence: str, *headers: tuple[str, str]) -> Answer:
    """Return an answer that says why not, and nothing of what was sent."""
    typed = ("Content-Type", "text/plain; charset=utf-8")
    return Answer(status=status, headers=(typed, *headers), body=f"{sentence}\n".encode())


def joined_headers(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return headers by their names in lower case."""
    found = {name.lower(): value for name, value in pairs}
    if len(found) == len(pairs):
        return found
    joined: dict[str, str] = {}
    for name, value in pairs:
        lowered = name.lower()
        joined[lowered] = f"{joined[lowered]},{value}" if lowered in joined else value
    return joined
