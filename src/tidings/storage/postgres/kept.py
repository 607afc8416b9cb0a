"""What is counted of an account, in the transaction that adds to it (mechanics D8).

Lanes commit side by side, and an account's solutions lie in many: whoever adds something locks the
account's row, after its head, so that no number of additions at once gets past a cap.
"""

from __future__ import annotations

from tidings.domain.caps import (
    Caps,
    Kept,
    check_room_for_application,
    check_room_for_revision,
    check_room_for_webhook,
)
from tidings.domain.webhook import Webhook
from tidings.storage.postgres.connection import Connection
from tidings.storage.postgres.queries import load_queries

_SQL = load_queries("kept")


async def lock_account(connection: Connection, account: str) -> None:
    """Let no other transaction add to an account until this one ends."""
    await connection.execute(_SQL["add_account"], account)
    await connection.fetch(_SQL["lock_account"], account)


async def count_webhook(connection: Connection, webhook: Webhook, caps: Caps | None) -> None:
    """Count a webhook that is being created; raises FailedPrecondition where it has no room."""
    place = (webhook.account, webhook.solution)
    await lock_account(connection, webhook.account)
    if caps is not None:
        kept = await connection.fetchrow(_SQL["kept_of_account"], *place)
        check_room_for_webhook(Kept(**kept), caps)
    await connection.execute(_SQL["add_webhook"], *place)


async def uncount_webhook(connection: Connection, webhook: Webhook) -> None:
    """Count a webhook that is being deleted no more."""
    place = (webhook.account, webhook.solution)
    await connection.execute(_SQL["drop_webhook"], *place)
    await connection.execute(_SQL["drop_empty_solution"], *place)


async def check_revisions(connection: Connection, webhook: Webhook, caps: Caps | None) -> None:
    """Return if a webhook may have one more revision; raises FailedPrecondition."""
    if caps is not None:
        place = (webhook.bucket, webhook.webhook_id)
        revisions: int = await connection.fetchval(_SQL["revisions_of_webhook"], *place)
        check_room_for_revision(revisions, caps)


async def check_applications(connection: Connection, account: str, caps: Caps | None) -> None:
    """Return if an account may register one more application; raises FailedPrecondition."""
    if caps is not None:
        applications: int = await connection.fetchval(_SQL["applications_of_account"], account)
        check_room_for_application(applications, caps)
