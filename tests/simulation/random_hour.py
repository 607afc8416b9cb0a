"""An hour of one sheet, by the dice: its webhooks come, go and move, and so does the sheet itself.

The months have each webhook at a place of its own. Here several want the same, and nobody waits
until what he did before has been taken up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from tests.simulation.dice import Dice
from tests.simulation.endpoints import ERROR, OK, UNREACHABLE, Sent
from tests.simulation.invariants import must
from tests.simulation.sheets import ACCOUNT, SHEET, SOLUTION, SheetWorld, answering_challenges
from tidings.domain.sheet_standing import sheet_of
from tidings.domain.sheet_webhook import SheetStatus
from tidings.domain.webhook import Webhook
from tidings.ports import SendOutcome

URLS = ("https://endpoint.example/callback", "https://other.example/callback")
OUTCOMES = (OK, OK, ERROR, UNREACHABLE, SendOutcome(status=410))
PAUSES = (0.1, 0.5, 1.0, 1.1, 3.0, 12.0)
STEPS = 45
WEBHOOKS = 4
HEALING_SECONDS = 1_500.0
"""More than the wait after as many failures as fit into an hour."""


class Listener:
    """A webhook, where it was called, and the first row that is owed to it."""

    def __init__(self, webhook: Webhook, url: str, first_row: int) -> None:
        self.webhook = webhook
        self.urls = {url}
        self.first_row = first_row


class RandomHour:
    """What happens in a world, and what must be told in the end."""

    def __init__(self, world: SheetWorld, seed: int) -> None:
        self._world = world
        self._dice = Dice(seed)
        self._listeners: list[Listener] = []
        self._rows = 0
        self._is_there = True
        self._held: dict[str, asyncio.Event] = {}

    async def play(self) -> None:
        """Let it happen, heal, and judge."""
        acts: list[Callable[[], Awaitable[None]]] = [
            *[self._publish, self._pause] * 4,
            *[self._move, self._switch, self._answer_otherwise, self._delete_sheet] * 2,
            *[self._delete, self._create, self._rename, self._register_sheet],
            *[self._hold, self._let, self._crash],
        ]
        self._mend()
        for _ in range(WEBHOOKS - 1):
            await self._create()
        for _ in range(STEPS):
            await self._dice.one_of(acts)()
        await self._heal()
        await self._judge()

    # --- what happens ---------------------------------------------------------------------------

    async def _publish(self) -> None:
        self._rows += 1
        self._is_there = True
        if self._dice.chance(0.7):
            await self._world.delete_rows(self._rows)
        else:
            await self._world.add_rows(self._rows, cells=1 + self._dice.below(9))

    async def _pause(self) -> None:
        await self._world.run(self._dice.one_of(PAUSES))

    async def _delete_sheet(self) -> None:
        self._is_there = False
        await self._world.delete_sheet()

    async def _register_sheet(self) -> None:
        self._is_there = True
        await self._world.storage.applications.register(ACCOUNT, SOLUTION, str(SHEET), None)

    async def _create(self) -> None:
        if len(self._listeners) < WEBHOOKS:
            url, columns = self._dice.one_of(URLS), (11,) if self._dice.chance(0.1) else ()
            webhook = await self._world.call(url, columns=columns, enabled=self._dice.chance(0.8))
            self._listeners.append(Listener(webhook, url, self._rows + 1))

    async def _delete(self) -> None:
        if len(self._listeners) > 1:
            one = self._dice.one_of(self._listeners)
            self._listeners.remove(one)
            await self._world.storage.webhooks.delete(await self._world.row_of(one.webhook))

    async def _move(self) -> None:
        one, url = self._dice.one_of(self._listeners), self._dice.one_of(URLS)
        one.urls.add(url)
        await self._world.move(one.webhook, url)

    async def _switch(self) -> None:
        webhook = self._dice.one_of(self._listeners).webhook
        status = await self._world.status_of(webhook)
        if status is SheetStatus.ENABLED:
            await self._world.stand(webhook, SheetStatus.DISABLED_BY_OWNER)
        elif status is not SheetStatus.DISABLED_SCOPE_INACCESSIBLE:
            await self._world.stand(webhook, SheetStatus.ENABLED)

    async def _rename(self) -> None:
        row = await self._world.row_of(self._dice.one_of(self._listeners).webhook)
        renamed = replace(row, sheet=replace(sheet_of(row), name=f"after {self._rows}"))
        await self._world.storage.webhooks.update(renamed)

    async def _answer_otherwise(self) -> None:
        outcome = self._dice.one_of(OUTCOMES)
        self._world.sender.behave(self._dice.one_of(URLS), answering_challenges(outcome))

    async def _hold(self) -> None:
        url = self._dice.one_of(URLS)
        self._held[url] = self._world.sender.hold(url)

    async def _let(self) -> None:
        if self._held:
            await self._world.let(self._held.popitem()[1])

    async def _crash(self) -> None:
        await self._world.crash()
        while self._held:
            self._held.popitem()[1].set()
        await self._world.start()

    # --- how it ends ----------------------------------------------------------------------------

    def _mend(self) -> None:
        for url in URLS:
            self._world.sender.behave(url, answering_challenges())

    async def _heal(self) -> None:
        """Mend all endpoints, and enable what isn't. Nothing more happens in the sheet."""
        while self._held:
            await self._let()
        self._mend()
        if not self._is_there:
            await self._register_sheet()
        await self._world.run(3)
        for one in self._listeners:
            standing = await self._world.status_of(one.webhook)
            gone = standing is SheetStatus.DISABLED_SCOPE_INACCESSIBLE
            must(not gone, "4: the sheet is back, and its webhook isn't")
            if standing is not SheetStatus.ENABLED:
                await self._world.stand(one.webhook, SheetStatus.ENABLED)
        await self._world.pass_time(HEALING_SECONDS)

    async def _judge(self) -> None:
        calls = [sent for sent in self._world.sender.sent if "events" in sent.json]
        _one_nonce_for_each_event(calls)
        for one in self._listeners:
            standing = await self._world.status_of(one.webhook)
            must(standing is SheetStatus.ENABLED, f"4: a webhook is {standing}")
            lost = set(range(one.first_row, self._rows + 1)) - _rows_told(calls, one)
            must(not lost, f"1: {len(lost)} rows were never told, from {min(lost, default=0)} on")
        state = await self._world.storage.dispatch.load(self._listeners[0].webhook.bucket)
        must(not state.debts, "7: something is still owed")


def _one_nonce_for_each_event(calls: list[Sent]) -> None:
    """2 and 3: a nonce stands for the same bytes, and no webhook tells an event by two of them."""
    bodies: dict[str, bytes] = {}
    nonces: dict[tuple[int, ...], str] = {}
    for sent in calls:
        nonce, webhook = sent.json["nonce"], sent.json["webhookId"]
        must(
            bodies.setdefault(nonce, sent.body) == sent.body, "3: a nonce stands for two callbacks"
        )
        for event in sent.json["events"]:
            told = (webhook, event.get("id") or event["rowId"], event.get("columnId", 0))
            must(nonces.setdefault(told, nonce) == nonce, "2: an event is told twice")


def _rows_told(calls: list[Sent], listener: Listener) -> set[int]:
    """Return the rows that were told by a webhook, or by another where it was called too."""
    number = int(listener.webhook.webhook_id)
    return {
        event["id"]
        for sent in calls
        if sent.outcome is OK and (sent.url in listener.urls or sent.json["webhookId"] == number)
        for event in sent.json["events"]
        if event["objectType"] == "row"
    }
