"""What an endpoint gets, and what its answer counts as, be it good or garbage."""

from __future__ import annotations

import asyncio

import pytest

from tests.acceptance.sender.sending import (
    post,
    send,
)
from tidings.domain.limits import RESPONSE_BYTES
from tidings.sender import CurlSender
from tidings.testing.endpoint import Answer, ScriptedEndpoint

pytestmark = pytest.mark.anyio


async def test_an_endpoint_gets_exactly_what_was_asked_to_be_sent(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    outcome = await send(sender, endpoint.url("/hook/../x?a=%20b"))

    [request] = endpoint.requests
    assert (request.method, request.target) == ("POST", "/hook/../x?a=%20b")
    assert request.body == b'{"a":1}'
    assert request.headers.pop("user-agent").startswith("tidings/")  # type: ignore[attr-defined]
    assert request.headers == {
        "host": f"127.0.0.1:{endpoint.port}",
        "accept": "*/*",
        "content-type": "application/json",
        "webhook-id": "w.1",
        "content-length": "7",
    }
    assert (outcome.status, outcome.error, outcome.unreachable) == (200, None, False)
    assert outcome.elapsed_seconds > 0


async def test_an_answer_comes_back_with_its_headers_and_body(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(
        Answer(status=503, headers=(("Retry-After", "1"), ("RETRY-AFTER", "120")), body=b"busy")
    )
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.body) == (503, b"busy")
    assert outcome.headers["retry-after"] == "120"
    assert outcome.error == "The endpoint answered 503."


async def test_connections_are_kept_and_used_again(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    for _ in range(20):
        assert (await send(sender, endpoint.url())).status == 200
    assert endpoint.connections == 1


async def test_a_kept_connection_that_the_endpoint_closed_costs_no_failure(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    farewell = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    for _ in range(5):
        endpoint.script(Answer(raw=farewell))
        assert (await send(sender, endpoint.url())).error is None
    assert len(endpoint.requests) == 5


async def test_an_empty_body_and_an_empty_header_are_sent_as_such(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    outcome = await sender.send(post(endpoint.url(), body=b"", headers=[("X-Empty", "")]))
    [request] = endpoint.requests
    assert outcome.error is None
    assert request.headers["content-length"] == "0"
    assert request.headers["x-empty"] == ""
    assert "content-type" not in request.headers


async def test_two_hundred_sends_at_once_all_arrive(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    requests = [post(endpoint.url(), body=b"%d" % number) for number in range(200)]
    outcomes = await asyncio.gather(*(sender.send(request) for request in requests))
    assert {outcome.status for outcome in outcomes} == {200}
    assert {request.body for request in endpoint.requests} == {b"%d" % n for n in range(200)}


async def test_a_redirect_is_a_failure_and_is_not_followed(sender: CurlSender) -> None:
    async with ScriptedEndpoint() as other, ScriptedEndpoint() as endpoint:
        endpoint.script(Answer(status=307, headers=(("Location", other.url()),)))
        outcome = await send(sender, endpoint.url())
        assert outcome.status == 307
        assert outcome.error is not None
        assert "redirect" in outcome.error
        assert other.connections == 0


@pytest.mark.parametrize("size", [RESPONSE_BYTES + 1, 1 << 30])
async def test_a_2xx_counts_though_its_body_is_cut_off_at_the_cap(
    sender: CurlSender, endpoint: ScriptedEndpoint, size: int
) -> None:
    endpoint.script(Answer(endless_bytes=size))
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.error) == (200, None)
    assert outcome.body == bytes(RESPONSE_BYTES)
    await endpoint.hung_up()


async def test_a_body_of_just_the_cap_is_taken_whole(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(Answer(body=b"x" * RESPONSE_BYTES))
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.body) == (200, b"x" * RESPONSE_BYTES)
    assert endpoint.open == 1


async def test_an_endpoint_that_drips_is_left_at_the_deadline_and_not_acknowledged(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(Answer(body=b"x" * 100, drip_seconds=0.05))
    outcome = await send(sender, endpoint.url(), seconds=0.4)
    assert 0.35 < outcome.elapsed_seconds < 2.0
    assert outcome.status == 200
    assert outcome.error is not None
    assert "in time" in outcome.error
    assert not outcome.unreachable
    await endpoint.hung_up()


async def test_an_endpoint_that_says_nothing_is_left_at_the_deadline(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(Answer(after=asyncio.Event()))
    outcome = await send(sender, endpoint.url(), seconds=0.3)
    assert 0.25 < outcome.elapsed_seconds < 2.0
    assert outcome.status is None
    assert outcome.error is not None
    assert "in time" in outcome.error
    await endpoint.hung_up()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\x01\x02\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 twohundred\r\n\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    ],
    ids=lambda raw: repr(raw[:40]),
)
async def test_garbage_is_no_answer(
    sender: CurlSender, endpoint: ScriptedEndpoint, raw: bytes
) -> None:
    endpoint.script(Answer(raw=raw))
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.headers, outcome.unreachable) == (None, {}, False)
    assert outcome.error is not None
    assert outcome.elapsed_seconds < 5
    assert (await send(sender, endpoint.url())).status == 200


async def test_an_interim_answer_is_not_taken_for_the_answer(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    endpoint.script(Answer(raw=interim + b"HTTP/1.1 410 Gone\r\nX: y\r\n\r\n"))
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.headers) == (410, {"x": "y"})


async def test_a_2xx_counts_though_its_body_breaks_off(
    sender: CurlSender, endpoint: ScriptedEndpoint
) -> None:
    endpoint.script(Answer(raw=b"HTTP/1.1 202 Accepted\r\nContent-Length: 90\r\n\r\nhalf"))
    outcome = await send(sender, endpoint.url())
    assert (outcome.status, outcome.error, outcome.body) == (202, None, b"half")


async def test_where_nobody_listens_the_endpoint_is_unreachable(sender: CurlSender) -> None:
    async with ScriptedEndpoint() as gone:
        url = gone.url()
    outcome = await send(sender, url)
    assert outcome.status is None
    assert outcome.unreachable
    assert outcome.error is not None
    assert "No connection" in outcome.error
