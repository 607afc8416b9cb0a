"""Which endpoint a request goes to, what nothing answers, and health (contract 3.2)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.api.installation import ACCOUNT, SOLUTION, Installation, sheets_of
from tidings import errors
from tidings.api.app import Engine, build_app
from tidings.domain.address import AddressPolicy
from tidings.domain.key import Role
from tidings.engine.publish import Publisher
from tidings.engine.webhooks import Webhooks
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


class Checked:
    """A readiness check whose answer a test sets."""

    reason: str | None = None

    async def __call__(self) -> str | None:
        return self.reason


@pytest.fixture
def check() -> Checked:
    return Checked()


@pytest.fixture
async def client(installation: Installation, check: Checked) -> AsyncIterator[httpx.AsyncClient]:
    storage, clock = installation.storage, installation.clock
    app = build_app(
        Engine(
            publisher=Publisher(storage.log, storage.applications, clock),
            listing=installation.listing,
            webhooks=Webhooks(storage.webhooks, clock, AddressPolicy()),
            sheets=sheets_of(storage, clock),
            authenticator=installation.authenticator,
            storage=storage,
            clock=clock,
            readiness=[check],
        )
    )
    transport = httpx.ASGITransport(app=app)
    key = await installation.new_key(role=Role.ADMIN, name="admin")
    headers = {"Authorization": f"Token {key}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://tidings.test", headers=headers
    ) as opened:
        yield opened


async def test_a_published_change_is_listed_by_the_curl_of_the_vendors_page(
    client: httpx.AsyncClient, installation: Installation
) -> None:
    webhook = await installation.new_webhook()
    data = '{"title": "test", "amount": 1.50, "big": 12345678901234567890123}'
    published = await client.post(
        "/v1/changes",
        content=f'{{"solution_id": "{SOLUTION}", "changes": [{{"kind": "RECORD_CREATED", '
        f'"application_id": "63b87cad645b3949631b55c1", "record_id": "6493681eba09b400816eb754", '
        f'"at": "2023-06-21T21:14:06.263Z", "data": {data}}}]}}',
        headers={"Content-Type": "application/json"},
    )
    assert published.status_code == 200, published.text
    answer = await client.post(
        "/smartsuite.webhooks.engine.Webhooks/ListEvents",
        headers={"ACCOUNT-ID": ACCOUNT, "Content-Type": "application/json"},
        content=f'{{\n"webhook_id": "{webhook["webhook_id"]}",\n'
        '"page_size": "50",\n"page_token": ""\n}',
    )
    assert answer.status_code == 200
    assert data.encode() in answer.content
    [event] = answer.json()["events"]
    locator = {"account_id": ACCOUNT, "solution_id": SOLUTION}
    ctx = event.pop("ctx")
    position = published.json()["first_position"]
    assert event == {
        "webhook_id": webhook["webhook_id"],
        "locator": locator,
        "event_id": f"{webhook['webhook_id']}.{position}",
        "kind": "RECORD_CREATED",
        "event_at": "2023-06-21T21:14:06.263Z",
        "record_event_data": {
            "record_id": "6493681eba09b400816eb754",
            "locator": {**locator, "application_id": "63b87cad645b3949631b55c1"},
            "data": json.loads(data),
            "previous": {},
        },
    }
    members = ["change_id", "change_size", "batch_id", "batch_size", "source", "handler"]
    assert list(ctx) == members
    assert (ctx["source"], ctx["handler"]) == ("UNKNOWN", "API")


async def test_an_application_is_registered(client: httpx.AsyncClient) -> None:
    body = {"solution_id": SOLUTION, "application_id": "a", "name": "Tasks"}
    assert (await client.post("/v1/applications", json=body)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/changes/", "/smartsuite", "/healthz/x"])
async def test_a_path_that_nothing_serves_is_a_problem(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.post(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/changes", "POST"),
        ("DELETE", "/v1/applications", "POST"),
        ("POST", "/healthz", "GET"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_a_problem_that_names_the_others(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert allowed in answer.headers["allow"]


async def test_a_live_and_ready_server_says_so_to_anybody(client: httpx.AsyncClient) -> None:
    del client.headers["Authorization"]
    for path in ("/healthz", "/readyz"):
        assert (await client.get(path)).status_code == 200
        assert (await client.head(path)).status_code == 200


async def test_a_server_that_is_not_ready_says_why(
    client: httpx.AsyncClient,
    installation: Installation,
    check: Checked,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails() -> None:
        raise errors.StorageUnavailable("the disk is full")

    monkeypatch.setattr(installation.storage, "probe", fails)
    check.reason = "the server is draining"
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the disk is full", "the server is draining"]
    assert (await client.get("/healthz")).status_code == 200
    monkeypatch.undo()
    check.reason = None
    await clock.advance(2)
    assert (await client.get("/readyz")).status_code == 200


async def test_a_check_that_breaks_tells_no_more_than_that(
    client: httpx.AsyncClient, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks() -> None:
        raise RuntimeError("swordfish")

    monkeypatch.setattr(installation.storage, "probe", breaks)
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "swordfish" not in answer.text


async def test_many_who_ask_whether_it_is_ready_cost_one_look(
    client: httpx.AsyncClient, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    probe = installation.storage.probe

    async def counted() -> None:
        nonlocal looks
        looks += 1
        await probe()

    monkeypatch.setattr(installation.storage, "probe", counted)
    for _ in range(5):
        assert (await client.get("/readyz")).status_code == 200
    assert looks == 1


async def test_the_servers_start_and_end_are_answered(installation: Installation) -> None:
    storage, clock = installation.storage, installation.clock
    app = build_app(
        Engine(
            publisher=Publisher(storage.log, storage.applications, clock),
            listing=installation.listing,
            webhooks=Webhooks(storage.webhooks, clock, AddressPolicy()),
            sheets=sheets_of(storage, clock),
            authenticator=installation.authenticator,
            storage=storage,
            clock=clock,
        )
    )
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
