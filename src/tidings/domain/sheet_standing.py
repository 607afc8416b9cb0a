"""How a callback webhook comes to stand as it does (contract 2.2, 2.6). Pure."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from tidings.domain.sheet_webhook import SheetPart, SheetStatus
from tidings.domain.webhook import Webhook


def sheet_of(webhook: Webhook) -> SheetPart:
    """Return a callback webhook's own part; for no other is it asked."""
    if webhook.sheet is None:
        raise ValueError(f"webhook {webhook.webhook_id} has no sheet")
    return webhook.sheet


def is_called(webhook: Webhook) -> bool:
    """Whether events are sent to it: judged by its row, when sending."""
    return webhook.sheet is not None and webhook.sheet.standing is SheetStatus.ENABLED


def stood(
    webhook: Webhook, status: SheetStatus, *, at: datetime, details: str | None = None
) -> Webhook:
    """Return `webhook` with another status; whatever was to be told of the last one isn't any more.

    `details` say why it is disabled. Its owner's stamp stays as it is.
    """
    return _with(webhook, status, at, details, number=0)


def scope_judged(webhook: Webhook, *, gone: bool, position: int, at: datetime) -> Webhook:
    """Return `webhook` as the log at `position` has it: its sheet was deleted, or published to.

    An enabled one becomes DISABLED_SCOPE_INACCESSIBLE and back, which a status-change callback
    tells of; all other statuses stay (contract 2.6). `webhook` itself where nothing changes.
    """
    sheet = sheet_of(webhook)
    if position <= sheet.scope_position:
        return webhook
    leaves = SheetStatus.ENABLED if gone else SheetStatus.DISABLED_SCOPE_INACCESSIBLE
    if sheet.status is not leaves:
        return webhook
    enters = SheetStatus.DISABLED_SCOPE_INACCESSIBLE if gone else SheetStatus.ENABLED
    details = "The sheet was deleted" if gone else None
    moved = _with(webhook, enters, at, details, number=webhook.revision + 1)
    return replace(moved, sheet=replace(sheet_of(moved), scope_position=position))


def judged_from(webhook: Webhook, last: Webhook, position: int) -> Webhook:
    """Let what the log says of a sheet before its status changed not count after it.

    Whoever changed it because of the log says himself up to where.
    """
    sheet, before = webhook.sheet, last.sheet
    if sheet is None or before is None or sheet.status is before.status:
        return webhook
    if sheet.scope_position != before.scope_position:
        return webhook
    judged = replace(sheet, scope_position=position)
    return replace(webhook, sheet=judged)


def told_of_loss(webhook: Webhook, details: str) -> Webhook | None:
    """Return an enabled `webhook` that says what retention took from it; None for any other.

    It stands so until its status is another: then that has its own to say.
    """
    sheet = sheet_of(webhook)
    if sheet.status is not SheetStatus.ENABLED:
        return None
    return replace(webhook, sheet=replace(sheet, disabled_details=details))


def _with(
    webhook: Webhook, status: SheetStatus, at: datetime, details: str | None, *, number: int
) -> Webhook:
    sheet = replace(
        sheet_of(webhook),
        status=status,
        status_at=at,
        status_number=number,
        disabled_details=details,
    )
    enabled = status is SheetStatus.ENABLED
    return replace(
        webhook, sheet=sheet, notifications=replace(webhook.notifications, enabled=enabled)
    )
