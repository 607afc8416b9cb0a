"""The client: answers become typed messages or our errors, and it waits as it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from tidings.client import Client, Patience
from tidings.client.failures import error_of, rest_after, retry_after
from tidings.errors import (
    AlreadyExists,
    Conflict,
    IdempotencyKeyReused,
    InvalidArgument,
    MalformedRequest,
    NotFound,
    RateLimited,
    TidingsError,
    Unauthenticated,
    Unavailable,
)

Answer = httpx.Response | Exception


class Server:
    """Answers by script, and keeps what it was sent."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self.bodies: list[bytes] = []
        self.pauses: list[float] = []
        self._answers = iter(answers)

    def client(self, *, patience: Patience | None = None) -> Client:
        """Return a client of this server; its pauses take no time and are kept."""
        return Client(
            "http://server.test",
            "tdg_key",
            pause=self.pauses.append,
            patience=patience or Patience(total_seconds=100, first_seconds=1, longest_seconds=4),
            transport=httpx.MockTransport(self._answer),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.bodies.append(request.read())
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


RECEIPT = {"accepted": 1, "suppressed": 0, "batch_id": "b", "first_position": 5, "new": "field"}
LOST = httpx.ReadError("connection lost")
AWAY = httpx.ConnectError("refused")


def busy(status: int = 503, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, json={"detail": "busy"})


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


def test_a_stream_of_lines_is_made_anew_for_every_try() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one\n"
        yield b"two\n"

    answer = httpx.Response(200, json={"accepted": 2, "suppressed": 0, "lines": 2})
    server = Server(LOST, answer)
    receipt = server.client().publish_lines("s", pieces, idempotency_key="k", from_line=1)
    assert server.bodies == [b"one\ntwo\n"] * 2
    assert (receipt.lines, receipt.refused_line) == (2, None)


def test_a_bad_line_is_told_with_what_was_taken() -> None:
    problem = {"field": "line 7", "detail": "line 7: it is bent", "accepted": 5, "lines": 6}
    server = Server(httpx.Response(400, json=problem | {"suppressed": 1}))
    receipt = server.client().publish_lines("s", lambda: [b"x"], idempotency_key="k")
    assert (receipt.refused_line, receipt.refusal) == (7, "it is bent")
    assert (receipt.accepted, receipt.suppressed, receipt.lines) == (5, 1, 6)


def test_a_stream_that_is_refused_as_a_whole_raises() -> None:
    problem = {"field": "from_line", "detail": "the file has only 3 lines"}
    server = Server(httpx.Response(400, json=problem))
    with pytest.raises(InvalidArgument, match="only 3 lines") as raised:
        server.client().publish_lines("s", lambda: [b"x"], idempotency_key="k", from_line=9)
    assert raised.value.argument == "from_line"


def test_events_are_typed_and_keep_their_own_text() -> None:
    text = (
        '{"webhook_id":"w","event_id":"w.12","kind":"RECORD_CREATED","event_at":"2026-01-01",'
        '"locator":{"account_id":"a","solution_id":"s"},"tomorrow":1,"record_event_data":'
        '{"record_id":"r","locator":{"account_id":"a","solution_id":"s","application_id":"t"},'
        '"data":{"big":12345678901234567890123},"previous":{}},"ctx":{}}'
    )
    body = '{"events":[' + text + '],"next_page_token":"12","has_more":true,"hint":null}'
    page = Server(httpx.Response(200, text=body)).client().list_events("w")
    (event,) = page.events
    assert (event.position, page.has_more, page.next_page_token) == (12, True, "12")
    assert event.record_event_data is not None
    assert event.record_event_data.locator.application_id == "t"
    assert page.texts == (text.encode(),)


def test_webhooks_are_walked_page_by_page() -> None:
    def page(webhook_id: str, **more: str) -> httpx.Response:
        webhook = {"webhook_id": webhook_id, "filter": {"solution": {}}, "kinds": []}
        webhook["locator"] = {"account_id": "a", "solution_id": "s"}
        return httpx.Response(200, json={"webhooks": [webhook], **more})

    server = Server(page("1", next_page_token="t"), page("2"))
    assert [webhook.webhook_id for webhook in server.client().walk_webhooks()] == ["1", "2"]
    assert json.loads(server.bodies[1])["page_token"] == "t"


@pytest.mark.parametrize(
    ("status", "body", "kind", "argument"),
    [
        (
            400,
            {"code": "invalid_argument", "msg": "m", "meta": {"argument": "page_size"}},
            InvalidArgument,
            "page_size",
        ),
        (400, {"code": "malformed", "msg": "m"}, MalformedRequest, None),
        (
            401,
            {"type": "urn:tidings:problem:unauthenticated", "detail": "m"},
            Unauthenticated,
            None,
        ),
        (404, {"code": "not_found", "msg": "m"}, NotFound, None),
        (409, {"code": "already_exists", "msg": "m"}, AlreadyExists, None),
        (409, {"type": "urn:tidings:problem:idempotency_key_reused"}, IdempotencyKeyReused, None),
        (409, {"type": "about:blank", "title": "m"}, Conflict, None),
        (503, {"detail": "m"}, Unavailable, None),
        (500, {"code": "internal", "msg": "m"}, TidingsError, None),
    ],
)
def test_a_refusal_becomes_the_error_that_it_names(
    status: int, body: dict[str, object], kind: type[TidingsError], argument: str | None
) -> None:
    error = error_of(status, {}, json.dumps(body).encode())
    assert type(error) is kind
    assert getattr(error, "argument", None) == argument
    assert error.message


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"\xff", b"[" * 100_000, b"1"])
@pytest.mark.parametrize("status", [400, 403, 418, 502])
def test_whatever_an_answer_holds_it_becomes_an_error_of_ours(status: int, body: bytes) -> None:
    assert isinstance(error_of(status, {}, body), TidingsError)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("5", 5), ("0", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 1), ("-5", 1), ("9" * 9, 3600), ("", 1)],
)
def test_no_answer_makes_a_client_wait_for_ever(header: str, seconds: float) -> None:
    assert retry_after({"Retry-After": header}) == seconds


