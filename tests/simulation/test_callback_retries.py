"""How callbacks are tried again, and when no more (contract 2.6)."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.simulation.endpoints import ERROR, OK, UNREACHABLE
from tests.simulation.sheets import URL, SheetWorld
from tidings.domain.sheet_standing import sheet_of
from tidings.domain.sheet_webhook import SheetStatus
from tidings.ports import SendOutcome

pytestmark = pytest.mark.anyio

LATE = SendOutcome(status=200, error="endpoint.example did not answer in time.")
WAITS = [10, 20, 40, 80, 160, 320, 640, *[10_800] * 7]


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SheetWorld]:
    opened = await SheetWorld.open(tmp_path / "tidings.db")
    monkeypatch.setattr(opened.clock, "draw", lambda: 0.5)  # the middle of the jitter
    yield opened
    await opened.close()


async def test_the_schedule_is_seven_waits_that_double_and_seven_of_three_hours_then_the_end(
    world: SheetWorld,
) -> None:
    webhook = await world.call()
    world.sender.behave(URL, ERROR)
    await world.delete_rows(1)
    await world.pass_time(1 + sum(WAITS) - 1)
    assert await world.status_of(webhook) is SheetStatus.ENABLED
    await world.run(3)
    began = [sent.at for sent in world.callbacks()]
    assert [later - at for at, later in itertools.pairwise(began)] == pytest.approx(WAITS)
    assert await world.status_of(webhook) is SheetStatus.DISABLED_CALLBACK_FAILED
    row = await world.row_of(webhook)
    assert not row.notifications.enabled
    assert sheet_of(row).disabled_details == "the endpoint answered 500"
    await world.pass_time(100_000)
    assert len(world.sender.sent) == 15
    assert not (await world.storage.dispatch.load(webhook.bucket)).debts


async def test_every_try_has_the_same_nonce_and_the_same_bytes_whatever_happens_meanwhile(
    world: SheetWorld,
) -> None:
    webhook = await world.call()
    world.sender.behave(URL, ERROR)
    await world.delete_rows(1)
    await world.run(2)
    for row in (2, 3, 4):
        await world.delete_rows(row)
        await world.run(25)
    await world.crash()
    await world.start()
    await world.run(100)
    tries = world.callbacks()
    assert len(tries) > 3
    assert {sent.body for sent in tries} == {tries[0].body}
    assert {sent.headers["smartsheet-hmac-sha256"] for sent in tries} == {
        tries[0].headers["smartsheet-hmac-sha256"]
    }
    world.sender.behave(URL, OK)
    await world.pass_time(400)
    assert world.rows()[len(tries) :] == [1, 2, 3, 4]
    assert world.callbacks()[-1].json["nonce"] != tries[0].json["nonce"]
    assert (await world.cursor_of(webhook)).acknowledged == 2


@pytest.mark.parametrize("status", [201, 204, 302, 308, 399, 410])
async def test_what_says_never_disables_at_once(world: SheetWorld, status: int) -> None:
    webhook = await world.call()
    outcome = SendOutcome(status=status, error=None if status < 300 else f"answered {status}")
    world.sender.behave(URL, outcome)
    await world.delete_rows(1)
    await world.run(2)
    assert len(world.sender.sent) == 1
    assert await world.status_of(webhook) is SheetStatus.DISABLED_CALLBACK_FAILED
    details = sheet_of(await world.row_of(webhook)).disabled_details
    assert details is not None
    assert str(status) in details


@pytest.mark.parametrize("outcome", [LATE, UNREACHABLE, SendOutcome(status=404, error="no")])
async def test_time_outs_failed_connections_and_4xx_are_tried_again(
    world: SheetWorld, outcome: SendOutcome
) -> None:
    await world.call()
    world.sender.behave(URL, outcome)
    await world.delete_rows(1)
    await world.run(1)
    world.sender.behave(URL, OK)
    await world.run(9)
    assert len(world.sender.sent) == 1
    await world.run(1.5)
    assert len(world.sender.sent) == 2


async def test_enabling_again_goes_on_with_the_callback_that_nobody_acknowledged(
    world: SheetWorld,
) -> None:
    """Under its own nonce: its endpoint may have handled it and died before it answered."""
    webhook = await world.call()
    world.sender.behave(URL, SendOutcome(status=410))
    await world.delete_rows(1, 2)
    await world.run(2)
    await world.delete_rows(3)
    await world.pass_time(3_600)
    world.sender.behave(URL, OK)
    await world.stand(webhook, SheetStatus.ENABLED)
    await world.run(5)
    first, again, rest = world.callbacks()
    assert first.body == again.body
    assert [event["id"] for event in rest.json["events"]] == [3]
    assert world.handled() == [1, 2, 3]


async def test_enabling_again_forgets_what_failed_before(world: SheetWorld) -> None:
    webhook = await world.call()
    world.sender.behave(URL, ERROR)
    await world.delete_rows(1)
    await world.run(60)
    tries = len(world.sender.sent)
    await world.stand(webhook, SheetStatus.DISABLED_BY_OWNER)
    await world.pass_time(600)
    assert len(world.sender.sent) == tries
    await world.stand(webhook, SheetStatus.ENABLED)
    await world.run(2)
    assert len(world.sender.sent) == tries + 1
    await world.run(10)
    assert len(world.sender.sent) == tries + 2, "10 s after the first failure in a row"


async def test_a_dead_host_fails_for_all_who_wait_there(world: SheetWorld) -> None:
    """40 webhooks of 16 slots: those without one don't wait for time-outs of their own (D7)."""
    for number in range(40):
        await world.call(f"{URL}/{number}")
        world.sender.behave(f"{URL}/{number}", UNREACHABLE)
    await world.run(2)
    await world.delete_rows(1)
    await world.run(3)
    assert len(world.sender.sent) < 40
    for number in range(40):
        world.sender.behave(f"{URL}/{number}", OK)
    await world.run(15)
    assert [world.rows(f"{URL}/{number}")[-1:] for number in range(40)] == [[1]] * 40


async def test_a_slow_endpoint_holds_nobody_elses_callbacks_nor_the_checkpoint(
    world: SheetWorld,
) -> None:
    slow = await world.call(f"{URL}/slow")
    await world.call()
    answer = world.sender.hold(f"{URL}/slow")
    await world.delete_rows(1)
    await world.run(2)
    last = await world.delete_rows(2)
    await world.run(60)
    assert world.rows() == [1, 2]
    state = await world.storage.dispatch.load(slow.bucket)
    assert state.checkpoint == last.last_position
    await world.let(answer)
    await world.run(2)
    assert world.rows(f"{URL}/slow") == [1, 2]


@pytest.mark.parametrize("outcome", [OK, SendOutcome(status=410)])
async def test_an_answer_from_where_it_no_longer_goes_counts_for_nothing(
    world: SheetWorld, outcome: SendOutcome
) -> None:
    """Neither has the new endpoint what the old one took, nor fails it for what that answered."""
    webhook = await world.call()
    await world.run(2)
    world.sender.behave(URL, outcome)
    answer = world.sender.hold(URL)
    await world.delete_rows(1)
    await world.run(2)
    await world.move(webhook, f"{URL}/new")
    await world.run(2)
    await world.let(answer)
    await world.run(2)
    assert await world.status_of(webhook) is SheetStatus.ENABLED
    (before,), (after,) = world.callbacks(), world.callbacks(f"{URL}/new")
    assert before.body == after.body
