"""How the parties of a simulated month ask the webhook service: each by a key of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.simulation import invariants
from tests.simulation.history import History, KeyUse, Subscriber
from tests.simulation.server import Answer, Server


class Asking:
    """Asks, and has each answer judged: it belongs to one account only."""

    def __init__(self, server: Server, history: History, accounts: Iterable[str]) -> None:
        self._server = server
        self._history = history
        self._accounts = tuple(accounts)

    async def once(self, subscriber: Subscriber, method: str, body: dict[str, Any]) -> Answer:
        """Ask once, by a webhook's key, and take the answer as it is."""
        use = KeyUse(self._server.clock.monotonic())
        self._history.key_uses.setdefault(subscriber.key, []).append(use)
        answer = await self._server.call(method, body, subscriber.key)
        use.status = answer.status if answer.counted else None
        strangers = [one for one in self._accounts if one != subscriber.account]
        invariants.tenancy(answer.body, strangers)
        return answer

    async def ask(self, subscriber: Subscriber, method: str, body: dict[str, Any]) -> Answer:
        """Ask; where the key asked too often, wait as long as it was told and ask again."""
        async with subscriber.asking:
            while True:
                answer = await self.once(subscriber, method, body)
                if answer.status != 429:
                    return answer
                await self._server.clock.sleep(30.0)

    async def until_done(
        self, subscriber: Subscriber, method: str, body: dict[str, Any]
    ) -> Answer | None:
        """Ask until it is done; None where there is no such webhook any more."""
        while True:
            answer = await self.ask(
                subscriber, method, {"webhook_id": subscriber.webhook_id, **body}
            )
            if answer.status in (200, 404):
                return answer if answer.status == 200 else None
            assert answer.status in (0, 503), answer
            await self._server.clock.sleep(2.0)
