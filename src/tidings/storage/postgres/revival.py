"""What moves a webhook from one stage to another, inside a lane's transaction (contract 1.7)."""

from __future__ import annotations

from msgspec.structs import replace

from tidings.domain.instants import to_milliseconds
from tidings.domain.lifecycle import LISTED, Stage, step_out_of
from tidings.domain.sweep import lag
from tidings.domain.webhook import Webhook
from tidings.storage.postgres.control_entries import append_control
from tidings.storage.postgres.lifecycle_time import in_ms, read_sweep_time
from tidings.storage.postgres.queries import load_queries
from tidings.storage.postgres.transaction import LaneTransaction
from tidings.storage.postgres.webhook_rows import find_webhook

_SQL = load_queries("lifecycle")


async def revive(transaction: LaneTransaction, bucket: int, webhook_id: str) -> bool:
    """Lead a webhook that was listed back to its first stage; return whether it had left it.

    One whose listing is older than that stage's end stays: a note that was long in coming. Its row
    is locked.
    """
    webhook = await find_webhook(transaction.connection, bucket, webhook_id)
    back = LISTED[webhook.stage]
    if webhook.stage is back:
        return False
    time = await read_sweep_time(transaction.connection)
    if due_at(webhook, back) - in_ms(time.paused) <= transaction.now_ms - in_ms(lag(time)):
        return False
    await enter(transaction, webhook, back, warns=False)
    return True


async def enter(
    transaction: LaneTransaction, webhook: Webhook, stage: Stage, *, warns: bool
) -> None:
    """Move one webhook from the stage it is in, with its control entry (mechanics L7)."""
    time = await read_sweep_time(transaction.connection)
    await transaction.connection.execute(
        _SQL["enter_stage"],
        webhook.bucket,
        webhook.webhook_id,
        webhook.stage.value,
        stage.value,
        transaction.now_ms,
        due_at(webhook, stage) - in_ms(time.paused),
        warns,
    )
    await append_control(transaction, replace(webhook, revision=webhook.revision + 1))


def due_at(webhook: Webhook, stage: Stage) -> int:
    """Return when the webhook is due for its step out of `stage`, in wall time (milliseconds)."""
    extended_at = webhook.extended_at or webhook.created.at
    return to_milliseconds(extended_at + step_out_of(stage).after)
