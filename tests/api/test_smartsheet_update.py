"""What a PUT does: the challenge, the statuses, and what it may not do (contract 2.2 to 2.4)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

import pytest

from tests.api.installation import ACCOUNT
from tests.api.sheet_api import CALLBACK, SheetApi, challenge_of, willing
from tidings.domain.dispatch import BucketSettlement, CallbackCursor, Place
from tidings.domain.sheet_standing import sheet_of
from tidings.domain.sheet_webhook import SheetStatus
from tidings.engine.sheets import Asker
from tidings.ports import SendOutcome, SendRequest
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

ADMIN = Asker(account=ACCOUNT, key_id="key_admin", name="admin")
MOVED = "https://moved.test/callback"
ENABLE = {"enabled": True}
LATE = SendOutcome(status=200, error="the deadline of 10 s was over")
"""The whole answer's headers came, and its body not in time."""


STATUSES = [
    ("ENABLED", "DISABLED_BY_OWNER", "ENABLED"),
    ("NEW_NOT_VERIFIED", "NEW_NOT_VERIFIED", "ENABLED"),
    ("DISABLED_BY_OWNER", "DISABLED_BY_OWNER", "ENABLED"),
    ("DISABLED_VERIFICATION_FAILED", "DISABLED_VERIFICATION_FAILED", "ENABLED"),
    ("DISABLED_CALLBACK_FAILED", "DISABLED_CALLBACK_FAILED", "ENABLED"),
    ("DISABLED_SCOPE_INACCESSIBLE", "DISABLED_BY_OWNER", "DISABLED_SCOPE_INACCESSIBLE"),
]
"""A status, and what it becomes by a PUT that disables, and by one that enables."""
WRONG: list[tuple[dict[str, Any], int]] = [
    ({"scope": "sheet"}, 1032),
    ({"scopeObjectId": 1}, 1032),
    ({"subscope": {}}, 1032),
    ({"id": 1}, 1032),
    ({"sharedSecret": "x"}, 1032),
    ({"enabled": "true"}, 1031),
    ({"enabled": 1}, 1031),
    ({"name": ""}, 1031),
    ({"version": 2}, 1031),
    ({"events": []}, 1031),
    ({"callbackUrl": "http://x/"}, 1152),
    ({"callbackUrl": "https://x:22/"}, 1018),
]


async def put(service: SheetApi, webhook: Any, **attributes: Any) -> Any:
    """Change a webhook; return it as it came back."""
    answer = await service.call("PUT", f"/{webhook['id']}", attributes)
    assert (answer["message"], answer["resultCode"]) == ("SUCCESS", 0)
    return answer["result"]


async def test_enabling_sends_a_signed_challenge_to_the_callback_url(service: SheetApi) -> None:
    webhook = await service.created()
    result = await put(service, webhook, enabled=True)
    assert (result["enabled"], result["status"]) == (True, "ENABLED")
    assert "disabledDetails" not in result
    [sent] = service.sender.sent
    challenge = sent.headers["smartsheet-hook-challenge"]
    assert sent.url == CALLBACK
    assert sent.json == {"challenge": challenge, "webhookId": webhook["id"]}
    assert len(challenge) == 36
    assert sent.headers["content-type"] == "application/json"
    expected = hmac.new(webhook["sharedSecret"].encode(), sent.body, hashlib.sha256).hexdigest()
    assert sent.headers["smartsheet-hmac-sha256"] == expected
    assert await service.call("GET", f"/{webhook['id']}") == result
    await put(service, webhook, enabled=True)
    again = service.sender.sent[1].headers["smartsheet-hook-challenge"]
    assert again != challenge


async def test_the_answer_may_stand_in_the_header_or_in_the_body(service: SheetApi) -> None:
    webhook = await service.created()

    def in_body(request: SendRequest) -> SendOutcome:
        body = b'{"smartsheetHookResponse": "%b"}' % challenge_of(request).encode()
        return SendOutcome(status=200, body=body)

    def html(request: SendRequest) -> SendOutcome:
        headers = {"smartsheet-hook-response": challenge_of(request), "content-type": "text/html"}
        return SendOutcome(status=200, headers=headers, body=b"<html>{")

    for passes in (in_body, html, willing):
        service.sender.behave(CALLBACK, passes)
        assert (await put(service, webhook, enabled=True))["status"] == "ENABLED"
        await put(service, webhook, enabled=False)


