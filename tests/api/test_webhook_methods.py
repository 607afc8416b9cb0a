"""CreateWebhook, GetWebhook, ListWebhooks, UpdateWebhook and DeleteWebhook, by contract 1.4."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.installation import ACCOUNT, SOLUTION, Installation
from tidings.domain.caps import Caps
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

URL = "https://example.test/hook"


async def test_a_webhook_is_created_as_the_contract_prints_it(installation: Installation) -> None:
    webhook = await installation.new_webhook(
        locator={"account_id": ACCOUNT, "solution_id": SOLUTION},
        kinds=["RECORD_CREATED"],
        notification_status={"enabled": {"url": URL}},
        webhook_id="",
    )
    stamp = {"by": "Jane Doe", "at": "2026-01-15T12:00:00.000Z"}
    secret = webhook.pop("signing_secret")
    assert webhook == {
        "webhook_id": webhook["webhook_id"],
        "locator": {"account_id": ACCOUNT, "solution_id": SOLUTION},
        "filter": {"solution": {}},
        "kinds": ["RECORD_CREATED"],
        "created_at": stamp,
        "updated_at": stamp,
        "notification_status": {"enabled": {"url": URL}},
        "system_status": {"enabled": {"expires_at": "2026-01-22T12:00:00Z"}},
    }
    assert secret.startswith("whsec_")


@pytest.mark.parametrize("method", ["GetWebhook", "GetWebhooks"])
async def test_a_webhook_is_read_back_without_its_secret(
    installation: Installation, method: str
) -> None:
    webhook = await installation.new_webhook()
    read = await installation.call(method, {"webhook_id": webhook["webhook_id"]})
    del webhook["signing_secret"]
    assert read == {"webhook": webhook}


@pytest.mark.parametrize(
    ("fields", "argument"),
    [
        ({"kinds": []}, "webhook.kinds"),
        ({"kinds": ["RECORD_MOVED"]}, "webhook.kinds"),
        ({"filter": {}}, "webhook.filter"),
        ({"filter": None}, "webhook.filter"),
        ({"locator": {}}, "webhook.locator.solution_id"),
        ({"webhook_id": "mine"}, "webhook.webhook_id"),
        ({"start_at": "2026-01-15T12:00:01Z"}, "webhook.start_at"),
        ({"start_at": "2025-12-31T11:59:59Z"}, "webhook.start_at"),
        (
            {"notification_status": {"enabled": {"url": "http://169.254.169.254/"}}},
            "webhook.notification_status.enabled.url",
        ),
    ],
)
async def test_a_wrong_wish_is_refused_by_name_and_nothing_is_stored(
    installation: Installation, fields: dict[str, Any], argument: str
) -> None:
    wish = {
        "locator": {"solution_id": SOLUTION},
        "filter": {"solution": {}},
        "kinds": [1],
        **fields,
    }
    answer = await installation.post("CreateWebhook", {"webhook": wish})
    refusal = answer.json()
    assert (answer.status_code, refusal["code"]) == (400, "invalid_argument")
    assert refusal["meta"] == {"argument": argument}
    assert refusal["msg"]
    assert await installation.call("ListWebhooks") == {"webhooks": []}


async def test_an_update_replaces_what_is_present_and_keeps_the_rest(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook(notification_status={"enabled": {"url": URL}})
    await clock.advance(60)
    other_key = await installation.new_key(name="John Roe")
    wish = {"webhook_id": webhook["webhook_id"], "kinds": [1]}
    updated = await installation.call("UpdateWebhook", {"webhook": wish}, key=other_key)
    del webhook["signing_secret"]
    assert updated["webhook"] == webhook | {
        "kinds": ["RECORD_CREATED"],
        "updated_at": {"by": "John Roe", "at": "2026-01-15T12:01:00.000Z"},
    }
    read = await installation.call("GetWebhook", {"webhook_id": webhook["webhook_id"]})
    assert read == updated


async def test_pings_are_toggled_off_and_on_with_the_last_url(installation: Installation) -> None:
    webhook_id = (await installation.new_webhook(notification_status={"enabled": {"url": URL}}))[
        "webhook_id"
    ]
    for status, printed in (
        ({"disabled": {}}, {"disabled": {}}),
        ({"enabled": {}}, {"enabled": {"url": URL}}),
    ):
        wish = {"webhook_id": webhook_id, "notification_status": status}
        updated = await installation.call("UpdateWebhook", {"webhook": wish})
        assert updated["webhook"]["notification_status"] == printed


@pytest.mark.parametrize(
    ("fields", "argument"),
    [
        ({"locator": {"solution_id": "another"}}, "webhook.locator.solution_id"),
        (
            {"notification_status": {"enabled": {}}},
            "webhook.notification_status.enabled.url",
        ),
        ({"webhook_id": ""}, "webhook.webhook_id"),
        ({"kinds": [99]}, "webhook.kinds"),
    ],
)
async def test_a_wrong_update_is_refused_by_name_and_changes_nothing(
    installation: Installation, fields: dict[str, Any], argument: str
) -> None:
    webhook = await installation.new_webhook()
    wish = {"webhook_id": webhook["webhook_id"], "filter": {"solution": {}}, **fields}
    answer = await installation.post("UpdateWebhook", {"webhook": wish})
    assert (answer.status_code, answer.json()["meta"]) == (400, {"argument": argument})
    del webhook["signing_secret"]
    read = await installation.call("GetWebhook", {"webhook_id": webhook["webhook_id"]})
    assert read == {"webhook": webhook}


async def test_updates_at_once_lose_none_of_each_other(installation: Installation) -> None:
    webhook_id = (await installation.new_webhook())["webhook_id"]
    wishes: list[dict[str, Any]] = [
        {"kinds": ["RECORD_DELETED"]},
        {"filter": {"application": {"application_id": "a"}}},
        {"notification_status": {"enabled": {"url": URL}}},
    ]
    await asyncio.gather(
        *[
            installation.call("UpdateWebhook", {"webhook": {"webhook_id": webhook_id, **wish}})
            for wish in wishes
        ]
    )
    webhook = (await installation.call("GetWebhook", {"webhook_id": webhook_id}))["webhook"]
    assert webhook["kinds"] == ["RECORD_DELETED"]
    assert webhook["filter"] == {"application": {"application_id": "a", "field_ids": []}}
    assert webhook["notification_status"] == {"enabled": {"url": URL}}


async def test_a_deleted_webhook_is_gone_for_every_method(installation: Installation) -> None:
    webhook_id = (await installation.new_webhook())["webhook_id"]
    assert await installation.call("DeleteWebhook", {"webhook_id": webhook_id}) == {}
    for method in ("GetWebhook", "DeleteWebhook", "ListEvents"):
        answer = await installation.post(method, {"webhook_id": webhook_id})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = await installation.post("UpdateWebhook", {"webhook": {"webhook_id": webhook_id}})
    assert answer.status_code == 404
    assert await installation.call("ListWebhooks") == {"webhooks": []}


async def listed(installation: Installation, **request: Any) -> tuple[list[str], str | None]:
    page = await installation.call("ListWebhooks", request)
    return [webhook["webhook_id"] for webhook in page["webhooks"]], page.get("next_page_token")


async def test_webhooks_are_listed_page_by_page_without_their_secrets(
    installation: Installation,
) -> None:
    ids = [(await installation.new_webhook())["webhook_id"] for _ in range(5)]
    first, token = await listed(installation, page_size="2")
    second, token = await listed(installation, page_size=2, page_token=token)
    third, end = await listed(installation, page_size=2, page_token=token)
    assert first + second + third == ids
    assert end is None
    assert "signing_secret" not in (await installation.post("ListWebhooks")).text


async def test_the_last_full_page_has_no_next_page_token(installation: Installation) -> None:
    for _ in range(2):
        await installation.new_webhook()
    assert "next_page_token" not in await installation.call("ListWebhooks", {"page_size": 2})


async def test_webhooks_are_listed_by_solution(installation: Installation) -> None:
    await installation.new_webhook()
    other = await installation.new_webhook(locator={"solution_id": "other"})
    assert await listed(installation, solution_id="other") == ([other["webhook_id"]], None)
    assert await listed(installation, solution_id="unknown") == ([], None)


async def test_a_walk_of_webhooks_is_steady_while_others_come_and_go(
    installation: Installation,
) -> None:
    ids = [(await installation.new_webhook())["webhook_id"] for _ in range(6)]
    first, token = await listed(installation, page_size=2)
    await installation.call("DeleteWebhook", {"webhook_id": ids[0]})
    await installation.call("DeleteWebhook", {"webhook_id": ids[1]})
    new = (await installation.new_webhook())["webhook_id"]
    rest: list[str] = []
    while token is not None:
        page, token = await listed(installation, page_size=2, page_token=token)
        rest += page
    assert first + rest == [*ids, new]


async def test_a_token_that_is_no_place_is_refused_by_name(
    installation: Installation,
) -> None:
    answer = await installation.post("ListWebhooks", {"page_token": "a-webhook-id"})
    assert (answer.status_code, answer.json()["meta"]) == (400, {"argument": "page_token"})


async def test_past_a_cap_it_is_a_failed_precondition_which_no_wait_mends(
    installation: Installation,
) -> None:
    installation.app._webhooks._caps = Caps(solution_webhooks=2, webhook_revisions=1)
    webhook = await installation.new_webhook()
    await installation.new_webhook()
    wish = {"locator": {"solution_id": SOLUTION}, "filter": {"solution": {}}, "kinds": [1]}
    third = await installation.post("CreateWebhook", {"webhook": wish})
    assert (third.status_code, third.json()["code"]) == (412, "failed_precondition")
    assert "retry-after" not in third.headers
    assert "delete one first" in third.json()["msg"]
    narrower = {"webhook_id": webhook["webhook_id"], "kinds": [2]}
    changed = await installation.post("UpdateWebhook", {"webhook": narrower})
    assert (changed.status_code, changed.json()["code"]) == (412, "failed_precondition")
    kept = await installation.call("GetWebhook", {"webhook_id": webhook["webhook_id"]})
    assert len(kept["webhook"]["kinds"]) == 3
