"""Days of callbacks drawn by a seed: whatever happens, in the end each event was handled once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.simulation.dice import Dice
from tests.simulation.endpoints import ERROR, UNREACHABLE, Behaviour
from tests.simulation.sheets import SHEET, URL, SheetWorld, answering_challenges
from tidings.domain import limits
from tidings.domain.sheet_webhook import SheetStatus
from tidings.domain.webhook import Webhook
from tidings.ports import SendOutcome

pytestmark = pytest.mark.anyio

ALONE, SHARED = f"{URL}/alone", f"{URL}/shared"
WELL = answering_challenges()
ANSWERS: tuple[Behaviour | SendOutcome, ...] = (
    WELL,
    WELL,
    WELL,
    ERROR,
    UNREACHABLE,
    SendOutcome(status=410),
    SendOutcome(status=429),
)
ACTS = 45


class Day:
    """One world, one seed: a webhook alone at its endpoint, and two that share another."""

    def __init__(self, world: SheetWorld, seed: int) -> None:
        self.world = world
        self.dice = Dice(seed)
        self.published: list[int] = []
        self.webhooks: list[Webhook] = []

    async def play(self) -> None:
        """Let things happen, then heal all and wait."""
        for url in (ALONE, SHARED, SHARED):
            self.webhooks.append(await self.world.call(url))
        acts: tuple[Callable[[], Awaitable[None]], ...] = (
            self._publish,
            self._publish,
            self._publish,
            self._answer,
            self._answer,
            self._switch,
            self._crash,
            self._delete_sheet,
        )
        for _ in range(ACTS):
            await self.dice.one_of(acts)()
            await self.world.run(self.dice.one_of((0.0, 0.3, 1.2, 12.0)))
            self._one_in_flight()
        for url in (ALONE, SHARED):
            self.world.sender.behave(url, WELL)
        await self._publish()
        await self.world.run(2)
        for webhook in self.webhooks:
            if await self.world.status_of(webhook) is not SheetStatus.ENABLED:
                await self.world.stand(webhook, SheetStatus.ENABLED)
        await self.world.pass_time(40_000)

    async def _publish(self) -> None:
        rows = [len(self.published) + 1 + n for n in range(1 + self.dice.below(3))]
        if self.dice.chance(0.5):
            await self.world.add_rows(*rows, cells=self.dice.below(10))
        else:
            await self.world.delete_rows(*rows)
        self.published += rows

    async def _answer(self) -> None:
        url = self.dice.one_of((ALONE, SHARED))
        self.world.sender.behave(url, self.dice.one_of(ANSWERS))

    async def _switch(self) -> None:
        webhook = self.dice.one_of(self.webhooks)
        enabled = await self.world.status_of(webhook) is SheetStatus.ENABLED
        status = SheetStatus.DISABLED_BY_OWNER if enabled else SheetStatus.ENABLED
        await self.world.stand(webhook, status)

    async def _crash(self) -> None:
        await self.world.crash()
        if self.dice.chance(0.5):
            await self._publish()
        await self.world.start()

    async def _delete_sheet(self) -> None:
        await self.world.delete_sheet()

    def _one_in_flight(self) -> None:
        assert self.world.sender.most_in_flight <= 2, "one an endpoint"


@pytest.mark.parametrize("seed", range(4))
async def test_a_random_day_of_callbacks_ends_with_each_event_handled_once(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CALLBACK_EVENTS", 7)  # so that changes are cut
    monkeypatch.setattr(limits, "CALLBACKS_A_CHALLENGE", 5)
    world = await SheetWorld.open(tmp_path / "tidings.db", seed=seed)
    day = Day(world, seed)
    await day.play()
    assert world.handled(ALONE) == day.published
    told = world.handled(SHARED)
    assert list(dict.fromkeys(told)) == day.published, "nothing lost, nothing told too early"
    standing = [await world.status_of(webhook) for webhook in day.webhooks]
    assert standing == [SheetStatus.ENABLED] * 3
    assert {sent.json["scopeObjectId"] for sent in world.callbacks(ALONE)} == {SHEET}
    await world.close()
