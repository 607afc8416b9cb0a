"""The platforms of a simulated month: they publish over HTTP until they are answered."""

from __future__ import annotations

import asyncio
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
VALUES = tuple(
    (msgspec.Raw(prior), msgspec.Raw(value), differs)
    for prior, value, differs in (
        (b"0.1", b"0.10000000000000000001", True),
        (b"1", b"true", True),
        (b"9007199254740993", b"9007199254740992", True),
        (b'"1"', b"1", True),
        (b"null", b'""', True),
        (b"[1, 2]", b"[2, 1]", True),
        (b"1e2", b"100", False),
        (b'"\\u0041"', b'"A"', False),
        (b'{"a": 1, "b": 2}', b'{"b": 2.0, "a": 1}', False),
    )
)
"""What a field was, what it is now, and whether that is a change (mechanics L5)."""


class Platforms:
    """One for each account."""

    def __init__(self, server: Server, history: History, dice: Dice) -> None:
        self._server = server
        self._history = history
        self._dice = dice
        self._sent: list[tuple[datetime, str, str, Any, bytes]] = []
        self._burst = False
        self._keys = 0
        self.copied = 0.2
        """So many publishes of one are sent by two or three at once."""

    def burst_soon(self) -> None:
        """Let the next publish be a large one."""
        self._burst = True

    async def publish(
        self,
        account: str | None = None,
        application: str | None = None,
        count: int | None = None,
    ) -> None:
        """Publish a few changes, or a burst; with the same key until it is answered.

        What isn't given is left to the dice.
        """
        dice = self._dice
        account = account or dice.one_of(ACCOUNTS)
        application = application or dice.one_of(APPLICATIONS)
        changed = (dice.one_of(FIELDS),) if dice.chance(0.7) else None
        off = [one for one in self._history.subscribers.values() if one.enabled is False]
        burst, self._burst = self._burst or dice.chance(0.05), False
        count = count or (300 if burst else 1 + dice.below(4))
        body = {
            "solution_id": SOLUTION,
            "changes": [_change(application, changed, account, n) for n in range(count)],
        }
        key = self._fresh_key()
        answer = await self._answered(account, body, key)
        self._sent.append((self._server.clock.now(), account, key, body, answer))
        positions = self._note(account, application, changed, answer)
        for subscriber in off:
            if subscriber.enabled is False:
                subscriber.while_off.update(positions)

    async def touch(self) -> None:
        """Publish an update of one record, of which a value may be the same as before."""
        account = self._dice.one_of(ACCOUNTS)
        prior, value, differs = self._dice.one_of(VALUES)
        change = {
            "application_id": APPLICATIONS[0],
            "record_id": "record-0",
            "kind": "RECORD_UPDATED",
            "data": {"name": value},
            "before": {"name": prior},
        }
        body = {"solution_id": SOLUTION, "changes": [change]}
        key = self._fresh_key()
        answer = await self._answered(account, body, key)
        self._sent.append((self._server.clock.now(), account, key, body, answer))
        accepted = msgspec.json.decode(answer)["accepted"]
        invariants.kept_what_changed(accepted, changed=differs)
        if accepted:
            self._note(account, APPLICATIONS[0], ("name",), answer)

    def _fresh_key(self) -> str:
        self._keys += 1
        return f"publish-{self._keys}"

    async def _answered(self, account: str, body: Any, key: str) -> bytes:
        """Publish; sometimes by several at once, who don't know of each other, with one key."""
        copies = 2 + self._dice.below(2) if self._dice.chance(self.copied) else 1
        first, *others = await asyncio.gather(
            *(self._until_answered(account, body, key) for _ in range(copies))
        )
        for other in others:
            invariants.idempotent(first, other)
        return first

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
        noted_at, trouble = self._server.clock.monotonic(), self._history.trouble
        changes += [
            Change(position, application, changed, now, noted_at, trouble) for position in positions
        ]
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
