"""Webhooks on SQLite, each change with its control entry in the log (mechanics L7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import apsw
import msgspec

from tidings.domain.caps import Caps
from tidings.domain.dispatch import Tracked
from tidings.domain.filter import Revision
from tidings.domain.kinds import CONTROL
from tidings.domain.log_entry import NewEntry
from tidings.domain.positions import next_position, position_at
from tidings.domain.sheet_standing import judged_from
from tidings.domain.webhook import PartOfList, Placed, Webhook
from tidings.errors import AlreadyExists, InvalidArgument, LeaseLost, NotFound, RevisionConflict
from tidings.storage.rows.webhooks import changeable, json_text, updated, webhook_row
from tidings.storage.sqlite.callback_rows import insert_sheet, update_sheet
from tidings.storage.sqlite.connection import snapshot
from tidings.storage.sqlite.kept import check_revisions, count_webhook, uncount_webhook
from tidings.storage.sqlite.lifecycle_time import lag_ms
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.readers import Readers
from tidings.storage.sqlite.transaction import Transaction
from tidings.storage.sqlite.webhook_rows import find_revisions, find_tracked, find_webhooks
from tidings.storage.sqlite.writer import Writer

_SQL = load_queries("webhooks")
_HEAD = load_queries("change_log")["last_position"]
_LEASE_HELD = load_queries("dispatch")["lease_held"]

# Not its attempts, which may be a week of one a second: no one reads them any more, and retention
# drops them in its batches.
_ROWS_OF_A_WEBHOOK = (
    "delete_webhook",
    "delete_revisions",
    "delete_reading",
    "delete_state",
    "delete_debt",
    "delete_sheet",
    "delete_cursor",
)


class SqliteWebhookStore:
    """ports.WebhookStore on one file."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def create(
        self, webhook: Webhook, *, start_at: datetime | None, caps: Caps | None = None
    ) -> Webhook:
        """Store a webhook with its first revision and control entry (ports.WebhookStore).

        Raises AlreadyExists if the id is taken.
        """
        return await self._writer.run(
            partial(_create, webhook=webhook, start_at=start_at, caps=caps)
        )

    async def get(self, bucket: int, webhook_id: str) -> Webhook | None:
        """Return a webhook by its id, or None."""
        return self._readers.at_once(find_webhooks, {bucket: [webhook_id]}).get(webhook_id)

    async def current(self, wanted: Mapping[int, Sequence[str]]) -> Mapping[str, Webhook]:
        """Return those of some buckets' webhooks that exist now, by id."""
        return self._readers.at_once(find_webhooks, wanted)

    async def list_of_account(
        self, account: str, *, solution: str | None, after: int, limit: int
    ) -> Sequence[Placed]:
        """Return an account's webhooks in the order of their creation (ports.WebhookStore)."""
        return await self._readers.in_thread(_list_of_account, account, solution, after, limit)

    async def sheets_of_account(self, account: str, *, skip: int, limit: int) -> PartOfList:
        """Return an account's callback webhooks, newest first (ports.WebhookStore)."""
        return await self._readers.in_thread(_sheets_of_account, account, skip, limit)

    async def revisions(self, bucket: int, webhook_id: str) -> tuple[Revision, ...]:
        """Return a webhook's revisions, ascending by position."""
        return self._readers.at_once(find_revisions, bucket, webhook_id)

    async def update(
        self, webhook: Webhook, *, caps: Caps | None = None, epoch: int | None = None
    ) -> Webhook:
        """Replace a webhook's row (ports.WebhookStore.update)."""
        return await self._writer.run(
            partial(update_webhook, webhook=webhook, caps=caps, epoch=epoch)
        )

    async def delete(self, webhook: Webhook) -> None:
        """Delete a webhook and all its rows (ports.WebhookStore.delete)."""
        place = (webhook.bucket, webhook.webhook_id)
        await self._writer.run(lambda transaction: delete_webhook(transaction, *place))

    async def tracked(self, bucket: int, webhook_id: str) -> Tracked | None:
        """Return a webhook as the dispatcher holds it, or None if it is gone."""
        return self._readers.at_once(_tracked, bucket, webhook_id)


def _create(
    transaction: Transaction, *, webhook: Webhook, start_at: datetime | None, caps: Caps | None
) -> Webhook:
    connection = transaction.connection
    if find_webhooks(connection, {webhook.bucket: [webhook.webhook_id]}):
        raise AlreadyExists(f"webhook {webhook.webhook_id} exists")
    count_webhook(connection, webhook, caps)
    position = append_control(transaction, webhook)
    placed = msgspec.structs.replace(
        webhook,
        created_position=position,
        extended_at=webhook.created.at,
        start_position=position
        if start_at is None
        else _start_position(connection, webhook.bucket, start_at),
    )
    connection.execute(_SQL["insert_webhook"], webhook_row(placed, lag_ms(transaction)))
    connection.execute(
        _SQL["insert_account_webhook"],
        (
            placed.account,
            placed.webhook_id,
            placed.bucket,
            placed.solution,
            next_position(0, transaction.now_ms),
            placed.contract.value,
        ),
    )
    insert_sheet(connection, placed)
    _add_revision(transaction, placed, placed.start_position)
    return placed


