"""One call as data: what is sent, and how its answer is read. No I/O."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Generic, TypeVar

import msgspec

from tidings.errors import InvalidArgument, ServerFault, Unavailable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Pieces = Callable[[], Iterable[bytes]] | Callable[[], AsyncIterable[bytes]]
"""Makes a body's pieces anew for every try."""
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What came back; `headers` are looked up without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0.0
    """How long it took to come."""


@dataclass(frozen=True)
class Lost:
    """No answer came. Where the request wasn't `sent`, nothing can have been done."""

    sent: bool
    message: str
    seconds: float = 0.0
    """After which it was given up."""


@dataclass(frozen=True)
class Request(Generic[T_co]):
    """One call. `service` is what a rate limit is counted for; `scheme` that of Authorization."""

    method: str
    path: str
    read: Callable[[Answer], T_co]
    service: str
    body: bytes | Pieces = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    accepted: frozenset[int] = frozenset({HTTPStatus.OK})
    repeatable: bool = True
    """Whether it may be sent again although it may have been done already."""
    scheme: str = "Token"


def reading(kind: type[T]) -> Callable[[Answer], T]:
    """Return what reads an answer's JSON as `kind`; see `decoded`."""
    return lambda answer: decoded(answer, kind)


def decoded(answer: Answer, kind: type[T]) -> T:
    """Return an answer's JSON as `kind`; raises what `decoded_by` does."""
    return decoded_by(answer, lambda body: msgspec.json.decode(body, type=kind))


def decoded_by(answer: Answer, decode: Callable[[bytes], T]) -> T:
    """Return an answer's JSON as `decode` reads it.

    Raises ServerFault where it can't be, Unavailable where it isn't JSON by its own word: then
    something else answered.
    """
    try:
        return decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if "json" in answer.headers.get("content-type", ""):
            raise ServerFault("The server's answer isn't one of this API's.") from None
        raise Unavailable("The answer isn't a Tidings server's: is the URL right?") from None


def checked_header(argument: str, value: str) -> str:
    """Return a value that may stand in a header: 1 to 255 printable ASCII characters.

    Raises InvalidArgument.
    """
    if not (1 <= len(value) <= 255 and value.isascii() and value.isprintable()):
        raise InvalidArgument(argument, f"{argument} is 1 to 255 printable ASCII characters.")
    return value