async def test_a_failed_challenge_answers_success_and_says_why(service: SheetApi) -> None:
    webhook = await service.created()
    for outcome, said in (
        (SendOutcome(status=500), "Request returned HTTP status code 500 (ref id: "),
        (SendOutcome(status=301), "Request returned HTTP status code 301 (ref id: "),
        (SendOutcome(status=204), "Request returned HTTP status code 204 (ref id: "),
        (SendOutcome(status=200), "Response did not contain the challenge (ref id: "),
        (SendOutcome(status=None, error="connection refused"), "connection refused (ref id: "),
        (LATE, "the deadline of 10 s was over (ref id: "),
    ):
        service.sender.behave(CALLBACK, outcome)
        result = await put(service, webhook, enabled=True, name="renamed")
        assert (result["enabled"], result["status"]) == (False, "DISABLED_VERIFICATION_FAILED")
        assert result["disabledDetails"].startswith(said), outcome
        assert result["disabledDetails"].endswith(")")
        assert result["name"] == "renamed"
        assert await service.call("GET", f"/{webhook['id']}") == result
    service.sender.behave(CALLBACK, willing)
    result = await put(service, webhook, enabled=True)
    assert (result["enabled"], result["status"]) == (True, "ENABLED")
    assert "disabledDetails" not in result


async def test_each_challenge_is_in_the_log_of_attempts(service: SheetApi) -> None:
    webhook = await service.created()
    service.sender.behave(CALLBACK, SendOutcome(status=500, elapsed_seconds=0.25))
    await put(service, webhook, enabled=True)
    service.sender.behave(CALLBACK, willing)
    await put(service, webhook, enabled=True)
    row = await service.row(webhook)
    dispatch = service.installation.storage.dispatch
    passed, failed = await dispatch.attempts_of(row.bucket, row.webhook_id, 10)
    assert (passed.status, passed.error) == (200, None)
    assert (failed.status, failed.elapsed_ms) == (500, 250)
    assert failed.error == "Request returned HTTP status code 500"
    assert passed.notification_id.startswith(f"{row.webhook_id}.challenge.")


async def test_a_new_url_is_challenged_at_once_while_enabled_and_otherwise_when_enabled(
    service: SheetApi,
) -> None:
    webhook = await service.created()
    result = await put(service, webhook, callbackUrl=MOVED)
    assert (result["callbackUrl"], result["status"]) == (MOVED, "NEW_NOT_VERIFIED")
    assert service.sender.sent == []
    service.sender.behave(MOVED, willing)
    await put(service, webhook, enabled=True)
    assert [sent.url for sent in service.sender.sent] == [MOVED]
    result = await put(service, webhook, callbackUrl=CALLBACK)
    assert (result["callbackUrl"], result["status"]) == (CALLBACK, "ENABLED")
    assert [sent.url for sent in service.sender.sent] == [MOVED, CALLBACK]
    service.sender.behave(MOVED, SendOutcome(status=404))
    result = await put(service, webhook, callbackUrl=MOVED)
    assert (result["enabled"], result["status"]) == (False, "DISABLED_VERIFICATION_FAILED")
    assert result["callbackUrl"] == MOVED


async def test_a_change_that_leads_nowhere_else_is_not_challenged(service: SheetApi) -> None:
    webhook = await service.enabled()
    for attributes in (
        {"name": "renamed"},
        {"callbackUrl": CALLBACK},
        {"events": ["*.*"], "version": 1},
        {"enabled": None},
        {},
    ):
        assert (await put(service, webhook, **attributes))["status"] == "ENABLED"
    result = await put(service, webhook, callbackUrl=MOVED, enabled=False)
    assert (result["enabled"], result["status"]) == (False, "DISABLED_BY_OWNER")
    assert (result["name"], result["callbackUrl"]) == ("renamed", MOVED)
    assert len(service.sender.sent) == 1


async def test_a_put_that_changes_nothing_writes_nothing(
    service: SheetApi, clock: ManualClock
) -> None:
    webhook = await service.enabled()
    row = await service.row(webhook)
    await clock.advance(60)
    assert await put(service, webhook, name="My webhook", version=1) == webhook
    assert await service.row(webhook) == row


async def test_what_a_put_may_do_in_each_status(service: SheetApi) -> None:
    for status, disabled, enabled in STATUSES:
        for wanted, expected in ((False, disabled), (True, enabled)):
            webhook = await service.created()
            await service.put_into(webhook, SheetStatus(status))
            service.sender.sent.clear()
            result = await put(service, webhook, enabled=wanted)
            assert result["status"] == expected
            assert result["enabled"] is (expected == "ENABLED")
            assert len(service.sender.sent) == (1 if expected == "ENABLED" else 0)


