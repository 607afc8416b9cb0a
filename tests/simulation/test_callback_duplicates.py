"""Webhooks that want the same at the same place: one is called for all (contract 2.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.simulation.endpoints import ERROR, OK, Sent
from tests.simulation.sheets import URL, SheetWorld
from tidings.domain import limits
from tidings.domain.dispatch import BucketSettlement
from tidings.domain.sheet_webhook import SheetStatus
from tidings.domain.webhook import Webhook
from tidings.ports import SendOutcome

pytestmark = pytest.mark.anyio

ELSEWHERE = f"{URL}/elsewhere"


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SheetWorld]:
    opened = await SheetWorld.open(tmp_path / "tidings.db")
    monkeypatch.setattr(opened.clock, "draw", lambda: 0.5)
    yield opened
    await opened.close()


def called(sent: list[Sent]) -> list[int]:
    return [one.json["webhookId"] for one in sent]


def ids(*webhooks: Webhook) -> list[int]:
    return [int(webhook.webhook_id) for webhook in webhooks]


async def test_the_oldest_enabled_one_is_called_and_whoever_takes_over_goes_on(
    world: SheetWorld,
) -> None:
    first, second, third = [await world.call() for _ in range(3)]
    await world.run(1)
    await world.delete_rows(1)
    await world.run(3)
    await world.delete_rows(2)
    await world.run(3)
    assert called(world.callbacks()) == ids(first, first)
    await world.stand(first, SheetStatus.DISABLED_BY_OWNER)
    await world.delete_rows(3)
    await world.run(3)
    await world.storage.webhooks.delete(await world.row_of(second))
    await world.delete_rows(4)
    await world.run(3)
    assert called(world.callbacks()) == ids(first, first, second, third)
    await world.stand(first, SheetStatus.ENABLED)
    await world.delete_rows(5)
    await world.run(3)
    assert called(world.callbacks()) == ids(first, first, second, third, first)
    assert world.rows() == [1, 2, 3, 4, 5], "without loss or repetition"


async def test_another_subscope_another_place_and_another_sheet_are_called_for_themselves(
    world: SheetWorld,
) -> None:
    await world.call()
    await world.call(columns=(12,))
    await world.call(columns=(11, 12))
    await world.call(f"{URL}/other")
    await world.delete_rows(1)
    await world.run(3)
    assert world.rows() == [1, 1, 1]
    assert world.rows(f"{URL}/other") == [1]


async def test_moving_elsewhere_and_back_changes_who_is_called(world: SheetWorld) -> None:
    first = await world.call()
    second = await world.call(f"{URL}/other")
    await world.run(2)
    await world.move(second, URL)
    await world.delete_rows(1)
    await world.run(3)
    assert called(world.sender.sent) == ids(first)
    await world.move(first, f"{URL}/other")
    await world.delete_rows(2)
    await world.run(3)
    assert called(world.sender.sent) == ids(first, second, first)
    assert world.rows() == [1, 2]


async def test_what_only_one_is_owed_is_not_passed_over_by_the_others_acknowledgements(
    world: SheetWorld,
) -> None:
    """The older one collected for a while before the younger was made."""
    older = await world.call(enabled=False)
    await world.delete_rows(1)
    await world.run(2)
    await world.call()
    await world.delete_rows(2)
    await world.run(2)
    assert world.rows() == [2]
    await world.stand(older, SheetStatus.ENABLED)
    await world.run(3)
    assert world.rows()[1:] == [1, 2], "its own, from its own beginning on"
    await world.delete_rows(3)
    await world.run(3)
    assert world.rows()[3:] == [3]


async def test_one_in_flight_for_all_of_them_also_while_the_turn_changes(world: SheetWorld) -> None:
    older = await world.call(enabled=False)
    await world.call()
    answer = world.sender.hold(URL)
    await world.delete_rows(1)
    await world.run(2)
    await world.stand(older, SheetStatus.ENABLED)
    await world.delete_rows(2)
    await world.run(5)
    assert world.sender.most_in_flight == 1
    assert world.rows() == [1]
    await world.let(answer)
    await world.run(3)
    assert world.sender.most_in_flight == 1
    assert world.rows() == [1, 2]
    assert called(world.callbacks())[-1:] == ids(older)


async def test_the_next_one_goes_on_where_the_one_before_was_given_up(world: SheetWorld) -> None:
    first, second = [await world.call() for _ in range(2)]
    await world.delete_rows(1)
    await world.run(3)
    world.sender.behave(URL, SendOutcome(status=410))
    await world.delete_rows(2)
    await world.run(1)
    world.sender.behave(URL, OK)
    await world.run(3)
    assert await world.status_of(first) is SheetStatus.DISABLED_CALLBACK_FAILED
    assert called(world.callbacks()) == ids(first, first, second)
    assert world.rows() == [1, 2, 2]


async def test_others_wait_while_the_oldest_waits_for_its_next_try(world: SheetWorld) -> None:
    first = await world.call()
    await world.call()
    world.sender.behave(URL, ERROR)
    await world.delete_rows(1)
    await world.run(25)
    assert set(called(world.sender.sent)) == set(ids(first))


async def test_their_cursors_move_in_one_transaction(world: SheetWorld) -> None:
    """After a crash at any moment whoever takes over repeats at most what was under way."""
    first, second = [await world.call() for _ in range(2)]
    await world.run(2)
    for row in range(1, 6):
        await world.delete_rows(row)
        await world.run(1.3)
        await world.crash()
        await world.start()
        cursors = [await world.cursor_of(one) for one in (first, second)]
        behind = cursors[1].acked
        assert behind == cursors[0].acked
    await world.crash()
    await world.stand(first, SheetStatus.DISABLED_BY_OWNER)
    await world.start()
    await world.run(5)
    last = {one.json["nonce"] for one in world.callbacks() if one.json["events"][0]["id"] == 5}
    assert sorted(set(world.rows())) == [1, 2, 3, 4, 5]
    assert len(last) <= 2


@pytest.mark.parametrize("leaves", ["deleted", "moved"])
async def test_whoever_is_left_takes_over_at_once_what_waits(
    world: SheetWorld, leaves: str
) -> None:
    """Also where nothing more happens in the sheet."""
    first, second = [await world.call() for _ in range(2)]
    await world.run(2)
    world.sender.behave(URL, ERROR)
    await world.delete_rows(1)
    await world.run(3)
    world.sender.behave(URL, OK)
    if leaves == "deleted":
        await world.storage.webhooks.delete(await world.row_of(first))
    else:
        await world.move(first, ELSEWHERE)
    await world.run(2)
    assert called(world.callbacks()) == ids(first, second)
    assert called(world.callbacks(ELSEWHERE)) == (ids(first) if leaves == "moved" else [])


async def test_who_comes_from_elsewhere_does_not_take_what_only_another_is_owed_here(
    world: SheetWorld,
) -> None:
    """The older one has told its endpoint elsewhere what nobody has told here yet."""
    older = await world.call()
    await world.call(ELSEWHERE)
    await world.run(2)
    world.sender.behave(ELSEWHERE, ERROR)
    await world.delete_rows(1)
    await world.run(5)
    world.sender.sent.clear()
    world.sender.behave(ELSEWHERE, OK)
    await world.move(older, ELSEWHERE)
    await world.run(8)
    await world.delete_rows(2)
    await world.run(3)
    assert world.rows(ELSEWHERE) == [1, 2]
    assert called(world.callbacks(ELSEWHERE))[-1:] == ids(older)


async def test_a_crash_in_the_midst_of_a_large_change_keeps_their_cursors_together(
    world: SheetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursors say that a part of it is told, and the checkpoint that it is still to be read."""
    monkeypatch.setattr(limits, "CALLBACK_EVENTS", 4)
    first, second = [await world.call() for _ in range(2)]
    await world.run(2)
    settle = world.storage.dispatch.settle

    async def dies(settlements: Sequence[BucketSettlement]) -> frozenset[int]:
        checkpoint = any(one.checkpoint is not None for one in settlements)
        return frozenset() if checkpoint else await settle(settlements)

    with monkeypatch.context() as dying:
        dying.setattr(world.storage.dispatch, "settle", dies)
        await world.add_rows(1, cells=7)
        await world.run(1)
        assert len(world.callbacks()) == 2
        await world.crash()
    await world.start()
    await world.run(5)
    cursors = [await world.cursor_of(one) for one in (first, second)]
    assert cursors[0].acked == cursors[1].acked


