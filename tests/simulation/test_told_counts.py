"""One key at several processes, in virtual time: each has its own clock, and the database another.

What follows from the exchange itself is shown in `tests/unit/test_shared_rate_limit.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.simulation.dice import Dice
from tidings.domain.count_note import Counted, CountNote, HeardCounts
from tidings.domain.limits import PENALTY_SECONDS, TELLERS, TOLD_COUNTS_SECONDS
from tidings.engine.rate_limit import Quota, RateLimit
from tidings.engine.told_counts import ToldCounts
from tidings.engine.worker import run_worker
from tidings.errors import StorageUnavailable
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

AT_MOST = 5
PENALTY_MS = round(PENALTY_SECONDS * 1_000)
UNHEARD_SECONDS = 2 * TOLD_COUNTS_SECONDS


class Machine(ManualClock):
    """A machine's clock, which began at another time than others'."""

    def __init__(self, clock: ManualClock, began_at: float) -> None:
        super().__init__()
        self._clock = clock
        self._began_at = began_at

    def monotonic(self) -> float:
        return self._clock.monotonic() + self._began_at


class Board:
    """A database that takes its time, before it looks at its clock and behind."""

    def __init__(self, clock: ManualClock) -> None:
        self.lags = [0.0]
        self.down = False
        self.notes: list[tuple[int, CountNote]] = []
        self._clock = clock
        self._dice = Dice(2)

    async def tell(self, note: CountNote) -> None:
        told_at_ms = await self._reached()
        await self._lag()
        self.notes.append((told_at_ms, note))

    async def hear(self, listener: str, since_ms: int) -> HeardCounts:
        now_ms = await self._reached()
        found = [note for at, note in self.notes if at >= since_ms and note.teller != listener]
        await self._lag()
        return HeardCounts(now_ms, found)

    async def _lag(self) -> None:
        await self._clock.sleep(self._dice.one_of(self.lags))

    async def _reached(self) -> int:
        if self.down:
            raise StorageUnavailable("nobody answers")
        await self._lag()
        return int((self._clock.monotonic() + 123.4567) * 1_000)


class Processes:
    """Several processes on one board."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.board = Board(clock)
        self.rates: list[RateLimit] = []
        self._machines: list[Machine] = []
        self._running: list[asyncio.Task[None]] = []

    def start(self, began_at: float = 0.0, *, penalty_ms: int = PENALTY_MS) -> None:
        """Start one more."""
        machine = Machine(self.clock, began_at)
        rate = RateLimit(AT_MOST, penalty_ms=penalty_ms, shared=True)
        worker = ToldCounts(self.board, machine, f"no. {len(self.rates)}", {"webhooks": rate})
        self._machines.append(machine)
        self.rates.append(rate)
        self._running.append(asyncio.create_task(run_worker(worker, self.clock, asyncio.Event())))

    def ask(self, process: int) -> Quota:
        """Ask one of them."""
        now_ms = round(self._machines[process].monotonic() * 1_000)
        return self.rates[process].take("k", now_ms)

    async def stop(self) -> None:
        """End all."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


@asynccontextmanager
async def running(
    origins: Sequence[float], *, penalty_ms: int = PENALTY_MS
) -> AsyncIterator[Processes]:
    """Let so many processes run, each on a machine that began at such a time."""
    processes = Processes(ManualClock())
    for began_at in origins:
        processes.start(began_at, penalty_ms=penalty_ms)
    yield processes
    await processes.stop()


async def test_what_no_process_alone_would_refuse_is_held_to_the_limit_by_all_together() -> None:
    """Four requests a second at each of two."""
    async with running([0.0, 86_400.3], penalty_ms=0) as processes:
        admitted = 0
        for _ in range(20 * 4):
            admitted += sum(processes.ask(process).admitted for process in (0, 1))
            await processes.clock.advance(0.25)
    assert 20 * AT_MOST <= admitted <= 21 * AT_MOST + AT_MOST


async def test_a_penalty_holds_everywhere_after_two_rounds_and_is_lengthened_nowhere() -> None:
    """And what the database takes: two statements a round."""
    lag, unheard = 0.01, UNHEARD_SECONDS + 8 * 0.01
    async with running([0.0]) as processes:
        processes.board.lags = [lag]
        for began_at in (86_400.3, 7.0):
            await processes.clock.advance(0.025)  # it hears while the one before tells
            processes.start(began_at)
        await processes.clock.advance(1)
        assert [processes.ask(0).admitted for _ in range(6)] == [True] * 5 + [False]
        await processes.clock.advance(unheard)
        left = PENALTY_MS - round(unheard * 1_000)
        for process in (1, 2):
            early_ms = left - processes.ask(process).retry_after_ms
            assert 0 <= early_ms <= 4 * lag * 1_000 + 4
        await processes.clock.advance(PENALTY_SECONDS - unheard)
        assert all(processes.ask(process).admitted for process in (0, 1, 2))


@pytest.mark.parametrize("lags", [[0.0], [0.0, 0.1, 0.4]], ids=["fast", "slow"])
async def test_a_key_that_keeps_to_its_limit_is_never_refused_however_slow_the_database_is(
    lags: list[float],
) -> None:
    """Five at once at one process, and a second later five at another."""
    dice = Dice(1)
    async with running([dice.below(10**7) / 1_111 for _ in range(3)]) as processes:
        processes.board.lags = lags
        for _ in range(60):
            process = dice.below(3)
            assert all(processes.ask(process).admitted for _ in range(AT_MOST))
            await processes.clock.advance(1 + dice.below(3) * 0.0004)


async def test_without_a_database_each_counts_alone_and_it_goes_on_when_that_is_back() -> None:
    async with running([0.0, 5.5], penalty_ms=0) as processes:
        processes.board.down = True
        for _ in range(10):
            for process in (0, 1):
                admitted = [processes.ask(process).admitted for _ in range(6)]
                assert admitted == [True] * 5 + [False]
            await processes.clock.advance(1)
        processes.board.down = False
        await processes.clock.advance(2)
        assert all(processes.ask(0).admitted for _ in range(AT_MOST))
        await processes.clock.advance(UNHEARD_SECONDS)
        assert not processes.ask(1).admitted


async def test_a_process_that_starts_hears_of_penalties_that_hold() -> None:
    async with running([0.0]) as processes:
        for _ in range(6):
            processes.ask(0)
        await processes.clock.advance(10)
        processes.start(99.9)
        await processes.clock.advance(0)
        assert 19_990 <= processes.ask(1).retry_after_ms <= 20_000


async def test_what_another_version_tells_of_is_passed_over() -> None:
    async with running([0.0]) as processes:
        now_ms = (await processes.board.hear("", 0)).now_ms
        counted = [Counted("k", (now_ms, now_ms))]
        both = {"tomorrow's": counted, "webhooks": counted}
        await processes.board.tell(CountNote("newer", 1, both))
        await processes.clock.advance(TOLD_COUNTS_SECONDS)
        assert processes.ask(0).remaining == AT_MOST - 3


async def test_of_processes_that_came_and_went_a_bounded_number_is_remembered() -> None:
    clock = ManualClock()
    board = Board(clock)
    worker = ToldCounts(board, clock, "me", {})
    for number in range(TELLERS + 10):
        await board.tell(CountNote(f"life {number}", 1, {}))
    await worker.run_once()
    assert len(worker._heard) == TELLERS
