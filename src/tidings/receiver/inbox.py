"""The inbox's seam: where notifications are kept before they are answered, and worked off after.

An inbox may be shared by receivers (each has a name) and by processes. Whoever works one off has a
claim on it, with an end; whatever it writes is fenced by the claim's epoch. Times are milliseconds
since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec

from tidings.errors import TidingsError
from tidings.receiver.notification import Item, Kept, Notification, Part


class Claim(msgspec.Struct, frozen=True):
    """The right to work off what one receiver was sent."""

    receiver: str
    epoch: int


class ClaimLost(TidingsError):
    """Another process works this inbox off now; what was to be written is not."""


class Opened(msgspec.Struct, frozen=True):
    """A notification that is taken apart."""

    notification: int
    parts: Sequence[Part]


class EffectsRefused(TidingsError):
    """The database didn't take what a handler did in the inbox's transaction."""


class Held(msgspec.Struct, frozen=True):
    """What an inbox holds."""

    notifications: int
    bytes: int


class DeadItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item that was given up."""

    item: Item
    dead_at_ms: int
    error: str


def is_new(notification: Notification, fresh: set[bytes]) -> bool:
    """Whether it is to be kept; of several alike in one group the first is."""
    if notification.identity is None:
        return True
    if notification.identity in fresh:
        fresh.discard(notification.identity)
        return True
    return False


class Turn(Protocol):
    """A transaction that some handlers share."""

    connection: Any
    """What a handler does with it happens with the settling of its item, or not at all."""

    def attempt(self, item: Item, now_ms: int) -> AbstractAsyncContextManager[None]:
        """Let one handler use the connection; settle its item when the block ends.

        Where the block raises, what it did is undone, and nothing else. Raises EffectsRefused
        where the whole turn can't go on.
        """


class Inbox(Protocol):
    """Raises StorageUnavailable where it can't be read or written now, StorageFault where it
    never will, ClaimLost where a claim has ended.
    """

    sync_transactions: bool
    """Whether a plain function can use the connection of a turn."""

    async def open(self) -> None:
        """Connect, and make the tables where they are missing."""

    async def close(self) -> None:
        """Disconnect. A second call does nothing."""

    async def keep(
        self, receiver: str, notifications: Sequence[Notification], until_ms: int
    ) -> Sequence[bool]:
        """Keep notifications, durably, in one commit; say of each whether it is new.

        Their identities are known until then at least.
        """

    async def held(self, receiver: str) -> Held:
        """Return how much a receiver's inbox holds."""

    async def claim(self, receiver: str, holder: str, now_ms: int, until_ms: int) -> Claim | None:
        """Claim, or renew a claim of the same holder; None while another's lasts."""

    async def release(self, claim: Claim) -> None:
        """End a claim, where it still lasts."""

    async def unopened(self, claim: Claim, limit: int, max_bytes: int) -> Sequence[Kept]:
        """Return the oldest notifications that aren't taken apart: one at least, if there is any,
        and no more behind it than `limit` and `max_bytes` of bodies allow.
        """

    async def unpack(self, claim: Claim, opened: Sequence[Opened], now_ms: int) -> None:
        """Put parts in the place of their notifications, in order; drop one that has none."""

    async def due(self, claim: Claim, now_ms: int, limit: int) -> Sequence[Item]:
        """Return items to be tried by now: of each object the first at most, longest due first."""

    async def next_due_ms(self, claim: Claim) -> int | None:
        """Return when the next item is to be tried; None where none waits."""

    async def contents(self, notification: int) -> Kept | None:
        """Return a notification that has items; None where it has none left."""

    def together(self, claim: Claim) -> AbstractAsyncContextManager[Turn]:
        """Begin a transaction for some handlers; commit it when the block ends, undo it when that
        raises. Nothing else may be asked of the inbox meanwhile.

        Raises EffectsRefused where the database doesn't commit what the handlers did.
        """

    async def settle(self, claim: Claim, items: Sequence[Item], now_ms: int) -> None:
        """Drop items that were handled; the next of each object is due."""

    async def postpone(self, claim: Claim, item: Item, due_ms: int) -> None:
        """Count a try that failed, and say when the next is due."""

    async def bury(self, claim: Claim, item: Item, now_ms: int, error: str) -> None:
        """Give an item up; the next of its object is due."""

    async def dead(self, receiver: str, after: int, limit: int) -> Sequence[DeadItem]:
        """Return items that were given up, by number, those behind `after`."""

    async def revive(self, receiver: str, numbers: Sequence[int], now_ms: int) -> int:
        """Let dead items be tried again, as if for the first time; return how many there were."""

    async def drop(self, receiver: str, numbers: Sequence[int]) -> int:
        """Drop dead items; return how many there were."""

    async def forget(self, now_ms: int, limit: int) -> int:
        """Forget at most `limit` identities whose time is over; return how many they were.

        In the order in which they came: one that is known for longer keeps those behind it.
        """
