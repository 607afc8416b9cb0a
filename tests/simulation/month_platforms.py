"""The platforms of a simulated month: they publish over HTTP until they are answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from tests.simulation import invariants
from tests.simulation.dice import Dice
from tests.simulation.history import Change, History
from tests.simulation.server import Server
from tidings.domain import limits

ACCOUNTS = ("acme-corp", "globex-inc")
SOLUTION = "crm"
APPLICATIONS = ("people", "orders")
FIELDS = ("name", "mail", "city")
_REPEATED_WITHIN = timedelta(hours=limits.IDEMPOTENCY_HOURS - 2)
"""Less two hours, by which clocks may have jumped."""


class Platforms:
    """One for each account."""

    def __init__(self, server: Server, history: History, dice: Dice) -> None:
        self._server = server
        self._history = history
        self._dice = dice
        self._sent: list[tuple[datetime, str, str, Any, bytes]] = []
        self._burst = False

    def burst_soon(self) -> None:
        """Let the next publish be a large one."""
        self._burst = True

    def recent(self) -> int:
        """Return how many keys the engine may still remember: a round of retention late."""
        kept_from = self._server.clock.now() - timedelta(hours=limits.IDEMPOTENCY_HOURS + 6)
        return sum(at > kept_from for at, *_ in self._sent)

    async def publish(self) -> None:
        """Publish a few changes, or a burst; with the same key until it is answered."""
        dice, account = self._dice, self._dice.one_of(ACCOUNTS)
        application = dice.one_of(APPLICATIONS)
        changed = (dice.one_of(FIELDS),) if dice.chance(0.7) else None
        off = [one for one in self._history.subscribers.values() if one.enabled is False]
        burst, self._burst = self._burst or dice.chance(0.05), False
        count = 300 if burst else 1 + dice.below(4)
        body = {
            "solution_id": SOLUTION,
            "changes": [_change(application, changed, account, n) for n in range(count)],
        }
        key = f"publish-{len(self._sent)}"
        answer = await self._until_answered(account, body, key)
        self._sent.append((self._server.clock.now(), account, key, body, answer))
        positions = self._note(account, application, changed, answer)
        for subscriber in off:
            if subscriber.enabled is False:
                subscriber.while_off.update(positions)

    async def repeat(self) -> None:
        """Send something again that was answered already."""
        since = self._server.clock.now() - _REPEATED_WITHIN
        recent = [sent for sent in self._sent if sent[0] > since]
        if recent:
            _, account, key, body, first = self._dice.one_of(recent)
            invariants.idempotent(first, await self._until_answered(account, body, key))

    async def _until_answered(self, account: str, body: Any, key: str) -> bytes:
        while True:
            answer = await self._server.post(
                "/v1/changes", body, f"{account}-publisher", {"idempotency-key": key}
            )
            if answer.status == 200:
                return answer.body
            assert answer.status in (0, 503), answer
            await self._server.clock.sleep(2.0)

    def _note(
        self, account: str, application: str, changed: tuple[str, ...] | None, answer: bytes
    ) -> range:
        receipt = msgspec.json.decode(answer)
        first, last = receipt["first_position"], receipt["last_position"]
        now = self._server.clock.now()
        changes = self._history.changes.setdefault(account, [])
        positions = range(first, last + 1)
        changes += [Change(n, application, changed, now) for n in positions]
        return positions


def _change(application: str, changed: tuple[str, ...] | None, account: str, n: int) -> Any:
    change: dict[str, Any] = {
        "application_id": application,
        "record_id": f"record-{n}",
        "data": dict.fromkeys(FIELDS, f"only for {account}"),
    }
    if changed is None:
        return change | {"kind": "RECORD_CREATED"}
    return change | {"kind": "RECORD_UPDATED", "changed_fields": changed}
