"""Creating, reading, changing and deleting webhooks (contract 1.4).

The account is always the key's. What belongs to another one is not_found, before anything is
looked up where the request itself says so (mechanics T1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from tidings.domain.address import AddressPolicy
from tidings.domain.buckets import bucket_of_webhook
from tidings.domain.caps import Caps
from tidings.domain.registration import (
    WEBHOOK_ENTROPY_BYTES,
    changed_webhook,
    new_webhook,
    rotated_webhook,
)
from tidings.domain.signing import SECRET_BYTES
from tidings.domain.webhook import Stamp, Webhook
from tidings.domain.webhook_messages import WebhookListWish, WebhookWish
from tidings.errors import InvalidArgument, NotFound, RevisionConflict, Unavailable
from tidings.ports import Clock, WebhookStore

_UPDATE_TRIES = 5
"""Reads and writes of one update: somebody else wins each time only if many write at once."""


class WebhookPage(msgspec.Struct, frozen=True):
    """Webhooks of one page; `next_after` is None on the last one."""

    webhooks: Sequence[Webhook]
    next_after: int | None


class Webhooks:
    """The use cases of the webhook service but for listing events."""

    def __init__(
        self, store: WebhookStore, clock: Clock, policy: AddressPolicy, caps: Caps | None = None
    ) -> None:
        self._caps = caps or Caps()
        self._store = store
        self._clock = clock
        self._policy = policy

    async def create(self, account: str, by: str, wish: WebhookWish) -> Webhook:
        """Create a webhook; `by` is the key's name.

        Raises InvalidArgument, NotFound, FailedPrecondition (the account has no room for it).
        """
        _check_account(account, wish)
        entropy = self._clock.entropy(WEBHOOK_ENTROPY_BYTES)
        webhook = new_webhook(wish, account, self._stamp(by), entropy, self._policy)
        return await self._store.create(webhook, start_at=wish.start_at, caps=self._caps)

    async def get(self, account: str, webhook_id: str) -> Webhook:
        """Return a webhook of the account; raises NotFound."""
        bucket = bucket_of_webhook(webhook_id)
        webhook = None if bucket is None else await self._store.get(bucket, webhook_id)
        if webhook is None or webhook.account != account:
            raise no_such_webhook()
        return webhook

    async def list(self, account: str, wish: WebhookListWish) -> WebhookPage:
        """Return a page of the account's webhooks, in the order of their creation.

        A page starts after a webhook's place, not at a count, so that those which come and go
        meanwhile neither repeat nor hide another.
        """
        found = await self._store.list_of_account(
            account, solution=wish.solution, after=wish.after, limit=wish.page_size + 1
        )
        page = found[: wish.page_size]
        webhooks = [placed.webhook for placed in page]
        return WebhookPage(webhooks, page[-1].place if len(found) > len(page) else None)

    async def update(self, account: str, by: str, wish: WebhookWish) -> Webhook:
        """Change a webhook; return it as it is stored.

        Raises InvalidArgument, NotFound, FailedPrecondition (what it covers changed too often).
        """
        if not wish.webhook_id:
            raise InvalidArgument("webhook.webhook_id", "webhook.webhook_id is required")
        _check_account(account, wish)

        def change(webhook: Webhook) -> Webhook:
            return changed_webhook(webhook, wish, self._stamp(by), self._policy)

        return await self._change(account, wish.webhook_id, change)

    async def rotate_secret(self, account: str, by: str, webhook_id: str) -> Webhook:
        """Give a webhook a new signing secret; the last signs too for a day. Raises NotFound."""
        entropy = self._clock.entropy(SECRET_BYTES)

        def change(webhook: Webhook) -> Webhook:
            return rotated_webhook(webhook, self._stamp(by), entropy)

        return await self._change(account, webhook_id, change)

    async def delete(self, account: str, webhook_id: str) -> None:
        """Delete a webhook, and with it what it could list. Raises NotFound."""
        await self._store.delete(await self.get(account, webhook_id))

    async def _change(
        self, account: str, webhook_id: str, change: Callable[[Webhook], Webhook]
    ) -> Webhook:
        """Read a row, decide upon it and write it by its revision; again where others were faster.

        Unavailable if that never ends.
        """
        for _ in range(_UPDATE_TRIES):
            changed = change(await self.get(account, webhook_id))
            try:
                return await self._store.update(changed, caps=self._caps)
            except RevisionConflict:
                continue
        raise Unavailable("this webhook is being changed by others; try again")

    def _stamp(self, by: str) -> Stamp:
        return Stamp(by, self._clock.now())


def no_such_webhook() -> NotFound:
    """Return the one answer for a webhook that isn't there and for one of another account (T1)."""
    return NotFound("there is no such webhook")


def _check_account(account: str, wish: WebhookWish) -> None:
    if wish.account not in ("", account):
        raise no_such_webhook()
