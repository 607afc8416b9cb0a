"""`wait_seconds` of ListEvents (contract 1.4): an answer as soon as there is an event."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.installation import Installation
from tidings.api.smartsuite import PREFIX
from tidings.domain.key import hash_key
from tidings.domain.kinds import Kind
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio


class Wait:
    """A ListEvents that waits 30 s, under way."""

    def __init__(self, installation: Installation, webhook: Any) -> None:
        body = {"webhook_id": webhook["webhook_id"], "wait_seconds": 30}
        self._clock = installation.clock
        self._task = asyncio.ensure_future(installation.post("ListEvents", body))

    async def is_over(self) -> bool:
        """Whether it is answered, after a while of real time in which nothing more happens."""
        await asyncio.wait({self._task}, timeout=0.1)
        return self._task.done()

    async def answer(self) -> Any:
        async with asyncio.timeout(5):
            return await self._task


async def test_the_answer_comes_with_the_first_event(installation: Installation) -> None:
    webhook = await installation.new_webhook(kinds=["RECORD_CREATED"])
    wait = Wait(installation, webhook)
    assert not await wait.is_over()
    await installation.publish(kind=Kind.RECORD_DELETED)
    assert not await wait.is_over()
    receipt = await installation.publish()
    page = (await wait.answer()).json()
    assert page["next_page_token"] == str(receipt.last_position)
    assert len(page["events"]) == 1


async def test_events_that_are_there_are_not_waited_for(installation: Installation) -> None:
    webhook = await installation.new_webhook()
    await installation.publish()
    assert len((await Wait(installation, webhook).answer()).json()["events"]) == 1


async def test_a_wait_ends_empty_when_its_time_is_over(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    wait = Wait(installation, webhook)
    assert not await wait.is_over()
    await clock.advance(29.9)
    assert not await wait.is_over()
    await clock.advance(0.2)
    page = (await wait.answer()).json()
    assert (page["events"], page["has_more"]) == ([], False)


async def test_a_webhook_deleted_meanwhile_ends_the_wait(installation: Installation) -> None:
    webhook = await installation.new_webhook()
    wait = Wait(installation, webhook)
    assert not await wait.is_over()
    await installation.call("DeleteWebhook", {"webhook_id": webhook["webhook_id"]})
    answer = await wait.answer()
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_key_revoked_meanwhile_is_shown_no_event(
    installation: Installation, clock: ManualClock
) -> None:
    wait = Wait(installation, await installation.new_webhook())
    assert not await wait.is_over()
    key = await installation.storage.keys.find(hash_key(installation.key))
    assert key is not None
    await installation.storage.keys.revoke(key.key_id, clock.now())
    await installation.publish()
    answer = await wait.answer()
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert installation.notes == []


async def test_a_filter_changed_meanwhile_is_waited_by(installation: Installation) -> None:
    webhook = await installation.new_webhook(kinds=["RECORD_CREATED"])
    wait = Wait(installation, webhook)
    assert not await wait.is_over()
    wish = {"webhook_id": webhook["webhook_id"], "kinds": ["RECORD_DELETED"]}
    await installation.call("UpdateWebhook", {"webhook": wish})
    assert not await wait.is_over()
    await installation.publish(kind=Kind.RECORD_DELETED)
    assert len((await wait.answer()).json()["events"]) == 1


async def test_a_draining_server_answers_those_who_wait(installation: Installation) -> None:
    webhook = await installation.new_webhook()
    wait = Wait(installation, webhook)
    assert not await wait.is_over()
    installation.arrivals.close()
    assert (await wait.answer()).json()["events"] == []


async def test_a_wait_reads_the_log_only_when_an_event_of_its_own_may_have_come(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await installation.new_webhook(kinds=["RECORD_CREATED"])
    log, reads = installation.storage.log, 0
    read_page = log.read_page

    async def counted(query: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read_page(query)

    monkeypatch.setattr(log, "read_page", counted)
    wait = Wait(installation, webhook)
    assert not await wait.is_over()
    for _ in range(20):
        await installation.publish(kind=Kind.RECORD_DELETED)
    assert not await wait.is_over()
    assert reads == 1
    await installation.publish()
    await wait.answer()
    assert reads == 2


async def test_a_client_that_goes_away_ends_its_wait_and_nothing_is_noted(
    installation: Installation,
) -> None:
    webhook = await installation.new_webhook()
    body = b'{"webhook_id":"%b","wait_seconds":30}' % webhook["webhook_id"].encode()
    gone = asyncio.Event()
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there to be answered")

    scope = {
        "type": "http",
        "method": "POST",
        "path": PREFIX + "ListEvents",
        "headers": [(b"authorization", b"Token " + installation.key.encode())],
    }
    request = asyncio.ensure_future(installation.app(scope, receive, send))
    await asyncio.wait({request}, timeout=0.1)
    assert not request.done()
    gone.set()
    async with asyncio.timeout(5):
        await request
    assert installation.notes == []
    assert installation.arrivals._waiting == {}


async def test_on_real_time_the_answer_comes_at_once(on_real_time: Installation) -> None:
    webhook = await on_real_time.new_webhook()
    wait = Wait(on_real_time, webhook)
    assert not await wait.is_over()
    await on_real_time.publish()
    began = on_real_time.clock.monotonic()
    assert len((await wait.answer()).json()["events"]) == 1
    assert on_real_time.clock.monotonic() - began < 1
