"""How far a follower has come, and who keeps it: the seam between a follower and a database.

A place is a page token: everything up to it was handed over.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Final, Protocol, TypeVar

from tidings.errors import FailedPrecondition, RevisionConflict

Tx_co = TypeVar("Tx_co", covariant=True)


BEGINNING: Final = ""
"""The place of who has read nothing yet."""


class PlaceStore(Protocol[Tx_co]):
    """Keeps places, a webhook each. What a transaction is, the consumer's handler knows."""

    def load(self, webhook_id: str) -> str:
        """Return a webhook's place; BEGINNING where nobody followed it yet."""

    def moving(self, webhook_id: str, old: str, new: str) -> AbstractContextManager[Tx_co]:
        """Enter a transaction, given for the work; leaving it commits work and move, or neither.

        Raises RevisionConflict, before the work, where the place isn't `old` any more: another
        follower has been at work; and FailedPrecondition where the work ended the transaction.
        """


class AsyncPlaceStore(Protocol[Tx_co]):
    """The same for event loops."""

    async def load(self, webhook_id: str) -> str:
        """Return a webhook's place; BEGINNING where nobody followed it yet."""

    def moving(self, webhook_id: str, old: str, new: str) -> AbstractAsyncContextManager[Tx_co]:
        """Enter a transaction; see PlaceStore."""


def check_held(rows: int) -> None:
    """Raise RevisionConflict unless the statement that takes a place's row found it."""
    if rows != 1:
        raise RevisionConflict("Another follower of this webhook has moved on meanwhile.")


def check_moved(rows: int) -> None:
    """Raise FailedPrecondition unless the statement that moves a held place found it."""
    if rows != 1:
        raise FailedPrecondition("The place that the transaction held has moved under it.")


def check_open(is_open: bool) -> None:
    """Raise FailedPrecondition where the handler has ended the transaction of the follower."""
    if not is_open:
        raise FailedPrecondition(
            "The handler ended the follower's transaction: it must neither commit nor roll back, "
            "or work and place part."
        )


def check_idle(is_idle: bool) -> None:
    """Raise FailedPrecondition where a connection has a transaction before the follower begins."""
    if not is_idle:
        raise FailedPrecondition(
            "The connection has an open transaction: the follower begins and ends its own."
        )
