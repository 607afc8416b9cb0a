"""One client connection: hung up on where the client doesn't get to the point."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import httptools
import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tidings.api.problem import MEDIA_TYPE
from tidings.api.unavailable import respond_unavailable
from tidings.domain.limits import HEAD_BYTES, HEAD_SECONDS


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol, with a deadline and a size for each request's head.

    uvicorn limits only the pause between two requests: a connection that sends no head, half of
    one, or blank lines would be held for ever, and the connections are counted. Bodies have their
    own deadline where they are read; the rest of a body that nobody reads any more has this one.

    A wish to speak another protocol is passed over, as RFC 9110 7.8 lets a server do: clients in
    the field (Java's, `curl --http2`) ask each http:// server for HTTP/2 beside a whole request.

    What uvicorn says in plain text is said as the contracts have it (1.8, 3.2).
    """

    _deadline: asyncio.TimerHandle | None = None
    _head_is_due = True
    _head_bytes = 0
    _answering = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being answered, and nothing answered is still to be sent."""
        return not self._answering and not self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with the first head's time."""
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; what they leave of a head, be it a blank line, begins its time.

        Nearly every head is whole in one read: none of those has a timer made and dropped.
        """
        self._unset_keepalive_if_required()
        if self._head_is_due:
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_as_http(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("This is no valid HTTP/1.1 request.")
        else:
            # Counted by whole reads, so a head that came in one of them may have been larger.
            if self._head_bytes > HEAD_BYTES:
                message = f"The request's head has more than {HEAD_BYTES} bytes."
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message)
            elif self._head_bytes and self._deadline is None:
                self._begin()

    def on_message_begin(self) -> None:
        """A head begins, perhaps in the same bytes in which the last request ended."""
        super().on_message_begin()
        if not self._head_bytes and self._deadline is None:
            self._begin()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._head_is_due = False
        self._head_bytes = 0
        self._end()
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there; what comes next is another head."""
        self._head_is_due = True
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is written; a body that isn't wanted any more has to end soon."""
        self._answering = False
        super().on_response_complete()
        if not self._head_is_due and self._deadline is None and not self.transport.is_closing():
            self._begin()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, and hang up."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        if self.transport.is_closing():
            return
        if not self._answering:
            problem = {"type": "about:blank", "title": status.phrase, "status": status.value}
            body = msgspec.json.encode(problem | {"detail": message})
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {MEDIA_TYPE}\r\n"
            head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            self.transport.write(head.encode() + body)
        # Into the midst of another answer nothing can be said.
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        """Begin to answer; where uvicorn won't, because too many are connected, say so."""
        self._answering = True
        busy = app is service_unavailable
        super()._start_asgi_task(cycle, _too_many_connections if busy else app)  # type: ignore[arg-type]

    def _go_on_as_http(self, rest: bytes) -> None:
        """Read a head that wishes for an upgrade once more without the wish, and what follows it.

        The parser stops behind such a head: it would take the request's body for the other
        protocol.
        """
        if self.parser.get_method() == b"CONNECT":
            self.send_400_response("This is no proxy.")
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*lines, b"", rest]))

    def _begin(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._hang_up)

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


async def _too_many_connections(scope: Scope, receive: Receive, send: Send) -> None:
    await respond_unavailable(scope, send, "too many clients are connected; try again")
