"""A log that can't keep up: publish answers 503 with Retry-After, and nothing grows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.publishing.platform import HANG, Platform, created
from tidings.domain import limits
from tidings.domain.limits import MEBIBYTE
from tidings.errors import LogOverloaded
from tidings.storage.sqlite.writer import Writer
from tidings.testing.storage_samples import entry, publish

pytestmark = pytest.mark.anyio

HELD_SECONDS = 30.0
"""A bound for a test that forgets the writer; none waits for it."""


@asynccontextmanager
async def held_writer(platform: Platform) -> AsyncIterator[Writer]:
    """Let the writer's thread stand still, as on a disk that hangs, while this is entered."""
    writer: Writer = platform.log._writer
    standing, go_on = threading.Event(), threading.Event()

    def stand(transaction: object) -> None:
        standing.set()
        go_on.wait(HELD_SECONDS)

    task = asyncio.create_task(writer.run(stand))
    await asyncio.to_thread(standing.wait, HELD_SECONDS)
    try:
        yield writer
    finally:
        go_on.set()
        await task


async def settled(tasks: Sequence[asyncio.Task[Any]], count: int) -> None:
    """Return once so many of the tasks are done, within HELD_SECONDS."""
    async with asyncio.timeout(HELD_SECONDS):
        while sum(task.done() for task in tasks) < count:
            await asyncio.sleep(0.01)


async def test_what_the_log_cannot_take_is_refused_and_what_waited_is_committed(
    platform: Platform,
) -> None:
    size, tries = 900_000, 150
    fits = limits.APPEND_QUEUE_BYTES // size
    async with held_writer(platform) as writer:
        sent = [
            asyncio.create_task(platform.publish(created(n, data={"text": "x" * size})))
            for n in range(tries)
        ]
        await settled(sent, tries - fits)
        refused = [task.result() for task in sent if task.done()]
        assert {answer.status for answer in refused} == {503}
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert {answer.json["type"] for answer in refused} == {"urn:tidings:problem:unavailable"}
        assert writer._waiting_bytes <= limits.APPEND_QUEUE_BYTES
        again = await platform.publish(created("again", data={"text": "x" * size}))
        assert again.status == 503
        assert platform.changes._held.held <= (fits + 1) * (size + 1_000)
    answered = [(await task).status for task in sent]
    assert answered.count(200) == len(await platform.records()) == tries - len(refused)
    assert (await platform.publish(created("after"))).status == 200
    assert platform.changes._held.held == 0


async def test_writes_that_wait_are_bounded_by_their_number_too(platform: Platform) -> None:
    async with held_writer(platform):
        appends = [
            asyncio.create_task(platform.storage.log.append(publish(entry(f"r{n}"))))
            for n in range(limits.APPEND_QUEUE_REQUESTS + 100)
        ]
        await settled(appends, 100)
        refused = [task for task in appends if task.done()]
        assert all(isinstance(task.exception(), LogOverloaded) for task in refused)
    done = await asyncio.gather(*appends, return_exceptions=True)
    assert sum(isinstance(one, LogOverloaded) for one in done) == len(refused) >= 100


async def test_bodies_that_are_being_read_are_bounded_in_all(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients that send most of a body and then nothing hold no more than this, for 30 s."""
    monkeypatch.setattr(platform.changes._held, "_at_most", 8 * MEBIBYTE)
    stuck = [asyncio.create_task(platform.send([b"x" * MEBIBYTE, HANG])) for _ in range(20)]
    await settled(stuck, 12)
    assert platform.changes._held.held == 8 * MEBIBYTE
    assert {task.result().status for task in stuck if task.done()} == {503}
    assert (await platform.stream([b""])).status == 503
    await platform.clock.advance(limits.BODY_SECONDS)
    assert [(await task).status for task in stuck].count(400) == 8
    assert platform.changes._held.held == 0
    assert (await platform.publish(created(1))).status == 200
