"""What senders send: callbacks, challenges, pings and messages, signed as their contracts say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tidings.clock import SystemClock
from tidings.domain.notification import signed_headers
from tidings.domain.signing import CALLBACK_SIGNATURE, new_secret, sign_callback
from tidings.receiver import Request
from tidings.receiver.request import joined_headers

SHARED = "3qo29mvjou6xt5fujukjtwzhj0"
WHSEC = new_secret(bytes(range(32)))
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
"""When a ManualClock begins."""
AT = "2026-01-15T11:59:59.000+0000"
ROW, CELL = 7129509179746180, 2650235767940996


def row_event(row: int = ROW, event_type: str = "created", **more: Any) -> dict[str, Any]:
    return {"objectType": "row", "eventType": event_type, "id": row, "timestamp": AT, **more}


def cell_event(row: int = ROW, column: int = CELL, **more: Any) -> dict[str, Any]:
    given = {"objectType": "cell", "eventType": "updated", "rowId": row, "columnId": column}
    return {**given, "timestamp": AT, **more}


def callback_body(nonce: str, *events: Any, **more: Any) -> bytes:
    body = {
        "nonce": nonce,
        "timestamp": AT,
        "webhookId": 4503604829677444,
        "scope": "sheet",
        "scopeObjectId": 4509506114742148,
        "events": list(events),
    }
    return json.dumps(body | more).encode()


def fresh_body(nonce: str, *events: Any) -> bytes:
    """Return a callback's body that is built now, for a receiver that goes by the real clock."""
    at = SystemClock().now()
    return callback_body(nonce, *events, timestamp=f"{at:%Y-%m-%dT%H:%M:%S}.000+0000")


def signed(body: bytes, secret: str = SHARED, **headers: str) -> Request:
    given = {CALLBACK_SIGNATURE: sign_callback(secret, body), "Content-Type": "application/json"}
    return request(body, given | headers)


def callback(nonce: str, *events: Any, **more: Any) -> Request:
    return signed(callback_body(nonce, *events, **more))


def message(
    identity: str,
    body: Mapping[str, Any],
    *,
    secrets: Sequence[str] = (WHSEC,),
    at: datetime = NOW,
) -> Request:
    raw = json.dumps(body).encode()
    return request(raw, dict(signed_headers(identity, raw, tuple(secrets), at)))


def ping(number: int) -> Request:
    body = {"webhookId": "w", "locator": {"accountId": "a", "solutionId": "s"}}
    return message(f"w.{number}", body | {"transactionNumber": number})


def request(body: bytes | None, headers: Mapping[str, str]) -> Request:
    return Request(headers=joined_headers(list(headers.items())), body=body)
