"""A webhook as it is stored: a registered wish, where to notify, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from tidings.domain.dispatch import Notice
from tidings.domain.filter import Filter
from tidings.domain.kinds import Kind
from tidings.domain.lifecycle import Stage
from tidings.domain.sheet_webhook import Contract, SheetPart


class DisabledReason(StrEnum):
    """Why notifications are off (contract 1.3)."""

    BY_OWNER = "DISABLED_BY_OWNER"
    DELIVERY_FAILED = "DELIVERY_FAILED"


class Notifications(msgspec.Struct, frozen=True, kw_only=True):
    """Whether and where a webhook is pinged. Off never means that events are lost."""

    enabled: bool
    url: str | None = None
    reason: DisabledReason | None = None
    disabled_at: datetime | None = None
    last_error: str | None = None


class Stamp(msgspec.Struct, frozen=True):
    """Who did it, by the API key's name, and when (contract 1.3)."""

    by: str
    at: datetime


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook's row.

    `revision` counts every change of the row and fences writers that read an older one.
    `start_position` is exclusive: its events are those after it. `created_position` is its first
    control entry's. Both are 0 until the store has given them.
    """

    bucket: int
    webhook_id: str
    account: str
    solution: str
    filter: Filter
    kinds: tuple[Kind, ...]
    notifications: Notifications
    secret: str
    created: Stamp
    updated: Stamp
    revision: int = 1
    start_position: int = 0
    created_position: int = 0
    last_listed_at: datetime | None = None
    stage: Stage = Stage.ACTIVE
    staged_at: datetime | None = None
    """When it came into its stage; None until it first left one."""
    extended_at: datetime | None = None
    """Since when its limits count: its creation or last listing, and downtime added (L8)."""
    notice: Notice | None = None
    """What its owner must be told, as long as it stands."""
    previous_secret: str | None = None
    previous_secret_expires_at: datetime | None = None
    sheet: SheetPart | None = None
    """What only a callback webhook has; None for one that is pinged."""

    @property
    def contract(self) -> Contract:
        """Which contract it follows: what has a sheet is called by Smartsheet's."""
        return Contract.SMARTSUITE if self.sheet is None else Contract.SMARTSHEET


class Placed(msgspec.Struct, frozen=True):
    """A webhook and its place in its account's list: after all that were created before it.

    A place stays its webhook's own when that is deleted, so it can be gone on from at any time.
    """

    place: int
    webhook: Webhook


class PartOfList(msgspec.Struct, frozen=True, kw_only=True):
    """Some of an account's webhooks, and how many there are in all, at one moment."""

    total: int
    webhooks: Sequence[Webhook]


def signing_secrets(webhook: Webhook, now: datetime) -> tuple[str, ...]:
    """Return the secrets that sign at `now`: the present one, and during a rotation the last."""
    expires_at = webhook.previous_secret_expires_at
    if webhook.previous_secret is not None and expires_at is not None and now < expires_at:
        return (webhook.secret, webhook.previous_secret)
    return (webhook.secret,)


def given_up(webhook: Webhook, *, at: datetime, error: str) -> Webhook:
    """Return `webhook` with notifications off because none was acknowledged (contract 1.6).

    Its URL stays, and so does the stamp of its owner's last change.
    """
    return msgspec.structs.replace(
        webhook,
        notifications=Notifications(
            enabled=False,
            url=webhook.notifications.url,
            reason=DisabledReason.DELIVERY_FAILED,
            disabled_at=at,
            last_error=error,
        ),
    )