def _start_position(connection: apsw.Connection, bucket: int, start_at: datetime) -> int:
    """Return where a webhook starts that sees what happened from an instant on (P4)."""
    start_position = position_at(start_at) - 1
    [(_, floor)] = connection.execute(_HEAD, (bucket,))
    if start_position < floor:
        name = "webhook.start_at"
        raise InvalidArgument(name, f"{name} lies before what the log still keeps")
    return start_position


def update_webhook(
    transaction: Transaction, *, webhook: Webhook, caps: Caps | None, epoch: int | None = None
) -> Webhook:
    """Replace a webhook's row (ports.WebhookStore.update)."""
    connection = transaction.connection
    check_lease(connection, webhook.bucket, epoch)
    found = find_webhook(connection, webhook.bucket, webhook.webhook_id)
    if found.revision != webhook.revision:
        raise RevisionConflict(f"webhook {webhook.webhook_id} has changed since it was read")
    replaced = msgspec.structs.replace(
        found,
        filter=webhook.filter,
        kinds=webhook.kinds,
        notifications=webhook.notifications,
        secret=webhook.secret,
        previous_secret=webhook.previous_secret,
        previous_secret_expires_at=webhook.previous_secret_expires_at,
        updated=webhook.updated,
        sheet=webhook.sheet,
        revision=found.revision + 1,
    )
    position = append_control(transaction, replaced)
    replaced = judged_from(replaced, found, position)
    key = (webhook.bucket, webhook.webhook_id, webhook.revision)
    connection.execute(_SQL["update_webhook"], (*changeable(replaced), *updated(replaced), *key))
    update_sheet(connection, replaced)
    if (found.filter, found.kinds) != (replaced.filter, replaced.kinds):
        check_revisions(connection, found, caps)
        _add_revision(transaction, replaced, position)
    return replaced


def check_lease(connection: apsw.Connection, bucket: int, epoch: int | None) -> None:
    """Return if the bucket's lease is at this epoch, or None is given; raises LeaseLost."""
    if epoch is not None and connection.execute(_LEASE_HELD, (bucket, epoch)).fetchone() is None:
        raise LeaseLost(f"bucket {bucket} is another dispatcher's by now")


def find_webhook(connection: apsw.Connection, bucket: int, webhook_id: str) -> Webhook:
    """Read one webhook; raises NotFound."""
    found = find_webhooks(connection, {bucket: [webhook_id]}).get(webhook_id)
    if found is None:
        raise NotFound("no such webhook")
    return found


def delete_webhook(transaction: Transaction, bucket: int, webhook_id: str) -> Webhook:
    """Delete a webhook with all its rows; append its control entry. Raises NotFound."""
    connection = transaction.connection
    found = find_webhook(connection, bucket, webhook_id)
    append_control(transaction, msgspec.structs.replace(found, revision=found.revision + 1))
    for name in _ROWS_OF_A_WEBHOOK:
        connection.execute(_SQL[name], (bucket, webhook_id))
    connection.execute(_SQL["delete_account_webhook"], (found.account, found.webhook_id))
    uncount_webhook(connection, found)
    return found


def append_control(transaction: Transaction, webhook: Webhook) -> int:
    """Append a webhook's control entry: id and revision only; return its position."""
    entry = NewEntry(
        kind=CONTROL,
        application="",
        subject=webhook.webhook_id,
        mask=0,
        changed=None,
        body=json_text({"revision": webhook.revision}).encode(),
    )
    position, _ = transaction.insert(webhook.bucket, webhook.account, webhook.solution, [entry])
    return position


def _add_revision(transaction: Transaction, webhook: Webhook, from_position: int) -> None:
    key = (webhook.bucket, webhook.webhook_id)
    transaction.connection.execute(_SQL["supersede_revision"], (*key, from_position))
    transaction.connection.execute(
        _SQL["insert_revision"],
        (
            webhook.bucket,
            webhook.webhook_id,
            from_position,
            json_text(webhook.filter),
            json_text(webhook.kinds),
        ),
    )


def _list_of_account(
    connection: apsw.Connection, account: str, solution: str | None, after: int, limit: int
) -> list[Placed]:
    wish = {"account": account, "solution": solution, "after": after, "limit": limit}
    with snapshot(connection):
        rows: list[Any] = connection.execute(_SQL["list_of_account"], wish).fetchall()
        found = _find_in_buckets(connection, [tuple(row[1:]) for row in rows])
    return [Placed(place, webhook) for (place, _, _), webhook in zip(rows, found, strict=True)]


def _sheets_of_account(
    connection: apsw.Connection, account: str, skip: int, limit: int
) -> PartOfList:
    wish = {"account": account, "skip": skip, "limit": limit}
    with snapshot(connection):
        total: int = connection.execute(_SQL["count_sheets"], (account,)).get
        rows: list[Any] = connection.execute(_SQL["sheets_of_account"], wish).fetchall()
        return PartOfList(total=total, webhooks=_find_in_buckets(connection, rows))


def _find_in_buckets(
    connection: apsw.Connection, wanted: Sequence[tuple[int, str]]
) -> list[Webhook]:
    """Read webhooks by bucket and id, in that order; all of them exist."""
    by_bucket: dict[int, list[str]] = defaultdict(list)
    for bucket, webhook_id in wanted:
        by_bucket[bucket].append(webhook_id)
    found = find_webhooks(connection, by_bucket)
    return [found[webhook_id] for _, webhook_id in wanted]


def _tracked(connection: apsw.Connection, bucket: int, webhook_id: str) -> Tracked | None:
    with snapshot(connection):
        return find_tracked(connection, bucket, webhook_id)
