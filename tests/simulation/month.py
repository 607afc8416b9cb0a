"""A month of two platforms and those who listen to them: all by the dice of one seed.

Everybody speaks to the engine as outside: over its API, some of them by production's own client and
follower, and by the pings that endpoints get. What the engine sends goes through production's
sender, guard and all, to a network of our own (`network.py`). What happens goes into the history,
which the invariants judge at each ping and page, and each week, after all has healed, as a whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.simulation import invariants
from tests.simulation.dice import Dice
from tests.simulation.exact_times import penalty_exact
from tests.simulation.history import History
from tests.simulation.judging import Judging
from tests.simulation.logs import watched
from tests.simulation.month_clients import Clients
from tests.simulation.month_endpoints import Endpoints
from tests.simulation.month_owners import Owners
from tests.simulation.month_platforms import ACCOUNTS, Platforms
from tests.simulation.month_strangers import Strangers
from tests.simulation.server import Server
from tidings.domain import limits
from tidings.domain.key import Role

DAY_SECONDS = 86_400.0
DAYS = 28
SWEEP_SECONDS = 540.0
"""Sweeps come every nine minutes here: short of downtime, and soon enough, since a sweeper that is
called earlier where a step is due earlier doesn't need more of them."""
HEALING_SECONDS = 25 * 3_600.0
"""More than the longest wait of the retry schedule, with any Retry-After."""
PAUSES = (0.0, 0.0, 0.3, 2.0, 60.0, 3_600.0, 6 * 3_600.0)
ACTIONS_A_DAY = 12
CRASHES = 0.04
"""So many actions of one."""
SECRETS = ("-publisher", "-key-", "whsec_", "only for")
"""What each key, each signing secret and each value has in it."""


