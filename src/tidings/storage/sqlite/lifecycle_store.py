"""What time does to webhooks, on SQLite (contract 1.7; mechanics L8, P7)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import apsw
from msgspec.structs import replace

from tidings.domain.instants import to_milliseconds
from tidings.domain.lifecycle import LISTED, STEPS, Stage, Step, step_out_of
from tidings.domain.sweep import MoveBatch, Moved, SweepTime
from tidings.domain.webhook import Webhook
from tidings.errors import NotFound
from tidings.ports import Clock
from tidings.storage.rows.instants import loaded, stored
from tidings.storage.rows.webhooks import NEVER_MS, json_text
from tidings.storage.sqlite.lifecycle_time import in_ms, lag_ms, paused_ms, read_sweep_time
from tidings.storage.sqlite.queries import load_queries
from tidings.storage.sqlite.readers import Readers
from tidings.storage.sqlite.transaction import Transaction
from tidings.storage.sqlite.webhook_store import append_control, delete_webhook, find_webhook
from tidings.storage.sqlite.writer import Writer

_SQL = load_queries("lifecycle")


class SqliteLifecycleStore:
    """ports.LifecycleStore on one file."""

    def __init__(self, writer: Writer, readers: Readers, clock: Clock) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock

    async def time(self) -> SweepTime:
        """Return the time that the last sweep stored, and the clock now."""
        return self._readers.at_once(read_sweep_time, self._clock.now())

    async def keep_time(self, last: SweepTime, paused: timedelta) -> bool:
        """Store this sweep's time (ports.LifecycleStore.keep_time)."""
        kept = await self._writer.run(partial(_keep_time, last=last, paused=paused))
        if kept:
            self._writer.bound.keep(last.now)
        return kept

    async def next_due(self) -> datetime | None:
        """Return when a webhook may be due for its next step, at the earliest."""
        return loaded(self._readers.at_once(_next_due))

    async def step(self, step: Step, limit: int) -> MoveBatch:
        """Let webhooks take a step that is due (ports.LifecycleStore.step)."""
        return await self._writer.run(partial(_step, step=step, limit=limit))

    async def extend(self, bucket: int, webhook_id: str, listed_by: str) -> bool:
        """Let a webhook's limits count from now on (ports.LifecycleStore.extend)."""
        return await self._writer.run(
            partial(_extend, bucket=bucket, webhook_id=webhook_id, listed_by=listed_by)
        )


def revive(transaction: Transaction, bucket: int, webhook_ids: Iterable[str]) -> list[str]:
    """Lead webhooks that were listed back to their first stage; return which had left it.

    One whose listing is older than that stage's end stays: a note that was long in coming.
    """
    wanted = (bucket, json_text(list(webhook_ids)))
    staged: list[Any] = transaction.connection.execute(_SQL["to_revive"], wanted).fetchall()
    return [webhook_id for (webhook_id,) in staged if _revived(transaction, bucket, webhook_id)]


def _revived(transaction: Transaction, bucket: int, webhook_id: str) -> bool:
    webhook = find_webhook(transaction.connection, bucket, webhook_id)
    back = LISTED[webhook.stage]
    if _due_at(transaction, webhook, back) <= transaction.now_ms - lag_ms(transaction):
        return False
    _enter(transaction, webhook, back, warns=False)
    return True


def _keep_time(transaction: Transaction, *, last: SweepTime, paused: timedelta) -> bool:
    kept = (to_milliseconds(last.now), in_ms(paused))
    before = (stored(last.swept_at), in_ms(last.paused))
    transaction.connection.execute(_SQL["keep_time"], (*kept, *before))
    return transaction.connection.changes() > 0


def _next_due(connection: apsw.Connection) -> int | None:
    found = [connection.execute(_SQL["next_due"], (stage.value, NEVER_MS)).get for stage in Stage]
    return min((due_at for due_at in found if due_at is not None), default=None)


def _step(transaction: Transaction, *, step: Step, limit: int) -> MoveBatch:
    connection = transaction.connection
    now = transaction.now_ms - lag_ms(transaction)
    wish = (step.leaves.value, now, limit)
    due: list[Any] = connection.execute(_SQL["due"], wish).fetchall()
    moved: list[Moved] = []
    for bucket, webhook_id, extended_at in due:
        step_at = extended_at + in_ms(step.after)
        if step_at > now:
            later = (step_at, bucket, webhook_id, step.leaves.value)
            connection.execute(_SQL["put_off"], later)
        else:
            moved.append(_take(transaction, step, bucket, webhook_id))
    return MoveBatch(tuple(moved), more=len(due) == limit)


def _take(transaction: Transaction, step: Step, bucket: int, webhook_id: str) -> Moved:
    if step.enters is None:
        webhook = delete_webhook(transaction, bucket, webhook_id)
    else:
        webhook = find_webhook(transaction.connection, bucket, webhook_id)
        _enter(transaction, webhook, step.enters, warns=step.warns)
    return Moved(
        webhook_id=webhook_id, account=webhook.account, left=step.leaves, entered=step.enters
    )


def _enter(transaction: Transaction, webhook: Webhook, stage: Stage, *, warns: bool) -> None:
    """Move one webhook from the stage it is in, with its control entry (mechanics L7)."""
    step = {
        "bucket": webhook.bucket,
        "webhook_id": webhook.webhook_id,
        "leaves": webhook.stage.value,
        "enters": stage.value,
        "now": transaction.now_ms,
        "due_at": _due_at(transaction, webhook, stage),
        "warns": warns,
    }
    transaction.connection.execute(_SQL["enter_stage"], step)
    append_control(transaction, replace(webhook, revision=webhook.revision + 1))


def _due_at(transaction: Transaction, webhook: Webhook, stage: Stage) -> int:
    """Return when the webhook is due for its step out of `stage`, in lifecycle time."""
    extended_at = webhook.extended_at or webhook.created.at
    return to_milliseconds(extended_at + step_out_of(stage).after) - paused_ms(
        transaction.connection
    )


def _extend(transaction: Transaction, *, bucket: int, webhook_id: str, listed_by: str) -> bool:
    transaction.check_clock()  # it would take each webhook for one that is past its end
    listing = {
        "bucket": bucket,
        "webhook_id": webhook_id,
        "listed_by": listed_by,
        "now": transaction.now_ms,
        "extended_at": transaction.now_ms - lag_ms(transaction),
        "lifetime": in_ms(STEPS[-1].after),
    }
    transaction.connection.execute(_SQL["extend"], listing)
    if not transaction.connection.changes():
        raise NotFound("no such webhook")
    return bool(revive(transaction, bucket, [webhook_id]))
