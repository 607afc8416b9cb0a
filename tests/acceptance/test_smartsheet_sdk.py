"""The vendor's own SDK against a real server, as its users write it (contract 2.1 to 2.7).

The SDK checks the type of all that it is answered, so its models are the second source of truth.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import smartsheet

from tests.acceptance.processes import RunningServer
from tidings.clock import SystemClock
from tidings.receiver import ReceivedEvent, Receiver

# The SDK asks for TLS by options that Python has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.OP_NO:DeprecationWarning")

SHEET = 4509506114742148
COLUMN = 2650235767940996


class Endpoint:
    """A real Receiver behind a real server on loopback; while not `willing`, it answers 500."""

    def __init__(self, folder: Path) -> None:
        self.willing = True
        self.events: Queue[ReceivedEvent] = Queue()
        # It learns the shared secret once the webhook is made.
        self.receiver = Receiver(secrets="not yet known", inbox=f"sqlite:///{folder}/inbox.db")
        self.receiver.on()(self.events.put)
        self._server = make_server("127.0.0.1", 0, self._app, handler_class=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}/callback"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Endpoint:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.receiver.stop()

    def _app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        if self.willing:
            return self.receiver.wsgi(environ, start_response)
        start_response("500 Internal Server Error", [("Content-Length", "0")])
        return []


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing on standard error."""


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    a_minute, folder = ("--sheet-requests-per-minute", "100"), tmp_path_factory.mktemp("sheets")
    with RunningServer(folder, *a_minute, database=database) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: RunningServer) -> str:
    admin = server.make_key("admin")
    with server.client(admin) as client:
        client.register_application("plans", str(SHEET), name="A sheet")
    return admin


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[Endpoint]:
    with Endpoint(tmp_path) as listening:
        yield listening


def sdk(server: RunningServer, key: str) -> smartsheet.Smartsheet:
    """Return the vendor's client, with its errors as exceptions."""
    client = smartsheet.Smartsheet(key, api_base=f"{server.url}/2.0", max_retry_time=5)
    client.errors_as_exceptions(True)
    return client


def a_webhook(endpoint: Endpoint, **more: Any) -> smartsheet.models.Webhook:
    """Return what the vendor's tutorial creates."""
    return smartsheet.models.Webhook(
        {
            "name": "My New Sheet Rows",
            "callbackUrl": endpoint.url,
            "scope": "sheet",
            "scopeObjectId": SHEET,
            "events": ["*.*"],
            "version": 1,
            **more,
        }
    )


def called(webhooks: Any, number: int) -> Any:
    """Return a webhook's stats, once its callback is settled: within a second or two."""
    for _ in range(60):
        stats = webhooks.get_webhook(number).stats
        if stats is not None:
            return stats
        SystemClock().pause(0.2)
    pytest.fail("no callback was settled")


def test_the_vendor_s_sdk_takes_a_webhook_through_its_life(
    server: RunningServer, key: str, endpoint: Endpoint
) -> None:
    webhooks = sdk(server, key).Webhooks
    made = webhooks.create_webhook(a_webhook(endpoint, subscope={"columnIds": [COLUMN]}))
    assert (made.message, made.result_code) == ("SUCCESS", 0)
    webhook = made.result
    assert (webhook.name, webhook.callback_url) == ("My New Sheet Rows", endpoint.url)
    assert (webhook.enabled, webhook.status) == (False, "NEW_NOT_VERIFIED")
    assert (webhook.scope, webhook.scope_object_id, webhook.version) == ("sheet", SHEET, 1)
    assert list(webhook.subscope.column_ids) == [COLUMN]
    assert list(webhook.events) == ["*.*"]
    assert isinstance(webhook.created_at, datetime.datetime)
    assert isinstance(webhook.modified_at, datetime.datetime)

    enable = smartsheet.models.Webhook({"enabled": True})
    endpoint.receiver.rotate(webhook.shared_secret)
    enabled = webhooks.update_webhook(webhook.id, enable)
    assert (enabled.result.enabled, enabled.result.status) == (True, "ENABLED")

    listed = webhooks.list_webhooks()
    assert (listed.total_count, listed.total_pages, listed.page_number) == (1, 1, 1)
    assert [found.to_dict() for found in listed.data] == [enabled.result.to_dict()]
    assert webhooks.list_webhooks(page_size=10, page=2).data == []
    assert webhooks.get_webhook(webhook.id).to_dict() == enabled.result.to_dict()

    renamed = webhooks.update_webhook(webhook.id, smartsheet.models.Webhook({"name": "renamed"}))
    assert (renamed.result.name, renamed.result.status) == ("renamed", "ENABLED")

    reset = webhooks.reset_shared_secret(webhook.id)
    assert reset.result.shared_secret not in (None, webhook.shared_secret)
    assert webhooks.get_webhook(webhook.id).shared_secret == reset.result.shared_secret
    assert not webhooks.update_webhook(webhook.id, enable).result.enabled, "signed by another"
    endpoint.receiver.rotate(reset.result.shared_secret)
    assert webhooks.update_webhook(webhook.id, enable).result.enabled

    change = {"kind": "RECORD_CREATED", "application_id": str(SHEET), "record_id": "7"}
    with server.client(key) as client:
        client.publish_changes("plans", [{**change, "data": {}}], idempotency_key="seven")
    event = endpoint.events.get(timeout=20)
    assert (event.object_type, event.event_type, event.id) == ("row", "created", 7)
    stats = called(webhooks, webhook.id)
    assert isinstance(stats.last_callback_attempt, datetime.datetime)
    assert isinstance(stats.last_successful_callback, datetime.datetime)
    assert stats.last_callback_attempt_retry_count == 0

    assert webhooks.delete_webhook(webhook.id).message == "SUCCESS"
    with pytest.raises(smartsheet.exceptions.ApiError, match="Not Found"):
        webhooks.get_webhook(webhook.id)


