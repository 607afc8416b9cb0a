"""Faults in callbacks, of the kinds that the mechanics warn of: each to be planted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tidings.domain import callback
from tidings.domain.dispatch import Place, Tracked
from tidings.domain.retry import wait_before_callback_retry
from tidings.engine import call_answers, calling, composing
from tidings.engine.calls import Calls, calls_of
from tidings.engine.composing import Composer
from tidings.engine.subscriptions import Subscription, Subscriptions

Plant = pytest.MonkeyPatch


def sent_before_it_is_written(plant: Plant) -> None:
    """D5: a callback whose cursor a crash loses, so that its events come under another nonce."""

    async def hope(self: Composer, *given: Any) -> bool:
        return True

    plant.setattr(Composer, "_is_durable", hope)


def a_nonce_for_each_try(plant: Plant) -> None:
    """D5: a retry that its receiver takes for news."""
    count = iter(range(10**9))

    def renamed(webhook_id: str, sheet: Any, pending: Any, events: Any) -> bytes:
        pending = replace(pending, nonce=f"{pending.nonce}-{next(count)}")
        return callback.callback_body(webhook_id, sheet, pending, events)

    plant.setattr(composing, "callback_body", renamed)


def the_rest_of_a_change_is_lost(plant: Plant) -> None:
    """D5: a cursor that knows positions only, and goes past the change that it ends within."""
    move_on = call_answers.move_on

    def past(subscription: Subscription, begins: Place, ends: Place) -> None:
        move_on(subscription, begins, Place(ends.position + 1) if ends.part else ends)

    plant.setattr(call_answers, "move_on", past)


def retried_too_soon(plant: Plant) -> None:
    """Contract 2.6: half of each wait."""

    def wait(failures: int, draw: float) -> float | None:
        seconds = wait_before_callback_retry(failures, draw)
        return None if seconds is None else seconds / 2

    plant.setattr(call_answers, "wait_before_callback_retry", wait)


def never_challenged_again(plant: Plant) -> None:
    """Contract 2.4: only whoever enables a webhook is asked whether he wants its callbacks."""
    plant.setattr(Calls, "challenge_due", False)


def _matching(plant: Plant, forget: Callable[[Subscription, int], None]) -> None:
    match = calling.match

    def matched(subscription: Subscription, position: int, *given: Any) -> bool:
        due = match(subscription, position, *given)
        forget(subscription, position)
        return due

    plant.setattr(calling, "match", matched)


def two_in_flight(plant: Plant) -> None:
    """6: news let the callback that is under way be forgotten."""

    def forget(subscription: Subscription, position: int) -> None:
        subscription.flight = None

    _matching(plant, forget)


def passed_over_while_disabled(plant: Plant) -> None:
    """7: as the vendor does it: what happens while a webhook is disabled is lost."""

    def forget(subscription: Subscription, position: int) -> None:
        if not subscription.enabled:
            calls = calls_of(subscription)
            calls.cursor = replace(calls.cursor, acked=Place(position + 1))

    _matching(plant, forget)


def called_while_disabled(plant: Plant) -> None:
    """4: nobody looks at the switch, neither when it matches nor when it sends."""
    put = Subscriptions.put

    def put_on(self: Subscriptions, tracked: Tracked) -> Subscription:
        return put(self, replace(tracked, enabled=True))

    plant.setattr(Subscriptions, "put", put_on)
    plant.setattr(calling, "wanted", lambda webhook, flight: True)


def signed_by_another_secret(plant: Plant) -> None:
    """9: a receiver that can't tell who calls."""
    headers = callback.callback_headers
    plant.setattr(
        composing,
        "callback_headers",
        lambda webhook_id, secret, body: headers(webhook_id, secret[::-1], body),
    )
