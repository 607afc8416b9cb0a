"""The two ways in which webhooks are notified, as the dispatcher sees them: one seam for both.

Pings are `owing`'s. Callbacks are `calling`'s, and what came of one is settled by `call_answers`.
All of it is pure: what is owed, when, and what an answer means. `now` is the monotonic clock's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from tidings.domain.dispatch import Debt
from tidings.domain.notification import Scope
from tidings.domain.webhook import Webhook
from tidings.engine import call_answers, calling, owing
from tidings.engine.flight import Flight
from tidings.engine.subscriptions import Before, Kept, Subscription
from tidings.ports import SendOutcome


class Owing(Protocol):
    """What is owed to a webhook, and when."""

    def load(
        self,
        subscription: Subscription,
        kept: Kept,
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

    def wanted(self, webhook: Webhook, flight: Flight) -> bool:
        """Whether a flight is still to be sent, by the row: judged when sending."""

    def found_unwanted(self, subscription: Subscription) -> None:
        """Send nothing: the row says so, and the tail hasn't come to its control entry yet."""

    def called_off(self, subscription: Subscription) -> None:
        """Put back what an attempt took off with: it was never judged by its endpoint."""

    def held_from(self, subscription: Subscription) -> int | None:
        """Return the oldest position that a crash must not pass over; None: there is none."""

    def beside(self, subscription: Subscription) -> Iterable[Subscription]:
        """Return the others whose turn it may be after what happened to this one."""


class Settling(Protocol):
    """What came of an attempt."""

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

    def given_up(self, subscription: Subscription, webhook: Webhook, debt: Debt) -> Webhook | None:
        """Return the row of a webhook whose debt has ended; None where nothing is left to do."""


_PINGS: Owing = owing
_CALLBACKS: Owing = calling
_AFTER_PINGS: Settling = owing
_AFTER_CALLBACKS: Settling = call_answers


def owing_of(subscription: Subscription) -> Owing:
    """Return the way in which a webhook is owed notifications."""
    return _PINGS if subscription.calls is None else _CALLBACKS


def settling_of(subscription: Subscription) -> Settling:
    """Return the way in which what came of its attempts is settled."""
    return _AFTER_PINGS if subscription.calls is None else _AFTER_CALLBACKS
