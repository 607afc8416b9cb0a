"""Waiting for events to arrive: contract 1.4, `wait_seconds`."""

from __future__ import annotations

import asyncio

import pytest

from tidings.domain.buckets import bucket_of
from tidings.domain.log_entry import Appended, Header
from tidings.engine.arrivals import Arrivals
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

BUCKET = bucket_of("acme", "s")


def appended(position: int, *, solution: str = "s", kind: int = 1) -> Appended:
    header = Header(
        bucket=BUCKET,
        position=position,
        account="acme",
        solution=solution,
        kind=kind,
        application="a",
        subject="r",
        changed=None,
    )
    return Appended(BUCKET, position - 1, (header,))


class Waiting:
    """One wait of 30 s for creations in solution "s", after position 10."""

    def __init__(self, arrivals: Arrivals, clock: ManualClock) -> None:
        self.clock = clock
        self.task = asyncio.ensure_future(
            arrivals.wait("acme", "s", 10, 30.0, clock, wanted=lambda header: header.kind == 1)
        )

    async def is_over(self) -> bool:
        await self.clock.advance(0)
        return self.task.done()


async def test_a_wait_ends_with_the_event_it_is_for_and_no_other() -> None:
    arrivals, clock = Arrivals(hints=True), ManualClock()
    waiting = Waiting(arrivals, clock)
    assert not await waiting.is_over()
    arrivals.appended(appended(11, solution="another"))
    assert not await waiting.is_over()
    arrivals.appended(appended(12, kind=2))
    assert not await waiting.is_over()
    arrivals.appended(appended(13))
    assert await waiting.is_over()
    assert clock.monotonic() == 0


async def test_what_came_between_the_look_and_the_wait_ends_it_at_once() -> None:
    arrivals, clock = Arrivals(hints=True), ManualClock()
    arrivals.appended(appended(11))
    assert await Waiting(arrivals, clock).is_over()


async def test_a_wait_ends_when_its_time_is_over() -> None:
    arrivals, clock = Arrivals(hints=True), ManualClock()
    waiting = Waiting(arrivals, clock)
    await clock.advance(29.9)
    assert not waiting.task.done()
    await clock.advance(0.1)
    assert waiting.task.done()


async def test_without_hints_of_the_whole_installation_a_wait_ends_soon_to_look() -> None:
    arrivals, clock = Arrivals(hints=False), ManualClock()
    waiting = Waiting(arrivals, clock)
    await clock.advance(1)
    assert waiting.task.done()


async def test_a_draining_server_ends_every_wait_now_and_later() -> None:
    arrivals, clock = Arrivals(hints=True), ManualClock()
    waiting = Waiting(arrivals, clock)
    assert not await waiting.is_over()
    arrivals.close()
    assert await waiting.is_over()
    assert await Waiting(arrivals, clock).is_over()