def test_an_answer_that_is_no_tidings_server_s_is_told_as_that() -> None:
    server = Server(httpx.Response(200, text="<html>hello</html>"))
    with pytest.raises(Unavailable, match="is the URL right"):
        server.client(patience=Patience(total_seconds=0)).list_webhooks()


def quota(remaining: str, reset: str, status: int = 200) -> httpx.Response:
    fields = {"RateLimit-Limit": "5", "RateLimit-Remaining": remaining, "RateLimit-Reset": reset}
    return httpx.Response(status, headers=fields, json={"webhooks": []})


def test_it_rests_where_an_answer_says_that_it_was_the_last_for_now() -> None:
    server = Server(quota("1", "1"), quota("0", "1"), quota("4", "1"), quota("3", "1"))
    client = server.client()
    for _ in range(4):
        client.list_webhooks()
    assert server.pauses == [1.0], "once, before the third"


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
    [("0", "2", 2.0), ("1", "2", 0.0), ("", "2", 0.0), ("0", "soon", 1.0), ("0", "9" * 9, 3600.0)],
)
def test_no_answer_makes_it_rest_for_ever(remaining: str, reset: str, rest: float) -> None:
    assert rest_after({"RateLimit-Remaining": remaining, "ratelimit-reset": reset}) == rest


def test_a_rotation_gives_the_new_secret_and_until_when_the_last_one_signs() -> None:
    until = "2026-01-16T12:00:00.000Z"
    answer = {"signing_secret": "whsec_bmV3", "previous_expires_at": until}
    server = Server(httpx.Response(200, json=answer))
    rotation = server.client().rotate_secret("w")
    assert (rotation.signing_secret, rotation.previous_expires_at) == ("whsec_bmV3", until)
    assert server.requests[0].url.path.endswith("/RotateSecret")
    assert json.loads(server.bodies[0]) == {"webhook_id": "w"}
