"""What registering a sheet does to its callback webhooks, on SQLite (contract 2.6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw
from msgspec.structs import replace

from tidings.domain.buckets import bucket_of
from tidings.domain.instants import from_milliseconds
from tidings.domain.kinds import Kind
from tidings.domain.sheet_standing import scope_judged, sheet_of
from tidings.domain.sheet_webhook import SheetStatus, sheet_number
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.transaction import Transaction
from tidings.storage.sqlite.webhook_store import find_webhook, update_webhook

_Place = dict[str, int | str]

_SQL = load_queries("callbacks")
_HEAD = load_queries("change_log")["last_position"]


def let_sheet_be_there(
    transaction: Transaction, account: str, solution: str, application: str
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
    place: _Place = {"bucket": bucket, "account": account, "solution": solution, "sheet": sheet}
    waiting = _of_sheet(connection, place, SheetStatus.DISABLED_SCOPE_INACCESSIBLE)
    enabled = _of_sheet(connection, place, SheetStatus.ENABLED)
    if enabled and _deletion_waits(connection, place, application):
        waiting += enabled
    for webhook_id in waiting:
        _let_be_there(transaction, bucket, webhook_id)


def _of_sheet(connection: apsw.Connection, place: _Place, status: SheetStatus) -> list[str]:
    rows: Iterable[Any] = connection.execute(_SQL["of_sheet"], {**place, "status": status.value})
    return [webhook_id for (webhook_id,) in rows]


def _deletion_waits(connection: apsw.Connection, place: _Place, application: str) -> bool:
    """Whether the log holds a deletion behind the checkpoint, so perhaps not judged yet."""
    wish = {**place, "application": application, "kind": int(Kind.APPLICATION_DELETED)}
    return connection.execute(_SQL["waits_behind_checkpoint"], wish).fetchone() is not None


def _let_be_there(transaction: Transaction, bucket: int, webhook_id: str) -> None:
    webhook = find_webhook(transaction.connection, bucket, webhook_id)
    [(last, _)] = transaction.connection.execute(_HEAD, (bucket,))
    at = from_milliseconds(transaction.now_ms)
    judged = scope_judged(webhook, gone=False, position=last, at=at)
    judged = replace(judged, sheet=replace(sheet_of(judged), scope_position=last))
    update_webhook(transaction, webhook=judged, caps=None)
