"""The webhook service over real HTTP: every example of contract 1.1 to 1.6 that is built."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import standardwebhooks

from tests.acceptance.processes import ACCOUNT, RunningServer, changes_body
from tidings.testing.endpoint import ScriptedEndpoint

pytestmark = pytest.mark.anyio

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
RECORD_KINDS = ["RECORD_CREATED", "RECORD_UPDATED", "RECORD_DELETED"]

# What a platform's record looks like: nested values, nulls, HTML, and what JSON parsers mangle.
RECORD = (
    b'{"title": "a \\u0022test\\u0022", "due": {"is_overdue": false, "to": {"date": null}}, '
    b'"html": "<div>\\n</div>", "followed_by": [], "autonumber": 2, '
    b'"big": 12345678901234567890123, "exact": 0.10000000000000000001}'
)


class Subscriber:
    """One key of one server, and the calls that the contract's examples make with it."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.key = server.make_key("subscriber")
        self.publisher = server.make_key("publisher")
        self._solutions = 0

    def solution(self) -> str:
        """Return a solution that no other test uses."""
        self._solutions += 1
        return f"solution{self._solutions}"

    def call(self, method: str, wish: object) -> dict[str, Any]:
        """Call a method that must succeed."""
        answer = self.server.call(method, self.key, wish)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        parsed: dict[str, Any] = answer.json()
        return parsed

    def create(self, solution: str, **wish: object) -> dict[str, Any]:
        """Create a webhook on a solution, with every record kind if nothing else is wished."""
        webhook = {
            "filter": {"solution": {}},
            "kinds": RECORD_KINDS,
            "locator": {"account_id": ACCOUNT, "solution_id": solution},
            **wish,
        }
        created: dict[str, Any] = self.call("CreateWebhook", {"webhook": webhook})["webhook"]
        return created

    def publish(self, body: bytes) -> dict[str, Any]:
        """Publish, and return the receipt."""
        answer = self.server.publish(self.publisher, body)
        assert answer.status_code == 200, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt


@pytest.fixture(scope="module")
def subscriber(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subscriber]:
    with RunningServer(tmp_path_factory.mktemp("wire"), database=database) as server:
        yield Subscriber(server)


@pytest.fixture
async def endpoint() -> AsyncIterator[ScriptedEndpoint]:
    async with ScriptedEndpoint() as listening:
        yield listening


def post_as_documented(server: RunningServer, key: str, body: str) -> bytes:
    """Send the documentation's own command, with host, key and account replaced."""
    url = f"{server.url}/smartsuite.webhooks.engine.Webhooks/ListEvents"
    headers = [f"Authorization: Token {key}", f"ACCOUNT-ID: {ACCOUNT}"]
    headers.append("Content-Type: application/json")
    curl = shutil.which("curl")
    if curl is None:
        fields = dict(header.split(": ") for header in headers)
        return server.http.post(url, headers=fields, content=body.encode()).content
    command = [curl, "--silent", "--noproxy", "*", "-X", "POST", url]
    for header in headers:
        command += ["-H", header]
    return subprocess.run(
        [*command, "--data", body], capture_output=True, check=True, timeout=20
    ).stdout


def test_the_documented_curl_lists_an_event_as_documented(subscriber: Subscriber) -> None:
    solution = subscriber.solution()
    webhook_id = subscriber.create(solution)["webhook_id"]
    receipt = subscriber.publish(
        b'{"solution_id": "%s", "batch_id": "65832e55206fdfd247b84abd", "handler": "INTERACTIVE",'
        b' "changes": [{"kind": "RECORD_CREATED", "application_id": "table", "record_id": "6493",'
        b' "at": "2023-06-21T21:14:06.263Z", "data": %s}]}' % (solution.encode(), RECORD)
    )
    body = f'{{\n"webhook_id": "{webhook_id}",\n"page_size": "50",\n"page_token": ""\n}}'
    answer = post_as_documented(subscriber.server, subscriber.key, body)
    page = json.loads(answer)
    (event,) = page["events"]
    position = receipt["first_position"]
    change_id = event["ctx"].pop("change_id")
    assert re.fullmatch(r"[0-9a-f-]{36}", change_id)
    assert event == {
        "webhook_id": webhook_id,
        "locator": {"account_id": ACCOUNT, "solution_id": solution},
        "event_id": f"{webhook_id}.{position}",
        "kind": "RECORD_CREATED",
        "event_at": "2023-06-21T21:14:06.263Z",
        "record_event_data": {
            "record_id": "6493",
            "locator": {
                "account_id": ACCOUNT,
                "solution_id": solution,
                "application_id": "table",
            },
            "data": json.loads(RECORD),
            "previous": {},
        },
        "ctx": {
            "change_size": 1,
            "batch_id": "65832e55206fdfd247b84abd",
            "batch_size": 1,
            "source": "UNKNOWN",
            "handler": "INTERACTIVE",
        },
    }
    assert RECORD in answer, "what a publisher sent comes back byte for byte"
    assert page["next_page_token"] == str(position)
    assert page["has_more"] is False


