"""What is owed to an endpoint, as bytes: the ping, its identity and its headers (contract 1.6)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tidings.domain import signing
from tidings.domain.instants import format_instant

_REMINDERS_AN_EPOCH = 1_000_000


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    """A thin notification: something happened, up to `covered`, and can be listed.

    `reminder` is None for a ping that covers news, and a number for one that repeats a coverage
    because events stay unread.
    """

    webhook_id: str
    account: str
    solution: str
    covered: int
    reminder: int | None = None


def reminder_number(epoch: int, count: int) -> int:
    """Return a number that no other reminder of a webhook has, without storing one.

    `epoch` is the bucket's lease epoch, which no two holders share; `count` is the holder's own.
    """
    return epoch * _REMINDERS_AN_EPOCH + count % _REMINDERS_AN_EPOCH


def notification_id(ping: Ping) -> str:
    """Return the `webhook-id` header: the same coverage has the same id (mechanics D3)."""
    identity = f"{ping.webhook_id}.{ping.covered}"
    return identity if ping.reminder is None else f"{identity}.r{ping.reminder}"


def ping_body(ping: Ping, at: datetime) -> bytes:
    """Return the ping's JSON (camelCase, contract 1.6)."""
    return msgspec.json.encode(
        {
            "webhookId": ping.webhook_id,
            "locator": {"accountId": ping.account, "solutionId": ping.solution},
            "timestamp": format_instant(at),
            "transactionNumber": ping.covered,
        }
    )


def signed_headers(
    identity: str, body: bytes, secrets: tuple[str, ...], at: datetime
) -> list[tuple[str, str]]:
    """Return the headers of a notification, signed at the attempt's time (contract 1.6)."""
    timestamp = int(at.timestamp())
    signature = " ".join(signing.sign(secret, identity, timestamp, body) for secret in secrets)
    return [
        ("Content-Type", "application/json"),
        ("webhook-id", identity),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", signature),
    ]
