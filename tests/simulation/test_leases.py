"""How long buckets are surely held, and what is done while they aren't (mechanics D6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.simulation.world import World
from tidings.domain import limits
from tidings.domain.buckets import BUCKETS
from tidings.domain.dispatch import BucketState
from tidings.domain.log_entry import Header
from tidings.domain.server_role import ServerRole
from tidings.engine.attendance import Attendance
from tidings.engine.leases import Leases
from tidings.engine.worker import Worker
from tidings.ports import DispatchStore

pytestmark = pytest.mark.anyio

URL = "https://endpoint.example/hook"
LOOKS = 5_000
"""A millisecond apart: within them a database on this machine has answered."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.storage.close()


async def pass_by(world: World, seconds: float, done: Callable[[], bool]) -> None:
    """Let the clock run by whole seconds, while workers run by themselves, until all is `done`."""
    for _ in range(round(seconds)):
        await world.clock.advance(1)
    for _ in range(LOOKS):
        if done():
            return
        await world.clock.advance(0)
        await asyncio.sleep(0.001)
    raise AssertionError("it hasn't come to pass")


async def never(*_: object) -> Sequence[Header]:
    """A database that doesn't answer at all."""
    await asyncio.Event().wait()
    raise AssertionError


class Slow:
    """A DispatchStore that answers renewals and takes so many seconds late."""

    def __init__(self, world: World, seconds: float) -> None:
        self._world = world
        self.seconds = seconds
        self.renewals: list[float] = []

    async def renew(self, holder: str, epochs: Mapping[int, int], seconds: float) -> frozenset[int]:
        self.renewals.append(self._world.clock.monotonic())
        await self._world.clock.sleep(self.seconds)
        return frozenset(epochs)

    async def take(
        self, buckets: Sequence[int], holder: str, seconds: float, *, predecessor_gone: bool
    ) -> Mapping[int, int]:
        await self._world.clock.sleep(self.seconds)
        return dict.fromkeys(buckets, 1)


async def test_attempts_are_aborted_in_time_though_the_database_says_nothing_at_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.register(URL)
    world.sender.hold(URL)
    await world.publish()
    await world.run(1)
    assert world.sender.in_flight == 1
    monkeypatch.setattr(world.storage.dispatch, "renew", never)
    monkeypatch.setattr(world.storage.log, "read_tail", never)
    waiting = [asyncio.create_task(rounds(world, worker)) for worker in world.dispatch.workers]
    await pass_by(world, limits.LEASE_ABORT_SECONDS + 1, lambda: world.sender.in_flight == 0)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def rounds(world: World, worker: Worker) -> None:
    while True:
        await world.clock.sleep(max(0.1, await worker.run_once()))


async def test_buckets_are_held_until_all_that_flies_has_landed(world: World) -> None:
    await world.register(URL)
    answer = world.sender.hold(URL)
    await world.publish()
    await world.run(1)
    stopping = asyncio.create_task(world.dispatch.stop())
    for _ in range(4):
        await pass_by(world, limits.LEASE_RENEW_SECONDS, lambda: just_renewed(world))
    assert len(await world.storage.dispatch.held()) == BUCKETS, "another may take none of them"
    answer.set()
    await stopping
    assert [sent.outcome for sent in world.sender.sent] != [None]
    assert not await world.storage.dispatch.held()


def just_renewed(world: World) -> bool:
    return world.dispatch.leases.sure_seconds > limits.LEASE_ABORT_SECONDS - 1


async def test_buckets_are_held_while_the_others_are_loaded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.crash()
    loaded, load = asyncio.Event(), world.storage.dispatch.load

    async def load_at_last(bucket: int) -> BucketState:
        await loaded.wait()
        return await load(bucket)

    monkeypatch.setattr(world.storage.dispatch, "load", load_at_last)
    starting = asyncio.create_task(world.start())
    await pass_by(world, 0, lambda: world.life == 2 and bool(world.dispatch.leases.epochs))
    for _ in range(4):
        await pass_by(world, limits.LEASE_RENEW_SECONDS, lambda: just_renewed(world))
    assert len(await world.storage.dispatch.held()) == BUCKETS
    loaded.set()
    await starting


async def test_a_renewal_that_takes_long_is_followed_at_once_by_the_next(world: World) -> None:
    slow = Slow(world, 4.0)
    leases = Leases(as_store(slow), world.clock, "holder")
    leases.epochs[1] = 1
    renewing = asyncio.create_task(rounds(world, leases))
    await world.clock.advance(12)
    renewing.cancel()
    assert [round(at) for at in slow.renewals] == [0, 4, 8]


async def test_what_is_taken_while_others_are_renewed_counts_from_before_it_was_taken(
    world: World,
) -> None:
    store = Slow(world, 5.0)
    leases = Leases(as_store(store), world.clock, "holder")
    leases.epochs[1] = 1
    taking = asyncio.create_task(leases.take([2], predecessor_gone=False))
    await world.clock.advance(4)
    renewing = asyncio.create_task(leases.run_once())
    await world.clock.advance(5)
    await taking
    assert await renewing == 0.0, "what came meanwhile is to be renewed too"
    assert not leases.sure, "it was asked for 9 s ago"
    store.seconds = 0.0
    await leases.run_once()
    assert leases.sure


async def test_who_leads_says_so_again_at_once_where_saying_it_took_long(world: World) -> None:
    class SlowRoster:
        async def attend(self, role: str, holder: str, seconds: float) -> Sequence[str]:
            await world.clock.sleep(4)
            return (holder,)

        async def present(self, role: str) -> Sequence[str]:
            raise AssertionError

        async def leave(self, role: str, holder: str) -> None:
            raise AssertionError

    attendance = Attendance(SlowRoster(), world.clock, ServerRole.SWEEPER, "holder")
    saying = asyncio.create_task(attendance.run_once())
    await world.clock.advance(4)
    assert await saying == 0.0


def as_store(store: object) -> DispatchStore:
    return store  # type: ignore[return-value]
