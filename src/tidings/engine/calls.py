"""What the dispatcher knows of a callback webhook beside what it knows of every webhook."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from tidings.domain import limits
from tidings.domain.dispatch import CallbackCursor, Place, Tracked
from tidings.domain.sheet_webhook import SheetPart, SheetStatus

if TYPE_CHECKING:
    from tidings.engine.subscriptions import Subscription

_TOLD = (SheetStatus.ENABLED, SheetStatus.DISABLED_SCOPE_INACCESSIBLE)
"""What a status-change callback may tell (contract 2.5)."""


class Wish(NamedTuple):
    """What is wanted where: of those who want the same, one is called (contract 2.3)."""

    account: str
    sheet: int
    url: str | None
    columns: tuple[int, ...]


class Judgement(NamedTuple):
    """What the log says of a sheet at a position: that it was deleted, or is there."""

    position: int
    gone: bool


class Calls:
    """The callbacks of one webhook. Times are the monotonic clock's seconds.

    `cursor` is what the row is to be. What waits is gathered until `gather_due`; None where nothing
    came since the last callback. Nothing is sent before `not_before`. `withdrawn` says that the row
    disagreed with what was due, until the tail brings its change. `judged` are judgements of the
    sheet that aren't in its row yet; they hold the bucket's checkpoint back. `entered` is the last
    one that is, until the tail brings that change. `expired` says what retention dropped before it
    could be sent, until that is in the row too. `alike` are the
    webhooks with the same wish, itself too, oldest first; `left` are those that it was among before
    its row was read last.
    """

    __slots__ = (
        "alike",
        "created_position",
        "cursor",
        "entered",
        "expired",
        "gather_due",
        "gather_seconds",
        "judged",
        "left",
        "not_before",
        "sheet",
        "wish",
        "withdrawn",
    )

    def __init__(self, tracked: Tracked, sheet: SheetPart, gather_seconds: float) -> None:
        self.cursor = CallbackCursor(
            bucket=tracked.bucket,
            webhook_id=tracked.webhook_id,
            acked=Place(tracked.start_position + 1),
        )
        self.sheet = sheet
        self.wish = Wish(tracked.account, sheet.sheet, tracked.url, sheet.columns)
        self.created_position = tracked.created_position
        self.gather_seconds = gather_seconds
        self.gather_due: float | None = None
        self.not_before = 0.0
        self.withdrawn = False
        self.expired: str | None = None
        self.judged: deque[Judgement] = deque()
        self.entered: Judgement | None = None
        self.alike: list[Subscription] = []
        self.left: list[Subscription] = self.alike

    def become(self, sheet: SheetPart, url: str | None) -> None:
        """Take over what the row says now."""
        self.sheet = sheet
        self.wish = self.wish._replace(url=url)
        while self.judged and self.judged[0].position <= sheet.scope_position:
            self.judged.popleft()
        if self.entered is not None and self.entered.position <= sheet.scope_position:
            self.entered = None

    def enter(self, judgement: Judgement) -> None:
        """Take note that a judgement is in the row, be it before the tail says so."""
        if judgement.position > self.sheet.scope_position:
            self.entered = judgement
        self.drop(judgement)

    def drop(self, judgement: Judgement) -> None:
        """Let a judgement wait no more."""
        if self.judged and self.judged[0] is judgement:
            self.judged.popleft()

    @property
    def frontier(self) -> Place:
        """The place behind all that was acknowledged or is in the callback that is pending."""
        pending = self.cursor.pending
        return self.cursor.acked if pending is None else pending.ends

    @property
    def is_without_scope(self) -> bool:
        """Whether its sheet was deleted, by the last judgement, or by its row where none waits."""
        last = self.judged[-1] if self.judged else self.entered
        if last is not None:
            return last.gone
        return self.sheet.status is SheetStatus.DISABLED_SCOPE_INACCESSIBLE

    @property
    def columns(self) -> frozenset[int]:
        """The subscope; empty: all columns."""
        return frozenset(self.sheet.columns)

    @property
    def owes_status(self) -> bool:
        """Whether its endpoint is to be told that the sheet went or came back (contract 2.5)."""
        return (
            self.sheet.status_number > self.cursor.told
            and self.sheet.standing in _TOLD
            and not self.withdrawn
        )

    @property
    def challenge_due(self) -> bool:
        """Whether a challenge comes before the next callback: the 101st, 201st … (contract 2.4)."""
        hundreds = self.cursor.acknowledged // limits.CALLBACKS_A_CHALLENGE
        return hundreds > self.cursor.challenged // limits.CALLBACKS_A_CHALLENGE

    def judge(self, judgement: Judgement) -> bool:
        """Take up what the log says of the sheet; return whether that is news to the row.

        Only an enabled one goes, and only one that went comes back (contract 2.6).
        """
        if judgement.position <= self.sheet.scope_position or self.sheet.status not in _TOLD:
            return False
        if judgement.gone is self.is_without_scope:
            return False
        self.judged.append(judgement)
        return True


def calls_of(subscription: Subscription) -> Calls:
    """Return what a callback webhook has; for no other is it asked."""
    if subscription.calls is None:
        raise ValueError(f"webhook {subscription.webhook_id} is not called")
    return subscription.calls


def is_active(subscription: Subscription) -> bool:
    """Whether it may be called at all, be it for no more than to tell its status."""
    calls = calls_of(subscription)
    return (subscription.enabled and not calls.withdrawn) or calls.owes_status


def waits(subscription: Subscription) -> bool:
    """Whether there may be events that are in no callback yet."""
    return subscription.matched_unsure or (
        subscription.matched >= calls_of(subscription).frontier.position
    )
