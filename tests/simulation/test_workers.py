"""The loop under every worker, and the two that only gather and write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tests.simulation.world import World
from tidings.domain import limits
from tidings.domain.dispatch import Attempt, ReadNote
from tidings.engine.attempts import AttemptLog
from tidings.engine.reads import Reads
from tidings.engine.worker import run_worker
from tidings.errors import StorageUnavailable
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World.open(tmp_path / "tidings.db")
    yield opened
    await opened.close()


class _Rounds:
    """A worker that counts its rounds and fails in some of them."""

    name = "rounds"

    def __init__(self, *failures: Exception) -> None:
        self.wake = asyncio.Event()
        self.rounds = 0
        self._failures = list(failures)

    async def run_once(self) -> float:
        self.rounds += 1
        if self._failures:
            raise self._failures.pop(0)
        return 10.0


async def test_a_worker_runs_when_it_is_due_when_it_is_woken_and_until_it_is_stopped() -> None:
    clock, stop, worker = ManualClock(), asyncio.Event(), _Rounds()
    running = asyncio.create_task(run_worker(worker, clock, stop))
    await clock.advance(0)
    assert worker.rounds == 1
    await clock.advance(9.9)
    assert worker.rounds == 1
    await clock.advance(0.1)
    assert worker.rounds == 2
    worker.wake.set()
    await clock.advance(0)
    assert worker.rounds == 3
    stop.set()
    worker.wake.set()
    await clock.advance(0)
    assert running.done()
    assert worker.rounds == 3


async def test_a_round_that_fails_ends_no_worker_and_is_tried_again_after_a_pause() -> None:
    clock, stop = ManualClock(), asyncio.Event()
    worker = _Rounds(StorageUnavailable("locked"), RuntimeError("a fault of ours"))
    running = asyncio.create_task(run_worker(worker, clock, stop))
    await clock.advance(0)
    assert worker.rounds == 1
    await clock.advance(1)
    assert worker.rounds == 2
    await clock.advance(1)
    assert worker.rounds == 3
    stop.set()
    worker.wake.set()
    await running


async def test_reads_are_written_each_second_and_the_last_one_of_a_webhook_counts(
    world: World,
) -> None:
    webhook = await world.register()
    for position in (5, 7):
        world.reads.note_read(_note(world, webhook.bucket, webhook.webhook_id, position))
    await world.run(2)
    tracked = await world.storage.webhooks.tracked(webhook.bucket, webhook.webhook_id)
    assert tracked is not None
    assert (tracked.read_position, tracked.listed_by) == (7, "key_1")


async def test_reads_that_could_not_be_written_wait_and_do_not_hide_newer_ones(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, other = await world.register(), await world.register()
    reads = Reads(world.storage.dispatch)
    reads.note_read(_note(world, webhook.bucket, webhook.webhook_id, 5))
    reads.note_read(_note(world, other.bucket, other.webhook_id, 6))

    async def fail(notes: object) -> None:
        reads.note_read(_note(world, webhook.bucket, webhook.webhook_id, 9))
        raise StorageUnavailable("locked")

    with monkeypatch.context() as broken:
        broken.setattr(world.storage.dispatch, "note_reads", fail)
        with pytest.raises(StorageUnavailable):
            await reads.run_once()
    await reads.run_once()
    for one, position in ((webhook, 9), (other, 6)):
        tracked = await world.storage.webhooks.tracked(one.bucket, one.webhook_id)
        assert tracked is not None
        assert tracked.read_position == position


async def test_the_log_of_attempts_is_bounded_and_keeps_the_newest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ATTEMPT_QUEUE", 10)
    webhook = await world.register()
    attempts = AttemptLog(world.storage.dispatch)
    template = Attempt(
        bucket=webhook.bucket,
        webhook_id=webhook.webhook_id,
        attempted_at=world.clock.now(),
        notification_id="n",
        covered=0,
        status=200,
        error=None,
        elapsed_ms=1,
    )
    for covered in range(25):
        attempts.add(msgspec.structs.replace(template, covered=covered))
    await attempts.run_once()
    kept = await world.storage.dispatch.attempts_of(webhook.bucket, webhook.webhook_id, 100)
    assert sorted(attempt.covered for attempt in kept) == list(range(15, 25))


def _note(world: World, bucket: int, webhook_id: str, position: int) -> ReadNote:
    return ReadNote(
        bucket=bucket,
        webhook_id=webhook_id,
        account="acme",
        key_id="key_1",
        listed_at=world.clock.now(),
        read_position=position,
        has_more=False,
        asked=None,
    )
