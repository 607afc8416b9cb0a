"""Reading webhooks and revisions, on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apsw

from tidings.domain.dispatch import Tracked
from tidings.domain.filter import Revision
from tidings.domain.webhook import Webhook
from tidings.storage.rows.webhooks import json_text, read_revision, read_tracked, read_webhook
from tidings.storage.sqlite.queries import load_queries

_SQL = load_queries("webhooks")


def find_webhooks(
    connection: apsw.Connection, wanted: Mapping[int, Sequence[str]]
) -> dict[str, Webhook]:
    """Read those that exist of the webhooks of some buckets, by id."""
    rows = connection.execute(_SQL["find_webhooks"], (json_text(wanted),))
    return {webhook.webhook_id: webhook for webhook in map(read_webhook, rows)}


def find_revisions(
    connection: apsw.Connection, bucket: int, webhook_id: str
) -> tuple[Revision, ...]:
    """Read a webhook's revisions, oldest first."""
    rows = connection.execute(_SQL["revisions"], (bucket, webhook_id))
    return tuple(read_revision(*row) for row in rows)


def find_tracked(connection: apsw.Connection, bucket: int, webhook_id: str) -> Tracked | None:
    """Read a webhook as the dispatcher holds it."""
    row = connection.execute(_SQL["tracked_one"], (bucket, webhook_id)).fetchone()
    return (
        None if row is None else read_tracked(row, find_revisions(connection, bucket, webhook_id))
    )


def tracked_of_bucket(connection: apsw.Connection, bucket: int) -> tuple[Tracked, ...]:
    """Read all webhooks of a bucket as the dispatcher holds them."""
    revisions: dict[str, list[Revision]] = {}
    for webhook_id, *row in connection.execute(_SQL["revisions_of_bucket"], (bucket,)):
        revisions.setdefault(webhook_id, []).append(read_revision(*row))
    rows = connection.execute(_SQL["tracked_of_bucket"], (bucket,))
    return tuple(read_tracked(row, tuple(revisions[row[1]])) for row in rows)
