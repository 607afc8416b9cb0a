"""The vendor's own SDK against a real server, as its users write it (contract 2.1 to 2.7).

The SDK checks the type of all that it is answered, so its models are the second source of truth.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import smartsheet

from tests.acceptance.processes import RunningServer

# The SDK asks for TLS by options that Python has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.OP_NO:DeprecationWarning")

SHEET = 4509506114742148
COLUMN = 2650235767940996


class Endpoint:
    """A receiver on loopback that answers challenges by the header while it is `willing`."""

    def __init__(self) -> None:
        self.willing = True
        self.challenges: list[dict[str, Any]] = []
        self.callbacks: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self.url = f"http://127.0.0.1:{self._server.server_port}/callback"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Endpoint:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                challenge = self.headers["Smartsheet-Hook-Challenge"]
                (endpoint.challenges if challenge else endpoint.callbacks).append(body)
                self.send_response(200 if endpoint.willing else 500)
                if challenge:
                    self.send_header("Smartsheet-Hook-Response", challenge)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing on standard error."""

        return Handler


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    a_minute = ("--sheet-requests-per-minute", "50")
    with RunningServer(tmp_path_factory.mktemp("sheets"), *a_minute) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: RunningServer) -> str:
    admin = server.make_key("admin")
    with server.client(admin) as client:
        client.register_application("plans", str(SHEET), name="A sheet")
    return admin


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as listening:
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

    enabled = webhooks.update_webhook(webhook.id, smartsheet.models.Webhook({"enabled": True}))
    assert (enabled.result.enabled, enabled.result.status) == (True, "ENABLED")
    assert [challenge["webhookId"] for challenge in endpoint.challenges] == [webhook.id]

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

    assert webhooks.delete_webhook(webhook.id).message == "SUCCESS"
    with pytest.raises(smartsheet.exceptions.ApiError, match="Not Found"):
        webhooks.get_webhook(webhook.id)


def test_the_sdk_reads_a_failed_challenge_and_what_is_refused(
    server: RunningServer, key: str, endpoint: Endpoint
) -> None:
    client = sdk(server, key)
    webhook = client.Webhooks.create_webhook(a_webhook(endpoint)).result
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
        for _ in range(50):
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
    number = client.Webhooks.create_webhook(a_webhook(endpoint)).result.id
    enable = smartsheet.models.Webhook({"enabled": True})
    client.Webhooks.update_webhook(number, enable)
    (listed,) = json.loads(server.run("webhooks", "callbacks", "--json", key=key).stdout)
    assert (listed["id"], listed["status"]) == (number, "ENABLED")
    off = server.run("webhooks", "disable", str(number), "--administrative", key=key)
    assert json.loads(off.stdout)["status"] == "DISABLED_ADMINISTRATIVE", off.stderr
    with pytest.raises(smartsheet.exceptions.ApiError, match="1154"):
        client.Webhooks.update_webhook(number, enable)
    on = server.run("webhooks", "enable", str(number), key=key)
    assert (on.returncode, json.loads(on.stdout)["status"]) == (0, "ENABLED"), on.stderr
    endpoint.willing = False
    refused = server.run("webhooks", "enable", str(number), key=key)
    assert refused.returncode == 1
    assert b"DISABLED_VERIFICATION_FAILED: Request returned HTTP status code 500" in refused.stderr
    client.Webhooks.delete_webhook(number)
