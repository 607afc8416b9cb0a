"""Being there among others: who leads, and who is told of what was read (mechanics D1, D6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from tests.simulation.world import World
from tidings.domain.dispatch import ReadNote
from tidings.domain.server_role import ServerRole
from tidings.domain.webhook import Webhook
from tidings.engine.attendance import Attendance
from tidings.engine.leading import Led
from tidings.engine.reads import Reads
from tidings.engine.told_reads import ToldReads
from tidings.ports import DispatchStore

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = await World.open(tmp_path / "tidings.db")
    yield world
    await world.close()


class Counted:
    """A worker that counts its rounds."""

    name = "counted"

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.rounds = 0

    async def run_once(self) -> float:
        self.rounds += 1
        return 60.0


def attendance(world: World, holder: str) -> Attendance:
    return Attendance(world.storage.roster, world.clock, ServerRole.SWEEPER, holder)


async def test_one_of_many_works_and_is_followed_when_nothing_is_heard_of_it(world: World) -> None:
    works = {name: Counted() for name in ("first", "second")}
    there = {name: attendance(world, name) for name in works}
    led = {name: Led(works[name], there[name]) for name in works}
    for name in works:
        await there[name].run_once()
        await world.clock.advance(1)
    for _ in range(3):
        assert await led["first"].run_once() == 60.0
        assert await led["second"].run_once() < 5.0
    assert (works["first"].rounds, works["second"].rounds) == (3, 0)
    for _ in range(4):  # the first is paused
        await world.clock.advance(3)
        await there["second"].run_once()
    assert not there["first"].leads, "it knows by its own clock"
    assert there["second"].leads
    await there["first"].run_once()
    assert not there["first"].leads, "who comes back stands last"


async def test_who_leaves_in_order_is_followed_at_once(world: World) -> None:
    first, second = attendance(world, "first"), attendance(world, "second")
    await first.run_once()
    await world.clock.advance(1)
    await second.run_once()
    assert (first.leads, second.leads) == (True, False)
    await first.leave()
    await second.run_once()
    assert (first.leads, second.leads) == (False, True)


class Notes:
    """A DispatchStore that keeps the notes for other processes. `asked_for` is called first."""

    def __init__(self) -> None:
        self.kept: list[ReadNote] = []
        self.asked_for: Callable[[], None] = lambda: None

    async def tell_reads(self, notes: Sequence[ReadNote]) -> None:
        self.kept.extend(notes)

    async def take_told(self, buckets: Sequence[int]) -> Sequence[ReadNote]:
        taken = [note for note in self.kept if note.bucket in buckets]
        self.kept = [note for note in self.kept if note.bucket not in buckets]
        self.asked_for()
        return taken


def page_of(webhook: Webhook, world: World, position: int = 1) -> ReadNote:
    return ReadNote(
        bucket=webhook.bucket,
        webhook_id=webhook.webhook_id,
        account=webhook.account,
        key_id="key",
        listed_at=world.clock.now(),
        read_position=position,
        has_more=True,
        asked=None,
    )


async def test_only_what_no_dispatcher_of_the_process_holds_is_told_to_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = await world.register(), await world.register()
    notes = Notes()
    monkeypatch.setattr(world.storage.dispatch, "tell_reads", notes.tell_reads)
    reads = Reads(world.storage.dispatch)
    reads.listen(lambda note: note.webhook_id == here.webhook_id)
    for webhook, position in ((here, 1), (elsewhere, 2), (elsewhere, 3)):
        reads.note_read(page_of(webhook, world, position))
    await reads.run_once()
    await reads.run_once()
    told = [(note.webhook_id, note.read_position) for note in notes.kept]
    assert told == [(elsewhere.webhook_id, 3)]


async def test_reads_of_a_bucket_that_is_given_up_are_left_for_who_takes_it(world: World) -> None:
    webhook = await world.register()
    await world.run(2)
    dispatcher, notes = world.dispatch.dispatcher, Notes()
    told = ToldReads(as_store(notes), dispatcher)
    page = page_of(webhook, world)
    dispatcher.pause([webhook.bucket])
    assert not dispatcher.note_read(page), "it is to be told to another process"
    notes.kept = [page]
    await told.run_once()
    assert notes.kept == [page]
    dispatcher.resume([webhook.bucket])
    await told.run_once()
    assert not notes.kept


async def test_reads_that_come_as_their_bucket_is_lost_are_told_on_and_those_of_none_are_not(
    world: World,
) -> None:
    webhook, deleted = await world.register(), await world.register(account="globex")
    await world.run(2)
    await world.storage.webhooks.delete(deleted)
    await world.run(2)
    leases, notes = world.dispatch.leases, Notes()
    page = page_of(webhook, world)
    notes.kept = [page, page_of(deleted, world)]
    notes.asked_for = lambda: leases.drop({webhook.bucket: leases.epochs[webhook.bucket]})
    await ToldReads(as_store(notes), world.dispatch.dispatcher).run_once()
    assert notes.kept == [page]


def as_store(notes: Notes) -> DispatchStore:
    return notes  # type: ignore[return-value]
