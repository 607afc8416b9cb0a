"""What is owed to an endpoint, as bytes: the ping, its identity and its headers (contract 1.6)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from tidings.domain import limits, signing
from tidings.domain.dispatch import Notice
from tidings.domain.instants import format_instant, format_second

_REMINDERS_AN_EPOCH = 1_000_000


class Scope(msgspec.Struct, frozen=True):
    """What all events that a ping covers have in common; None where nothing is, or it isn't known.

    `fields` are all that they changed, and stand only beside an application.
    """

    application: str | None = None
    fields: frozenset[str] | None = None


UNKNOWN_SCOPE = Scope()


def scope_of(application: str, changed: tuple[str, ...] | None) -> Scope:
    """Return the scope of one change; `changed` is None where its fields are not known."""
    if changed is None or len(changed) > limits.PING_FIELDS:
        return Scope(application)
    return Scope(application, frozenset(changed))


def joined(scope: Scope | None, other: Scope | None) -> Scope | None:
    """Return the scope of two sets of events; None is that of no events."""
    if scope is None or other is None:
        return scope or other
    if scope.application is None or scope.application != other.application:
        return UNKNOWN_SCOPE
    if scope.fields is None or other.fields is None:
        return Scope(scope.application)
    if other.fields <= scope.fields:
        return scope
    fields = scope.fields | other.fields
    return Scope(scope.application, fields if len(fields) <= limits.PING_FIELDS else None)


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    """A thin notification: something happened, up to `covered`, and can be listed.

    `reminder` is None for a ping that covers news, and a number for one that repeats a coverage
    because events stay unread. With a `notice` it tells of that alone.
    """

    webhook_id: str
    account: str
    solution: str
    covered: int
    reminder: int | None = None
    scope: Scope = UNKNOWN_SCOPE
    notice: Notice | None = None


def reminder_number(epoch: int, count: int) -> int:
    """Return a number that no other reminder of a webhook has, without storing one.

    `epoch` is the bucket's lease epoch, which no two holders share; `count` is the holder's own.
    """
    return epoch * _REMINDERS_AN_EPOCH + count % _REMINDERS_AN_EPOCH


def notification_id(ping: Ping) -> str:
    """Return the `webhook-id` header: the same coverage has the same id (mechanics D3)."""
    if ping.notice is not None:
        return f"{ping.webhook_id}.n{ping.notice.number}"
    identity = f"{ping.webhook_id}.{ping.covered}"
    return identity if ping.reminder is None else f"{identity}.r{ping.reminder}"


def ping_body(ping: Ping, at: datetime) -> bytes:
    """Return the ping's JSON (camelCase, contract 1.6 and 1.7)."""
    locator: dict[str, Any] = {"accountId": ping.account, "solutionId": ping.solution}
    if ping.scope.application is not None:
        locator["applicationId"] = ping.scope.application
    if ping.scope.fields:
        locator["fieldIds"] = sorted(ping.scope.fields)
    body = {
        "webhookId": ping.webhook_id,
        "locator": locator,
        "timestamp": format_instant(at),
        "transactionNumber": ping.covered,
    }
    if ping.notice is not None:
        body |= {"notice": ping.notice.text, "expiresAt": format_second(ping.notice.expires_at)}
    return msgspec.json.encode(body)


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