class Month:
    """The script of one month."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.dice = Dice(seed)
        self.history = History()
        server.threads.on_struck = self.history.was_struck
        parties = (server, self.history, self.dice)
        self.endpoints = Endpoints(*parties)
        self.platforms = Platforms(*parties)
        self.owners = Owners(*parties)
        self.clients = Clients(*parties)
        self.strangers = Strangers(*parties)
        self.endpoints.on_ping = self.clients.pinged
        self.endpoints.accounts = ACCOUNTS
        self.judging = Judging(server, self.history, self.endpoints, self.owners, self.clients)

    async def begin(self) -> None:
        """Give the platforms their keys."""
        for account in ACCOUNTS:
            await self.server.new_key(account, Role.PUBLISHER, f"{account}-publisher")

    async def play(self, days: int = DAYS) -> None:
        """Play it day by day; each week all heals, and is judged."""
        await self.settle_in()
        for day in range(1, days + 1):
            await self._day()
            if day % 7 == 0 or day == days:
                await self.heal()
                await self.judge()

    async def settle_in(self) -> None:
        """Make the webhooks that are there from the first day on."""
        for _ in range(5):
            await self.act(self.owners.register())

    async def close(self) -> None:
        """End who lives beside the server."""
        await self.clients.followers.close()

    def published(self) -> int:
        """Return how many changes there were."""
        return sum(map(len, self.history.changes.values()))

    def summary(self) -> str:
        """Return what happened, in numbers."""
        subscribers = self.history.subscribers.values()
        pings = sum(len(one.attempts) for one in subscribers)
        taken = self.clients.followers.taken
        return (
            f"{self.published()} changes, {len(subscribers)} webhooks, {pings} pings,"
            f" {taken} events followed"
        )

    async def _day(self) -> None:
        began = self.server.clock.monotonic()
        for _ in range(ACTIONS_A_DAY):
            if self.dice.chance(CRASHES):
                await self.crash()
            else:
                await self.act(self.dice.one_of(self._actions())())
            await self.server.run(self.dice.one_of(PAUSES) * (0.5 + self.dice.below(100) / 100))
            self.endpoints.raise_violation()
        rest = DAY_SECONDS - (self.server.clock.monotonic() - began)
        await self.server.run(max(0.0, rest))

    def _actions(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        platforms, owners, strangers = self.platforms, self.owners, self.strangers
        return (
            *(platforms.publish,) * 8,
            *(platforms.repeat,) * 2,
            platforms.touch,
            *(self.clients.come_back,) * 3,
            *(self.clients.followers.end_one,) * 2,
            self.clients.followers.hinder_one,
            *(self.endpoints.change,) * 3,
            self.endpoints.die,
            owners.switch,
            owners.change_filter,
            owners.move,
            owners.register,
            owners.delete,
            owners.reach_inside,
            *(strangers.pry,) * 2,
            strangers.hammer,
            self.storage_fails,
            self.clock_jumps,
        )

    async def act(self, action: Awaitable[None]) -> None:
        """Let time pass until an action is done: it may have to wait, and to try again."""
        task = asyncio.ensure_future(action)
        await self.server.land()
        while not task.done():
            await self.server.run(0.5)
            if self.server.sweeper.hindrance is not None:
                self._set_clock_right()
        task.result()

    async def heal(self, seconds: float = HEALING_SECONDS) -> None:
        """Mend all endpoints but those that are to be given up, and let time pass."""
        for subscriber in self.history.living():
            if not subscriber.dying:
                self.endpoints.mend(subscriber)
        self.clients.followers.heal()
        await self.server.run(seconds)
        self.endpoints.raise_violation()

    async def judge(self) -> None:
        """Judge all that happened since the last time."""
        self.judging.judge_times()
        for subscriber in self.history.living():
            await self.act(self.judging.judge_one(subscriber))
        self.clients.followers.judge()
        self.judging.judge_pages()
        self.judging.judge_bounds()

    def judge_line(self, line: str) -> None:
        """Judge a line of the log."""
        self.endpoints.judge(invariants.tells_no_secret, line, ACCOUNTS, SECRETS)

    # --- the machine --------------------------------------------------------------------------

    async def crash(self) -> None:
        """Die in the midst of a publish and of a round; start again at once, or after days."""
        server, history = self.server, self.history
        down = self.dice.one_of((0.0, 2.0, 300.0, 7_200.0))
        down = 8 * DAY_SECONDS if self.dice.chance(0.03) else down
        # What dies unanswered is sent again after that: within the day for which keys are known.
        last = self.platforms.publish() if down < DAY_SECONDS else asyncio.sleep(0)
        publishing = asyncio.ensure_future(last)
        working = asyncio.ensure_future(self.dice.one_of(list(server._due)).run_once())
        for _ in range(self.dice.below(30)):
            await asyncio.sleep(0)
        working.cancel()
        for uses in history.key_uses.values():
            penalty_exact(uses)
            uses.clear()  # penalties are forgotten with the process
        for subscriber in history.subscribers.values():
            subscriber.last_token = None  # and the tokens that pages gave
        self._doubt_recent_reads()
        await server.crash()
        await server.clock.advance(down)
        history.was_down(down)
        await server.start()
        await asyncio.gather(working, return_exceptions=True)
        await self.act(publishing)

    async def storage_fails(self) -> None:
        """Let a share of all reads and writes fail for a while."""
        self._doubt_recent_reads()
        began = self.server.clock.monotonic()
        self.server.threads.share = self.dice.one_of((0.02, 0.1, 0.4))
        self.history.trouble += 120.0
        self.platforms.burst_soon()
        await self.server.clock.sleep(float(1 + self.dice.below(30)))
        self.server.threads.share = 0.0
        self.history.trouble += self.server.clock.monotonic() - began
        self._doubt_recent_reads()

    async def clock_jumps(self) -> None:
        """Let the time of day step a little, or by most of an hour, either way."""
        seconds = self.dice.one_of((-3_000.0, -7.0, -0.5, 0.5, 7.0, 3_000.0))
        self.history.was_set(seconds)
        self.server.clock.shift(seconds)

    def _set_clock_right(self) -> None:
        """Heed the alarm: some jumps together went over an hour ahead of the last sweep."""
        last, clock = self.server.sweeper._last, self.server.clock
        if last is None:
            return
        ahead = (clock.now() - last[0]).total_seconds() - (clock.monotonic() - last[1])
        if ahead > 1.0:
            self.history.trouble += clock.monotonic() - last[1]  # nothing was swept since then
            self.history.was_set(ahead)
            clock.shift(-ahead)

    def _doubt_recent_reads(self) -> None:
        """A read that wasn't written down yet may be lost: its limits may count from before."""
        now = self.server.clock.monotonic()
        for subscriber in self.history.subscribers.values():
            if now - subscriber.extended < 60.0:
                subscriber.trouble = subscriber.astray = float("-inf")


Script = Callable[[Month], Awaitable[None]]


async def play(
    server: Server, seed: int, script: Script, kind: Callable[[Server, int], Month] = Month
) -> Month:
    """Play a script, whatever its log says being judged too, and close the server."""
    month = kind(server, seed)
    pace, limits.SWEEP_SECONDS = limits.SWEEP_SECONDS, SWEEP_SECONDS
    try:
        with watched(month.judge_line):
            await month.begin()
            await script(month)
            month.endpoints.raise_violation()
    finally:
        limits.SWEEP_SECONDS = pace
        server.threads.share = 0.0
        await month.close()
        await server.close()
    return month