def test_an_update_lists_the_prior_values_of_the_changed_fields_alone(
    subscriber: Subscriber,
) -> None:
    solution = subscriber.solution()
    webhook_id = subscriber.create(solution)["webhook_id"]
    change = {"kind": "RECORD_UPDATED", "application_id": "table", "record_id": "1"}
    same = {"data": {"a": 1}, "before": {"a": 1.0}}
    moved = {"data": {"a": 2, "b": "new", "c": 3}, "before": {"a": 1, "c": 3}}
    gone = {"kind": "RECORD_DELETED", "before": moved["data"]}
    receipt = subscriber.publish(
        json.dumps(
            {"solution_id": solution, "changes": [change | same, change | moved, change | gone]}
        ).encode()
    )
    assert (receipt["accepted"], receipt["suppressed"]) == (2, 1)
    updated, deleted = subscriber.call("ListEvents", {"webhook_id": webhook_id})["events"]
    assert updated["record_event_data"]["previous"] == {"a": 1, "b": None}
    assert deleted["record_event_data"]["data"] == moved["data"]
    assert deleted["record_event_data"]["previous"] == {}


def test_a_webhook_is_created_got_listed_updated_and_deleted(subscriber: Subscriber) -> None:
    solution = subscriber.solution()
    url = "http://127.0.0.1:9/hook"
    created = subscriber.create(
        solution, kinds=["RECORD_CREATED"], notification_status={"enabled": {"url": url}}
    )
    secret = created.pop("signing_secret")
    assert secret.startswith("whsec_")
    webhook_id = created["webhook_id"]
    stamp = created["created_at"]
    assert INSTANT.fullmatch(stamp["at"])
    assert created == {
        "webhook_id": webhook_id,
        "locator": {"account_id": ACCOUNT, "solution_id": solution},
        "filter": {"solution": {}},
        "kinds": ["RECORD_CREATED"],
        "created_at": stamp,
        "updated_at": stamp,
        "notification_status": {"enabled": {"url": url}},
        "system_status": {
            "enabled": {"expires_at": created["system_status"]["enabled"]["expires_at"]}
        },
    }
    for method in ("GetWebhook", "GetWebhooks"):
        assert subscriber.call(method, {"webhook_id": webhook_id}) == {"webhook": created}
    of_solution = subscriber.call("ListWebhooks", {"solution_id": solution})
    assert of_solution == {"webhooks": [created]}, "no token where no page follows"

    # The documentation's own update names kinds by number, and fewer fields than it demands.
    updated = subscriber.call(
        "UpdateWebhook",
        {
            "webhook": {
                "webhook_id": webhook_id,
                "kinds": [1],
                "notification_status": {"disabled": {}},
            }
        },
    )["webhook"]
    assert updated["notification_status"] == {"disabled": {}}
    assert {
        **updated,
        "updated_at": stamp,
        "notification_status": created["notification_status"],
    } == created
    assert subscriber.call("DeleteWebhook", {"webhook_id": webhook_id}) == {}
    assert refusal(subscriber, "GetWebhook", {"webhook_id": webhook_id})[:2] == (404, "not_found")


def test_webhooks_are_listed_page_by_page(subscriber: Subscriber) -> None:
    solution = subscriber.solution()
    made = [subscriber.create(solution)["webhook_id"] for _ in range(3)]
    wish = {"solution_id": solution, "page_size": 2}
    first = subscriber.call("ListWebhooks", wish)
    last = subscriber.call("ListWebhooks", wish | {"page_token": first["next_page_token"]})
    assert "next_page_token" not in last
    assert [w["webhook_id"] for w in first["webhooks"] + last["webhooks"]] == made


