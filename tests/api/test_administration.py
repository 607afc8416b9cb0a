"""`/v1/webhooks/{id}/disable` and `enable`: what no PUT of the owner can undo (contract 2.2)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.sheet_api import CALLBACK, SheetApi, willing
from tidings.api.app import Engine, build_app
from tidings.domain.address import AddressPolicy
from tidings.domain.key import Role
from tidings.engine.publish import Publisher
from tidings.engine.webhooks import Webhooks
from tidings.ports import SendOutcome

pytestmark = pytest.mark.anyio


class Administrator:
    """An admin's key, and the whole application."""

    def __init__(self, service: SheetApi, key: str) -> None:
        installation = service.installation
        storage, clock = installation.storage, installation.clock
        self.key = key
        self._app = build_app(
            Engine(
                publisher=Publisher(storage.log, storage.applications, clock),
                listing=installation.listing,
                webhooks=Webhooks(storage.webhooks, clock, AddressPolicy()),
                sheets=service.sheets,
                authenticator=installation.authenticator,
                storage=storage,
                clock=clock,
            )
        )

    async def post(self, number: Any, action: str, *, key: str | None = None) -> httpx.Response:
        """Disable or enable a webhook."""
        headers = {"Authorization": f"Token {key or self.key}"}
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://tidings.test") as client:
            return await client.post(f"/v1/webhooks/{number}/{action}", headers=headers)


@pytest.fixture
async def admin(service: SheetApi) -> Administrator:
    return Administrator(service, await service.installation.new_key(role=Role.ADMIN, name="root"))


async def test_what_an_administrator_disabled_only_an_administrator_enables(
    service: SheetApi, admin: Administrator
) -> None:
    webhook = await service.enabled()
    number, path = webhook["id"], f"/{webhook['id']}"
    answer = await admin.post(number, "disable")
    assert answer.status_code == 200
    off = answer.json()
    assert (off["id"], off["enabled"], off["status"]) == (number, False, "DISABLED_ADMINISTRATIVE")
    assert "sharedSecret" not in off
    assert await service.refused("PUT", path, {"enabled": True}) == (403, 1154)
    on = (await admin.post(number, "enable")).json()
    assert (on["enabled"], on["status"]) == (True, "ENABLED")
    assert len(service.sender.sent) == 2
    shown = await service.call("GET", path)
    assert {name: shown[name] for name in on} == on


async def test_a_new_challenge_must_be_passed(service: SheetApi, admin: Administrator) -> None:
    webhook = await service.created()
    await admin.post(webhook["id"], "disable")
    service.sender.behave(CALLBACK, SendOutcome(status=500))
    answer = await admin.post(webhook["id"], "enable")
    assert answer.status_code == 200
    assert answer.json()["status"] == "DISABLED_VERIFICATION_FAILED"
    service.sender.behave(CALLBACK, willing)
    assert (await admin.post(webhook["id"], "enable")).json()["enabled"]


async def test_a_revoked_key_s_webhook_stays_disabled(
    service: SheetApi, admin: Administrator
) -> None:
    webhook = await service.enabled()
    await service.revoke_its_key(webhook)
    answer = await admin.post(webhook["id"], "enable")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert "revoked" in answer.json()["detail"]


async def test_it_takes_an_admin_s_key_of_the_same_account(
    service: SheetApi, admin: Administrator
) -> None:
    webhook = await service.enabled()
    stranger = await service.installation.new_key("globex", Role.ADMIN)
    pinged = await service.installation.new_webhook()
    for key, number, status in (
        (service.installation.key, webhook["id"], 403),
        (stranger, webhook["id"], 404),
        (admin.key, 4503604829677444, 404),
        (admin.key, pinged["webhook_id"], 404),
        (admin.key, "x%2Fy", 404),
        ("tdg_nobody", webhook["id"], 401),
    ):
        for action in ("disable", "enable"):
            answer = await admin.post(number, action, key=key)
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
    assert (await service.call("GET", f"/{webhook['id']}"))["status"] == "ENABLED"
