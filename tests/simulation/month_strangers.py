"""Those of a simulated month who ask for what isn't theirs, or too often."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.simulation import invariants
from tests.simulation.asking import Asking
from tests.simulation.dice import Dice
from tests.simulation.history import History, Subscriber
from tests.simulation.month_platforms import ACCOUNTS, SOLUTION
from tests.simulation.server import Server

_AT_ONCE = 8
_PENALTY_SECONDS = 30.0


class Strangers:
    """Each uses the key of somebody who has webhooks of his own."""

    def __init__(self, server: Server, history: History, dice: Dice) -> None:
        self._server = server
        self._history = history
        self._dice = dice
        self._asking = Asking(server, history, ACCOUNTS)

    async def pry(self) -> None:
        """Ask for another account's webhook by its id, in one way or another."""
        one = self._any()
        others = [o for o in self._history.living() if one and o.account != one.account]
        if one is None or not others:
            return
        other = self._dice.one_of(others)
        locator = {"account_id": other.account, "solution_id": SOLUTION}
        method, body = self._dice.one_of(_ways(other.webhook_id, locator))
        invariants.turned_away((await self._asking.once(one, method, body)).status)

    async def hammer(self) -> None:
        """Ask more often than a key may, go on, and ask again just before and when it may."""
        subscriber = self._any()
        if subscriber is None:
            return
        look = {"webhook_id": subscriber.webhook_id}
        began = self._server.clock.monotonic()
        asked = (self._asking.once(subscriber, "GetWebhook", look) for _ in range(_AT_ONCE))
        await asyncio.gather(*asked)
        for wait in (float(self._dice.below(20)), _PENALTY_SECONDS - 0.5, _PENALTY_SECONDS):
            await self._server.clock.sleep(began + wait - self._server.clock.monotonic())
            await self._asking.once(subscriber, "GetWebhook", look)

    def _any(self) -> Subscriber | None:
        living = self._history.living()
        return self._dice.one_of(living) if living else None


def _ways(webhook_id: str, locator: dict[str, str]) -> Sequence[tuple[str, dict[str, Any]]]:
    by_id = {"webhook_id": webhook_id}
    return (
        *(("ListEvents", by_id),) * 3,
        ("GetWebhook", by_id),
        ("RotateSecret", by_id),
        ("DeleteWebhook", by_id),
        ("UpdateWebhook", {"webhook": {**by_id, "notification_status": {"disabled": {}}}}),
        ("CreateWebhook", {"webhook": {"locator": locator, "filter": {"solution": {}}}}),
    )
