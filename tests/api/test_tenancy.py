"""Keys, roles and accounts: contract 1.8 and 3.1, mechanics T1."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.installation import ACCOUNT, SOLUTION, Installation
from tidings.domain.key import Role, hash_key
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

STRANGER = "globex"


async def test_another_accounts_key_sees_not_found_for_every_method(
    installation: Installation,
) -> None:
    webhook = await installation.new_webhook()
    await installation.publish(3)
    stranger = await installation.new_key(STRANGER)
    by_id = {"webhook_id": webhook["webhook_id"]}
    missing = {"webhook_id": "00000000-0000-8000-8000-000000000000"}
    for method, body, of_nothing in (
        ("GetWebhook", by_id, missing),
        ("DeleteWebhook", by_id, missing),
        ("ListEvents", by_id, missing),
        ("ListEvents", {**by_id, "wait_seconds": 30}, {**missing, "wait_seconds": 30}),
        ("UpdateWebhook", {"webhook": {**by_id, "kinds": [1]}}, {"webhook": missing}),
    ):
        answer = await installation.post(method, body, key=stranger)
        nothing = await installation.post(method, of_nothing, key=stranger)
        assert answer.status_code == nothing.status_code == 404
        assert answer.json() == nothing.json(), "a foreign webhook must look like none"
    del webhook["signing_secret"]
    assert await installation.call("GetWebhook", by_id) == {"webhook": webhook}


async def test_each_account_lists_only_its_own_webhooks(installation: Installation) -> None:
    stranger = await installation.new_key(STRANGER)
    mine = await installation.new_webhook()
    theirs = await installation.new_webhook(key=stranger)
    for key, webhook in ((installation.key, mine), (stranger, theirs)):
        page = await installation.call("ListWebhooks", {"solution_id": SOLUTION}, key=key)
        assert [found["webhook_id"] for found in page["webhooks"]] == [webhook["webhook_id"]]


async def test_a_solution_of_the_same_name_elsewhere_is_another_one(
    installation: Installation,
) -> None:
    webhook = await installation.new_webhook()
    await installation.publish(2, account=STRANGER)
    page = await installation.call("ListEvents", {"webhook_id": webhook["webhook_id"]})
    assert page["events"] == []


async def test_a_token_of_another_accounts_walk_shows_nothing_of_it(
    installation: Installation,
) -> None:
    stranger = await installation.new_key(STRANGER)
    for _ in range(2):
        await installation.new_webhook(key=stranger)
    mine = await installation.new_webhook()
    walk = await installation.call("ListWebhooks", {"page_size": 1}, key=stranger)
    token = {"page_token": walk["next_page_token"]}
    page = await installation.call("ListWebhooks", token)
    assert [found["webhook_id"] for found in page["webhooks"]] in ([], [mine["webhook_id"]])


@pytest.mark.parametrize("account", [STRANGER, "ACME", "acme/x"])
async def test_an_account_id_that_is_not_the_keys_is_not_found(
    installation: Installation, account: str
) -> None:
    answer = await installation.post("ListWebhooks", headers={"ACCOUNT-ID": account})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("accounts", [("another", ACCOUNT), (ACCOUNT, "another")])
async def test_an_account_id_beside_the_keys_own_is_not_found(
    installation: Installation, accounts: tuple[str, str]
) -> None:
    headers = [("ACCOUNT-ID", account) for account in accounts]
    answer = await installation.post("ListWebhooks", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_second_key_does_not_take_the_place_of_the_first(
    installation: Installation,
) -> None:
    headers = [("Authorization", f"Token {installation.key}")]
    answer = await installation.post("ListWebhooks", key="tdg_nobody", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_the_keys_own_account_id_is_fine(installation: Installation) -> None:
    answer = await installation.post("ListWebhooks", headers={"ACCOUNT-ID": ACCOUNT})
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["CreateWebhook", "UpdateWebhook"])
async def test_a_foreign_account_in_the_locator_is_not_found_before_any_look_up(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    webhook = await installation.new_webhook()

    async def no_look_up(*_: Any, **__: Any) -> Any:
        raise AssertionError("nothing may be looked up")

    for name in ("get", "create", "update", "tracked"):
        monkeypatch.setattr(installation.storage.webhooks, name, no_look_up)
    wish = {"locator": {"account_id": STRANGER, "solution_id": SOLUTION}}
    if method == "UpdateWebhook":
        wish["webhook_id"] = webhook["webhook_id"]
    answer = await installation.post(method, {"webhook": wish})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_ids_that_are_not_ours_are_not_found(installation: Installation) -> None:
    for webhook_id in ("nonsense", "3c8a1835-a39a-43ba-ba9c-6fbce5581e34", "x" * 255):
        for method in ("GetWebhook", "DeleteWebhook", "ListEvents"):
            answer = await installation.post(method, {"webhook_id": webhook_id})
            assert answer.status_code == 404


async def test_roles(installation: Installation) -> None:
    publisher = await installation.new_key(role=Role.PUBLISHER, name="publisher")
    admin = await installation.new_key(role=Role.ADMIN, name="admin")
    answer = await installation.post("ListWebhooks", key=publisher)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert (await installation.post("ListWebhooks", key=admin)).status_code == 200


async def test_a_revoked_key_is_refused_at_once(
    installation: Installation, clock: ManualClock
) -> None:
    assert (await installation.post("ListWebhooks")).status_code == 200
    found = await installation.storage.keys.find(hash_key(installation.key))
    assert found is not None
    await installation.storage.keys.revoke(found.key_id, clock.now())
    answer = await installation.post("ListWebhooks")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_a_keys_last_use_is_written_by_the_worker(
    installation: Installation, clock: ManualClock
) -> None:
    await clock.advance(5)
    await installation.call("ListWebhooks")
    await installation.authenticator.run_once()
    found = await installation.storage.keys.find(hash_key(installation.key))
    assert found is not None
    assert found.last_used_at == clock.now()
