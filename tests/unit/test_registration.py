"""What a wish makes of a webhook, by contract 1.4."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tidings.domain.address import AddressPolicy
from tidings.domain.buckets import bucket_of, bucket_of_webhook
from tidings.domain.filter import ApplicationFilter, SolutionFilter
from tidings.domain.kinds import Kind
from tidings.domain.registration import WEBHOOK_ENTROPY_BYTES, changed_webhook, new_webhook
from tidings.domain.webhook import DisabledReason, Notifications, Stamp, Webhook
from tidings.domain.webhook_messages import URL_ARGUMENT, NotificationWish, WebhookWish
from tidings.errors import InvalidArgument

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
BY_JANE = Stamp("Jane Doe", NOW)
BY_JOHN = Stamp("John Roe", NOW + timedelta(hours=1))
POLICY = AddressPolicy()
URL = "https://example.test/hook"


def wish(**fields: Any) -> WebhookWish:
    whole = WebhookWish(
        webhook_id="",
        account="",
        solution="s",
        filter=SolutionFilter(),
        kinds=(Kind.RECORD_CREATED,),
        notifications=NotificationWish(enabled=True, url=URL),
        start_at=None,
    )
    return msgspec.structs.replace(whole, **fields)


NOTHING = wish(solution="", filter=None, kinds=None, notifications=None)


def created(**fields: Any) -> Webhook:
    entropy = bytes(range(WEBHOOK_ENTROPY_BYTES))
    return new_webhook(wish(**fields), "acme", BY_JANE, entropy, POLICY)


def changed(webhook: Webhook, **fields: Any) -> Webhook:
    asked = msgspec.structs.replace(NOTHING, webhook_id=webhook.webhook_id, **fields)
    return changed_webhook(webhook, asked, BY_JOHN, POLICY)


def test_a_new_webhook_carries_its_bucket_in_its_id() -> None:
    webhook = created()
    assert bucket_of_webhook(webhook.webhook_id) == webhook.bucket == bucket_of("acme", "s")
    assert webhook.secret.startswith("whsec_")
    assert (webhook.created, webhook.updated) == (BY_JANE, BY_JANE)


@pytest.mark.parametrize(
    ("fields", "argument"),
    [
        ({"webhook_id": "mine"}, "webhook.webhook_id"),
        ({"solution": " "}, "webhook.locator.solution_id"),
        ({"filter": None}, "webhook.filter"),
        ({"kinds": None}, "webhook.kinds"),
        ({"notifications": NotificationWish(enabled=True)}, URL_ARGUMENT),
        ({"notifications": NotificationWish(True, "http://example.test/")}, URL_ARGUMENT),
        ({"notifications": NotificationWish(True, "https://10.0.0.1/")}, URL_ARGUMENT),
        ({"notifications": NotificationWish(True, "https://u:p@example.test/")}, URL_ARGUMENT),
        ({"notifications": NotificationWish(True, "https://example.test/#x")}, URL_ARGUMENT),
        ({"notifications": NotificationWish(True, "gopher://example.test/")}, URL_ARGUMENT),
        ({"start_at": NOW + timedelta(milliseconds=1)}, "webhook.start_at"),
        ({"start_at": NOW - timedelta(days=15, milliseconds=1)}, "webhook.start_at"),
    ],
)
def test_what_is_missing_or_wrong_on_create_is_named(fields: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        created(**fields)
    assert refused.value.argument == argument


@pytest.mark.parametrize("start_at", [NOW, NOW - timedelta(days=15)])
def test_a_start_within_the_log_is_taken(start_at: datetime) -> None:
    created(start_at=start_at)


def test_without_notification_status_notifications_are_off() -> None:
    off = created(notifications=None).notifications
    assert (off.enabled, off.url, off.reason) == (False, None, DisabledReason.BY_OWNER)


def test_an_update_keeps_what_is_absent() -> None:
    webhook = created()
    kept = changed(webhook)
    assert kept == msgspec.structs.replace(webhook, updated=BY_JOHN)


def test_an_update_replaces_what_is_present() -> None:
    webhook = changed(
        created(),
        filter=ApplicationFilter("a"),
        kinds=(Kind.RECORD_DELETED,),
        notifications=NotificationWish(True, "https://example.test/other"),
    )
    assert webhook.filter == ApplicationFilter("a")
    assert webhook.kinds == (Kind.RECORD_DELETED,)
    assert webhook.notifications.url == "https://example.test/other"


def test_an_update_may_name_the_same_solution_but_no_other() -> None:
    changed(created(), solution="s")
    with pytest.raises(InvalidArgument) as refused:
        changed(created(), solution="other")
    assert refused.value.argument == "webhook.locator.solution_id"


def test_start_at_can_not_be_changed() -> None:
    with pytest.raises(InvalidArgument) as refused:
        changed(created(), start_at=NOW)
    assert refused.value.argument == "webhook.start_at"


def test_enabling_without_a_url_keeps_the_last_one() -> None:
    off = changed(created(), notifications=NotificationWish(enabled=False))
    assert not off.notifications.enabled
    on = changed(off, notifications=NotificationWish(enabled=True))
    assert on.notifications == Notifications(enabled=True, url=URL)


def test_enabling_without_any_url_is_refused_by_name() -> None:
    with pytest.raises(InvalidArgument) as refused:
        changed(created(notifications=None), notifications=NotificationWish(enabled=True))
    assert refused.value.argument == URL_ARGUMENT


def test_enabling_after_a_failure_starts_afresh() -> None:
    failed = Notifications(
        enabled=False,
        url=URL,
        reason=DisabledReason.DELIVERY_FAILED,
        disabled_at=NOW,
        last_error="connection refused",
    )
    webhook = msgspec.structs.replace(created(), notifications=failed)
    on = changed(webhook, notifications=NotificationWish(enabled=True))
    assert on.notifications == Notifications(enabled=True, url=URL)


def test_a_kept_url_is_vetted_again_when_the_policy_has_become_stricter() -> None:
    lenient = AddressPolicy(dev=True)
    local = wish(notifications=NotificationWish(True, "http://127.0.0.1:9999/"))
    entropy = bytes(WEBHOOK_ENTROPY_BYTES)
    webhook = new_webhook(local, "acme", BY_JANE, entropy, lenient)
    with pytest.raises(InvalidArgument):
        changed(webhook, notifications=NotificationWish(enabled=True))


def test_disabling_twice_keeps_the_first_time() -> None:
    off = changed(created(), notifications=NotificationWish(enabled=False))
    later = Stamp("John Roe", NOW + timedelta(days=1))
    asked = msgspec.structs.replace(NOTHING, notifications=NotificationWish(enabled=False))
    assert changed_webhook(off, asked, later, POLICY).notifications == off.notifications
