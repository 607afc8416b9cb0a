"""The one attempt of a webhook that is under way: what it takes off with."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from tidings.domain.dispatch import Notice
from tidings.domain.notification import Scope
from tidings.domain.sheet_webhook import SheetStatus


class Flight:
    """The one attempt of a webhook that is under way.

    `scope` is that of the events it covers, None where that isn't known for sure. `climbs` says
    that a reminder was due when it took off. With a `notice` it tells of that alone.
    """

    __slots__ = ("climbs", "covered", "hold_from", "hold_since", "notice", "reminder", "scope")

    def __init__(
        self,
        *,
        covered: int,
        reminder: int | None = None,
        hold_from: int | None = None,
        hold_since: float = 0.0,
        scope: Scope | None = None,
        climbs: bool = False,
        notice: Notice | None = None,
    ) -> None:
        self.covered = covered
        self.reminder = reminder
        self.hold_from = hold_from
        self.hold_since = hold_since
        self.scope = scope
        self.climbs = climbs
        self.notice = notice


class Errand(Enum):
    """What a callback webhook is called for."""

    STATUS = "status"
    """To tell that its sheet went or came back."""
    CHALLENGE = "challenge"
    EVENTS = "events"


class Call(Flight):
    """An attempt to call: what for, and what was noted of it when it was composed."""

    __slots__ = ("challenge", "errand", "number", "sent_at", "status")

    def __init__(self, errand: Errand, *, covered: int, number: int, status: SheetStatus) -> None:
        super().__init__(covered=covered)
        self.errand = errand
        self.number = number
        """The status change that it tells of, if it does."""
        self.status = status
        """How the webhook stood when it took off."""
        self.challenge = ""
        self.sent_at: datetime | None = None
