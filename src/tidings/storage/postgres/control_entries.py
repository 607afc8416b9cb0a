"""What the log says of webhooks: one entry for each change of their rows (mechanics L7)."""

from __future__ import annotations

from tidings.domain.kinds import CONTROL
from tidings.domain.log_entry import NewEntry
from tidings.domain.webhook import Webhook
from tidings.storage.postgres.transaction import LaneTransaction
from tidings.storage.rows.webhooks import json_text


async def append_control(transaction: LaneTransaction, webhook: Webhook) -> int:
    """Append a webhook's control entry: id and revision only; return its position."""
    entry = NewEntry(
        kind=CONTROL,
        application="",
        subject=webhook.webhook_id,
        mask=0,
        changed=None,
        body=json_text({"revision": webhook.revision}).encode(),
    )
    place = (webhook.bucket, webhook.account, webhook.solution)
    position, _ = await transaction.insert(*place, [entry])
    return position
