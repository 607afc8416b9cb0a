"""Reading what a client sends: plain or gzip, bounded in size, time and memory (contract 3.2)."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator

from starlette.types import Receive, Scope

from tidings.api.held_bytes import Hold
from tidings.domain.limits import BODY_PIECE_BYTES, BODY_SECONDS
from tidings.errors import MalformedRequest, TooLarge, UnsupportedMediaType
from tidings.ports import Clock


def header(scope: Scope, name: bytes) -> str | None:
    """Return a request header's value (the first of that name, in lower case), or None."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def media_type(scope: Scope) -> str:
    """Return the request's media type, in lower case and without parameters; empty for none.

    Raises UnsupportedMediaType for a charset other than UTF-8.
    """
    kind, *parameters = (header(scope, b"content-type") or "").lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise UnsupportedMediaType("the charset must be utf-8")
    return kind.strip()


async def read_body(
    scope: Scope, receive: Receive, clock: Clock, *, max_bytes: int, hold: Hold | None = None
) -> bytes:
    """Return the whole body, unpacked. `hold` is told of its bytes before they are kept.

    Raises TooLarge when it is, or unpacks to, more than `max_bytes`; UnsupportedMediaType for a
    Content-Encoding that isn't gzip; MalformedRequest for broken gzip, for a client that goes
    away, and for one that takes more than BODY_SECONDS in all; and what `hold` raises.
    """
    gunzip = _gunzip_of(scope)
    announced = header(scope, b"content-length")
    if announced is not None and announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    pieces: list[bytes] = []
    size = 0
    with _TimeLimit(clock):
        more = True
        while more:
            piece, more = await _next_piece(receive)
            # A piece of a bomb is cut at one byte past the limit, never unpacked whole.
            for part in gunzip.unpack(piece) if gunzip else (piece,):
                size += len(part)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                if hold is not None:
                    hold(len(part))
                pieces.append(part)
    if gunzip:
        gunzip.check_ended()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def read_pieces(scope: Scope, receive: Receive, clock: Clock) -> AsyncIterator[bytes]:
    """Yield the body, unpacked, in pieces of bounded size, as it comes.

    Raises UnsupportedMediaType and MalformedRequest as `read_body` does; each piece that the
    client sends has BODY_SECONDS of its own.
    """
    gunzip = _gunzip_of(scope)
    more = True
    while more:
        with _TimeLimit(clock):
            piece, more = await _next_piece(receive)
        for part in gunzip.unpack(piece) if gunzip else (piece,):
            yield part
            # A few bytes may unpack to gigabytes: others get their turn in between.
            await asyncio.sleep(0)
    if gunzip:
        gunzip.check_ended()


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"the body is larger than {max_bytes} bytes, unpacked")


async def _next_piece(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise MalformedRequest("the client went away before the body's end")
    return message.get("body", b""), message.get("more_body", False)


class _TimeLimit:
    """A `with` whose body raises MalformedRequest after BODY_SECONDS of this clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expired = False
        self._watch: asyncio.Future[None] | None = None

    def __enter__(self) -> None:
        self._waiting = asyncio.current_task()
        # Most bodies are here already: then the loop doesn't turn, and no watch is ever set up.
        self._start = asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._watch = asyncio.ensure_future(self._expire())

    async def _expire(self) -> None:
        await self._clock.sleep(BODY_SECONDS)
        self._expired = True
        if self._waiting is not None:
            self._waiting.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._start.cancel()
        if self._watch is not None:
            self._watch.cancel()
        ours = kind is asyncio.CancelledError and self._expired
        # Unless somebody else wants this task to end as well.
        if ours and self._waiting is not None and self._waiting.uncancel() == 0:
            seconds = f"{BODY_SECONDS:.0f} seconds"
            raise MalformedRequest(f"the body didn't come within {seconds}") from None


def _gunzip_of(scope: Scope) -> _Gunzip | None:
    encoding = (header(scope, b"content-encoding") or "identity").strip().lower()
    if encoding == "identity":
        return None
    if encoding in ("gzip", "x-gzip"):
        return _Gunzip()
    raise UnsupportedMediaType("Content-Encoding must be gzip, or left out")


class _Gunzip:
    """Unpacks gzip (one member or several, RFC 1952) in parts of at most BODY_PIECE_BYTES."""

    def __init__(self) -> None:
        self._member = _new_member()
        self._begun = False

    def unpack(self, packed: bytes) -> Iterator[bytes]:
        """Yield what these bytes unpack to, a bounded part at a time."""
        while packed:
            if self._member.eof:
                self._member = _new_member()
            self._begun = True
            try:
                part = self._member.decompress(packed, BODY_PIECE_BYTES)
            except zlib.error as error:
                raise MalformedRequest("the body isn't valid gzip") from error
            if part:
                yield part
            packed = self._member.unconsumed_tail or self._member.unused_data

    def check_ended(self) -> None:
        """Raise MalformedRequest if the body ended in the middle of a member."""
        if self._begun and not self._member.eof:
            raise MalformedRequest("the gzip body is cut off")


def _new_member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
