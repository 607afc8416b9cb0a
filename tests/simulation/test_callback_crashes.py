"""The worst moments of a callback: crashes at each of them, a lease or a log that is gone.

The promise (mechanics D5): whoever knows a callback by its nonce handles each event once, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import structlog

from tests.simulation.endpoints import ERROR, OK
from tests.simulation.sheets import URL, SheetWorld
from tidings import telemetry
from tidings.domain import limits
from tidings.domain.dispatch import BucketSettlement
from tidings.domain.sheet_standing import sheet_of
from tidings.domain.sheet_webhook import SheetStatus
from tidings.errors import StorageUnavailable
from tidings.ports import SendOutcome, SendRequest

pytestmark = pytest.mark.anyio

MOMENTS = 60
"""More than a day in `Doomed`'s life has."""


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SheetWorld]:
    opened = await SheetWorld.open(tmp_path / "tidings.db")
    monkeypatch.setattr(opened.clock, "draw", lambda: 0.5)
    yield opened
    await opened.close()


class Doomed(SheetWorld):
    """A world that dies at its n-th moment: before or after a write, before or after an answer."""

    moments_left: int | None = None
    died: asyncio.Event

    def doom(self, moments: int) -> None:
        """Let it die so many moments from now."""
        self.moments_left, self.died = moments, asyncio.Event()
        self.published: list[int] = []
        self._hung: list[asyncio.Future[None]] = []
        dispatch, sender = self.storage.dispatch, self.sender
        settle, send = dispatch.settle, sender.send

        async def settles(settlements: Sequence[BucketSettlement]) -> frozenset[int]:
            await self._moment()
            left_out = await settle(settlements)
            await self._moment()
            return left_out

        async def sends(request: SendRequest) -> SendOutcome:
            await self._moment()
            outcome = await send(request)
            await self._moment()
            return outcome

        dispatch.settle, sender.send = settles, sends  # type: ignore[method-assign]

    async def _moment(self) -> None:
        if self.moments_left is None:
            return
        self.moments_left -= 1
        if self.moments_left <= 0:
            self.died.set()
            self._hung.append(asyncio.get_running_loop().create_future())
            await self._hung[-1]

    async def live(self) -> bool:
        """Live through some publishes and failures; return whether it died on the way."""
        life = asyncio.create_task(self._life())
        death = asyncio.create_task(self.died.wait())
        await asyncio.wait((life, death), return_when=asyncio.FIRST_COMPLETED)
        self.moments_left = None
        for task in (life, death):
            task.cancel()
        await asyncio.wait((life, death))
        if not self.died.is_set():
            return False
        await self.crash()
        for hung in self._hung:
            hung.cancel()
        self._composing = 0
        return True

    async def _life(self) -> None:
        self.sender.behave(URL, ERROR)
        await self.delete_rows(1, 2)
        self.published += [1, 2]
        await self.run(1.2)
        self.sender.behave(URL, OK)
        await self.delete_rows(3)
        self.published += [3]
        await self.run(11)
        await self.add_rows(4, cells=5)
        self.published += [4]
        await self.run(3)


