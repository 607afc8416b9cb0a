"""Webhooks on PostgreSQL, each change with its control entry in the log (mechanics L7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from tidings.domain.caps import Caps
from tidings.domain.dispatch import Tracked
from tidings.domain.filter import Revision
from tidings.domain.positions import next_position, position_at
from tidings.domain.sheet_standing import judged_from
from tidings.domain.webhook import PartOfList, Placed, Webhook
from tidings.errors import AlreadyExists, InvalidArgument, LeaseLost, RevisionConflict
from tidings.storage.postgres.control_entries import append_control
from tidings.storage.postgres.kept import check_revisions, count_webhook, uncount_webhook
from tidings.storage.postgres.lanes import Lanes
from tidings.storage.postgres.lifecycle_time import lag_ms
from tidings.storage.postgres.queries import load_queries
from tidings.storage.postgres.transaction import LaneTransaction
from tidings.storage.postgres.webhook_rows import find_webhooks, held_webhook, tracked_of
from tidings.storage.rows.callbacks import changed_sheet_row, sheet_row
from tidings.storage.rows.webhooks import (
    changeable,
    json_text,
    read_revision,
    read_webhook,
    updated,
    webhook_row,
)

_SQL, _CALLBACKS = load_queries("webhooks"), load_queries("callbacks")
_FENCE = load_queries("dispatch")["fence"]

# Not its attempts, which may be a week of one a second: no one reads them any more, and they go
# with their day. The row itself first: whoever would add to the others has it locked, or waits.
_ROWS_OF_A_WEBHOOK = (
    "delete_webhook",
    "delete_revisions",
    "delete_reading",
    "delete_state",
    "delete_debt",
    "delete_sheet",
    "delete_cursor",
)


class PostgresWebhookStore:
    """ports.WebhookStore on PostgreSQL."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._database = lanes.database

    async def create(
        self, webhook: Webhook, *, start_at: datetime | None, caps: Caps | None = None
    ) -> Webhook:
        """Store a webhook with its first revision and control entry (ports.WebhookStore).

        Raises AlreadyExists if the id is taken.
        """
        create = partial(_create, webhook=webhook, start_at=start_at, caps=caps)
        return await self._lanes.of(webhook.bucket).run(webhook.bucket, create)

    async def get(self, bucket: int, webhook_id: str) -> Webhook | None:
        """Return a webhook by its id, or None."""
        return (await self.current({bucket: (webhook_id,)})).get(webhook_id)

    async def current(self, wanted: Mapping[int, Sequence[str]]) -> Mapping[str, Webhook]:
        """Return those of some buckets' webhooks that exist now, by id."""
        buckets = [bucket for bucket, ids in wanted.items() for _ in ids]
        ids = [webhook_id for of_bucket in wanted.values() for webhook_id in of_bucket]
        rows = await self._database.fetch(_SQL["find_listed"], buckets, ids)
        return {webhook.webhook_id: webhook for webhook in map(read_webhook, rows)}

    async def list_of_account(
        self, account: str, *, solution: str | None, after: int, limit: int
    ) -> Sequence[Placed]:
        """Return an account's webhooks in the order of their creation (ports.WebhookStore)."""
        wish = (account, solution, after, limit)
        async with self._database.snapshot() as connection:
            rows = await connection.fetch(_SQL["list_of_account"], *wish)
            places = [row["place"] for row in rows]
            buckets, ids = [row["bucket"] for row in rows], [row["webhook_id"] for row in rows]
            found = await connection.fetch(_SQL["find_listed"], buckets, ids)
        return [Placed(place, read_webhook(row)) for place, row in zip(places, found, strict=True)]

    async def sheets_of_account(self, account: str, *, skip: int, limit: int) -> PartOfList:
        """Return an account's callback webhooks, newest first (ports.WebhookStore)."""
        async with self._database.snapshot() as connection:
            total: int = await connection.fetchval(_SQL["count_sheets"], account)
            rows = await connection.fetch(_SQL["sheets_of_account"], account, skip, limit)
            buckets, ids = [row["bucket"] for row in rows], [row["webhook_id"] for row in rows]
            found = await connection.fetch(_SQL["find_listed"], buckets, ids)
        return PartOfList(total=total, webhooks=[read_webhook(row) for row in found])

    async def revisions(self, bucket: int, webhook_id: str) -> tuple[Revision, ...]:
        """Return a webhook's revisions, ascending by position."""
        rows = await self._database.fetch(_SQL["revisions"], bucket, webhook_id)
        return tuple(read_revision(*row) for row in rows)

    async def update(
        self, webhook: Webhook, *, caps: Caps | None = None, epoch: int | None = None
    ) -> Webhook:
        """Replace a webhook's row (ports.WebhookStore.update)."""
        update = partial(update_webhook, webhook=webhook, caps=caps, epoch=epoch)
        return await self._lanes.of(webhook.bucket).run(webhook.bucket, update)

    async def delete(self, webhook: Webhook) -> None:
        """Delete a webhook and all its rows (ports.WebhookStore.delete)."""
        delete = partial(_delete, bucket=webhook.bucket, webhook_id=webhook.webhook_id)
        await self._lanes.of(webhook.bucket).run(webhook.bucket, delete)

    async def tracked(self, bucket: int, webhook_id: str) -> Tracked | None:
        """Return a webhook as the dispatcher holds it, or None if it is gone."""
        return tracked_of(await self._database.fetch(_SQL["tracked_one"], bucket, webhook_id))


