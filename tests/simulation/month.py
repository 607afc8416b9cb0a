"""A month of two platforms and those who listen to them: all by the dice of one seed.

Everybody speaks to the engine as outside: over its API, and by the pings that endpoints get. What
happens goes into the history, which the invariants judge at each ping and page, and each week,
after all has healed, as a whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.simulation import invariants
from tests.simulation.dice import Dice
from tests.simulation.history import History, Subscriber
from tests.simulation.month_endpoints import Endpoints
from tests.simulation.month_platforms import ACCOUNTS, Platforms
from tests.simulation.month_subscribers import Subscribers
from tests.simulation.server import Server
from tidings.domain import limits
from tidings.domain.key import Role
from tidings.domain.lifecycle import Stage, Step
from tidings.domain.sweep import MoveBatch

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


class Month:
    """The script of one month."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.dice = Dice(seed)
        self.history = History()
        self.endpoints = Endpoints(server, self.history, self.dice)
        self.platforms = Platforms(server, self.history, self.dice)
        self.subscribers = Subscribers(server, self.history, self.dice, self.endpoints)
        self._watch_steps()

    async def play(self, days: int = DAYS) -> None:
        """Play it day by day; each week all heals, and is judged."""
        for account in ACCOUNTS:
            await self.server.new_key(account, Role.PUBLISHER, f"{account}-publisher")
        for _ in range(5):
            await self._act(self.subscribers.register())
        for day in range(1, days + 1):
            await self._day()
            if day % 7 == 0 or day == days:
                await self._heal()
                await self._judge()

    def summary(self) -> str:
        """Return what happened, in numbers."""
        subscribers = self.history.subscribers.values()
        changes = sum(map(len, self.history.changes.values()))
        pings = sum(len(one.attempts) for one in subscribers)
        return f"{changes} changes, {len(subscribers)} webhooks, {pings} pings"

    async def _day(self) -> None:
        began = self.server.clock.monotonic()
        for _ in range(ACTIONS_A_DAY):
            if self.dice.chance(CRASHES):
                await self._crash()
            else:
                await self._act(self.dice.one_of(self._actions())())
            await self.server.run(self.dice.one_of(PAUSES) * (0.5 + self.dice.below(100) / 100))
            self.endpoints.raise_violation()
        rest = DAY_SECONDS - (self.server.clock.monotonic() - began)
        await self.server.run(max(0.0, rest))

    def _actions(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        platforms, subscribers = self.platforms, self.subscribers
        return (
            *(platforms.publish,) * 8,
            *(platforms.repeat,) * 2,
            *(subscribers.come_back,) * 3,
            *(self.endpoints.change,) * 4,
            subscribers.switch,
            subscribers.change_filter,
            subscribers.move,
            subscribers.register,
            subscribers.delete,
            subscribers.pry,
            self.storage_fails,
            self.clock_jumps,
        )

    async def _act(self, action: Awaitable[None]) -> None:
        """Let time pass until an action is done: it may have to wait, and to try again."""
        task = asyncio.ensure_future(action)
        await self.server.land()
        while not task.done():
            await self.server.run(0.5)
        task.result()

    async def _heal(self) -> None:
        for subscriber in self._living():
            self.endpoints.mend(subscriber)
        await self.server.run(HEALING_SECONDS)
        self.endpoints.raise_violation()

    def _living(self) -> list[Subscriber]:
        return [one for one in self.history.subscribers.values() if one.alive]

    # --- judging ------------------------------------------------------------------------------

    async def _judge(self) -> None:
        for subscriber in self._living():
            await self._act(self._judge_one(subscriber))
        for uses in self.history.key_uses.values():
            invariants.penalty_exact(uses)
        for subscriber in self.history.subscribers.values():
            for page in subscriber.pages:
                invariants.in_order(page)
                invariants.no_skip_no_repeat(self.history, subscriber, page)
            subscriber.pages.clear()
            invariants.one_name_one_coverage(subscriber.attempts)
            invariants.retried_on_time(subscriber)
        self._judge_bounds()

    async def _judge_one(self, subscriber: Subscriber) -> None:
        off = await self.subscribers.is_visibly_off(subscriber)
        if not subscriber.alive:
            return
        invariants.notified(self.history, subscriber, visibly_off=off)
        walk = await self.subscribers.walk(subscriber)
        if walk is not None:
            invariants.collection_never_stops(self.history, subscriber, walk)
            invariants.nothing_lost(self.history, subscriber, walk)

    def _judge_bounds(self) -> None:
        server, webhooks = self.server, len(self.history.subscribers)
        dispatcher = server.dispatch.dispatcher
        bounded = invariants.bounded
        bounded("sends in flight", server.sender.most_in_flight, limits.SENDS)
        bounded("subscriptions", len(dispatcher.subscriptions), webhooks)
        bounded("timers", len(dispatcher._schedule), 100 * webhooks)
        bounded("waiting reads", len(server.reads._notes), webhooks)
        bounded("debts", server.threads.count("debt"), webhooks)
        bounded("idempotency keys", server.threads.count("idempotency"), self.platforms.recent())

    def _watch_steps(self) -> None:
        """Hear of each step that time makes a webhook take, and judge its time."""
        store = self.server.storage.lifecycle
        take = store.step

        async def step(step: Step, limit: int) -> MoveBatch:
            batch = await take(step, limit)
            for moved in batch.moved:
                subscriber = self.history.subscribers.get(moved.webhook_id)
                if subscriber is None:
                    continue
                now = self.server.clock.monotonic()
                subscriber.stage = moved.entered or Stage.LAST_WARNED
                subscriber.alive = moved.entered is not None
                self.endpoints.judge(
                    invariants.step_on_time, self.history, subscriber, moved.left, now
                )
            return batch

        vars(store)["step"] = step

    # --- the machine --------------------------------------------------------------------------

    async def _crash(self) -> None:
        """Die in the midst of a publish and of a round; start again at once, or after days."""
        server, history = self.server, self.history
        publishing = asyncio.ensure_future(self.platforms.publish())
        working = asyncio.ensure_future(self.dice.one_of(list(server._due)).run_once())
        for _ in range(self.dice.below(30)):
            await asyncio.sleep(0)
        working.cancel()
        for uses in history.key_uses.values():
            invariants.penalty_exact(uses)
            uses.clear()  # penalties are forgotten with the process
        down = self.dice.one_of((0.0, 2.0, 300.0, 7_200.0))
        down = 8 * DAY_SECONDS if self.dice.chance(0.03) else down
        self._doubt_recent_reads()
        await server.crash()
        await server.clock.advance(down)
        history.trouble += down + limits.DOWNTIME_SECONDS
        await server.start()
        await asyncio.gather(working, return_exceptions=True)
        await self._act(publishing)

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
        self.history.trouble += abs(seconds) + limits.DOWNTIME_SECONDS
        self.history.astray += abs(seconds)
        self.server.clock.shift(seconds)

    def _doubt_recent_reads(self) -> None:
        """A read that wasn't written down yet may be lost: its limits may count from before."""
        now = self.server.clock.monotonic()
        for subscriber in self.history.subscribers.values():
            if now - subscriber.extended < 60.0:
                subscriber.trouble = subscriber.astray = float("-inf")


async def play(server: Server, seed: int, days: int = DAYS) -> Month:
    """Play a seed's month, and close the server."""
    month = Month(server, seed)
    pace, limits.SWEEP_SECONDS = limits.SWEEP_SECONDS, SWEEP_SECONDS
    try:
        await month.play(days)
    finally:
        limits.SWEEP_SECONDS = pace
        server.threads.share = 0.0
        await server.close()
    return month
