"""Creating a callback webhook: what comes back, and what is refused (contract 2.2, 2.3, 2.7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.installation import ACCOUNT
from tests.api.sheet_api import CALLBACK, SHEET, SheetApi, wish
from tests.publishing.platform import created as change
from tidings.domain.address import AddressPolicy
from tidings.domain.caps import Caps
from tidings.domain.filter import ApplicationFilter
from tidings.engine.publish import Publisher
from tidings.testing.clock import DEFAULT_START, ManualClock

pytestmark = pytest.mark.anyio

NOT_ALLOWED: list[dict[str, Any]] = [
    {"enabled": True},
    {"enabled": False},
    {"id": 1},
    {"status": "ENABLED"},
    {"sharedSecret": "x"},
    {"createdAt": "2020-01-03T22:25:51Z"},
    {"stats": {}},
    {"callbackURL": CALLBACK},
    {"enabled": None},
]
NOT_HTTPS = [
    "http://receiver.test/",
    "ftp://receiver.test/",
    "receiver.test",
    "",
    "//x",
    "HTTP://x",
]
FORBIDDEN = [
    "https://receiver.test:444/",
    "https://receiver.test:80/",
    "https://receiver.test:65536/",
    "https://127.0.0.1/",
    "https://10.0.0.1/",
    "https://[::1]/",
    "https://169.254.169.254/latest",
    "https://user:secret@receiver.test/",
    "https://receiver.test/#here",
    "https:///path",
    "https://receiver.test/a b",
    "https://" + "x" * 3_000,
]
INVALID: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "  "},
    {"name": 7},
    {"name": "x" * 256},
    {"name": "a\x00b"},
    {"scope": "plan"},
    {"scope": 1},
    {"scopeObjectId": 0},
    {"scopeObjectId": -1},
    {"scopeObjectId": 2**53},
    {"scopeObjectId": "abc"},
    {"scopeObjectId": "01"},
    {"scopeObjectId": 1.5},
    {"scopeObjectId": 1e300},
    {"scopeObjectId": True},
    {"scopeObjectId": [SHEET]},
    {"subscope": [1]},
    {"subscope": {"columnIds": 1}},
    {"subscope": {"columnIds": ["x"]}},
    {"subscope": {"columnIds": [None]}},
    {"subscope": {"columnIds": list(range(1, 502))}},
    {"subscope": {"rowIds": [1]}},
    {"events": []},
    {"events": ["row.created"]},
    {"events": "*.*"},
    {"events": ["*.*", "*.*"]},
    {"events": {"*.*": 1}},
    {"version": 2},
    {"version": "1"},
    {"version": True},
    {"version": 1.5},
    {"callbackUrl": 7},
    {"callbackUrl": {}},
]


async def test_a_new_webhook_is_disabled_and_not_verified(service: SheetApi) -> None:
    webhook = await service.created()
    number, secret = webhook.pop("id"), webhook.pop("sharedSecret")
    now = DEFAULT_START.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert webhook == {
        "name": "My webhook",
        "callbackUrl": CALLBACK,
        "scope": "sheet",
        "scopeObjectId": SHEET,
        "events": ["*.*"],
        "version": 1,
        "enabled": False,
        "status": "NEW_NOT_VERIFIED",
        "createdAt": now,
        "modifiedAt": now,
    }
    assert isinstance(number, int)
    assert 2**52 <= number < 2**53
    assert len(secret) == 26
    assert set(secret) <= set("abcdefghijklmnopqrstuvwxyz0123456789")
    assert service.sender.sent == []
    assert await service.call("GET", f"/{number}") == {
        **webhook,
        "id": number,
        "sharedSecret": secret,
    }


async def test_a_subscope_comes_back_and_is_what_the_webhook_covers(service: SheetApi) -> None:
    webhook = await service.created(subscope={"columnIds": [9, "7", 9]})
    assert webhook["subscope"] == {"columnIds": [7, 9]}
    row = await service.row(webhook)
    assert row.filter == ApplicationFilter(str(SHEET), ("7", "9"))
    everything: Any
    for everything in ({}, {"columnIds": []}, {"columnIds": None}, None):
        assert "subscope" not in await service.created(subscope=everything)


async def test_a_scope_of_digits_in_a_string_comes_back_as_a_number(service: SheetApi) -> None:
    assert (await service.created(scopeObjectId=str(SHEET)))["scopeObjectId"] == SHEET


async def test_a_sheet_is_known_once_a_change_of_it_was_published(service: SheetApi) -> None:
    sheet = SHEET + 1
    missing = wish(scopeObjectId=sheet)
    assert await service.refused("POST", body=missing) == (404, 1151)
    storage, clock = service.installation.storage, service.installation.clock
    publisher = Publisher(storage.log, storage.applications, clock)
    body = change(application_id=str(sheet))
    await publisher.publish(
        ACCOUNT, json.dumps({"solution_id": "plans", "changes": [body]}).encode(), None
    )
    webhook = await service.created(scopeObjectId=sheet)
    assert (await service.row(webhook)).solution == "plans"


async def test_another_account_s_sheet_is_not_found(service: SheetApi) -> None:
    stranger = await service.installation.new_key("globex")
    assert await service.refused("POST", body=wish(), key=stranger) == (404, 1151)


async def test_the_same_webhook_may_be_made_twice(service: SheetApi) -> None:
    first, second = await service.created(), await service.created()
    assert first["id"] != second["id"]
    assert first["sharedSecret"] != second["sharedSecret"]


async def test_a_required_attribute_that_is_missing_is_named(service: SheetApi) -> None:
    for missing in ("name", "callbackUrl", "scope", "scopeObjectId", "events", "version"):
        for absent in (..., None):
            answer = await service.send("POST", body=wish(**{missing: absent}))
            assert (answer.status_code, answer.json()["errorCode"]) == (400, 1012), missing
            assert missing in answer.json()["message"]


async def test_what_only_others_may_write_is_not_allowed(service: SheetApi) -> None:
    for attribute in NOT_ALLOWED:
        answer = await service.send("POST", body=wish(**attribute))
        assert (answer.status_code, answer.json()["errorCode"]) == (400, 1032), attribute
        assert next(iter(attribute)) in answer.json()["message"]


async def test_an_invalid_value_of_an_attribute_is_named(service: SheetApi) -> None:
    for attribute in INVALID:
        answer = await service.send("POST", body=wish(**attribute))
        assert (answer.status_code, answer.json()["errorCode"]) == (400, 1031), attribute
        assert next(iter(attribute)) in answer.json()["message"]


async def test_a_callback_url_starts_with_https(service: SheetApi) -> None:
    for url in NOT_HTTPS:
        assert await service.refused("POST", body=wish(callbackUrl=url)) == (400, 1152), url


async def test_a_callback_url_that_nothing_may_be_sent_to_is_refused(service: SheetApi) -> None:
    for url in FORBIDDEN:
        assert await service.refused("POST", body=wish(callbackUrl=url)) == (400, 1018), url


async def test_the_vendor_s_ports_are_fine(service: SheetApi) -> None:
    for port in ("", ":443", ":8000", ":8008", ":8080", ":8443"):
        url = f"HTTPS://receiver.test{port}/path?query=1"
        assert (await service.created(callbackUrl=url))["callbackUrl"] == url


async def test_dev_lets_in_http_every_port_and_loopback(service: SheetApi) -> None:
    service.sheets._policy = AddressPolicy(dev=True)
    for url in ("http://127.0.0.1:41234/cb", "https://localhost:444/", "http://[::1]:9999/"):
        assert (await service.created(callbackUrl=url))["callbackUrl"] == url
    assert await service.refused("POST", body=wish(callbackUrl="ftp://x/")) == (400, 1152)
    assert await service.refused("POST", body=wish(callbackUrl="http://10.0.0.1/")) == (400, 1018)


async def test_an_account_without_room_is_told_so(service: SheetApi) -> None:
    service.sheets._caps = Caps(account_webhooks=1)
    await service.created()
    assert await service.refused("POST", body=wish()) == (403, 1013)


async def test_a_number_that_is_taken_is_not_given_again(
    service: SheetApi, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = iter([b"\x01" * 38, b"\x01" * 38, b"\x02" * 38])
    monkeypatch.setattr(clock, "entropy", lambda size: next(dice)[:size])
    first = await service.created()
    assert (await service.created())["id"] != first["id"]