async def _create(
    transaction: LaneTransaction, *, webhook: Webhook, start_at: datetime | None, caps: Caps | None
) -> Webhook:
    connection = transaction.connection
    if await find_webhooks(connection, webhook.bucket, (webhook.webhook_id,)):
        raise AlreadyExists(f"webhook {webhook.webhook_id} exists")
    await count_webhook(connection, webhook, caps)
    position = await append_control(transaction, webhook)
    placed = replace(
        webhook,
        created_position=position,
        extended_at=webhook.created.at,
        start_position=position
        if start_at is None
        else _start_position(transaction, webhook.bucket, start_at),
    )
    row = webhook_row(placed, await lag_ms(connection))
    await connection.execute(_SQL["insert_webhook"], *row)
    await connection.execute(
        _SQL["insert_account_webhook"],
        placed.account,
        placed.webhook_id,
        placed.bucket,
        placed.solution,
        next_position(0, transaction.now_ms),
        placed.contract.value,
    )
    if placed.sheet is not None:
        await connection.execute(_CALLBACKS["insert_sheet"], *sheet_row(placed, placed.sheet))
    await _add_revision(transaction, placed, placed.start_position)
    return placed


def _start_position(transaction: LaneTransaction, bucket: int, start_at: datetime) -> int:
    """Return where a webhook starts that sees what happened from an instant on (P4)."""
    start_position = position_at(start_at) - 1
    if start_position < transaction.floor(bucket):
        name = "webhook.start_at"
        raise InvalidArgument(name, f"{name} lies before what the log still keeps")
    return start_position


async def update_webhook(
    transaction: LaneTransaction, *, webhook: Webhook, caps: Caps | None, epoch: int | None = None
) -> Webhook:
    """Replace a webhook's row (ports.WebhookStore.update).

    A lease's row is locked before a webhook's, as by whoever settles.
    """
    connection = transaction.connection
    if epoch is not None and not await connection.fetch(_FENCE, webhook.bucket, epoch):
        raise LeaseLost(f"bucket {webhook.bucket} is another dispatcher's by now")
    found = await held_webhook(connection, webhook.bucket, webhook.webhook_id)
    if found.revision != webhook.revision:
        raise RevisionConflict(f"webhook {webhook.webhook_id} has changed since it was read")
    replaced = replace(
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
    position = await append_control(transaction, replaced)
    replaced = judged_from(replaced, found, position)
    key = (webhook.bucket, webhook.webhook_id, webhook.revision)
    await connection.execute(
        _SQL["update_webhook"], *changeable(replaced), *updated(replaced), *key
    )
    if replaced.sheet is not None:
        row = changed_sheet_row(replaced, replaced.sheet)
        await connection.execute(_CALLBACKS["update_sheet"], *row)
    if (found.filter, found.kinds) != (replaced.filter, replaced.kinds):
        await check_revisions(connection, found, caps)
        await _add_revision(transaction, replaced, position)
    return replaced


async def delete_webhook(transaction: LaneTransaction, webhook: Webhook) -> None:
    """Delete a webhook that is held, with all its rows; append its control entry."""
    connection = transaction.connection
    await append_control(transaction, replace(webhook, revision=webhook.revision + 1))
    for name in _ROWS_OF_A_WEBHOOK:
        await connection.execute(_SQL[name], webhook.bucket, webhook.webhook_id)
    await connection.execute(_SQL["delete_account_webhook"], webhook.account, webhook.webhook_id)
    await uncount_webhook(connection, webhook)


async def _delete(transaction: LaneTransaction, *, bucket: int, webhook_id: str) -> None:
    await delete_webhook(
        transaction, await held_webhook(transaction.connection, bucket, webhook_id)
    )


async def _add_revision(transaction: LaneTransaction, webhook: Webhook, from_position: int) -> None:
    key = (webhook.bucket, webhook.webhook_id, from_position)
    await transaction.connection.execute(_SQL["supersede_revision"], *key)
    covered = (json_text(webhook.filter), json_text(webhook.kinds))
    await transaction.connection.execute(_SQL["insert_revision"], *key, *covered)
