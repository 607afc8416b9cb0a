"""Reading webhooks, revisions and cursors, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tidings.domain.dispatch import CallbackCursor, Tracked
from tidings.domain.filter import Revision
from tidings.domain.webhook import Webhook
from tidings.errors import NotFound
from tidings.storage.postgres.connection import Connection
from tidings.storage.postgres.queries import load_queries
from tidings.storage.rows.callbacks import Row, read_cursor
from tidings.storage.rows.webhooks import read_revision, read_tracked, read_webhook

_SQL, _CALLBACKS = load_queries("webhooks"), load_queries("callbacks")


def columns_of(rows: Sequence[Row]) -> list[list[int | str | None]]:
    """Turn rows into columns: what `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]


async def find_webhooks(
    connection: Connection, bucket: int, webhook_ids: Iterable[str]
) -> dict[str, Webhook]:
    """Read those of a bucket's webhooks that exist."""
    rows = await connection.fetch(_SQL["find_webhooks"], bucket, list(webhook_ids))
    return {webhook.webhook_id: webhook for webhook in map(read_webhook, rows)}


async def find_webhook(connection: Connection, bucket: int, webhook_id: str) -> Webhook:
    """Read one webhook; raises NotFound."""
    found = (await find_webhooks(connection, bucket, (webhook_id,))).get(webhook_id)
    if found is None:
        raise NotFound("no such webhook")
    return found


async def held_webhook(connection: Connection, bucket: int, webhook_id: str) -> Webhook:
    """Read one webhook that nobody else changes, lists or deletes until this transaction ends.

    Locked first and read then: what another committed while the lock was waited for is seen.
    Raises NotFound.
    """
    await connection.fetch(_SQL["lock_webhook"], bucket, webhook_id)
    return await find_webhook(connection, bucket, webhook_id)


def tracked_of(rows: Sequence[Sequence[Any]]) -> Tracked | None:
    """Return the webhook of the rows of `tracked_one`; None where there are none."""
    if not rows:
        return None
    revisions = tuple(read_revision(*row[:3]) for row in rows)
    return read_tracked(rows[0][3:], revisions)


async def tracked_of_bucket(connection: Connection, bucket: int) -> tuple[Tracked, ...]:
    """Read all webhooks of a bucket as the dispatcher holds them."""
    revisions: dict[str, list[Revision]] = {}
    for webhook_id, *row in await connection.fetch(_SQL["revisions_of_bucket"], bucket):
        revisions.setdefault(webhook_id, []).append(read_revision(*row))
    rows = await connection.fetch(_SQL["tracked_of_bucket"], bucket)
    return tuple(read_tracked(row, tuple(revisions[row["webhook_id"]])) for row in rows)


async def cursors_of_bucket(connection: Connection, bucket: int) -> tuple[CallbackCursor, ...]:
    """Read how far a bucket's callback webhooks were called."""
    rows = await connection.fetch(_CALLBACKS["cursors_of_bucket"], bucket)
    return tuple(read_cursor(*row) for row in rows)