def test_the_sdk_reads_a_failed_challenge_and_what_is_refused(
    server: RunningServer, key: str, endpoint: Endpoint
) -> None:
    client = sdk(server, key)
    webhook = client.Webhooks.create_webhook(a_webhook(endpoint)).result
    endpoint.receiver.rotate(webhook.shared_secret)
    endpoint.willing = False
    failed = client.Webhooks.update_webhook(
        webhook.id, smartsheet.models.Webhook({"enabled": True})
    ).result
    assert (failed.enabled, failed.status) == (False, "DISABLED_VERIFICATION_FAILED")
    assert failed.disabled_details.startswith("Request returned HTTP status code 500 (ref id: ")
    with pytest.raises(smartsheet.exceptions.ApiError, match="1151"):
        client.Webhooks.create_webhook(a_webhook(endpoint, scopeObjectId=7))
    with pytest.raises(smartsheet.exceptions.ApiError, match="1012"):
        client.Webhooks.create_webhook(smartsheet.models.Webhook({"name": "alone"}))
    with pytest.raises(smartsheet.exceptions.ApiError, match="1002"):
        sdk(server, "tdg_nobody").Webhooks.list_webhooks()
    client.Webhooks.delete_webhook(webhook.id)


def test_the_sdk_waits_as_told_by_the_code_of_the_rate_limit(
    server: RunningServer, key: str
) -> None:
    """It looks at errorCode 4003 alone, and gives up after its own time."""
    busy = server.make_key("subscriber")
    with server.client(busy) as client:
        for _ in range(100):
            client.list_sheet_webhooks()
    impatient = smartsheet.Smartsheet(busy, api_base=f"{server.url}/2.0", max_retry_time=0)
    answer = impatient.Webhooks.list_webhooks()
    assert isinstance(answer, smartsheet.models.Error)
    assert (answer.result.code, answer.result.status_code) == (4003, 429)
    assert (answer.result.name, answer.result.should_retry) == ("RateLimitExceededError", True)


def test_the_command_line_disables_for_the_owner_and_enables_again(
    server: RunningServer, key: str, endpoint: Endpoint
) -> None:
    client = sdk(server, key)
    made = client.Webhooks.create_webhook(a_webhook(endpoint)).result
    endpoint.receiver.rotate(made.shared_secret)
    number = made.id
    enable = smartsheet.models.Webhook({"enabled": True})
    client.Webhooks.update_webhook(number, enable)
    (listed,) = json.loads(server.run_here("webhooks", "callbacks", "--json", key=key).stdout)
    assert (listed["id"], listed["status"]) == (number, "ENABLED")
    off = server.run_here("webhooks", "disable", str(number), "--administrative", key=key)
    assert json.loads(off.stdout)["status"] == "DISABLED_ADMINISTRATIVE", off.stderr
    with pytest.raises(smartsheet.exceptions.ApiError, match="1154"):
        client.Webhooks.update_webhook(number, enable)
    on = server.run_here("webhooks", "enable", str(number), key=key)
    assert (on.returncode, json.loads(on.stdout)["status"]) == (0, "ENABLED"), on.stderr
    endpoint.willing = False
    refused = server.run_here("webhooks", "enable", str(number), key=key)
    assert refused.returncode == 1
    assert b"DISABLED_VERIFICATION_FAILED: Request returned HTTP status code 500" in refused.stderr
    client.Webhooks.delete_webhook(number)
