"""Contract 1.7 as a client sees it: `system_status`, and what ListEvents answers near a limit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.installation import Installation
from tidings.domain.instants import parse_instant
from tidings.domain.lifecycle import STEPS
from tidings.errors import StorageUnavailable
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

URL = "https://example.test/hook"


async def grow_old(installation: Installation, clock: ManualClock, webhook: Any, days: int) -> None:
    """Take each step of the webhook's first `days`, at its time, as if it had been swept all along.

    `webhook` is what CreateWebhook answered.
    """
    created_at = parse_instant(webhook["created_at"]["at"])
    lifecycle = installation.storage.lifecycle
    for step in STEPS:
        if step.after <= timedelta(days=days):
            await clock.advance((created_at + step.after - clock.now()).total_seconds())
            time = await lifecycle.time()
            await lifecycle.keep_time(time, time.paused)
            await lifecycle.step(step, 10)


async def status(installation: Installation, webhook: Any) -> Any:
    answer = await installation.call("GetWebhook", {"webhook_id": webhook["webhook_id"]})
    return answer["webhook"]["system_status"]


@pytest.mark.parametrize("days", [0, 6])
async def test_a_webhook_says_when_it_will_expire(
    installation: Installation, clock: ManualClock, days: int
) -> None:
    webhook = await installation.new_webhook()
    await grow_old(installation, clock, webhook, days)
    told = {"enabled": {"expires_at": "2026-01-22T12:00:00Z"}}
    assert await status(installation, webhook) == told


@pytest.mark.parametrize("days", [7, 13])
async def test_an_expired_webhook_says_why_and_when_it_will_be_deleted(
    installation: Installation, clock: ManualClock, days: int
) -> None:
    webhook = await installation.new_webhook()
    await grow_old(installation, clock, webhook, days)
    told = {"disabled": {"reason": "EXPIRED", "deletes_at": "2026-01-29T12:00:00Z"}}
    assert await status(installation, webhook) == told


async def test_expiry_leaves_the_owners_switch_as_it_was(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook(notification_status={"enabled": {"url": URL}})
    await grow_old(installation, clock, webhook, 7)
    answer = await installation.call("GetWebhook", {"webhook_id": webhook["webhook_id"]})
    assert answer["webhook"]["notification_status"] == {"enabled": {"url": URL}}
    assert answer["webhook"]["updated_at"] == webhook["updated_at"]


async def test_list_events_turns_an_expired_webhook_on_again(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    await installation.publish(1)
    await grow_old(installation, clock, webhook, 13)
    page = await installation.call("ListEvents", {"webhook_id": webhook["webhook_id"]})
    assert len(page["events"]) == 1
    told = {"enabled": {"expires_at": "2026-02-04T12:00:00Z"}}
    assert await status(installation, webhook) == told


async def test_list_events_near_a_limit_is_a_503_where_nothing_can_be_written(
    installation: Installation, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await installation.new_webhook()

    async def full(*_: object) -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(installation.storage.lifecycle, "extend", full)
    wish = {"webhook_id": webhook["webhook_id"]}
    assert (await installation.post("ListEvents", wish)).status_code == 200
    await grow_old(installation, clock, webhook, 6)
    answer = await installation.post("ListEvents", wish)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "retry-after" in answer.headers


async def test_a_deleted_webhook_is_not_found_by_any_method(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    await grow_old(installation, clock, webhook, 14)
    wish = {"webhook_id": webhook["webhook_id"]}
    for method in ("GetWebhook", "ListEvents", "DeleteWebhook"):
        answer = await installation.post(method, wish)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await installation.call("ListWebhooks"))["webhooks"] == []


async def test_another_account_can_neither_see_nor_extend_a_webhook(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    stranger = await installation.new_key("other")
    await grow_old(installation, clock, webhook, 13)
    wish = {"webhook_id": webhook["webhook_id"]}
    assert (await installation.post("ListEvents", wish, key=stranger)).status_code == 404
    assert "disabled" in await status(installation, webhook)
