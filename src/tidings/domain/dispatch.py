"""What the dispatcher keeps: states, debts, cursors, attempts (mechanics D1, D2, D5, D6)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tidings.domain.filter import Revision
from tidings.domain.lifecycle import Stage
from tidings.domain.sheet_webhook import Contract, SheetPart

EXPIRES_SOON = "EXPIRES_SOON"
"""The notice that is raised a day before a limit (contract 1.7)."""


class DispatchState(msgspec.Struct, frozen=True, kw_only=True):
    """One row a webhook: how far it was matched and notified (mechanics D1)."""

    bucket: int
    webhook_id: str
    matched: int
    notified: int
    reminders: int = 0
    """Acknowledged since its reader last came on: the rung of the ladder (`domain/reminder.py`)."""
    remind_at: datetime | None = None
    """When it is reminded next if events are unread by then."""
    noticed: int = 0
    """The number of the last notice that was acknowledged."""


class Debt(msgspec.Struct, frozen=True, kw_only=True):
    """A ping that is owed since an attempt failed, or since one held the checkpoint (D2)."""

    bucket: int
    webhook_id: str
    owed_through: int
    failures: int
    next_attempt_at: datetime
    since_at: datetime
    """The first failure in a row, or when it began to wait."""
    last_error: str
    revision: int = 0
    """The webhook's, as its dispatcher knew it: what an owner did since starts afresh. 0: any."""
    ended_at: datetime | None = None
    """When the endpoint was given up: nothing is sent, notifications are to be disabled."""


class Place(msgspec.Struct, frozen=True, order=True):
    """A place between two callback events: one change can be more events than a callback holds.

    Behind it lies all before `position`, and of the events of `position` the first `part`. A
    position `p` that is wholly behind is `Place(p + 1)`.
    """

    position: int
    part: int = 0


class PendingCallback(msgspec.Struct, frozen=True, kw_only=True):
    """A callback that was built and isn't acknowledged: with the log it makes each try's body."""

    begins: Place
    ends: Place
    nonce: str
    built_at: datetime

    @property
    def last_position(self) -> int:
        """The last position of the log of which all or a part is in it."""
        return self.ends.position if self.ends.part else self.ends.position - 1


class CallbackCursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a callback webhook was called: one durable row each (mechanics D5).

    One that was never called has none: it begins behind its start.
    """

    bucket: int
    webhook_id: str
    acked: Place
    """What lies behind it was acknowledged."""
    pending: PendingCallback | None = None
    acknowledged: int = 0
    """Callbacks that were."""
    challenged: int = 0
    """How many of them there were when the last challenge in their midst was passed."""
    told: int = 0
    """The `SheetPart.status_number` of the last status change that was acknowledged."""
    last_attempt_at: datetime | None = None
    last_attempt_failures: int = 0
    """How often that callback had failed before its last attempt (contract 2.2, `stats`)."""
    last_success_at: datetime | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at sending a notification, for people to look at."""

    bucket: int
    webhook_id: str
    attempted_at: datetime
    notification_id: str
    covered: int
    status: int | None
    error: str | None
    elapsed_ms: int


class ReadNote(msgspec.Struct, frozen=True, kw_only=True):
    """That a page was listed: by which key, up to where, and whether it left more behind."""

    bucket: int
    webhook_id: str
    account: str
    key_id: str
    listed_at: datetime
    read_position: int
    """The page's token."""
    has_more: bool
    asked: int | None
    """The position of the token that the request carried; None where it carried none."""


class Notice(msgspec.Struct, frozen=True):
    """What a webhook's owner must be told by a ping of its own."""

    text: str
    expires_at: datetime
    number: int
    """The webhook's revision at which it was raised: no other notice of it has this number."""


class Tracked(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook as the dispatcher holds it in memory: what matching and slots need.

    `enabled`: the owner wants to be notified, there is a URL, and neither a limit nor the revoking
    of the key that made a callback webhook has turned it off.
    """

    bucket: int
    webhook_id: str
    account: str
    solution: str
    enabled: bool
    url: str | None
    revision: int
    revisions: tuple[Revision, ...]
    start_position: int
    created_position: int
    read_position: int
    listed_by: str | None
    stage: Stage = Stage.ACTIVE
    extended_at: datetime
    """Since when its limits count (`domain/lifecycle.py`)."""
    notice: Notice | None = None
    """What stands to be told, where the owner wants pings."""
    sheet: SheetPart | None = None
    """A callback webhook's own part."""

    @property
    def contract(self) -> Contract:
        """Which contract it follows (`Webhook.contract`)."""
        return Contract.SMARTSUITE if self.sheet is None else Contract.SMARTSHEET


class BucketState(msgspec.Struct, frozen=True, kw_only=True):
    """All that a new holder of a bucket needs."""

    bucket: int
    checkpoint: int
    webhooks: tuple[Tracked, ...]
    states: tuple[DispatchState, ...]
    debts: tuple[Debt, ...]
    cursors: tuple[CallbackCursor, ...] = ()


class BucketSettlement(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction writes for a bucket, fenced by its lease's epoch (D2, D6)."""

    bucket: int
    epoch: int
    checkpoint: int | None
    """None: it stays where it is."""
    states: tuple[DispatchState, ...] = ()
    debts: tuple[Debt, ...] = ()
    paid: tuple[str, ...] = ()
    """Webhooks whose debt is deleted."""
    cursors: tuple[CallbackCursor, ...] = ()
    """Whole rows, as they are to be."""
