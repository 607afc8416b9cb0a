"""The manual clock: time stands still until a test moves it, and wakes in due order."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tidings.ports import Clock
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_sleepers_wake_in_due_order_each_at_its_own_time() -> None:
    clock = ManualClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        for _ in range(2):
            await clock.sleep(seconds)
            woken.append((name, clock.monotonic()))

    tasks = [asyncio.ensure_future(sleeper(name, s)) for name, s in (("b", 2.0), ("a", 1.5))]
    await clock.advance(3.5)
    assert woken == [("a", 1.5), ("b", 2.0), ("a", 3.0)]
    await clock.advance(0.5)
    assert woken[3:] == [("b", 4.0)]
    assert all(task.done() for task in tasks)


async def test_a_wait_ends_with_its_event_or_with_its_time() -> None:
    clock: Clock = ManualClock()
    assert isinstance(clock, ManualClock)
    event = asyncio.Event()
    late = asyncio.ensure_future(clock.wait(event, 1))
    await clock.advance(1)
    assert late.done()
    assert not late.result()
    timely = asyncio.ensure_future(clock.wait(event, 1))
    await asyncio.sleep(0)
    event.set()
    assert await timely
    assert await clock.wait(event, 0)


async def test_many_small_steps_add_up() -> None:
    clock = ManualClock()
    start = clock.now()
    for _ in range(1_000):
        await clock.advance(0.001)
    assert clock.now() - start == timedelta(seconds=1)


async def test_the_wall_clock_steps_apart_from_the_monotonic_one() -> None:
    clock = ManualClock()
    start = clock.now()
    clock.shift(-3_600)
    assert (clock.now() - start, clock.monotonic()) == (timedelta(hours=-1), 0.0)


async def test_the_dice_fall_the_same_for_the_same_seed_only() -> None:
    def throws(seed: int) -> list[object]:
        clock = ManualClock(seed=seed)
        return [clock.entropy(15), clock.draw(), clock.draw(), clock.entropy(32)]

    assert throws(1) == throws(1)
    assert throws(1) != throws(2)
    assert len({ManualClock().draw() for _ in range(3)}) == 1
    assert all(0 <= draw < 1 for draw in (ManualClock(seed=n).draw() for n in range(100)))