@pytest.mark.parametrize("part", range(4))
async def test_a_crash_at_any_moment_loses_nothing_and_repeats_only_under_the_same_nonce(
    tmp_path: Path, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CALLBACK_EVENTS", 4)  # so that the last change is two callbacks
    died = 0
    for moments in range(1 + part, MOMENTS, 4):
        world = await Doomed.open(tmp_path / f"{moments}.db", seed=moments)
        await world.call()
        await world.run(2)
        world.doom(moments)
        died_early = await world.live()
        if died_early:
            died += 1
            world.sender.behave(URL, OK)
            await world.start()
            await world.run(25)
        assert world.handled() == world.published, f"died at {moments}"
        cells = {
            (sent.json["nonce"], event["columnId"])
            for sent in world.callbacks()
            for event in sent.json["events"]
            if "columnId" in event
        }
        assert len(cells) == (5 if 4 in world.published else 0)
        await world.close()
        if not died_early:
            break
    assert died > 2


async def test_the_answer_that_a_crash_swallowed_is_asked_for_by_the_same_bytes(
    world: SheetWorld,
) -> None:
    await world.call()
    answer = world.sender.hold(URL)
    await world.delete_rows(1)
    await world.run(2)
    await world.delete_rows(2)
    await world.crash()
    await world.let(answer)
    await world.start()
    await world.run(3)
    first, again, rest = world.callbacks()
    assert first.body == again.body
    assert world.handled() == [1, 2]
    assert rest.json["nonce"] != first.json["nonce"]


async def test_nothing_is_sent_that_could_not_be_written_down_first(
    world: SheetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.call()
    await world.run(2)

    async def fails(settlements: Sequence[BucketSettlement]) -> frozenset[int]:
        raise StorageUnavailable("the database is away")

    world.patient = True
    with monkeypatch.context() as broken:
        broken.setattr(world.storage.dispatch, "settle", fails)
        await world.delete_rows(1)
        await world.run(5.5)
        assert not world.sender.sent
    await world.run(1)
    assert world.rows() == [1]


async def test_a_write_that_was_committed_and_said_to_have_failed_changes_nothing(
    world: SheetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.call()
    settle = world.storage.dispatch.settle

    async def commits_and_fails(settlements: Sequence[BucketSettlement]) -> frozenset[int]:
        await settle(settlements)
        raise StorageUnavailable("the connection was lost at the commit")

    world.patient = True
    with monkeypatch.context() as broken:
        broken.setattr(world.storage.dispatch, "settle", commits_and_fails)
        await world.delete_rows(1)
        await world.run(3)
        await world.delete_rows(2)
        await world.crash()
    await world.start()
    await world.run(5)
    assert world.handled() == [1, 2]


async def test_a_holder_whose_lease_is_over_sends_nothing_more(world: SheetWorld) -> None:
    webhook = await world.call()
    await world.run(2)
    await world.delete_rows(1)
    await world.run(0.5)
    epochs = await world.storage.dispatch.take(
        [webhook.bucket], "another", 10, predecessor_gone=True
    )
    assert epochs
    await world.run(0.6)
    assert not world.sender.sent, "the cursor can't be written under an epoch that is over"
    await world.run(30)
    assert not world.sender.sent
    await world.crash()
    await world.start()
    await world.run(3)
    assert world.rows() == [1]


async def test_a_callback_in_flight_is_aborted_when_the_lease_cannot_be_renewed(
    world: SheetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.call()
    answer = world.sender.hold(URL)

    async def fails(*args: object) -> frozenset[int]:
        raise StorageUnavailable("the database is away")

    world.patient = True
    await world.delete_rows(1)
    with monkeypatch.context() as broken:
        broken.setattr(world.storage.dispatch, "renew", fails)
        await world.run(limits.LEASE_ABORT_SECONDS + 3)
        assert world.sender.in_flight == 0
    answer.set()
    await world.run(10)
    assert world.handled() == [1]
    assert len({sent.body for sent in world.callbacks()}) == 1


async def test_where_retention_has_passed_the_cursor_it_goes_on_from_what_is_left_and_says_so(
    world: SheetWorld,
) -> None:
    webhook = await world.call()
    await world.delete_rows(1)
    await world.run(3)
    await world.stand(webhook, SheetStatus.DISABLED_BY_OWNER)
    await world.delete_rows(2)
    await world.pass_time(600)
    border = world.clock.now()
    await world.delete_rows(3)
    await world.run(3)
    await world.storage.retention.raise_floor(border)
    with structlog.testing.capture_logs() as logs:
        await world.stand(webhook, SheetStatus.ENABLED)
        await world.run(3)
    assert world.rows() == [1, 3]
    (said,) = [line for line in logs if line["event"] == telemetry.CALLBACK_EXPIRED]
    assert said["webhook_id"] == webhook.webhook_id
    details = sheet_of(await world.row_of(webhook)).disabled_details
    assert details is not None
    assert said["since"] in details
    await world.stand(webhook, SheetStatus.ENABLED)
    assert sheet_of(await world.row_of(webhook)).disabled_details is None


async def test_a_callback_whose_events_are_gone_is_not_sent_under_its_nonce(
    world: SheetWorld,
) -> None:
    webhook = await world.call()
    world.sender.behave(URL, SendOutcome(status=410))
    await world.delete_rows(1)
    await world.run(3)
    await world.delete_rows(2)
    border = world.clock.now()
    await world.pass_time(600)
    await world.delete_rows(3)
    await world.run(3)
    await world.storage.retention.raise_floor(border)
    world.sender.behave(URL, OK)
    await world.stand(webhook, SheetStatus.ENABLED)
    await world.run(3)
    first, rest = world.callbacks()
    assert first.json["nonce"] != rest.json["nonce"]
    assert world.rows()[1:] in ([2, 3], [3])


async def test_a_quiet_webhook_that_retention_passes_has_lost_nothing(world: SheetWorld) -> None:
    await world.call()
    await world.delete_rows(1)
    await world.run(3)
    await world.pass_time(600)
    await world.storage.retention.raise_floor(world.clock.now())
    with structlog.testing.capture_logs() as logs:
        await world.delete_rows(2)
        await world.run(3)
        await world.crash()
        await world.start()
        await world.delete_rows(3)
        await world.run(3)
    assert world.rows() == [1, 2, 3]
    assert not [line for line in logs if line["event"] == telemetry.CALLBACK_EXPIRED]


async def test_a_failed_callback_of_which_nothing_is_left_is_owed_no_more(
    world: SheetWorld,
) -> None:
    """While the engine was down retention dropped what was to be tried again."""
    webhook = await world.call()
    world.sender.behave(URL, ERROR)
    await world.delete_rows(1)
    await world.run(15)
    await world.crash()
    await world.storage.retention.raise_floor(world.clock.now())
    world.sender.sent.clear()
    await world.start()
    await world.run(30)
    assert not world.sender.sent
    assert not (await world.storage.dispatch.load(webhook.bucket)).debts
    await world.delete_rows(2)
    await world.run(4)
    (debt,) = (await world.storage.dispatch.load(webhook.bucket)).debts
    assert debt.failures == 1, "with a schedule of its own"


async def test_a_cursor_that_was_written_is_not_written_over_by_a_flush_that_began_before(
    world: SheetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two transactions at once may be committed in any order, as on PostgreSQL."""
    await world.call()
    await world.run(2)
    settle, go_on, holds = world.storage.dispatch.settle, asyncio.Event(), asyncio.Event()

    async def held_up(settlements: Sequence[BucketSettlement]) -> frozenset[int]:
        if any(one.checkpoint is not None for one in settlements):
            holds.set()
            await go_on.wait()
        return await settle(settlements)

    await world.delete_rows(1)
    await world.dispatch.dispatcher.run_once()
    with monkeypatch.context() as concurrent:
        concurrent.setattr(world.storage.dispatch, "settle", held_up)
        flush = asyncio.create_task(world.dispatch.checkpointing.run_once())
        await holds.wait()
        await world.clock.advance(1)
        await world.dispatch.dispatcher.run_once()
        for _ in range(100):  # long enough for it to be written and sent, if it didn't wait
            await asyncio.sleep(0.0002)
        go_on.set()
        await flush
        await world.land()
    await world.crash()
    await world.start()
    await world.run(3)
    assert world.handled() == [1]
