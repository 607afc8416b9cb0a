"""What a wish makes of a callback webhook: creating one, and what a PUT may do (contract 2.2, 2.3).

Pure. A PUT is judged before the challenge, which has no transaction open, and again after it where
the row has changed meanwhile.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from tidings.domain.buckets import WEBHOOK_NUMBER_BYTES, bucket_of, new_webhook_number
from tidings.domain.filter import ApplicationFilter
from tidings.domain.kinds import Kind
from tidings.domain.sheet_messages import SheetChange, SheetWish
from tidings.domain.sheet_refusal import SheetCode, SheetRefusal
from tidings.domain.sheet_standing import sheet_of, stood
from tidings.domain.sheet_webhook import SheetPart, SheetStatus
from tidings.domain.signing import SHARED_SECRET_BYTES, new_shared_secret
from tidings.domain.webhook import Notifications, Stamp, Webhook

SHEET_ENTROPY_BYTES = WEBHOOK_NUMBER_BYTES + SHARED_SECRET_BYTES
"""Random bytes that a new callback webhook takes: for its number and for its secret."""

_KINDS = tuple(Kind)
"""All of them: a change of any kind shows that the sheet is there (contract 2.6)."""
_BACK_BY_ITSELF = frozenset({SheetStatus.ENABLED, SheetStatus.DISABLED_SCOPE_INACCESSIBLE})
"""Statuses in which a callback may go out without another word of the owner."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a PUT makes of a webhook, as far as it is known before the challenge."""

    webhook: Webhook
    challenges: str | None
    """The URL that has to pass the challenge first; None: the webhook is as it is to be."""


def new_sheet_webhook(
    wish: SheetWish, account: str, solution: str, key_id: str, stamp: Stamp, entropy: bytes
) -> Webhook:
    """Return the webhook that a POST asks for, not yet in the log and not verified.

    `solution` is the sheet's; `entropy` is SHEET_ENTROPY_BYTES random bytes.
    """
    bucket = bucket_of(account, solution)
    number = new_webhook_number(bucket, entropy[:WEBHOOK_NUMBER_BYTES])
    columns = tuple(str(column) for column in wish.columns)
    return Webhook(
        bucket=bucket,
        webhook_id=str(number),
        account=account,
        solution=solution,
        filter=ApplicationFilter(str(wish.sheet), columns),
        kinds=_KINDS,
        notifications=Notifications(enabled=False, url=wish.callback_url),
        secret=new_shared_secret(entropy[WEBHOOK_NUMBER_BYTES:]),
        created=stamp,
        updated=stamp,
        sheet=SheetPart(
            name=wish.name,
            sheet=wish.sheet,
            columns=wish.columns,
            key_id=key_id,
            status_at=stamp.at,
        ),
    )


def check_may_change(webhook: Webhook, *, administrative: bool = False) -> None:
    """Return if a PUT may touch a webhook; raises SheetRefusal 1153 or 1154 (contract 2.2)."""
    standing = sheet_of(webhook).standing
    if standing is SheetStatus.DISABLED_APP_REVOKED:
        raise SheetRefusal(
            SheetCode.KEY_REVOKED,
            "This webhook can't be changed or enabled: the key that created it was revoked.",
        )
    if standing is SheetStatus.DISABLED_ADMINISTRATIVE and not administrative:
        raise SheetRefusal(
            SheetCode.DISABLED_BY_ADMINISTRATOR,
            "This webhook was disabled by an administrator, who alone can enable it.",
        )


def judged(webhook: Webhook, change: SheetChange, stamp: Stamp) -> Judged:
    """Return what a PUT makes of a webhook that it may touch.

    Enabling challenges, each time. A new URL is challenged at once where callbacks would go to it
    without another word: while enabled, and while the sheet may come back by itself. A webhook
    whose sheet is gone isn't enabled by a PUT.
    """
    sheet, url = sheet_of(webhook), change.callback_url or webhook.notifications.url
    changed = replace(
        webhook,
        notifications=replace(webhook.notifications, url=url),
        sheet=replace(sheet, name=change.name or sheet.name),
    )
    moved = url != webhook.notifications.url
    if change.enabled is False:
        challenges = False
        if sheet.status in _BACK_BY_ITSELF:
            changed = stood(changed, SheetStatus.DISABLED_BY_OWNER, at=stamp.at)
    elif sheet.status is SheetStatus.DISABLED_SCOPE_INACCESSIBLE:
        challenges = moved
    else:
        challenges = bool(change.enabled) or (moved and sheet.status is SheetStatus.ENABLED)
    if changed != webhook:
        changed = replace(changed, updated=stamp)
    return Judged(webhook=changed, challenges=url if challenges else None)


def answered(judged: Judged, failure: str | None, stamp: Stamp) -> Webhook:
    """Return the webhook after its challenge; `failure` says why it wasn't passed, None: it was.

    Passing enables it, unless its sheet is gone: then that stays so until it comes back.
    """
    webhook = replace(judged.webhook, updated=stamp)
    if failure is not None:
        failed = SheetStatus.DISABLED_VERIFICATION_FAILED
        return stood(webhook, failed, at=stamp.at, details=failure)
    if sheet_of(webhook).status in _BACK_BY_ITSELF:
        return webhook
    return stood(webhook, SheetStatus.ENABLED, at=stamp.at)


def disabled_administratively(webhook: Webhook, at: datetime) -> Webhook:
    """Return `webhook` disabled until an administrator enables it (contract 2.2)."""
    details = "Disabled by an administrator"
    return stood(webhook, SheetStatus.DISABLED_ADMINISTRATIVE, at=at, details=details)


def with_new_secret(webhook: Webhook, stamp: Stamp, entropy: bytes) -> Webhook:
    """Return `webhook` with another shared secret, which signs alone from now on."""
    return replace(webhook, secret=new_shared_secret(entropy), updated=stamp)
