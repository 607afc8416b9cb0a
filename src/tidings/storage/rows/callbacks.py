"""What only callback webhooks have as rows, and back: their own part and their cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tidings.domain.dispatch import CallbackCursor, PendingCallback, Place
from tidings.domain.instants import from_milliseconds, to_milliseconds
from tidings.domain.sheet_webhook import SheetPart, SheetStatus
from tidings.domain.webhook import Webhook
from tidings.storage.rows.instants import loaded, stored

Row = tuple[int | str | None, ...]

_COLUMNS = msgspec.json.Decoder(tuple[int, ...])


def sheet_row(webhook: Webhook, sheet: SheetPart) -> Row:
    """Return the whole row of a callback webhook's own part."""
    return (
        webhook.bucket,
        webhook.webhook_id,
        sheet.name,
        sheet.sheet,
        msgspec.json.encode(sheet.columns).decode(),
        sheet.key_id,
        sheet.status.value,
        to_milliseconds(sheet.status_at),
        sheet.status_number,
        sheet.disabled_details,
        sheet.scope_position,
    )


def changed_sheet_row(webhook: Webhook, sheet: SheetPart) -> Row:
    """Return its key, and what may change of it."""
    return (
        webhook.bucket,
        webhook.webhook_id,
        sheet.name,
        sheet.status.value,
        to_milliseconds(sheet.status_at),
        sheet.status_number,
        sheet.disabled_details,
        sheet.scope_position,
    )


def read_sheet(columns: Sequence[Any]) -> SheetPart | None:
    """Return a callback webhook's part of the columns that stand last in its row."""
    name, sheet, watched, key_id, status, status_at, number, details, scope, revoked_at = columns
    if name is None:
        return None
    return SheetPart(
        name=name,
        sheet=sheet,
        columns=_COLUMNS.decode(watched),
        key_id=key_id,
        status=SheetStatus(status),
        status_at=from_milliseconds(status_at),
        status_number=number,
        disabled_details=details,
        scope_position=scope,
        key_revoked=revoked_at is not None,
    )


def cursor_row(cursor: CallbackCursor) -> Row:
    """Return a cursor's whole row."""
    pending = cursor.pending
    return (
        cursor.bucket,
        cursor.webhook_id,
        cursor.acked.position,
        cursor.acked.part,
        None if pending is None else pending.begins.position,
        None if pending is None else pending.begins.part,
        None if pending is None else pending.ends.position,
        None if pending is None else pending.ends.part,
        None if pending is None else pending.nonce,
        None if pending is None else to_milliseconds(pending.built_at),
        cursor.acknowledged,
        cursor.challenged,
        cursor.told,
        stored(cursor.last_attempt_at),
        cursor.last_attempt_failures,
        stored(cursor.last_success_at),
    )


def read_cursor(bucket: int, webhook_id: str, *columns: Any) -> CallbackCursor:
    """Return the cursor of a whole row."""
    acked_position, acked_part, *pending = columns[:8]
    acknowledged, challenged, told, attempt_at, failures, success_at = columns[8:]
    return CallbackCursor(
        bucket=bucket,
        webhook_id=webhook_id,
        acked=Place(acked_position, acked_part),
        pending=_pending(*pending),
        acknowledged=acknowledged,
        challenged=challenged,
        told=told,
        last_attempt_at=loaded(attempt_at),
        last_attempt_failures=failures,
        last_success_at=loaded(success_at),
    )


def _pending(
    from_position: int | None,
    from_part: int,
    to_position: int,
    to_part: int,
    nonce: str,
    built_at: int,
) -> PendingCallback | None:
    if from_position is None:
        return None
    return PendingCallback(
        begins=Place(from_position, from_part),
        ends=Place(to_position, to_part),
        nonce=nonce,
        built_at=from_milliseconds(built_at),
    )