async def test_where_retention_has_passed_their_cursors_they_go_on_together(
    world: SheetWorld,
) -> None:
    both = [await world.call() for _ in range(2)]
    for one in both:
        await world.stand(one, SheetStatus.DISABLED_BY_OWNER)
    await world.delete_rows(1)
    await world.pass_time(600)
    border = world.clock.now()
    await world.delete_rows(2)
    await world.run(3)
    await world.storage.retention.raise_floor(border)
    for one in both:
        await world.stand(one, SheetStatus.ENABLED)
    await world.run(3)
    await world.stand(both[0], SheetStatus.DISABLED_BY_OWNER)
    await world.delete_rows(3)
    await world.run(3)
    assert called(world.callbacks()) == ids(*both)
    assert world.rows() == [2, 3], "without repetition"


async def test_a_callback_that_begins_where_another_s_ends_keeps_its_nonce(
    world: SheetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it was acknowledged by that."""
    monkeypatch.setattr(limits, "CALLBACK_EVENTS", 1)
    older = await world.call(enabled=False)
    await world.delete_rows(1)
    await world.run(2)
    await world.call()
    await world.run(2)
    world.sender.behave(URL, ERROR)
    await world.delete_rows(2)
    await world.run(2)
    world.sender.behave(URL, OK)
    answer = world.sender.hold(URL)
    await world.stand(older, SheetStatus.ENABLED)
    await world.run(2)
    await world.stand(older, SheetStatus.DISABLED_BY_OWNER)
    await world.run(2)
    await world.let(answer)
    await world.run(20)
    failed, _, again = world.callbacks()
    assert world.rows() == [2, 1, 2]
    assert again.body == failed.body
