"""The two ways in which webhooks are notified, as the dispatcher sees them: one seam for both.

`owing` is that of pings. All of it is pure: what is owed, when, and what an answer means.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from tidings.domain.dispatch import Debt, DispatchState
from tidings.domain.notification import Scope
from tidings.engine import owing
from tidings.engine.subscriptions import Before, Flight, Subscription
from tidings.ports import SendOutcome


class Notifying(Protocol):
    """Every change of a Subscription's dispatch state. `now` is the monotonic clock's."""

    def load(
        self,
        subscription: Subscription,
        state: DispatchState | None,
        debt: Debt | None,
        *,
        now: float,
        present: datetime,
        draw: float,
    ) -> bool:
        """Take up what the last holder wrote down; return whether that is to be written anew."""

    def match(self, subscription: Subscription, position: int, scope: Scope, now: float) -> bool:
        """Note a covered change; return whether something may have become due by it."""

    def change(self, subscription: Subscription, before: Before, now: float) -> None:
        """Take up that the webhook's row is another."""

    def gone(self, subscription: Subscription) -> None:
        """Want nothing more: it was deleted, or its bucket is another holder's now."""

    def wanted_at(self, subscription: Subscription) -> float | None:
        """Return when something is due to it; None: never."""

    def take_off(
        self, subscription: Subscription, now: float, next_reminder: Callable[[], int]
    ) -> Flight:
        """Build the one attempt."""

    def found_unwanted(self, subscription: Subscription) -> None:
        """Send nothing: the row says so, and the tail hasn't come to its control entry yet."""

    def called_off(self, subscription: Subscription) -> None:
        """Put back what an attempt took off with: it was never judged by its endpoint."""

    def took(self, subscription: Subscription, outcome: SendOutcome) -> bool:
        """Whether the endpoint acknowledged what it was sent."""

    def acknowledged(self, subscription: Subscription, now: float, present: datetime) -> None:
        """Settle an attempt that its endpoint acknowledged."""

    def failed(
        self,
        subscription: Subscription,
        outcome: SendOutcome,
        *,
        now: float,
        present: datetime,
        draw: float,
    ) -> None:
        """Take up a failed attempt, its own or that of another to the same host."""


_PINGS: Notifying = owing


def way_of(subscription: Subscription) -> Notifying:
    """Return the way in which a webhook is notified."""
    return _PINGS
