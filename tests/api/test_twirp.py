"""The service's transport and its errors, by contract 1.1 and 1.8."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import structlog

from tests.api.installation import Installation
from tidings import errors
from tidings.api.smartsuite import PREFIX
from tidings.api.twirp import twirp_error

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("scheme", ["Token", "TOKEN", "token", "Bearer", "bearer"])
async def test_the_schemes_count_without_case(installation: Installation, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {installation.key}"}
    answer = await installation.post("ListWebhooks", headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("authorization", ["", "Token", "Token ", "Basic abc", "Token nonsense"])
async def test_without_a_key_that_exists_nothing_is_answered(
    installation: Installation, authorization: str
) -> None:
    answer = await installation.post("ListWebhooks", headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Token"


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"]
)
async def test_json_is_taken_with_and_without_parameters(
    installation: Installation, content_type: str
) -> None:
    answer = await installation.post("ListWebhooks", headers={"Content-Type": content_type})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"


async def test_another_content_type_is_refused(installation: Installation) -> None:
    answer = await installation.post("ListWebhooks", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_an_empty_body_is_an_empty_message(installation: Installation) -> None:
    assert (await installation.post("ListWebhooks", b"")).json() == {"webhooks": []}


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b"{", b'{"page_token": "\xff"}'])
async def test_a_body_that_is_no_json_object_is_malformed(
    installation: Installation, body: bytes
) -> None:
    answer = await installation.post("ListWebhooks", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_a_body_that_nests_too_deep_is_malformed(installation: Installation) -> None:
    answer = await installation.post("ListWebhooks", b'{"x":' + b"[" * 500 + b"]" * 500 + b"}")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_a_body_that_is_too_large_is_refused(installation: Installation) -> None:
    answer = await installation.post("ListWebhooks", b" " * (1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_argument")


@pytest.mark.parametrize("method", ["RotateTyres", "", "ListEvents/x", "listevents"])
async def test_an_unknown_method_is_a_bad_route(installation: Installation, method: str) -> None:
    answer = await installation.post(method)
    assert (answer.status_code, answer.json()["code"]) == (404, "bad_route")


async def test_only_post_is_a_route(installation: Installation) -> None:
    transport = httpx.ASGITransport(app=installation.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://tidings.test") as client:
        answer = await client.get(PREFIX + "ListWebhooks")
    assert (answer.status_code, answer.json()["code"]) == (404, "bad_route")


async def test_no_answer_carries_a_cors_header(installation: Installation) -> None:
    answer = await installation.post("ListWebhooks", headers={"Origin": "https://evil.test"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_fault_of_ours_is_logged_and_told_without_a_word_of_why(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> Any:
        raise RuntimeError("the secret is swordfish")

    monkeypatch.setattr(installation.storage.keys, "find", fails)
    with structlog.testing.capture_logs() as lines:
        answer = await installation.post("ListWebhooks")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "swordfish" not in answer.text
    assert [line["event"] for line in lines] == ["request.failed"]
    assert "swordfish" in str(lines[0]["exc_info"])


async def test_a_database_that_is_busy_is_unavailable_and_says_when_to_try_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> Any:
        raise errors.StorageUnavailable("the database is locked", retry_after_seconds=1.5)

    monkeypatch.setattr(installation.storage.keys, "find", fails)
    answer = await installation.post("ListWebhooks")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "2"


CONCRETE: list[tuple[Exception, int, str]] = [
    (errors.InvalidArgument("page_size", "x"), 400, "invalid_argument"),
    (errors.MalformedRequest("x"), 400, "malformed"),
    (errors.Unauthenticated("x"), 401, "unauthenticated"),
    (errors.PermissionDenied("x"), 403, "permission_denied"),
    (errors.NotFound("x"), 404, "not_found"),
    (errors.AlreadyExists("x"), 409, "already_exists"),
    (errors.IdempotencyKeyReused("x"), 409, "already_exists"),
    (errors.FailedPrecondition("x"), 412, "failed_precondition"),
    (errors.TooLarge("x"), 400, "invalid_argument"),
    (errors.UnsupportedMediaType("x"), 400, "malformed"),
    (errors.RateLimited("x", retry_after_seconds=30), 429, "resource_exhausted"),
    (errors.LogOverloaded("x"), 503, "unavailable"),
    (errors.StorageUnavailable("x"), 503, "unavailable"),
    (errors.DatabaseCorrupted("x"), 500, "internal"),
    (errors.RevisionConflict("x"), 500, "internal"),
    (errors.ConfigurationError("x", "x"), 500, "internal"),
    (ValueError("x"), 500, "internal"),
]


@pytest.mark.parametrize(("error", "status", "code"), CONCRETE)
def test_every_error_has_its_code_and_status(error: Exception, status: int, code: str) -> None:
    told_status, told = twirp_error(error)
    assert (told_status, told.code) == (status, code)


def test_the_argument_is_named_in_meta() -> None:
    _, told = twirp_error(errors.InvalidArgument("page_size", "page_size is wrong"))
    assert (told.msg, told.meta) == ("page_size is wrong", {"argument": "page_size"})
    _, told = twirp_error(errors.NotFound("x"))
    assert told.meta == {}