def refusal(subscriber: Subscriber, method: str, wish: object) -> tuple[int, str, str | None]:
    """Call a method that must be refused; return status, Twirp code and argument."""
    answer = subscriber.server.call(method, subscriber.key, wish)
    error = answer.json()
    assert set(error) <= {"code", "msg", "meta"}
    assert error["msg"]
    return answer.status_code, error["code"], error.get("meta", {}).get("argument")


@pytest.mark.parametrize(
    ("wish", "argument"),
    [
        ({"page_size": "abc"}, "page_size"),
        ({"page_size": 50.5}, "page_size"),
        ({"page_size": -1}, "page_size"),
        ({"page_token": "abc"}, "page_token"),
        ({"page_token": "9" * 16}, "page_token"),
    ],
)
def test_what_a_page_can_not_be_is_refused_by_name(
    subscriber: Subscriber, wish: dict[str, object], argument: str
) -> None:
    webhook_id = subscriber.create(subscriber.solution())["webhook_id"]
    found = refusal(subscriber, "ListEvents", {"webhook_id": webhook_id, **wish})
    assert found == (400, "invalid_argument", argument)


@pytest.mark.parametrize(
    "wish",
    [
        {"page_size": "50"},
        {"page_size": 0},
        {"page_size": ""},
        {"page_size": None},
        {"pageSize": 5000},
        {"page_token": None},
        {"page_token": 8991625},
        {"something": ["else"]},
    ],
)
def test_what_proto3_json_allows_is_taken(subscriber: Subscriber, wish: dict[str, object]) -> None:
    webhook_id = subscriber.create(subscriber.solution())["webhook_id"]
    answer = subscriber.call("ListEvents", {"webhook_id": webhook_id, **wish})
    assert answer["events"] == []
    assert answer["next_page_token"].isdigit()


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"kinds": ["RECORD_BENT"]}, "invalid_argument"),
        ({"filter": {}}, "invalid_argument"),
        ({"filter": {"solution": {}, "applications": {}}}, "invalid_argument"),
        ({"webhook_id": "3c8a1835-a39a-43ba-ba9c-6fbce5581e34"}, "invalid_argument"),
        ({"notification_status": {"enabled": {}}}, "invalid_argument"),
        ({"notification_status": {"enabled": {"url": "ftp://x"}}}, "invalid_argument"),
        ({"notification_status": {"enabled": {"url": "https://u:p@x/"}}}, "invalid_argument"),
        (
            {"notification_status": {"enabled": {"url": "https://169.254.169.254/"}}},
            "invalid_argument",
        ),
        ({"start_at": "2999-01-01T00:00:00Z"}, "invalid_argument"),
        ({"locator": {"account_id": "another", "solution_id": "s"}}, "not_found"),
    ],
)
def test_what_a_webhook_can_not_be_is_refused(
    subscriber: Subscriber, wish: dict[str, object], code: str
) -> None:
    webhook = {
        "filter": {"solution": {}},
        "kinds": RECORD_KINDS,
        "locator": {"account_id": ACCOUNT, "solution_id": "s"},
        **wish,
    }
    assert refusal(subscriber, "CreateWebhook", {"webhook": webhook})[1] == code


def test_errors_are_twirps_for_keys_accounts_methods_and_bodies(subscriber: Subscriber) -> None:
    server = subscriber.server
    webhook_id = subscriber.create(subscriber.solution())["webhook_id"]
    wish = {"webhook_id": webhook_id}
    stranger = server.make_key("subscriber", account="another")
    answers = [
        server.call("GetWebhook", "tdg_nobody", wish),
        server.call("GetWebhook", subscriber.publisher, wish),
        server.call("GetWebhook", stranger, wish),
        server.call("NoSuchMethod", subscriber.key, wish),
        server.call("RotateNothing", subscriber.key, {}),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (401, "unauthenticated"),
        (403, "permission_denied"),
        (404, "not_found"),
        (404, "bad_route"),
        (404, "bad_route"),
    ]
    broken = server.http.post(
        f"{server.url}/smartsuite.webhooks.engine.Webhooks/GetWebhook",
        headers={"Authorization": f"TOKEN {subscriber.key}", "Content-Type": "application/json"},
        content=b"{not json",
    )
    assert (broken.status_code, broken.json()["code"]) == (400, "malformed")


