"""The service around the operations: keys, lists, limits, errors (contract 2.1, 2.3, 2.7)."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.sheet_api import SheetApi, wish
from tidings import errors
from tidings.api.sheet_errors import sheet_code
from tidings.domain.key import Role
from tidings.domain.sheet_refusal import STATUSES, SheetCode
from tidings.errors import StorageUnavailable
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_without_a_key_or_with_a_wrong_one_nobody_is_answered(service: SheetApi) -> None:
    webhook = await service.created()
    for method, path, body in (
        ("GET", "", None),
        ("POST", "", wish()),
        ("GET", f"/{webhook['id']}", None),
        ("PUT", f"/{webhook['id']}", {"enabled": True}),
        ("DELETE", f"/{webhook['id']}", None),
        ("POST", f"/{webhook['id']}/resetsharedsecret", None),
    ):
        assert await service.refused(method, path, body, key="") == (401, 1001)
        assert await service.refused(method, path, body, key="tdg_nobody") == (401, 1002)
    for nothing in ("", " ", "Bearer", "bearer ", "Token"):
        empty = {"Authorization": nothing}
        assert await service.refused("GET", key="", headers=empty) == (401, 1001), nothing
    basic = {"Authorization": "Basic dGVzdA=="}
    assert await service.refused("GET", key="", headers=basic) == (401, 1002)
    await service.revoke_its_key(webhook)
    assert await service.refused("GET") == (401, 1002)


async def test_roles(service: SheetApi) -> None:
    publisher = await service.installation.new_key(role=Role.PUBLISHER, name="publisher")
    admin = await service.installation.new_key(role=Role.ADMIN, name="admin")
    assert await service.refused("GET", key=publisher) == (403, 1004)
    assert await service.refused("POST", body=wish(), key=publisher) == (403, 1004)
    assert (await service.created(key=admin))["status"] == "NEW_NOT_VERIFIED"


async def test_another_account_s_webhook_looks_like_none(service: SheetApi) -> None:
    webhook = await service.created()
    stranger = await service.installation.new_key("globex")
    path = f"/{webhook['id']}"
    for method, at, body in (
        ("GET", path, None),
        ("PUT", path, {"enabled": True}),
        ("DELETE", path, None),
        ("POST", f"{path}/resetsharedsecret", None),
    ):
        theirs = await service.send(method, at, body, key=stranger)
        nothing = await service.send(method, at.replace(path, "/4503604829677444"), body)
        assert theirs.status_code == nothing.status_code == 404
        answers = [{**answer.json(), "refId": ""} for answer in (theirs, nothing)]
        assert answers[0] == answers[1] == {"errorCode": 1006, "message": "Not Found", "refId": ""}
    assert (await service.call("GET", key=stranger))["totalCount"] == 0
    header = {"ACCOUNT-ID": "globex"}
    assert await service.refused("GET", path, headers=header) == (404, 1006)
    assert await service.call("GET", path) == webhook


async def test_each_contract_sees_only_its_own_webhooks(service: SheetApi) -> None:
    called, pinged = await service.created(), await service.installation.new_webhook()
    listed = await service.installation.call("ListWebhooks")
    assert [webhook["webhook_id"] for webhook in listed["webhooks"]] == [pinged["webhook_id"]]
    by_number = {"webhook_id": str(called["id"])}
    for method in ("GetWebhook", "ListEvents", "RotateSecret", "DeleteWebhook"):
        answer = await service.installation.post(method, by_number)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = await service.installation.post("UpdateWebhook", {"webhook": by_number})
    assert answer.status_code == 404
    assert [webhook["id"] for webhook in (await service.call("GET"))["data"]] == [called["id"]]
    assert await service.refused("GET", f"/{pinged['webhook_id']}") == (404, 1006)


async def test_webhooks_are_listed_newest_first_in_numbered_pages(service: SheetApi) -> None:
    empty = {"pageNumber": 1, "pageSize": 100, "totalPages": 1, "totalCount": 0, "data": []}
    assert await service.call("GET") == empty
    made = [await service.created(name=str(number)) for number in range(5)]
    newest_first = made[::-1]
    page = await service.call("GET")
    assert (page["pageNumber"], page["pageSize"], page["totalPages"]) == (1, 100, 1)
    assert (page["totalCount"], page["data"]) == (5, newest_first)
    for number, expected in ((1, newest_first[:2]), (3, newest_first[4:]), (4, [])):
        page = await service.call("GET", f"?page={number}&pageSize=2")
        assert (page["pageNumber"], page["pageSize"], page["totalPages"]) == (number, 2, 3)
        assert page["data"] == expected
    page = await service.call("GET", "?includeAll=TRUE&pageSize=2&page=9")
    assert (page["pageNumber"], page["pageSize"], page["totalPages"]) == (1, 5, 1)
    assert page["data"] == newest_first
    assert (await service.call("GET", "?pageSize=999999999"))["pageSize"] == 10_000
    assert (await service.call("GET", "?page=&includeAll="))["data"] == newest_first
    for wrong in ("page=0", "page=-1", "page=x", "pageSize=0", "pageSize=1.5", "includeAll=yes"):
        assert await service.refused("GET", f"?{wrong}") == (400, 1018)
    assert await service.refused("GET", "?page=%ff") == (400, 1018)


async def test_a_long_list_is_read_in_slices_and_comes_whole(
    service: SheetApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.engine.sheets.SHEETS_READ_AT_ONCE", 2)
    made = [await service.created(name=str(number)) for number in range(5)]
    page = await service.call("GET", "?includeAll=true")
    assert page["data"] == made[::-1]
    assert (await service.call("GET", "?pageSize=3"))["data"] == made[:1:-1]


async def test_a_deleted_webhook_is_gone(service: SheetApi) -> None:
    webhook = await service.enabled()
    path = f"/{webhook['id']}"
    assert await service.call("DELETE", path) == {"message": "SUCCESS", "resultCode": 0}
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"name": "n"})):
        assert await service.refused(method, path, body) == (404, 1006)
    assert (await service.call("GET"))["data"] == []


async def test_three_hundred_requests_a_minute_and_no_penalty(
    service: SheetApi, clock: ManualClock
) -> None:
    for _ in range(300):
        answer = await service.send("GET", "/1")
        assert answer.status_code == 404
    assert answer.headers["ratelimit-limit"] == "300"
    assert answer.headers["ratelimit-remaining"] == "0"
    await clock.advance(59)
    answer = await service.send("GET")
    assert (answer.status_code, answer.json()["errorCode"]) == (429, 4003)
    assert answer.headers["retry-after"] == "1"
    other = await service.installation.new_key(name="other")
    assert (await service.send("GET", key=other)).status_code == 200
    assert (await service.installation.post("ListWebhooks")).status_code == 200
    await clock.advance(1)
    assert (await service.send("GET")).status_code == 200


async def test_a_method_or_a_path_that_is_not_there(service: SheetApi) -> None:
    webhook = await service.created()
    path = f"/{webhook['id']}"
    for method, at, allowed in (
        ("PUT", "", "GET, POST"),
        ("DELETE", "", "GET, POST"),
        ("PATCH", path, "GET, PUT, DELETE"),
        ("POST", path, "GET, PUT, DELETE"),
        ("OPTIONS", path, "GET, PUT, DELETE"),
        ("GET", f"{path}/resetsharedsecret", "POST"),
    ):
        answer = await service.send(method, at)
        assert (answer.status_code, answer.json()["errorCode"]) == (405, 1122)
        assert answer.headers["allow"] == allowed
    for wrong in ("/2.0/", "/2.0/sheets", "/2.0/webhooks/", "/2.0/webhooks/1/2", "/2.0/webhooks/x"):
        assert await service.refused("GET", raw_path=wrong) == (404, 1006)
    for digits in ("0", "-1", "1.0", "9" * 400, "%D9%A1", "01"):
        assert await service.refused("GET", f"/{digits}") == (404, 1006)


async def test_a_body_says_that_it_is_json_and_is(service: SheetApi) -> None:
    webhook = await service.created()
    path = f"/{webhook['id']}"
    good = json.dumps(wish()).encode()
    for content_type in ("text/plain", "", "application/json; charset=latin-1"):
        headers = {"Content-Type": content_type}
        assert await service.refused("POST", body=good, headers=headers) == (415, 1124)
        assert await service.refused("PUT", path, good, headers=headers) == (415, 1124)
    for content_type in ("application/json;charset=UTF-8", "Application/JSON"):
        answer = await service.send("POST", body=good, headers={"Content-Type": content_type})
        assert answer.status_code == 200
    for bad in (b"", b"{", b"[]", b"null", b'"x"', b"{}{}", b"\xff", b"[" * 10_000, b'{"a":' * 99):
        assert await service.refused("POST", body=bad) == (400, 1008), bad[:20]
        assert await service.refused("PUT", path, bad) == (400, 1008), bad[:20]
    for bad in (b'{"name": "\\ud800"}', b'{"version": %b}' % (b"9" * 5_000)):
        assert await service.refused("POST", body=bad) == (400, 1008), bad[:20]
    large = b'{"name": "' + b"x" * (1 << 20) + b'"}'
    assert await service.refused("POST", body=large) == (413, 1008)
    zipped = {"Content-Encoding": "gzip"}
    assert await service.refused("POST", body=gzip.compress(large), headers=zipped) == (413, 1008)
    answer = await service.send("POST", body=gzip.compress(good), headers=zipped)
    assert answer.status_code == 200
    headers = {"Content-Encoding": "br"}
    assert await service.refused("POST", body=good, headers=headers) == (415, 1124)


async def test_a_database_that_can_t_be_written_asks_to_try_again(
    service: SheetApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any, **__: Any) -> Any:
        raise StorageUnavailable("the disk is full", retry_after_seconds=2.5)

    monkeypatch.setattr(service.installation.storage.webhooks, "create", full)
    answer = await service.send("POST", body=wish())
    assert (answer.status_code, answer.json()["errorCode"]) == (503, 4001)
    assert answer.headers["retry-after"] == "3"


async def test_a_fault_of_ours_is_told_without_a_word_of_why(
    service: SheetApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(service.installation.storage.webhooks, "create", broken)
    answer = await service.send("POST", body=wish())
    assert (answer.status_code, answer.json()["errorCode"]) == (500, 4000)
    assert "secret" not in answer.text


def test_every_code_has_a_status_and_every_error_a_code() -> None:
    assert set(STATUSES) == set(SheetCode)
    internal = (errors.StorageFault, errors.RevisionConflict, errors.ConfigurationError)
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.RequestError | errors.Unavailable):
            code = sheet_code(kind.__new__(kind))
            assert code is not SheetCode.INTERNAL, kind
    for kind in (*internal, RuntimeError):
        assert sheet_code(kind.__new__(kind)) is SheetCode.INTERNAL


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
_names = st.sampled_from(
    ["name", "callbackUrl", "scope", "scopeObjectId", "subscope", "events", "version", "enabled"]
)
_urls = st.text().map("https://{}".format) | st.text()
_bodies = st.binary() | st.one_of(
    st.dictionaries(_names | st.text(), _values),
    st.dictionaries(_names, _values).map(lambda wrong: {**wish(), **wrong}),
    _urls.map(lambda url: wish(callbackUrl=url)),
    _urls.map(lambda url: {"callbackUrl": url, "enabled": True}),
).map(lambda body: json.dumps(body).encode(errors="surrogatepass"))
_paths = st.text(st.characters(exclude_categories=["Cs"])).map(
    lambda text: "/2.0/" + "".join(f"%{byte:02X}" for byte in text.encode())
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    at=st.sampled_from(["all", "one", "secret"]) | _paths,
    body=_bodies,
    query=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20),
)
async def test_whatever_is_sent_is_answered_and_never_a_fault_of_ours(
    service: SheetApi, method: str, at: str, body: bytes, query: str
) -> None:
    service.app._meter._rate._at_most = 1_000_000
    webhook = await service.created()
    places = {
        "all": "",
        "one": f"/{webhook['id']}",
        "secret": f"/{webhook['id']}/resetsharedsecret",
    }
    path = f"/2.0/webhooks{places[at]}" if at in places else at
    query = "".join(sign for sign in query if sign not in "#?")
    answer = await service.send(method, body=body, raw_path=f"{path}?{query}")
    assert answer.status_code in {200, 400, 404, 405, 413, 415}, answer.text
    if answer.status_code != 200:
        assert set(answer.json()) == {"errorCode", "message", "refId"}
