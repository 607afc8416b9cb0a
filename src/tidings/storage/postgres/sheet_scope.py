"""What registering a sheet does to its callback webhooks, on PostgreSQL (contract 2.6)."""

from __future__ import annotations

from msgspec.structs import replace

from tidings.domain.buckets import bucket_of
from tidings.domain.instants import from_milliseconds
from tidings.domain.kinds import Kind
from tidings.domain.sheet_standing import scope_judged, sheet_of
from tidings.domain.sheet_webhook import SheetStatus, sheet_number
from tidings.storage.postgres.queries import load_queries
from tidings.storage.postgres.transaction import LaneTransaction
from tidings.storage.postgres.webhook_rows import held_webhook
from tidings.storage.postgres.webhook_store import update_webhook

_SQL = load_queries("callbacks")


async def let_sheet_be_there(
    transaction: LaneTransaction, account: str, solution: str, application: str
) -> None:
    """Enable the webhooks that a deletion of the sheet disabled, or is about to.

    Up to here the log counts no more: a deletion that no dispatcher has come to yet was before the
    registration. Only where there is such a one an enabled webhook is touched, so that registering
    the same again and again writes nothing.
    """
    sheet = sheet_number(application)
    if sheet is None:
        return
    connection, bucket = transaction.connection, bucket_of(account, solution)
    place = (bucket, account, solution)
    deletion = (application, int(Kind.APPLICATION_DELETED))
    gone = SheetStatus.DISABLED_SCOPE_INACCESSIBLE
    waiting = await connection.fetch(_SQL["of_sheet"], *place, sheet, gone.value)
    enabled = await connection.fetch(_SQL["of_sheet"], *place, sheet, SheetStatus.ENABLED.value)
    if enabled and await connection.fetch(_SQL["waits_behind_checkpoint"], *place, *deletion):
        waiting = [*waiting, *enabled]
    for row in waiting:
        await _let_be_there(transaction, bucket, row["webhook_id"])


async def _let_be_there(transaction: LaneTransaction, bucket: int, webhook_id: str) -> None:
    webhook = await held_webhook(transaction.connection, bucket, webhook_id)
    last = transaction.last(bucket)
    at = from_milliseconds(transaction.now_ms)
    judged = scope_judged(webhook, gone=False, position=last, at=at)
    judged = replace(judged, sheet=replace(sheet_of(judged), scope_position=last))
    await update_webhook(transaction, webhook=judged, caps=None)
