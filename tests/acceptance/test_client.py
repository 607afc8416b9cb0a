"""The client against a real server: each of its calls, blocking and asynchronous."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.acceptance.processes import RunningServer
from tidings.client import AsyncClient, Change, Client, Patience
from tidings.clock import SystemClock
from tidings.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound

KINDS = ["RECORD_CREATED", "RECORD_DELETED", "FIELD_CREATED", "APPLICATION_UPDATED"]
SHEET = 4509506114742148


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server"), database=database) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: RunningServer) -> str:
    return server.make_key()


@pytest.fixture
def client(server: RunningServer, key: str) -> Iterator[Client]:
    with server.client(key) as made:
        yield made


class Challenged(BaseHTTPRequestHandler):
    """Answers a challenge in the header, and nothing else."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        challenge = self.headers["Smartsheet-Hook-Challenge"]
        self.send_header("Smartsheet-Hook-Response", challenge)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Yield the URL of an endpoint that passes challenges."""
    listening = HTTPServer(("127.0.0.1", 0), Challenged)
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{listening.server_address[1]}/hook"
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_a_webhook_is_made_changed_read_and_deleted(client: Client) -> None:
    made = client.create_webhook("crm", KINDS)
    assert made.signing_secret is not None
    changed = client.update_webhook(made.webhook_id, {"kinds": KINDS[:2]})
    assert client.get_webhook(made.webhook_id) == changed
    assert [one.webhook_id for one in client.walk_webhooks(solution_id="crm")] == [made.webhook_id]
    assert client.rotate_secret(made.webhook_id).signing_secret != made.signing_secret
    client.delete_webhook(made.webhook_id)
    with pytest.raises(NotFound):
        client.list_events(made.webhook_id)


def test_changes_of_every_kind_come_back_as_typed_events(client: Client) -> None:
    webhook = client.create_webhook("typed", KINDS)
    client.register_application("typed", "deals", name="Deals")
    with pytest.raises(Conflict):
        client.register_application("another", "deals")
    receipt = client.publish_changes(
        "typed",
        [
            Change(kind="RECORD_CREATED", application_id="deals", record_id="1", data={"a": 1}),
            Change(kind="RECORD_DELETED", application_id="deals", record_id="1", before={"a": 1}),
            Change(kind="FIELD_CREATED", application_id="deals", field_id="b", data={"type": "n"}),
            Change(
                kind="APPLICATION_UPDATED",
                application_id="deals",
                data={"name": "New"},
                previous={"name": "Old"},
            ),
        ],
        idempotency_key="typed",
        source="test",
    )
    assert receipt.accepted == 4
    page = client.list_events(webhook.webhook_id, wait_seconds=5)
    created, deleted, field, application = page.events
    assert created.record_event_data is not None
    assert created.record_event_data.data == {"a": 1}
    assert deleted.kind == "RECORD_DELETED"
    assert field.field_event_data is not None
    assert field.field_event_data.field_id == "b"
    assert application.application_event_data is not None
    assert application.application_event_data.previous == {"name": "Old"}
    assert created.ctx.source == "test"
    assert page.next_page_token == str(application.position)
    assert len(page.texts) == 4


def test_a_request_that_waits_is_answered_when_its_time_is_over(client: Client) -> None:
    webhook = client.create_webhook("quiet", KINDS)
    assert client.list_events(webhook.webhook_id, wait_seconds=1).events == ()


def test_a_server_says_how_it_is(client: Client) -> None:
    assert (client.health().status, client.readiness().status) == ("ok", "ready")


def test_a_sheet_s_webhook_is_made_enabled_changed_and_deleted(
    client: Client, endpoint: str
) -> None:
    with pytest.raises(NotFound):
        client.create_sheet_webhook("rows", SHEET, endpoint)
    client.register_application("plans", str(SHEET))
    made = client.create_sheet_webhook("rows", SHEET, endpoint, column_ids=[7])
    assert (made.status, made.enabled, made.scope_object_id) == ("NEW_NOT_VERIFIED", False, SHEET)
    assert made.subscope.column_ids == (7,)
    enabled = client.update_sheet_webhook(made.id, enabled=True, name="all rows")
    assert (enabled.status, enabled.name) == ("ENABLED", "all rows")
    assert client.reset_shared_secret(made.id) != made.shared_secret
    page = client.list_sheet_webhooks(page=1, page_size=10)
    assert (page.total_count, page.webhooks[0].id) == (1, made.id)
    assert client.disable_administratively(made.id).status == "DISABLED_ADMINISTRATIVE"
    with pytest.raises(FailedPrecondition):
        client.update_sheet_webhook(made.id, enabled=True)
    client.delete_sheet_webhook(made.id)
    with pytest.raises(NotFound):
        client.get_sheet_webhook(made.id)


def test_a_challenge_that_nobody_answers_is_told_and_not_raised(client: Client) -> None:
    client.register_application("plans", str(SHEET))
    made = client.create_sheet_webhook("rows", SHEET, "http://127.0.0.1:9/hook")
    told = client.update_sheet_webhook(made.id, enabled=True)
    assert (told.enabled, told.status) == (False, "DISABLED_VERIFICATION_FAILED")
    assert told.disabled_details


@pytest.mark.parametrize("url", ["http://user:secret@127.0.0.1/hook", "nowhere"])
def test_what_a_sheet_s_webhook_may_not_be_is_refused(client: Client, url: str) -> None:
    client.register_application("plans", str(SHEET))
    with pytest.raises(InvalidArgument):
        client.create_sheet_webhook("rows", SHEET, url)


@pytest.mark.anyio
async def test_the_asynchronous_client_speaks_it_too(server: RunningServer, key: str) -> None:
    clock = SystemClock()
    patience = Patience(total_seconds=0)

    async def lines() -> Any:
        for number in range(3):
            yield (
                b'{"kind":"RECORD_CREATED","application_id":"looped","record_id":"%d","data":{}}\n'
                % number
            )

    async with AsyncClient(server.url, key, pause=clock.sleep, patience=patience) as client:
        webhook = await client.create_webhook("loop", KINDS)
        receipt = await client.publish_lines("loop", lines, idempotency_key="lines")
        assert (receipt.lines, receipt.accepted) == (3, 3)
        page = await client.list_events(webhook.webhook_id)
        assert len(page.events) == 3
        found = [one async for one in client.walk_webhooks(solution_id="loop")]
        assert [one.webhook_id for one in found] == [webhook.webhook_id]
        await client.register_application("plans", str(SHEET))
        made = await client.create_sheet_webhook("rows", SHEET, "http://127.0.0.1:9/hook")
        assert (await client.get_sheet_webhook(made.id)).shared_secret == made.shared_secret
