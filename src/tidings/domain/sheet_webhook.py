"""What only a callback webhook has: the Smartsheet contract's part of a webhook (contract 2.2).

A sheet is an application, a row a record, a column a field. Their ids are numbers here, and their
decimal strings everywhere else.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

MAX_NUMBER: Final = 2**53 - 1
"""The greatest id: JSON numbers are exact up to here for every client (contract 2.1)."""

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,15}")


class Contract(StrEnum):
    """Which vendor's contract a webhook follows: what it is sent, and who may see it."""

    SMARTSUITE = "SMARTSUITE"
    SMARTSHEET = "SMARTSHEET"


class SheetStatus(StrEnum):
    """How a callback webhook stands (contract 2.2). Exactly ENABLED ones are called."""

    ENABLED = "ENABLED"
    NEW_NOT_VERIFIED = "NEW_NOT_VERIFIED"
    DISABLED_BY_OWNER = "DISABLED_BY_OWNER"
    DISABLED_VERIFICATION_FAILED = "DISABLED_VERIFICATION_FAILED"
    DISABLED_CALLBACK_FAILED = "DISABLED_CALLBACK_FAILED"
    DISABLED_SCOPE_INACCESSIBLE = "DISABLED_SCOPE_INACCESSIBLE"
    DISABLED_APP_REVOKED = "DISABLED_APP_REVOKED"
    DISABLED_ADMINISTRATIVE = "DISABLED_ADMINISTRATIVE"


class SheetPart(msgspec.Struct, frozen=True, kw_only=True):
    """A callback webhook's row beside its `Webhook`, which holds the rest.

    The callback's URL is `Webhook.notifications.url`, `enabled` is `notifications.enabled`, the
    shared secret `Webhook.secret`, and its times are those of `created` and `updated`.
    `domain/sheet_standing.py` changes the status, and keeps `enabled` true to it.
    """

    name: str
    sheet: int
    """The sheet's number: its application's id."""
    columns: tuple[int, ...] = ()
    """The subscope, ascending; empty: all columns."""
    key_id: str
    """The key that created it: while that is revoked nothing is sent."""
    status: SheetStatus = SheetStatus.NEW_NOT_VERIFIED
    """As it is stored; what holds is `standing`."""
    status_at: datetime
    """Since when it stands so."""
    status_number: int = 0
    """The webhook's revision at which the scope went or came back: what a status-change callback
    tells of, until `CallbackCursor.told` has reached it. 0: there is nothing to tell."""
    disabled_details: str | None = None
    scope_position: int = 0
    """Up to where in the log the scope's state was judged: what was deleted before doesn't count
    any more."""
    key_revoked: bool = False
    """Whether the creating key is revoked: read with the row, never written with it."""

    @property
    def standing(self) -> SheetStatus:
        """How it stands: DISABLED_APP_REVOKED is nowhere stored, it follows from the key."""
        return SheetStatus.DISABLED_APP_REVOKED if self.key_revoked else self.status


def sheet_number(application: str) -> int | None:
    """Return the number that an application, record or field id is, or None if it is none.

    Only what comes back as the same text: decimal digits, no zero in front, at most MAX_NUMBER.
    """
    if not _NUMBER.fullmatch(application):
        return None
    number = int(application)
    return number if number <= MAX_NUMBER else None