async def test_a_ping_is_thin_and_its_signature_verifies(
    subscriber: Subscriber, endpoint: ScriptedEndpoint
) -> None:
    solution = subscriber.solution()
    webhook = subscriber.create(
        solution, notification_status={"enabled": {"url": endpoint.url("/hook?x=1")}}
    )
    receipt = subscriber.publish(changes_body(solution, 1))
    (ping,) = await endpoint.received(1)
    # A second source of truth: the package that receivers use.
    standardwebhooks.Webhook(webhook["signing_secret"]).verify(ping.body, dict(ping.headers))
    body = json.loads(ping.body)
    assert INSTANT.fullmatch(body.pop("timestamp"))
    assert body == {
        "webhookId": webhook["webhook_id"],
        "locator": {"accountId": ACCOUNT, "solutionId": solution} | places_of(body),
        "transactionNumber": receipt["last_position"],
    }
    assert (ping.method, ping.target) == ("POST", "/hook?x=1")
    assert ping.headers["content-type"] == "application/json"
    assert ping.headers["webhook-id"] == f"{webhook['webhook_id']}.{receipt['last_position']}"


def places_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return the optional places of a ping, which must then be those of the one change."""
    given = {k: v for k, v in body["locator"].items() if k in {"applicationId", "fieldIds"}}
    assert given.get("applicationId", "table") == "table"
    return given


class PingedClient:
    """A client as they are in the field: told by pings alone, keeping its token."""

    def __init__(self, subscriber: Subscriber, endpoint: ScriptedEndpoint, solution: str) -> None:
        self.event_ids: list[str] = []
        self.token = ""
        self._server = subscriber.server
        self._key = subscriber.server.make_key("subscriber")
        self._endpoint = endpoint
        answer = self._server.call(
            "CreateWebhook",
            self._key,
            {
                "webhook": {
                    "filter": {"solution": {}},
                    "kinds": RECORD_KINDS,
                    "locator": {"solution_id": solution},
                }
            },
        )
        self._webhook_id = answer.json()["webhook"]["webhook_id"]

    def switch_on(self) -> None:
        """Let pings come, to this client's own path."""
        status = {"enabled": {"url": self._endpoint.url()}}
        webhook = {"webhook_id": self._webhook_id, "notification_status": status}
        assert (
            self._server.call("UpdateWebhook", self._key, {"webhook": webhook}).status_code == 200
        )

    async def page(self) -> bool:
        """Fetch one page of 50 and keep its token; return whether it had events."""
        wish = {"webhook_id": self._webhook_id, "page_size": 50, "page_token": self.token}
        answer = await asyncio.to_thread(self._server.call, "ListEvents", self._key, wish)
        page = answer.json()
        self.event_ids += [event["event_id"] for event in page["events"]]
        self.token = page["next_page_token"]
        return bool(page["events"])

    async def drain(self, *, loops: bool) -> int:
        """Answer each ping in this client's way until all is read; return the pings taken."""
        pings = 0
        while len(self.event_ids) < 1_000:
            pings += 1
            await self._endpoint.received(pings)
            while await self.page() and loops:
                pass
        return pings

    def expected(self, receipt: dict[str, Any]) -> list[str]:
        """Return the ids that the events of a publish have for this webhook."""
        first = receipt["first_position"]
        return [f"{self._webhook_id}.{first + n}" for n in range(receipt["accepted"])]


@pytest.mark.only_on("sqlite", "its 20 seconds are those of the pings' pace, on any database")
async def test_a_backlog_of_1000_is_read_by_pings_alone_in_both_ways_of_reading(
    subscriber: Subscriber,
) -> None:
    solution = subscriber.solution()
    async with ScriptedEndpoint() as first, ScriptedEndpoint() as second:
        one_page_a_ping = PingedClient(subscriber, first, solution)
        until_empty = PingedClient(subscriber, second, solution)
        receipt = subscriber.publish(changes_body(solution, 0, 1_000))
        one_page_a_ping.switch_on()
        until_empty.switch_on()
        async with asyncio.timeout(60):
            pings, _ = await asyncio.gather(
                one_page_a_ping.drain(loops=False), until_empty.drain(loops=True)
            )
    assert one_page_a_ping.event_ids == one_page_a_ping.expected(receipt)
    assert until_empty.event_ids == until_empty.expected(receipt)
    assert pings == 20
