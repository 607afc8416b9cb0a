"""Callbacks as bytes: what goes into one, body, headers, and its answer (contract 2.5, 2.6).

A callback's body is a function of its webhook's cursor and the log, so that each try sends the same
bytes, also after a crash (mechanics D5). Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from http import HTTPStatus

import msgspec

from tidings.domain.buckets import new_uuid
from tidings.domain.dispatch import PendingCallback, Place
from tidings.domain.instants import format_instant
from tidings.domain.log_entry import CallbackEntry
from tidings.domain.sheet_event import SheetEvent, events_of
from tidings.domain.sheet_webhook import SheetPart
from tidings.domain.signing import CALLBACK_SIGNATURE, sign_callback

WEBHOOK_HEADER = "Smartsheet-Hook-Id"
"""The request's header that names the webhook."""


class Gathered(msgspec.Struct, frozen=True):
    """The events of one callback, and the place behind them."""

    events: tuple[SheetEvent, ...]
    ends: Place


def gather(
    entries: Iterable[CallbackEntry], columns: frozenset[int], begins: Place, at_most: int
) -> Gathered:
    """Return the events from `begins` on: at most so many, whatever change they end within.

    `entries` ascend, and none of them lies wholly behind `begins`.
    """
    events: list[SheetEvent] = []
    ends = begins
    for entry in entries:
        part = begins.part if entry.position == begins.position else 0
        of_entry = events_of(entry, columns)[part:]
        room = at_most - len(events)
        events += of_entry[:room]
        if len(of_entry) > room:
            return Gathered(tuple(events), Place(entry.position, part + room))
        ends = Place(entry.position + 1)
    return Gathered(tuple(events), ends)


def events_between(
    entries: Iterable[CallbackEntry], columns: frozenset[int], begins: Place, ends: Place
) -> tuple[SheetEvent, ...]:
    """Return the events of a callback that was built before: all from `begins` to `ends`.

    `entries` ascend, and none of them lies wholly behind `begins`.
    """
    events: list[SheetEvent] = []
    for entry in entries:
        if entry.position > ends.position:
            break
        first = begins.part if entry.position == begins.position else 0
        last = ends.part if entry.position == ends.position else None
        events += events_of(entry, columns)[first:last]
    return tuple(events)


def callback_body(
    webhook_id: str, sheet: SheetPart, pending: PendingCallback, events: msgspec.Raw
) -> bytes:
    """Return an event callback's JSON; `events` are the JSON that each of its webhooks gets."""
    head = _head(webhook_id, sheet, pending.nonce, pending.built_at)
    return msgspec.json.encode({**head, "events": events})


def status_nonce(webhook_id: str, sheet: SheetPart) -> str:
    """Return a status-change callback's nonce: the same each time that it is tried."""
    told = f"{webhook_id}/{sheet.status_number}".encode()
    return new_uuid(hashlib.sha256(told).digest()[:16])


def status_body(webhook_id: str, sheet: SheetPart) -> bytes:
    """Return a status-change callback's JSON."""
    head = _head(webhook_id, sheet, status_nonce(webhook_id, sheet), sheet.status_at)
    return msgspec.json.encode({**head, "newWebhookStatus": sheet.status.value})


def callback_headers(webhook_id: str, secret: str, body: bytes) -> list[tuple[str, str]]:
    """Return the headers of whatever a callback webhook is sent; `secret` signs the body."""
    return [
        ("Content-Type", "application/json"),
        (WEBHOOK_HEADER, webhook_id),
        (CALLBACK_SIGNATURE, sign_callback(secret, body)),
    ]


class Answer(Enum):
    """What an endpoint's answer means."""

    ACKNOWLEDGED = "acknowledged"
    """It has the callback."""
    RETRIED = "retried"
    """Perhaps later."""
    REFUSED = "refused"
    """It will never take one: the webhook is disabled."""


def answer_of(status: int | None, *, late: bool) -> Answer:
    """Return what an answer means (contract 2.6); `status` is None where there was none.

    Only 200 acknowledges, and not one whose body was still coming at the deadline: it is `late`.
    """
    if status is None or (status == HTTPStatus.OK and late):
        return Answer.RETRIED
    if status == HTTPStatus.OK:
        return Answer.ACKNOWLEDGED
    if 400 <= status < 600 and status != HTTPStatus.GONE:
        return Answer.RETRIED
    return Answer.REFUSED


def _head(webhook_id: str, sheet: SheetPart, nonce: str, at: datetime) -> dict[str, object]:
    return {
        "nonce": nonce,
        "timestamp": format_instant(at).removesuffix("Z") + "+0000",
        "webhookId": int(webhook_id),
        "scope": "sheet",
        "scopeObjectId": sheet.sheet,
    }
