"""What senders send: signed callbacks, pings and challenges, made by the engine's own functions."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from tidings.domain import signing

SHARED_SECRET = "3qo29mvjou6xt5fujukjtwzhj0"
SIGNING_SECRET = signing.new_secret(bytes(range(32)))
CHALLENGE = "d78dd1d3-01ce-4481-81de-92b4f3aa5ab1"
JSON = {"Content-Type": "application/json"}


def callback(nonce: str = "n1") -> bytes:
    """Return a callback of a row and a cell; its nonce makes it one of its own."""
    events = [
        {"objectType": "row", "eventType": "created", "id": 17, "userId": 9},
        {"objectType": "cell", "eventType": "updated", "rowId": 17, "columnId": 3},
    ]
    body = {"nonce": nonce, "webhookId": 42, "scope": "sheet", "scopeObjectId": 7, "events": events}
    return msgspec.json.encode(body)


def ping() -> bytes:
    """Return a ping."""
    locator = {"accountId": "acme", "solutionId": "crm", "applicationId": "deals"}
    return msgspec.json.encode(
        {"webhookId": "w-1", "locator": locator, "transactionNumber": 1836311903004672}
    )


def signed(body: bytes, secret: str = SHARED_SECRET) -> dict[str, str]:
    """Return a callback's headers."""
    return JSON | {signing.CALLBACK_SIGNATURE: signing.sign_callback(secret, body)}


def signed_ping(body: bytes, at: datetime | None = None) -> dict[str, str]:
    """Return a ping's headers, of now or of another time."""
    seconds = int((at or datetime.now(UTC)).timestamp())  # noqa: TID251 - a real process's clock
    return JSON | {
        "webhook-id": "w-1.5",
        "webhook-timestamp": str(seconds),
        "webhook-signature": signing.sign(SIGNING_SECRET, "w-1.5", seconds, body),
    }
