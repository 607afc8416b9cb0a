"""What a wish makes of a webhook: the rules of creating and updating one (contract 1.4)."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from tidings.domain.address import AddressPolicy, parse_endpoint
from tidings.domain.buckets import bucket_of, new_webhook_id
from tidings.domain.limits import LOG_DAYS, ROTATION_HOURS
from tidings.domain.signing import SECRET_BYTES, new_secret
from tidings.domain.webhook import DisabledReason, Notifications, Stamp, Webhook
from tidings.domain.webhook_messages import URL_ARGUMENT, NotificationWish, WebhookWish
from tidings.errors import InvalidArgument

_ID_BYTES = 15
WEBHOOK_ENTROPY_BYTES = _ID_BYTES + SECRET_BYTES
"""Random bytes that a new webhook takes: for its id and for its secret."""


def new_webhook(
    wish: WebhookWish, account: str, stamp: Stamp, entropy: bytes, policy: AddressPolicy
) -> Webhook:
    """Return the webhook that a CreateWebhook asks for, not yet in the log.

    `entropy` is WEBHOOK_ENTROPY_BYTES random bytes. Raises InvalidArgument, naming what is missing
    or wrong; without `notification_status` notifications are off.
    """
    if wish.webhook_id:
        raise InvalidArgument("webhook.webhook_id", "webhook.webhook_id is given by the server")
    if not wish.solution.strip():
        raise _required("webhook.locator.solution_id")
    if wish.filter is None:
        raise _required("webhook.filter")
    if wish.kinds is None:
        raise _required("webhook.kinds")
    _check_start_at(wish.start_at, stamp.at)
    bucket = bucket_of(account, wish.solution)
    none_yet = Notifications(enabled=False)
    status = wish.notifications or NotificationWish(enabled=False)
    return Webhook(
        bucket=bucket,
        webhook_id=new_webhook_id(bucket, entropy[:_ID_BYTES]),
        account=account,
        solution=wish.solution,
        filter=wish.filter,
        kinds=wish.kinds,
        notifications=changed_notifications(none_yet, status, stamp.at, policy),
        secret=new_secret(entropy[_ID_BYTES:]),
        created=stamp,
        updated=stamp,
    )


def changed_webhook(
    webhook: Webhook, wish: WebhookWish, stamp: Stamp, policy: AddressPolicy
) -> Webhook:
    """Return `webhook` as an UpdateWebhook asks for it: what is present is replaced, the rest kept.

    Raises InvalidArgument where the wish would move it to another solution, or is wrong.
    """
    if wish.solution not in ("", webhook.solution):
        name = "webhook.locator.solution_id"
        raise InvalidArgument(name, f"{name} can't change: create a webhook there")
    if wish.start_at is not None:
        name = "webhook.start_at"
        raise InvalidArgument(name, f"{name} can only be given when a webhook is created")
    notifications = webhook.notifications
    if wish.notifications is not None:
        notifications = changed_notifications(notifications, wish.notifications, stamp.at, policy)
    return replace(
        webhook,
        filter=webhook.filter if wish.filter is None else wish.filter,
        kinds=webhook.kinds if wish.kinds is None else wish.kinds,
        notifications=notifications,
        updated=stamp,
    )


def changed_notifications(
    last: Notifications, wish: NotificationWish, now: datetime, policy: AddressPolicy
) -> Notifications:
    """Return where and whether pings go after a wish for it.

    Enabling starts afresh: what failed before is forgotten. It vets the address also where the
    last one is kept, since the policy may have changed meanwhile. Disabling keeps the address.
    """
    if not wish.enabled:
        by_owner = last.reason is DisabledReason.BY_OWNER
        return Notifications(
            enabled=False,
            url=last.url,
            reason=DisabledReason.BY_OWNER,
            disabled_at=last.disabled_at if by_owner else now,
        )
    url = wish.url or last.url
    if url is None:
        raise _required(URL_ARGUMENT)
    parse_endpoint(url, policy, argument=URL_ARGUMENT)
    return Notifications(enabled=True, url=url)


def rotated_webhook(webhook: Webhook, stamp: Stamp, entropy: bytes) -> Webhook:
    """Return `webhook` with a new signing secret; the one before signs too, for a day more.

    Of a rotation within that day the oldest secret signs no more (contract 1.4, 1.6). `entropy`
    is `SECRET_BYTES` long.
    """
    return replace(
        webhook,
        secret=new_secret(entropy),
        previous_secret=webhook.secret,
        previous_secret_expires_at=stamp.at + timedelta(hours=ROTATION_HOURS),
        updated=stamp,
    )


def _check_start_at(start_at: datetime | None, now: datetime) -> None:
    if start_at is None:
        return
    name = "webhook.start_at"
    if start_at > now:
        raise InvalidArgument(name, f"{name} must not lie in the future")
    if start_at < now - timedelta(days=LOG_DAYS):
        raise InvalidArgument(name, f"{name} lies before the log, which keeps {LOG_DAYS} days")


def _required(argument: str) -> InvalidArgument:
    return InvalidArgument(argument, f"{argument} is required")
