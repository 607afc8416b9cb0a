"""What only callback webhooks have, on SQLite: their own part and their cursor."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import msgspec

from tidings.domain.dispatch import CallbackCursor
from tidings.domain.webhook import Webhook
from tidings.storage.rows.callbacks import (
    changed_sheet_row,
    cursor_row,
    read_cursor,
    sheet_row,
)
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.transaction import Transaction

_SQL = load_queries("callbacks")


def insert_sheet(connection: apsw.Connection, webhook: Webhook) -> None:
    """Store what only a callback webhook has; nothing for any other."""
    if webhook.sheet is not None:
        connection.execute(_SQL["insert_sheet"], sheet_row(webhook, webhook.sheet))


def update_sheet(connection: apsw.Connection, webhook: Webhook) -> None:
    """Replace what may change of it."""
    if webhook.sheet is not None:
        connection.execute(_SQL["update_sheet"], changed_sheet_row(webhook, webhook.sheet))


def cursors_of_bucket(connection: apsw.Connection, bucket: int) -> tuple[CallbackCursor, ...]:
    """Read how far a bucket's callback webhooks were called."""
    return tuple(
        read_cursor(*row) for row in connection.execute(_SQL["cursors_of_bucket"], (bucket,))
    )


def find_cursors(
    connection: apsw.Connection, bucket: int, webhook_ids: Sequence[str]
) -> dict[str, CallbackCursor]:
    """Read those of a bucket's cursors that exist."""
    wanted = (bucket, msgspec.json.encode(webhook_ids).decode())
    found = (read_cursor(*row) for row in connection.execute(_SQL["cursors"], wanted))
    return {cursor.webhook_id: cursor for cursor in found}


def save_cursors(transaction: Transaction, cursors: Sequence[CallbackCursor]) -> None:
    """Write cursors in one step; not those of webhooks that are gone."""
    if cursors:
        rows = msgspec.json.encode([cursor_row(cursor) for cursor in cursors]).decode()
        transaction.connection.execute(_SQL["save_cursors"], (rows,))
