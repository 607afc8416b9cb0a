"""The client: answers become typed messages or our errors.

Every test is played twice: by the blocking client, and by the asynchronous one.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.client.scripted_server import LOST, RECEIPT, Server
from tidings.client import AsyncClient, Change, Client, Patience
from tidings.client.failures import error_of
from tidings.errors import (
    AlreadyExists,
    Conflict,
    FailedPrecondition,
    IdempotencyKeyReused,
    InvalidArgument,
    MalformedRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestError,
    ServerFault,
    TidingsError,
    Unauthenticated,
    Unavailable,
)


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
        (500, {"code": "internal", "msg": "m"}, ServerFault, None),
        (410, {}, RequestError, None),
        (302, {}, ServerFault, None),
        (401, {"errorCode": 1002, "message": "m"}, Unauthenticated, None),
        (403, {"errorCode": 1004, "message": "m"}, PermissionDenied, None),
        (404, {"errorCode": 1006, "message": "m"}, NotFound, None),
        (400, {"errorCode": 1008, "message": "m"}, MalformedRequest, None),
        (400, {"errorCode": 1012, "message": "m"}, InvalidArgument, "webhook"),
        (404, {"errorCode": 1151, "message": "m"}, NotFound, None),
        (403, {"errorCode": 1153, "message": "m"}, FailedPrecondition, None),
        (200, {"errorCode": 4003, "message": "m"}, RateLimited, None),
        (500, {"errorCode": 4002, "message": "m"}, Unavailable, None),
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


def test_an_answer_that_is_no_tidings_server_s_is_told_as_that() -> None:
    server = Server(httpx.Response(200, text="<html>hello</html>"))
    with pytest.raises(Unavailable, match="is the URL right"):
        server.client(patience=Patience(total_seconds=0)).list_webhooks()


def test_a_rotation_gives_the_new_secret_and_until_when_the_last_one_signs() -> None:
    until = "2026-01-16T12:00:00.000Z"
    answer = {"signing_secret": "whsec_bmV3", "previous_expires_at": until}
    server = Server(httpx.Response(200, json=answer))
    rotation = server.client().rotate_secret("w")
    assert (rotation.signing_secret, rotation.previous_expires_at) == ("whsec_bmV3", until)
    assert server.requests[0].url.path.endswith("/RotateSecret")
    assert json.loads(server.bodies[0]) == {"webhook_id": "w"}


def test_changes_are_published_as_they_are_meant_and_what_is_not_said_is_not_sent() -> None:
    server = Server(httpx.Response(200, json=RECEIPT))
    update = Change(
        kind="RECORD_UPDATED", application_id="a", record_id="r", data={"x": 1}, previous={}
    )
    server.client().publish_changes(
        "s", [update, {"kind": "odd"}], idempotency_key="k", source="me"
    )
    sent = {"kind": "RECORD_UPDATED", "application_id": "a", "record_id": "r", "data": {"x": 1}}
    assert json.loads(server.bodies[0]) == {
        "solution_id": "s",
        "source": "me",
        "changes": [sent | {"previous": {}}, {"kind": "odd"}],
    }


def test_an_application_is_registered_with_the_name_that_it_has() -> None:
    answer = {"solution_id": "s", "application_id": "a", "name": "Deals"}
    server = Server(LOST, httpx.Response(200, json=answer))
    assert server.client().register_application("s", "a", name="Deals").name == "Deals"
    assert json.loads(server.bodies[1]) == answer


def test_a_server_that_is_not_ready_says_why_and_is_not_asked_again() -> None:
    answer = httpx.Response(503, json={"status": "unavailable", "reasons": ["disk full"]})
    server = Server(answer, httpx.Response(200, json={"status": "ok"}))
    client = server.client()
    assert client.readiness().reasons == ("disk full",)
    assert client.health().status == "ok"


SHEET_WEBHOOK = {
    "id": 2674017481058180,
    "name": "w",
    "callbackUrl": "https://example.test/hook",
    "scope": "sheet",
    "scopeObjectId": 4509506114742148,
    "subscope": {"columnIds": [7]},
    "events": ["*.*"],
    "version": 1,
    "enabled": False,
    "status": "NEW_NOT_VERIFIED",
    "sharedSecret": "3qo29mvjou6xt5fujukjtwzhj0",
    "stats": {"lastCallbackAttemptRetryCount": 2, "tomorrow": []},
    "createdAt": "2020-01-03T22:25:51Z",
}


def wrapped(result: object) -> httpx.Response:
    body = {"message": "SUCCESS", "resultCode": 0, "result": result}
    return httpx.Response(200, json=body)


def test_a_sheet_s_webhook_is_made_enabled_and_its_secret_reset() -> None:
    enabled = SHEET_WEBHOOK | {"enabled": True, "status": "ENABLED"}
    server = Server(wrapped(SHEET_WEBHOOK), wrapped(enabled), wrapped({"sharedSecret": "new"}))
    client = server.client()
    made = client.create_sheet_webhook(
        "w", 4509506114742148, "https://example.test/hook", column_ids=[7]
    )
    assert (made.id, made.status, made.subscope.column_ids) == (
        2674017481058180,
        "NEW_NOT_VERIFIED",
        (7,),
    )
    assert made.stats is not None
    assert made.stats.last_callback_attempt_retry_count == 2
    assert client.update_sheet_webhook(made.id, enabled=True).enabled
    assert client.reset_shared_secret(made.id) == "new"
    assert [(request.method, request.url.path) for request in server.requests] == [
        ("POST", "/2.0/webhooks"),
        ("PUT", "/2.0/webhooks/2674017481058180"),
        ("POST", "/2.0/webhooks/2674017481058180/resetsharedsecret"),
    ]
    assert {request.headers["Authorization"] for request in server.requests} == {"Bearer tdg_key"}
    assert json.loads(server.bodies[0])["subscope"] == {"columnIds": [7]}
    assert json.loads(server.bodies[1]) == {"enabled": True}


def test_an_administrator_disables_and_enables_a_sheet_s_webhook() -> None:
    off = SHEET_WEBHOOK | {"status": "DISABLED_ADMINISTRATIVE"}
    on = SHEET_WEBHOOK | {"enabled": True, "status": "ENABLED"}
    server = Server(httpx.Response(200, json=off), httpx.Response(200, json=on))
    client = server.client()
    assert client.disable_administratively(7).status == "DISABLED_ADMINISTRATIVE"
    assert client.enable_administratively(7).enabled
    assert [(request.method, request.url.path) for request in server.requests] == [
        ("POST", "/v1/webhooks/7/disable"),
        ("POST", "/v1/webhooks/7/enable"),
    ]


def test_sheet_webhooks_are_listed_got_and_deleted() -> None:
    page = {"pageNumber": 2, "pageSize": 1, "totalPages": 2, "totalCount": 2}
    done = httpx.Response(200, json={"message": "SUCCESS", "resultCode": 0})
    bare = httpx.Response(200, json=SHEET_WEBHOOK)
    server = Server(httpx.Response(200, json=page | {"data": [SHEET_WEBHOOK]}), bare, done)
    client = server.client()
    found = client.list_sheet_webhooks(page=2, page_size=1)
    assert (found.total_count, [webhook.name for webhook in found.webhooks]) == (2, ["w"])
    assert client.get_sheet_webhook(found.webhooks[0].id) == found.webhooks[0]
    client.delete_sheet_webhook(found.webhooks[0].id)
    assert dict(server.requests[0].url.params) == {"page": "2", "pageSize": "1"}
    assert [request.method for request in server.requests] == ["GET", "GET", "DELETE"]


def test_an_event_of_a_kind_from_tomorrow_is_an_event_all_the_same() -> None:
    text = (
        '{"webhook_id":"w","event_id":"w.12","kind":"VIEW_CREATED","event_at":"2026-01-01",'
        '"locator":{"account_id":"a","solution_id":"s"},"view_event_data":{}}'
    )
    answer = httpx.Response(200, text='{"events":[' + text + '],"next_page_token":"12"}')
    (event,) = Server(answer).client().list_events("w").events
    assert (event.kind, event.position, event.record_event_data) == ("VIEW_CREATED", 12, None)


@pytest.mark.parametrize("body", ['{"events":[{}],"next_page_token":"1"}', '{"events":', "[]"])
def test_garbage_that_calls_itself_json_is_the_server_s_fault(body: str) -> None:
    answer = httpx.Response(200, text=body, headers={"Content-Type": "application/json"})
    with pytest.raises(ServerFault):
        Server(answer).client().list_events("w")


def test_an_answer_that_can_not_be_unpacked_is_the_server_s_fault() -> None:
    class Bent(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"no gzip"

        async def __aiter__(self) -> Any:
            yield b"no gzip"

    answer = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Bent())
    with pytest.raises(ServerFault):
        Server(answer).client().list_events("w")


def test_an_answer_without_an_end_is_given_up_and_fills_no_memory() -> None:
    sent = 0

    class Endless(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal sent
            while True:
                sent += 1
                yield b" " * 1_048_576

        async def __aiter__(self) -> Any:
            for piece in self:
                yield piece

    server = Server(httpx.Response(200, stream=Endless()))
    with pytest.raises(ServerFault, match="larger"):
        server.client().list_events("w")
    assert sent == 65


@pytest.mark.parametrize(
    ("url", "key", "argument"),
    [
        ("nowhere", "k", "url"),
        ("ftp://x", "k", "url"),
        ("http://", "k", "url"),
        ("http://x:y", "k", "url"),
        ("http://x", "k\r\nHost: y", "key"),
        ("http://x", "", "key"),
    ],
)
def test_a_url_or_key_that_can_not_be_one_is_refused_at_once(
    url: str, key: str, argument: str
) -> None:
    with pytest.raises(InvalidArgument) as raised:
        Client(url, key)
    assert raised.value.argument == argument


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "a\nb"])
def test_an_idempotency_key_that_no_header_carries_is_refused_before_it_is_sent(key: str) -> None:
    with pytest.raises(InvalidArgument, match="printable"):
        Server().client().publish(b"{}", idempotency_key=key)


def test_lines_may_be_made_asynchronously_where_the_client_is() -> None:
    async def pieces() -> Any:
        yield b"one\n"

    server = Server(httpx.Response(200, json={"lines": 1}))
    if server.blocking:
        with pytest.raises(TypeError, match="blocking client"):
            server.client().publish_lines("s", pieces, idempotency_key="k")
    else:
        server.client().publish_lines("s", pieces, idempotency_key="k")
        assert server.bodies == [b"one\n"]


def test_both_clients_have_the_same_calls_in_the_same_words() -> None:
    def words(kind: type) -> dict[str, str]:
        methods = inspect.getmembers(kind, inspect.isfunction)
        shown = {name: str(inspect.signature(method)) for name, method in methods}
        return {name: text for name, text in shown.items() if not name.startswith("_")}

    blocking, asynchronous = words(Client), words(AsyncClient)
    assert blocking.pop("walk_webhooks") != asynchronous.pop("walk_webhooks")
    assert blocking == asynchronous
    assert "webhook_id: 'str'" in blocking["list_events"]
    assert blocking["list_events"].endswith("-> 'EventsPage'")
