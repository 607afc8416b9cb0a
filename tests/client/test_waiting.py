"""The client: when it asks again, how long it waits, and when it gives up.

Every test is played twice: by the blocking client, and by the asynchronous one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.client.scripted_server import AWAY, LOST, RECEIPT, Server, busy
from tidings.client import Client
from tidings.client.failures import rest_after, retry_after
from tidings.clock import SystemClock
from tidings.errors import (
    RateLimited,
    Unavailable,
)


def publish(client: Client) -> object:
    return client.publish(b"{}", idempotency_key="k")


def test_a_publish_is_repeated_under_its_key_until_it_is_answered() -> None:
    server = Server(AWAY, LOST, busy(), busy(429), httpx.Response(200, json=RECEIPT))
    receipt = server.client().publish(b'{"a":1}', idempotency_key="k")
    assert (receipt.accepted, receipt.first_position, receipt.last_position) == (1, 5, None)
    assert server.bodies == [b'{"a":1}'] * 5
    assert {request.headers["Idempotency-Key"] for request in server.requests} == {"k"}
    assert server.requests[0].headers["Authorization"] == "Token tdg_key"
    assert server.pauses == [1, 2, 4, 4]


def test_it_waits_as_long_as_it_is_told() -> None:
    answer = busy(429, **{"Retry-After": "30"})
    server = Server(answer, httpx.Response(200, json={"webhooks": []}))
    server.client().list_webhooks()
    assert server.pauses == [30]


def test_a_client_that_is_given_no_pause_waits_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(busy(429), httpx.Response(200, json={"webhooks": []}))

    def pause(_: SystemClock, seconds: float) -> None:
        server.pauses.append(seconds)

    async def sleep(_: SystemClock, seconds: float) -> None:
        server.pauses.append(seconds)

    monkeypatch.setattr(SystemClock, "pause", pause)
    monkeypatch.setattr(SystemClock, "sleep", sleep)
    server.client(pauses=False).list_webhooks()
    assert server.pauses == [1]


def test_a_wait_that_patience_does_not_cover_is_not_begun() -> None:
    server = Server(busy(429, **{"Retry-After": "101"}))
    with pytest.raises(RateLimited) as raised:
        server.client().list_webhooks()
    assert raised.value.retry_after_seconds == 101
    assert server.pauses == []


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.create_webhook("s", ["RECORD_CREATED"]),
        lambda client: client.delete_webhook("w"),
        lambda client: client.rotate_secret("w"),
    ],
)
def test_what_can_not_be_repeated_safely_is_not_sent_again_after_a_lost_answer(
    call: Callable[[Client], object],
) -> None:
    server = Server(AWAY, LOST)
    with pytest.raises(Unavailable, match="was lost"):
        call(server.client())
    assert len(server.requests) == 2, "where no connection was made, nothing was sent"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5),
        ("0", 0),
        ("-5", 1),
        ("9" * 9, 3600),
        ("", 1),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0),
        ("Sat, 21 Oct 2126 07:28:00 GMT", 3600),
        ("Wed, 32 Oct 2026 07:28:00 GMT", 1),
        ("Wed, 21 Oct 2026 07:28:00 -0000", 1),
    ],
)
def test_no_answer_makes_a_client_wait_for_ever(header: str, seconds: float) -> None:
    dated = {"Retry-After": header, "date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert retry_after(dated) == seconds


def test_a_date_to_wait_for_says_nothing_without_the_server_s_own() -> None:
    assert retry_after({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}) == 1


def quota(remaining: str, reset: str, status: int = 200) -> httpx.Response:
    fields = {"RateLimit-Limit": "5", "RateLimit-Remaining": remaining, "RateLimit-Reset": reset}
    return httpx.Response(status, headers=fields, json={"webhooks": []})


def test_it_rests_where_an_answer_says_that_it_was_the_last_for_now() -> None:
    server = Server(quota("1", "1"), quota("0", "1"), quota("4", "1"), quota("3", "1"))
    client = server.client()
    for _ in range(4):
        client.list_webhooks()
    assert server.pauses == [1.0], "once, before the third"


def test_a_rest_that_has_passed_is_not_taken_again(now: list[float]) -> None:
    server = Server(quota("0", "7"), quota("0", "7"), quota("6", "7"))
    client = server.client()
    client.list_webhooks()
    now[0] += 5
    client.list_webhooks()
    now[0] += 8
    client.list_webhooks()
    assert server.pauses == [2.0]


def test_a_server_that_never_answers_is_not_tried_for_longer_than_patience(
    now: list[float],
) -> None:
    def hang() -> Exception:
        now[0] += 75
        return httpx.ReadTimeout("timed out")

    server = Server(hang, hang, hang)
    with pytest.raises(Unavailable):
        server.client().list_webhooks()
    assert len(server.requests) == 2


def test_a_stream_that_took_long_is_sent_again_all_the_same(now: list[float]) -> None:
    def lose() -> Exception:
        now[0] += 1_000
        return LOST

    server = Server(lose, httpx.Response(200, json={"lines": 1}))
    receipt = server.client().publish_lines("s", lambda: [b"{}\n"], idempotency_key="k")
    assert receipt.lines == 1


def test_an_answer_that_drips_is_given_up(now: list[float]) -> None:
    sent = 0

    class Dripping(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal sent
            while True:
                sent += 1
                now[0] += 50
                yield b" "

        async def __aiter__(self) -> Any:
            for piece in self:
                yield piece

    server = Server(httpx.Response(200, stream=Dripping()))
    with pytest.raises(Unavailable, match="took over"):
        server.client().list_webhooks()
    assert sent == 3


def test_a_refusal_that_was_waited_for_is_not_rested_for_again() -> None:
    refused = quota("0", "30", 429)
    refused.headers["Retry-After"] = "30"
    server = Server(refused, quota("4", "1"), quota("3", "1"))
    client = server.client()
    client.list_webhooks()
    client.list_webhooks()
    assert server.pauses == [30.0]


@pytest.mark.parametrize(
    ("remaining", "reset", "rest"),
    [("0", "2", 2.0), ("1", "2", 0.0), ("", "2", 0.0), ("0", "soon", 1.0), ("0", "9" * 9, 60.0)],
)
def test_no_answer_makes_it_rest_for_ever(remaining: str, reset: str, rest: float) -> None:
    assert rest_after({"RateLimit-Remaining": remaining, "ratelimit-reset": reset}) == rest


def test_what_one_service_says_of_its_limit_is_not_forgotten_by_a_call_of_another() -> None:
    server = Server(quota("0", "7"), httpx.Response(200, json=RECEIPT), quota("4", "1"))
    client = server.client()
    client.list_webhooks()
    publish(client)
    assert server.pauses == []
    client.list_webhooks()
    assert server.pauses == [7.0]
