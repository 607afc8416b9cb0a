"""Clients that don't get to the point, over real sockets: each is hung up on in time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from tidings.api.connection import BoundedHttp
from tidings.domain.limits import HEAD_BYTES

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 0.3
BOUND_SECONDS = 10.0
GET = b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body's length, or, at /quick, without reading it."""
    size, more = 0, scope["path"] != "/quick"
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Http(uvicorn.Server):
    """uvicorn without its signals, as `serve` runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr("tidings.api.connection.HEAD_SECONDS", DEADLINE_SECONDS)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        answer, http=BoundedHttp, lifespan="off", log_config=None, timeout_keep_alive=60
    )
    server = Http(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving


async def said_until_hung_up(port: int, *pieces: bytes, drip: bytes = b"") -> bytes:
    """Send pieces, then `drip` again and again; return all that came until the server hung up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def dripping() -> None:
        with contextlib.suppress(OSError):
            while drip:
                writer.write(drip)
                await writer.drain()
                await asyncio.sleep(DEADLINE_SECONDS / 10)

    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    dripped = asyncio.create_task(dripping())
    said = b""
    try:
        async with asyncio.timeout(BOUND_SECONDS):
            with contextlib.suppress(ConnectionResetError):
                while piece := await reader.read(65_536):
                    said += piece
    finally:
        dripped.cancel()
        writer.close()
    return said


async def test_a_client_that_says_nothing_is_hung_up_on(port: int) -> None:
    assert await said_until_hung_up(port) == b""


async def test_a_client_that_stops_in_the_middle_of_a_head_is_hung_up_on(port: int) -> None:
    assert await said_until_hung_up(port, GET[:-2]) == b""


async def test_a_client_that_drips_a_head_is_hung_up_on(port: int) -> None:
    assert await said_until_hung_up(port, GET[:-2], drip=b"X-More: x\r\n") == b""


async def test_blank_lines_between_requests_hold_no_connection(port: int) -> None:
    said = await said_until_hung_up(port, GET, drip=b"\r\n")
    assert said.count(b"HTTP/1.1 200") == 1


async def test_a_second_head_has_a_deadline_too(port: int) -> None:
    said = await said_until_hung_up(port, GET, GET[:10])
    assert said.count(b"HTTP/1.1 200") == 1


async def test_a_body_that_nobody_reads_any_more_holds_no_connection(port: int) -> None:
    head = b"POST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    said = await said_until_hung_up(port, head, drip=b"x")
    assert said.startswith(b"HTTP/1.1 200")


async def test_a_body_may_take_longer_than_a_head_and_connections_are_kept(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(BOUND_SECONDS):
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
            for letter in b"slow":
                await asyncio.sleep(DEADLINE_SECONDS / 2)
                writer.write(bytes([letter]))
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(1) == b"4"
            # Longer than a head may take: an idle connection has the keep-alive's time.
            await asyncio.sleep(DEADLINE_SECONDS * 2)
    writer.close()


@pytest.mark.parametrize("wish", [b"h2c", b"websocket"])
async def test_a_wish_for_another_protocol_is_passed_over_and_the_request_answered(
    port: int, wish: bytes
) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    head += b"Upgrade: %b\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n" % wish
    whole = head + b"Content-Length: 5\r\n\r\nhello"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
    last = GET[:-2] + b"Connection: close\r\n\r\n"
    for request in (whole + last, chunked + last):
        # In one piece with the request after it, and cut at each byte.
        for pieces in ([request], [bytes([byte]) for byte in request]):
            said = await said_until_hung_up(port, *pieces)
            assert said.count(b"HTTP/1.1 200") == 2, said
            assert said.partition(b"\r\n\r\n")[2].startswith(b"5HTTP/1.1 200")


async def test_a_client_that_takes_this_for_a_proxy_is_refused(port: int) -> None:
    said = await said_until_hung_up(port, b"CONNECT other:443 HTTP/1.1\r\nHost: x\r\n\r\nx")
    assert said.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("started", [b"", GET, b"GET /"])
async def test_a_head_without_an_end_is_refused_in_bounded_memory(
    port: int, started: bytes
) -> None:
    line = b"X-More: %b\r\n" % (b"x" * 1_000)
    lines = [GET[:-2], *[line] * (HEAD_BYTES // len(line) + 600)]
    said = await said_until_hung_up(
        port, started, *(lines if started != b"GET /" else [b"x" * 10**6])
    )
    assert said.count(b"HTTP/1.1 200") == started.count(GET)
    refused = said.rpartition(b"HTTP/1.1 ")[2]
    assert refused.startswith(b"431 ")
    assert b"Content-Type: application/problem+json" in refused


async def test_many_requests_in_one_read_are_no_large_head(port: int) -> None:
    requests = GET * (3 * HEAD_BYTES // len(GET))
    said = await said_until_hung_up(port, requests, GET[:-2] + b"Connection: close\r\n\r\n")
    assert said.count(b"HTTP/1.1 200") == requests.count(GET) + 1


async def test_what_is_no_http_is_refused_as_a_problem(port: int) -> None:
    said = await said_until_hung_up(port, b"\x16\x03\x01 hello")
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Type: application/problem+json" in said
