"""RotateSecret: a new secret at once, and the one before for a day (contract 1.4 and 1.6)."""

from __future__ import annotations

import pytest
from standardwebhooks.webhooks import Webhook as StandardWebhook

from tests.api.installation import Installation
from tidings.domain.buckets import bucket_of_webhook
from tidings.domain.notification import signed_headers
from tidings.domain.webhook import Webhook, signing_secrets
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

DAY_SECONDS = 86_400


async def row_of(installation: Installation, webhook_id: str) -> Webhook:
    bucket = bucket_of_webhook(webhook_id)
    assert bucket is not None
    row = await installation.storage.webhooks.get(bucket, webhook_id)
    assert row is not None
    return row


async def rotate(installation: Installation, webhook_id: str) -> dict[str, str]:
    answer: dict[str, str] = await installation.call("RotateSecret", {"webhook_id": webhook_id})
    return answer


async def signers(installation: Installation, webhook_id: str, secrets: list[str]) -> list[bool]:
    """Say which secrets a receiver could hold and verify a ping that is sent now."""
    row, at = await row_of(installation, webhook_id), installation.clock.now()
    headers = dict(signed_headers("msg_1", b"{}", signing_secrets(row, at), at))
    timestamp, given = headers["webhook-timestamp"], headers["webhook-signature"].split(" ")
    assert int(timestamp) == int(at.timestamp())
    # The package's own `verify` reads the real clock; its `sign` is the same second source.
    return [StandardWebhook(secret).sign("msg_1", at, "{}") in given for secret in secrets]


async def test_both_secrets_sign_for_a_day_and_the_new_one_alone_from_that_second_on(
    installation: Installation, clock: ManualClock
) -> None:
    created = await installation.new_webhook()
    webhook_id, old = created["webhook_id"], created["signing_secret"]
    answer = await rotate(installation, webhook_id)
    new = answer["signing_secret"]
    assert set(answer) == {"signing_secret", "previous_expires_at"}
    assert answer["previous_expires_at"] == "2026-01-16T12:00:00.000Z"
    assert new.startswith("whsec_")
    assert new != old
    assert await signers(installation, webhook_id, [new, old]) == [True, True]
    await clock.advance(DAY_SECONDS - 0.001)
    assert await signers(installation, webhook_id, [new, old]) == [True, True]
    await clock.advance(0.001)
    assert await signers(installation, webhook_id, [new, old]) == [True, False]


async def test_a_second_rotation_within_the_day_ends_the_oldest_secret_at_once(
    installation: Installation, clock: ManualClock
) -> None:
    created = await installation.new_webhook()
    webhook_id, oldest = created["webhook_id"], created["signing_secret"]
    middle = (await rotate(installation, webhook_id))["signing_secret"]
    await clock.advance(60)
    newest = (await rotate(installation, webhook_id))["signing_secret"]
    secrets = [newest, middle, oldest]
    assert await signers(installation, webhook_id, secrets) == [True, True, False]


async def test_a_rotation_is_stamped_and_shown_by_no_other_answer(
    installation: Installation, clock: ManualClock
) -> None:
    webhook = await installation.new_webhook()
    await clock.advance(60)
    new = (await rotate(installation, webhook["webhook_id"]))["signing_secret"]
    answer = await installation.call("GetWebhook", {"webhook_id": webhook["webhook_id"]})
    assert answer["webhook"]["updated_at"] == {
        "by": "Jane Doe",
        "at": "2026-01-15T12:01:00.000Z",
    }
    assert new not in str(answer)
    assert webhook["signing_secret"] not in str(answer)


async def test_rotating_keeps_everything_else_of_the_webhook(installation: Installation) -> None:
    webhook = await installation.new_webhook()
    before = await installation.call("GetWebhook", {"webhook_id": webhook["webhook_id"]})
    await rotate(installation, webhook["webhook_id"])
    after = await installation.call("GetWebhook", {"webhook_id": webhook["webhook_id"]})
    assert after == before


async def test_what_is_not_the_accounts_own_is_not_found(installation: Installation) -> None:
    webhook = await installation.new_webhook()
    stranger = await installation.new_key("other")
    for body, key in (
        ({"webhook_id": webhook["webhook_id"]}, stranger),
        ({"webhook_id": "3c8a1835-a39a-83ba-ba9c-6fbce5581e34"}, installation.key),
    ):
        answer = await installation.post("RotateSecret", body, key=key)
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"
    row = await row_of(installation, webhook["webhook_id"])
    assert row.secret == webhook["signing_secret"]


@pytest.mark.parametrize("body", [{}, {"webhook_id": ""}, {"webhook_id": 7}])
async def test_a_request_that_names_no_webhook_is_refused(
    installation: Installation, body: dict[str, object]
) -> None:
    answer = await installation.post("RotateSecret", body)
    assert answer.status_code == 400
    assert answer.json()["meta"]["argument"] == "webhook_id"
