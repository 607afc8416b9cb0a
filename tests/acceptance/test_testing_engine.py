"""The engine that consumers get for their tests: a real one, which they may kill.

Its database is a SQLite file, whatever they have in production: the wire is the same.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tidings.client import Change, Client
from tidings.domain.key import Role
from tidings.errors import FailedPrecondition, NotFound, PermissionDenied
from tidings.testing import Engine, engine
from tidings.testing.fixtures import tidings_account, tidings_engine

__all__ = ["tidings_account", "tidings_engine"]

CHANGE = Change(kind="RECORD_CREATED", application_id="deals", record_id="1", data={"sum": 4})


def events_of(client: Client, webhook_id: str) -> list[str]:
    page = client.list_events(webhook_id)
    return [event.record_event_data.record_id for event in page.events if event.record_event_data]


def test_what_was_published_before_a_kill_is_listed_after_it_at_the_same_address() -> None:
    with engine() as running:
        account, url = running.account(), running.url
        with account.client() as client:
            webhook = client.create_webhook("crm", ["RECORD_CREATED"])
            client.publish_changes("crm", [CHANGE], idempotency_key="one")
            running.kill()
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{url}/healthz", trust_env=False)
            running.start()
            assert running.url == url
            assert events_of(client, webhook.webhook_id) == ["1"]
            running.stop()
    host, port = urlsplit(url).hostname, urlsplit(url).port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), timeout=1).close()


def test_accounts_of_one_engine_are_strangers(tidings_engine: Engine) -> None:
    first, second = tidings_engine.account(), tidings_engine.account()
    assert first.name != second.name
    with first.client() as one, second.client() as other:
        webhook = one.create_webhook("crm", ["RECORD_CREATED"])
        with pytest.raises(NotFound):
            other.get_webhook(webhook.webhook_id)


def test_a_key_may_do_what_its_role_may(tidings_engine: Engine) -> None:
    reader = tidings_engine.account("readers", role=Role.SUBSCRIBER)
    with reader.client() as client, pytest.raises(PermissionDenied):
        client.publish_changes("crm", [CHANGE], idempotency_key="one")


@pytest.mark.anyio
async def test_it_is_used_from_an_event_loop_as_well(tidings_engine: Engine) -> None:
    async with tidings_engine.account().async_client() as client:
        assert (await client.publish_changes("crm", [CHANGE], idempotency_key="one")).accepted == 1


def test_a_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(FailedPrecondition, match="requests-per-second"),
        engine("--requests-per-second", "none"),
    ):
        pass