async def test_while_its_sheet_is_gone_a_new_url_must_pass_before_it_can_come_back(
    service: SheetApi,
) -> None:
    webhook = await service.created()
    service.sender.behave(MOVED, willing)
    await service.put_into(webhook, SheetStatus.DISABLED_SCOPE_INACCESSIBLE)
    result = await put(service, webhook, callbackUrl=MOVED)
    assert result["status"] == "DISABLED_SCOPE_INACCESSIBLE"
    assert [sent.url for sent in service.sender.sent] == [MOVED]
    service.sender.behave(CALLBACK, SendOutcome(status=500))
    result = await put(service, webhook, callbackUrl=CALLBACK)
    assert result["status"] == "DISABLED_VERIFICATION_FAILED"


async def test_a_webhook_whose_key_was_revoked_can_t_be_changed(service: SheetApi) -> None:
    other = await service.installation.new_key(name="other")
    webhook = await service.enabled()
    path = f"/{webhook['id']}"
    await service.revoke_its_key(webhook)
    shown = await service.call("GET", path, key=other)
    assert (shown["enabled"], shown["status"]) == (False, "DISABLED_APP_REVOKED")
    assert shown["disabledDetails"] == "The key that created this webhook was revoked"
    for attributes in (ENABLE, {"enabled": False}, {"name": "n"}):
        assert await service.refused("PUT", path, attributes, key=other) == (403, 1153)
    assert len(service.sender.sent) == 1
    assert await service.call("DELETE", path, key=other) == {"message": "SUCCESS", "resultCode": 0}


async def test_an_administrator_disables_and_enables_whatever_the_owner_asks(
    service: SheetApi,
) -> None:
    webhook = await service.enabled()
    path = f"/{webhook['id']}"
    await service.sheets.disable(ADMIN, webhook["id"])
    shown = await service.call("GET", path)
    assert (shown["enabled"], shown["status"]) == (False, "DISABLED_ADMINISTRATIVE")
    assert shown["disabledDetails"] == "Disabled by an administrator"
    for attributes in (ENABLE, {"enabled": False}, {"name": "n"}):
        assert await service.refused("PUT", path, attributes) == (403, 1154)


async def test_a_put_that_is_wrong_changes_nothing(service: SheetApi) -> None:
    webhook = await service.created()
    for attributes, code in WRONG:
        wrong = {"enabled": True, "name": "other", **attributes}
        assert await service.refused("PUT", f"/{webhook['id']}", wrong) == (400, code), attributes
    assert await service.call("GET", f"/{webhook['id']}") == webhook
    assert service.sender.sent == []


async def test_what_another_changes_during_the_challenge_is_judged_again(
    service: SheetApi,
) -> None:
    webhook = await service.created()
    path = f"/{webhook['id']}"
    for meanwhile, expected in (
        ({"name": "renamed"}, "ENABLED"),
        ({"callbackUrl": MOVED}, "DISABLED_VERIFICATION_FAILED"),
    ):
        service.sender.behave(MOVED, SendOutcome(status=500))
        held = service.sender.hold(CALLBACK)
        enabling = asyncio.create_task(service.call("PUT", path, ENABLE))
        while not service.sender.in_flight:
            await asyncio.sleep(0)
        assert (await put(service, webhook, **meanwhile))["status"] != "ENABLED"
        held.set()
        result = (await enabling)["result"]
        assert result["status"] == expected
        assert {name: result[name] for name in meanwhile} == meanwhile
        await put(service, webhook, enabled=False)
    held = service.sender.hold(CALLBACK)
    enabling = asyncio.create_task(
        service.send("PUT", path, {"enabled": True, "callbackUrl": CALLBACK})
    )
    while not service.sender.in_flight:
        await asyncio.sleep(0)
    await service.sheets.disable(ADMIN, webhook["id"])
    held.set()
    assert (await enabling).json()["errorCode"] == 1154


async def test_a_webhook_that_is_deleted_during_the_challenge_is_not_found(
    service: SheetApi,
) -> None:
    webhook = await service.created()
    path = f"/{webhook['id']}"
    held = service.sender.hold(CALLBACK)
    enabling = asyncio.create_task(service.send("PUT", path, ENABLE))
    while not service.sender.in_flight:
        await asyncio.sleep(0)
    await service.call("DELETE", path)
    held.set()
    answer = await enabling
    assert (answer.status_code, answer.json()["errorCode"]) == (404, 1006)


