"""The Smartsheet contract's service over ASGI, with endpoints that answer by script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.api.installation import ACCOUNT, SOLUTION, Installation, sheets_of
from tests.simulation.endpoints import ScriptedSender
from tidings.api.metering import Meter, Rates
from tidings.api.smartsheet import Smartsheet
from tidings.domain.sheet_standing import sheet_of, stood
from tidings.domain.sheet_webhook import SheetStatus
from tidings.domain.webhook import Webhook
from tidings.engine.sheets import Sheets
from tidings.ports import SendOutcome, SendRequest

SHEET = 4509506114742148
CALLBACK = "https://receiver.test/callback"


def challenge_of(request: SendRequest) -> str:
    """Return the value that a challenge's header carries."""
    return dict(request.headers)["Smartsheet-Hook-Challenge"]


def willing(request: SendRequest) -> SendOutcome:
    """Answer a challenge as the vendor's tutorial does: by the header."""
    headers = {"smartsheet-hook-response": challenge_of(request)}
    return SendOutcome(status=200, headers=headers)


@dataclass
class SheetApi:
    """The service, and short ways to use it."""

    installation: Installation
    sender: ScriptedSender
    sheets: Sheets
    app: Smartsheet

    async def send(
        self,
        method: str,
        path: str = "",
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        raw_path: str | None = None,
    ) -> httpx.Response:
        """Send a request to `/2.0/webhooks` and what stands behind it; `body` may be bytes.

        A header of None or a key of "" is left out.
        """
        token = self.installation.key if key is None else key
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://tidings.test") as client:
            return await client.request(
                method, raw_path or f"/2.0/webhooks{path}", content=content, headers=sent
            )

    async def call(
        self, method: str, path: str = "", body: Any = None, *, key: str | None = None
    ) -> Any:
        """Send a request that succeeds; return its answer."""
        answer = await self.send(method, path, body, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, method: str, path: str = "", body: Any = None, **more: Any) -> Any:
        """Send a request that is refused; return its status and code."""
        answer = await self.send(method, path, body, **more)
        error = answer.json()
        assert answer.headers["content-type"] == "application/json"
        assert set(error) == {"errorCode", "message", "refId"}
        assert error["refId"].isalnum()
        assert error["message"]
        return answer.status_code, error["errorCode"]

    async def created(self, *, key: str | None = None, **attributes: Any) -> Any:
        """Create a webhook; return it as it came back."""
        answer = await self.call("POST", body=wish(**attributes), key=key)
        assert (answer["message"], answer["resultCode"]) == ("SUCCESS", 0)
        return answer["result"]

    async def enabled(self, **attributes: Any) -> Any:
        """Create a webhook and enable it; return it as it came back."""
        created = await self.created(**attributes)
        result = (await self.call("PUT", f"/{created['id']}", {"enabled": True}))["result"]
        assert result["enabled"] is True
        return result

    async def row(self, webhook: Any) -> Webhook:
        """Return a webhook's row."""
        number = webhook["id"]
        return (await self.sheets.get(ACCOUNT, number)).webhook

    async def put_into(self, webhook: Any, status: SheetStatus) -> None:
        """Let a webhook stand so, as the dispatch would."""
        row = await self.row(webhook)
        at = self.installation.clock.now()
        await self.installation.storage.webhooks.update(stood(row, status, at=at))

    async def revoke_its_key(self, webhook: Any) -> None:
        """Revoke the key that created a webhook."""
        key_id = sheet_of(await self.row(webhook)).key_id
        storage = self.installation.storage
        assert await storage.keys.revoke(key_id, self.installation.clock.now())


def wish(**attributes: Any) -> dict[str, Any]:
    """Return the body of a POST; an attribute of `...` is left out."""
    asked = {
        "name": "My webhook",
        "callbackUrl": CALLBACK,
        "scope": "sheet",
        "scopeObjectId": SHEET,
        "events": ["*.*"],
        "version": 1,
        **attributes,
    }
    return {name: value for name, value in asked.items() if value is not ...}


async def serving(installation: Installation) -> SheetApi:
    """Return the service of an installation in which SHEET is known."""
    clock = installation.clock
    sender = ScriptedSender(clock.monotonic)
    sender.behave(CALLBACK, willing)
    sheets = sheets_of(installation.storage, clock, sender)
    app = Smartsheet(
        sheets=sheets,
        authenticator=installation.authenticator,
        clock=clock,
        meter=Meter(Rates().sheets, clock),
    )
    await installation.storage.applications.register(ACCOUNT, SOLUTION, str(SHEET), None)
    return SheetApi(installation, sender, sheets, app)
