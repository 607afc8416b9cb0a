"""The challenge in the midst: before the 101st, 201st … acknowledged callback (contract 2.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.simulation.endpoints import ERROR, OK, UNREACHABLE
from tests.simulation.sheets import URL, SheetWorld, answering_challenges
from tidings.domain.dispatch import BucketSettlement, CallbackCursor, Place
from tidings.domain.sheet_standing import sheet_of
from tidings.domain.sheet_webhook import SheetStatus
from tidings.domain.signing import verify_callback
from tidings.domain.webhook import Webhook
from tidings.ports import SendOutcome

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SheetWorld]:
    opened = await SheetWorld.open(tmp_path / "tidings.db")
    monkeypatch.setattr(opened.clock, "draw", lambda: 0.5)
    opened.sender.behave(URL, answering_challenges())
    yield opened
    await opened.close()


async def called(world: SheetWorld, times: int) -> None:
    """Let so many callbacks be acknowledged, a row each."""
    first = len(world.callbacks())
    for row in range(first, first + times):
        await world.delete_rows(row + 1)
        await world.run(1.5)


async def called_before(world: SheetWorld, times: int) -> Webhook:
    """Return a webhook of which an earlier dispatch has written that it was called so often."""
    webhook = await world.call()
    await world.run(2)
    await world.crash()
    dispatch, bucket = world.storage.dispatch, webhook.bucket
    epochs = await dispatch.take([bucket], "earlier", 10, predecessor_gone=True)
    cursor = CallbackCursor(
        bucket=bucket,
        webhook_id=webhook.webhook_id,
        acked=Place(webhook.start_position + 1),
        acknowledged=times,
        challenged=times // 100 * 100 - 100 if times % 100 == 0 else times // 100 * 100,
    )
    settlement = BucketSettlement(
        bucket=bucket, epoch=epochs[bucket], checkpoint=None, cursors=(cursor,)
    )
    assert not await dispatch.settle([settlement])
    await world.start()
    return webhook


@pytest.mark.parametrize("hundreds", [1, 2])
async def test_the_101st_callback_waits_for_a_challenge_and_the_201st_for_another(
    world: SheetWorld, hundreds: int
) -> None:
    webhook = await called_before(world, 100 * hundreds - 1)
    await called(world, 1)
    await world.run(30)
    assert not world.challenges(), "only where another callback is to be sent"
    await called(world, 2)
    kinds = ["challenge" in sent.json for sent in world.sender.sent]
    assert kinds == [False, True, False, False]
    (challenge,) = world.challenges()
    assert challenge.json["webhookId"] == int(webhook.webhook_id)
    assert challenge.headers["smartsheet-hook-challenge"] == challenge.json["challenge"]
    verify_callback([webhook.secret], challenge.headers, challenge.body)
    assert world.callbacks()[1].at == challenge.at
    cursor = await world.cursor_of(webhook)
    assert (cursor.acknowledged, cursor.challenged) == (100 * hundreds + 2, 100 * hundreds)


async def test_callbacks_are_counted_over_restarts(world: SheetWorld) -> None:
    await called_before(world, 98)
    for _ in range(2):
        await called(world, 1)
        await world.run(2)
        await world.crash()
        await world.start()
    assert not world.challenges()
    await called(world, 1)
    assert len(world.challenges()) == 1


@pytest.mark.parametrize(
    ("outcome", "details"),
    [
        (OK, "Response did not contain the challenge"),
        (SendOutcome(status=404, error="no"), "Request returned HTTP status code 404"),
        (SendOutcome(status=302, error="no"), "Request returned HTTP status code 302"),
    ],
)
async def test_a_wrong_answer_disables_at_once_and_nothing_is_lost_by_it(
    world: SheetWorld, outcome: SendOutcome, details: str
) -> None:
    webhook = await called_before(world, 100)
    world.sender.behave(URL, outcome)
    await called(world, 1)
    assert len(world.challenges()) == 1
    assert await world.status_of(webhook) is SheetStatus.DISABLED_VERIFICATION_FAILED
    assert sheet_of(await world.row_of(webhook)).disabled_details == details
    await world.run(100)
    assert not world.callbacks()
    world.sender.behave(URL, answering_challenges())
    await world.stand(webhook, SheetStatus.ENABLED)
    await world.run(2)
    assert world.rows() == [1]
    assert len(world.challenges()) == 1, "whoever enabled it has challenged it"


@pytest.mark.parametrize("outcome", [ERROR, UNREACHABLE, SendOutcome(status=429, error="busy")])
async def test_an_endpoint_in_trouble_is_challenged_again_by_the_callbacks_schedule(
    world: SheetWorld, outcome: SendOutcome
) -> None:
    webhook = await called_before(world, 100)
    world.sender.behave(URL, outcome)
    await called(world, 1)
    await world.run(70)
    tries = [sent.at for sent in world.challenges()]
    assert len(tries) == 4
    assert tries[1] - tries[0] == pytest.approx(10)
    assert tries[3] - tries[2] == pytest.approx(40)
    world.sender.behave(URL, answering_challenges())
    await world.run(80)
    assert await world.status_of(webhook) is SheetStatus.ENABLED
    assert world.rows() == [1]


async def test_the_end_of_the_schedule_is_a_failed_verification(world: SheetWorld) -> None:
    webhook = await called_before(world, 100)
    world.sender.behave(URL, ERROR)
    await called(world, 1)
    await world.pass_time(77_000)
    assert len(world.challenges()) == 15
    assert await world.status_of(webhook) is SheetStatus.DISABLED_VERIFICATION_FAILED


async def test_a_challenge_that_was_passed_leaves_the_callback_its_whole_schedule(
    world: SheetWorld,
) -> None:
    webhook = await called_before(world, 100)
    world.sender.behave(URL, ERROR)
    await called(world, 1)
    await world.run(60)
    world.sender.behave(URL, answering_challenges(otherwise=ERROR))
    await world.run(200)
    tries = [sent.at for sent in world.callbacks()]
    assert tries[1] - tries[0] == pytest.approx(10)
    assert await world.status_of(webhook) is SheetStatus.ENABLED


async def test_a_crash_after_the_challenge_challenges_again_and_loses_nothing(
    world: SheetWorld,
) -> None:
    await called_before(world, 100)
    await world.delete_rows(1)
    answer = world.sender.hold(URL)
    await world.run(2)
    assert len(world.challenges()) == 1
    await world.crash()
    answer.set()
    await world.start()
    await world.run(5)
    assert len(world.challenges()) == 2
    assert world.rows() == [1]