async def test_an_account_s_silent_endpoints_hold_up_nobody_else(service: SheetApi) -> None:
    webhooks = [await service.created(name=str(number)) for number in range(9)]
    held = service.sender.hold(CALLBACK)
    enabling = [
        asyncio.create_task(service.send("PUT", f"/{webhook['id']}", ENABLE))
        for webhook in webhooks[:8]
    ]
    while service.sender.in_flight < 8:
        await asyncio.sleep(0)
    answer = await service.send("PUT", f"/{webhooks[8]['id']}", ENABLE)
    assert (answer.status_code, answer.json()["errorCode"]) == (429, 4003)
    assert answer.headers["retry-after"] == "1"
    service.sheets._verifier._at_once = 8
    stranger = await service.installation.new_key("globex")
    await service.installation.storage.applications.register("globex", "s", "7", None)
    theirs = await service.created(
        key=stranger, scopeObjectId=7, callbackUrl="https://theirs.test/"
    )
    path = f"/{theirs['id']}"
    service.sender.behave("https://theirs.test/", willing)
    assert await service.refused("PUT", path, ENABLE, key=stranger) == (503, 4001)
    service.sheets._verifier._at_once = 9
    assert (await service.call("PUT", path, ENABLE, key=stranger))["result"]["enabled"]
    held.set()
    assert [(await answer).json()["result"]["enabled"] for answer in enabling] == [True] * 8
    assert (await put(service, webhooks[8], enabled=True))["enabled"]


async def test_the_secret_is_reset_and_signs_from_then_on(
    service: SheetApi, clock: ManualClock
) -> None:
    webhook = await service.enabled()
    await clock.advance(60)
    for path in ("resetsharedsecret", "resetSharedSecret", "RESETSHAREDSECRET"):
        answer = await service.call("POST", f"/{webhook['id']}/{path}")
        secret = answer["result"].pop("sharedSecret")
        assert answer == {"message": "SUCCESS", "resultCode": 0, "result": {}}
        assert len(secret) == 26
        assert secret != webhook["sharedSecret"]
        shown = await service.call("GET", f"/{webhook['id']}")
        assert shown["sharedSecret"] == secret
        assert (shown["status"], shown["createdAt"]) == ("ENABLED", webhook["createdAt"])
        assert shown["modifiedAt"] > webhook["modifiedAt"]
    await put(service, webhook, enabled=True)
    sent = service.sender.sent[-1]
    expected = hmac.new(secret.encode(), sent.body, hashlib.sha256).hexdigest()
    assert sent.headers["smartsheet-hmac-sha256"] == expected


async def test_stats_are_those_of_the_cursor(service: SheetApi, clock: ManualClock) -> None:
    webhook = await service.enabled()
    row, dispatch = await service.row(webhook), service.installation.storage.dispatch
    epoch = (await dispatch.take([row.bucket], "me", 10))[row.bucket]
    for success, shown in (
        (None, {}),
        (clock.now(), {"lastSuccessfulCallback": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")}),
    ):
        cursor = CallbackCursor(
            bucket=row.bucket,
            webhook_id=row.webhook_id,
            acked=Place(1),
            last_attempt_at=clock.now(),
            last_attempt_failures=2,
            last_success_at=success,
        )
        settled = BucketSettlement(bucket=row.bucket, epoch=epoch, checkpoint=1, cursors=(cursor,))
        await dispatch.settle([settled])
        stats = {
            "lastCallbackAttempt": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lastCallbackAttemptRetryCount": 2,
            **shown,
        }
        assert (await service.call("GET", f"/{webhook['id']}"))["stats"] == stats
        assert (await service.call("GET"))["data"][0]["stats"] == stats
        assert (await put(service, webhook, name=f"n{shown}"))["stats"] == stats


async def test_disabling_and_enabling_leave_the_cursor_where_it_is(
    service: SheetApi, clock: ManualClock
) -> None:
    webhook = await service.enabled()
    row, dispatch = await service.row(webhook), service.installation.storage.dispatch
    epoch = (await dispatch.take([row.bucket], "me", 10))[row.bucket]
    cursor = CallbackCursor(bucket=row.bucket, webhook_id=row.webhook_id, acked=Place(7, 3))
    settled = BucketSettlement(bucket=row.bucket, epoch=epoch, checkpoint=1, cursors=(cursor,))
    await dispatch.settle([settled])
    await put(service, webhook, enabled=False)
    await put(service, webhook, enabled=True)
    await service.call("POST", f"/{webhook['id']}/resetsharedsecret")
    assert await dispatch.cursors(row.bucket, [row.webhook_id]) == {row.webhook_id: cursor}
    assert sheet_of(await service.row(webhook)).status is SheetStatus.ENABLED
