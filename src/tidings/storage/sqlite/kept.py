"""What is counted of an account, in the transaction that adds to it (mechanics D8)."""

from __future__ import annotations

import apsw

from tidings.domain.caps import (
    Caps,
    Kept,
    check_room_for_application,
    check_room_for_revision,
    check_room_for_webhook,
)
from tidings.domain.webhook import Webhook
from tidings.storage.sqlite.queries import load_queries

_SQL = load_queries("kept")


def count_webhook(connection: apsw.Connection, webhook: Webhook, caps: Caps | None) -> None:
    """Count a webhook that is being created; raises FailedPrecondition where it has no room."""
    place = (webhook.account, webhook.solution)
    if caps is not None:
        [(webhooks, solutions, here)] = connection.execute(_SQL["kept_of_account"], place)
        kept = Kept(account_webhooks=webhooks, account_solutions=solutions, solution_webhooks=here)
        check_room_for_webhook(kept, caps)
    connection.execute(_SQL["add_webhook"], place)


def uncount_webhook(connection: apsw.Connection, webhook: Webhook) -> None:
    """Count a webhook that is being deleted no more."""
    place = (webhook.account, webhook.solution)
    connection.execute(_SQL["drop_webhook"], place)
    connection.execute(_SQL["drop_empty_solution"], place)


def check_revisions(connection: apsw.Connection, webhook: Webhook, caps: Caps | None) -> None:
    """Return if a webhook may have one more revision; raises FailedPrecondition."""
    if caps is not None:
        place = (webhook.bucket, webhook.webhook_id)
        check_room_for_revision(connection.execute(_SQL["revisions_of_webhook"], place).get, caps)


def check_applications(connection: apsw.Connection, account: str, caps: Caps | None) -> None:
    """Return if an account may register one more application; raises FailedPrecondition."""
    if caps is not None:
        applications: int = connection.execute(_SQL["applications_of_account"], (account,)).get
        check_room_for_application(applications, caps)
