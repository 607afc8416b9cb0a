"""A month of sheets: callback webhooks in the simulated world, with its crashes and its clock.

Some endpoints are scripts, and some are production's own Receiver (`month_receivers.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.simulation.month import Month
from tests.simulation.month_sheets import Sheets
from tests.simulation.server import Server

WEBHOOKS = 4


class MonthOfSheets(Month):
    """The script of one month in which only rows of sheets change."""

    def __init__(self, server: Server, seed: int) -> None:
        super().__init__(server, seed)
        self.sheets = Sheets(server, self.history, self.dice, self.endpoints)

    async def settle_in(self) -> None:
        """Make the webhooks that are there from the first day on."""
        for _ in range(WEBHOOKS):
            await self.act(self.sheets.register())

    async def heal(self, seconds: float = 4 * 3_600.0) -> None:
        """Mend all endpoints, enable what isn't, and let more than the longest wait pass."""
        await self.act(self.sheets.heal())
        await super().heal(seconds)

    async def judge(self) -> None:
        """Judge all that happened since the last time."""
        await self.act(self.sheets.judge())
        self.judging.judge_bounds()

    async def close(self) -> None:
        """End who lives beside the server."""
        await self.sheets.close()
        await super().close()

    def published(self) -> int:
        """Return how many rows there were to be told of."""
        return sum(len(one.rows) for one in self.sheets.called.values())

    def summary(self) -> str:
        """Return what happened, in numbers."""
        called = self.sheets.called.values()
        got = sum(len(one.got) for one in called)
        handled = sum(one.count for one in self.sheets.receiving())
        return (
            f"{self.published()} rows, {len(called)} webhooks of sheets, {got} callbacks,"
            f" {handled} events received"
        )

    def _actions(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        sheets = self.sheets
        return (
            *(sheets.publish,) * 10,
            *(sheets.change,) * 4,
            *(sheets.switch,) * 2,
            sheets.register,
            *(sheets.replay,) * 2,
            self.storage_fails,
            self.clock_jumps,
        )
