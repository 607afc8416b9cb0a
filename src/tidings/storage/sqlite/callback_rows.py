"""What only callback webhooks have as rows, and back: their own part and their cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from tidings.domain.dispatch import CallbackCursor, PendingCallback, Place
from tidings.domain.instants import from_milliseconds, to_milliseconds
from tidings.domain.sheet_webhook import SheetPart, SheetStatus
from tidings.domain.webhook import Webhook
from tidings.storage.sqlite.instants import loaded, stored
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.transaction import Transaction

_SQL = load_queries("callbacks")
_COLUMNS = msgspec.json.Decoder(tuple[int, ...])


def insert_sheet(connection: apsw.Connection, webhook: Webhook) -> None:
    """Store what only a callback webhook has; nothing for any other."""
    sheet = webhook.sheet
    if sheet is not None:
        row = (
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
        connection.execute(_SQL["insert_sheet"], row)


def update_sheet(connection: apsw.Connection, webhook: Webhook) -> None:
    """Replace what may change of it."""
    sheet = webhook.sheet
    if sheet is not None:
        row = (
            webhook.bucket,
            webhook.webhook_id,
            sheet.name,
            sheet.status.value,
            to_milliseconds(sheet.status_at),
            sheet.status_number,
            sheet.disabled_details,
            sheet.scope_position,
        )
        connection.execute(_SQL["update_sheet"], row)


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


def cursors_of_bucket(connection: apsw.Connection, bucket: int) -> tuple[CallbackCursor, ...]:
    """Read how far a bucket's callback webhooks were called."""
    return tuple(_cursor(*row) for row in connection.execute(_SQL["cursors_of_bucket"], (bucket,)))


def find_cursors(
    connection: apsw.Connection, bucket: int, webhook_ids: Sequence[str]
) -> dict[str, CallbackCursor]:
    """Read those of a bucket's cursors that exist."""
    wanted = (bucket, msgspec.json.encode(webhook_ids).decode())
    found = (_cursor(*row) for row in connection.execute(_SQL["cursors"], wanted))
    return {cursor.webhook_id: cursor for cursor in found}


def save_cursors(transaction: Transaction, cursors: Sequence[CallbackCursor]) -> None:
    """Write cursors in one step; not those of webhooks that are gone."""
    if cursors:
        rows = msgspec.json.encode([_cursor_row(cursor) for cursor in cursors]).decode()
        transaction.connection.execute(_SQL["save_cursors"], (rows,))


def _cursor_row(cursor: CallbackCursor) -> tuple[int | str | None, ...]:
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


def _cursor(bucket: int, webhook_id: str, *columns: Any) -> CallbackCursor:
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
