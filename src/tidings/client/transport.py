"""HTTP to one server with one key, in both colours: the only code here that does I/O."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, closing
from ipaddress import ip_address
from typing import Any, Protocol, TypeVar

import httpx

from tidings.client.patience import Conversation, Pause
from tidings.client.request import Answer, Lost, Request, checked_header
from tidings.domain.limits import ANSWER_BYTES, ANSWER_SECONDS
from tidings.errors import InvalidArgument, ServerFault

T = TypeVar("T")

TIMEOUT = httpx.Timeout(75.0, connect=10.0)
"""Seconds for each read or write: longer than the longest `wait_seconds` (30 s) and a busy log."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_OWN_FAULTS = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)


class Clock(Protocol):
    """Says how long something takes."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""


class Server:
    """Where the server is, and the key that is shown to it."""

    def __init__(self, url: str, key: str) -> None:
        try:
            self.url = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise InvalidArgument("url", f"The server's URL can't be read: {error}.") from None
        if self.url.scheme not in {"http", "https"} or not self.url.host:
            raise InvalidArgument("url", "The server's URL is http://… or https://….")
        self._key = checked_header("key", key)

    def settings(self) -> dict[str, Any]:
        """Return what both of httpx's clients are made with."""
        return {
            "base_url": self.url,
            "timeout": TIMEOUT,
            # Where there is no TLS, the authorities' certificates needn't be read: 40 ms.
            "verify": self.url.scheme == "https",
            "trust_env": not _is_loopback(self.url.host),
        }

    def parts(self, request: Request[T]) -> dict[str, Any]:
        """Return a request but for its content."""
        authorization = f"{request.scheme} {self._key}"
        return {
            "method": request.method,
            "url": request.path,
            "headers": {"Authorization": authorization, **request.headers},
            "params": request.params,
        }

    def lost(self, error: httpx.RequestError, seconds: float) -> Lost:
        """Return what it means that a request failed. Raises ServerFault, InvalidArgument."""
        reason = str(error) or type(error).__name__
        if isinstance(error, _NOT_SENT):
            said = f"No server answers at {self.url} ({reason})."
            return Lost(sent=False, message=said, seconds=seconds)
        if isinstance(error, _OWN_FAULTS):
            raise InvalidArgument("request", f"It can't be sent: {reason}.") from None
        if isinstance(error, httpx.DecodingError):
            raise ServerFault(f"The server's answer can't be unpacked ({reason}).") from None
        said = f"The connection to {self.url} was lost ({reason})."
        return Lost(sent=True, message=said, seconds=seconds)


class _Body:
    """An answer's bytes as they come, within bounds."""

    def __init__(self, clock: Clock) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._clock = clock
        self._ends_at = clock.monotonic() + ANSWER_SECONDS

    def take(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises ServerFault where there are too many, ReadTimeout where they come for too long.
        """
        if self._clock.monotonic() > self._ends_at:
            raise httpx.ReadTimeout(f"the answer took over {ANSWER_SECONDS:g} s")
        self._size += len(piece)
        if self._size > ANSWER_BYTES:
            raise ServerFault("The server's answer is larger than any of this API's.")
        self._pieces.append(piece)

    @property
    def whole(self) -> bytes:
        """All of them."""
        return b"".join(self._pieces)


class Transport:
    """Requests from a thread; `pause` waits."""

    def __init__(
        self,
        server: Server,
        clock: Clock,
        pause: Callable[[float], None],
        inner: httpx.BaseTransport | None,
    ) -> None:
        self._server = server
        self._clock = clock
        self._pause = pause
        self._http = httpx.Client(transport=inner, **server.settings())

    def close(self) -> None:
        """Close the connections. Twice is fine."""
        self._http.close()

    def play(self, request: Request[T], conversation: Conversation[T]) -> T:
        """Do what a conversation says until it returns."""
        step = next(conversation)
        while True:
            outcome = None
            if isinstance(step, Pause):
                self._pause(step.seconds)
            else:
                outcome = self._send(request)
            try:
                step = conversation.send(outcome)
            except StopIteration as done:
                result: T = done.value
                return result

    def _send(self, request: Request[T]) -> Answer | Lost:
        content = request.body if isinstance(request.body, bytes) else request.body()
        if isinstance(content, AsyncIterable):
            raise TypeError("a blocking client can't send pieces that are made asynchronously")
        made = self._http.build_request(content=content, **self._server.parts(request))
        began = self._clock.monotonic()
        try:
            response = self._http.send(made, stream=True)
            body = _Body(self._clock)
            with closing(response):
                for piece in response.iter_bytes():
                    body.take(piece)
        except httpx.RequestError as error:
            return self._server.lost(error, self._clock.monotonic() - began)
        seconds = self._clock.monotonic() - began
        return Answer(response.status_code, response.headers, body.whole, seconds)


class AsyncTransport:
    """Requests from an event loop; `pause` waits."""

    def __init__(
        self,
        server: Server,
        clock: Clock,
        pause: Callable[[float], Awaitable[object]],
        inner: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._server = server
        self._clock = clock
        self._pause = pause
        self._http = httpx.AsyncClient(transport=inner, **server.settings())

    async def close(self) -> None:
        """Close the connections. Twice is fine."""
        await self._http.aclose()

    async def play(self, request: Request[T], conversation: Conversation[T]) -> T:
        """Do what a conversation says until it returns."""
        step = next(conversation)
        while True:
            outcome = None
            if isinstance(step, Pause):
                await self._pause(step.seconds)
            else:
                outcome = await self._send(request)
            try:
                step = conversation.send(outcome)
            except StopIteration as done:
                result: T = done.value
                return result

    async def _send(self, request: Request[T]) -> Answer | Lost:
        content = request.body if isinstance(request.body, bytes) else _asynchronous(request.body())
        made = self._http.build_request(content=content, **self._server.parts(request))
        began = self._clock.monotonic()
        try:
            response = await self._http.send(made, stream=True)
            body = _Body(self._clock)
            async with aclosing(response):
                async for piece in response.aiter_bytes():
                    body.take(piece)
        except httpx.RequestError as error:
            return self._server.lost(error, self._clock.monotonic() - began)
        seconds = self._clock.monotonic() - began
        return Answer(response.status_code, response.headers, body.whole, seconds)


async def _asynchronous(pieces: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(pieces, AsyncIterable):
        async for piece in pieces:
            yield piece
    else:
        for piece in pieces:
            yield piece


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
