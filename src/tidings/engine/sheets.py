"""Creating, reading, changing and deleting callback webhooks (contract 2.2, 2.3).

The account is always the key's: a webhook of another one, and one that follows the other contract,
is not there (mechanics T1).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec

from tidings.domain.address import AddressPolicy
from tidings.domain.buckets import bucket_of_number
from tidings.domain.caps import Caps
from tidings.domain.dispatch import CallbackCursor
from tidings.domain.limits import (
    SHEETS_PAGE_SIZE,
    SHEETS_PAGE_SIZE_MAX,
    SHEETS_READ_AT_ONCE,
)
from tidings.domain.sheet_messages import (
    SheetChange,
    SheetWish,
    read_sheet_change,
    read_sheet_wish,
)
from tidings.domain.sheet_refusal import SheetCode, SheetRefusal
from tidings.domain.sheet_registration import (
    SHEET_ENTROPY_BYTES,
    answered,
    check_may_change,
    disabled_administratively,
    judged,
    new_sheet_webhook,
    with_new_secret,
)
from tidings.domain.signing import SHARED_SECRET_BYTES
from tidings.domain.webhook import Stamp, Webhook
from tidings.engine.verifier import Verifier
from tidings.engine.webhooks import no_such_webhook
from tidings.errors import AlreadyExists, RevisionConflict, Unavailable
from tidings.ports import Clock, Storage

_TRIES = 5
"""Reads and writes of one change: somebody else wins each time only if many write at once."""


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: the key's account, its id, and its name for the stamps."""

    account: str
    key_id: str
    name: str


class Standing(msgspec.Struct, frozen=True):
    """A webhook, and how far it was called."""

    webhook: Webhook
    cursor: CallbackCursor | None


class SheetPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of an account's webhooks; numbers count from 1."""

    number: int
    size: int
    total: int
    webhooks: Sequence[Standing]

    @property
    def pages(self) -> int:
        """How many pages of this size there are; at least the one that is empty."""
        return max(1, math.ceil(self.total / self.size))


class Sheets:
    """The use cases of the Smartsheet contract's webhook service."""

    def __init__(
        self,
        storage: Storage,
        verifier: Verifier,
        clock: Clock,
        policy: AddressPolicy,
        caps: Caps | None = None,
    ) -> None:
        self._store = storage.webhooks
        self._cursors = storage.dispatch
        self._applications = storage.applications
        self._verifier = verifier
        self._clock = clock
        self._policy = policy
        self._caps = caps or Caps()

    async def create(self, asker: Asker, body: bytes) -> Standing:
        """Create a webhook of a sheet that is known: disabled, and not verified.

        Raises what `read_sheet_wish` does, SheetRefusal 1151, and FailedPrecondition where the
        account has no room for it.
        """
        wish = read_sheet_wish(body, self._policy)
        solution = await self._applications.solution_of(asker.account, str(wish.sheet))
        if solution is None:
            raise SheetRefusal(
                SheetCode.SCOPE_NOT_FOUND,
                f"There is no sheet {wish.sheet}.",
                argument="scopeObjectId",
            )
        return Standing(await self._created(asker, wish, solution), None)

    async def _created(self, asker: Asker, wish: SheetWish, solution: str) -> Webhook:
        for _ in range(_TRIES):
            entropy = self._clock.entropy(SHEET_ENTROPY_BYTES)
            webhook = new_sheet_webhook(
                wish, asker.account, solution, asker.key_id, self._stamp(asker.name), entropy
            )
            try:
                return await self._store.create(webhook, start_at=None, caps=self._caps)
            except AlreadyExists:
                continue  # of 2^44 numbers another one has this very one
        raise Unavailable("no number was free for this webhook; try again")

    async def get(self, account: str, number: int) -> Standing:
        """Return a webhook of the account; raises NotFound."""
        [standing] = await self._with_cursors([await self._find(account, number)])
        return standing

    async def list(
        self, account: str, *, number: int = 1, size: int = SHEETS_PAGE_SIZE, everything: bool
    ) -> SheetPage:
        """Return a page of the account's webhooks, newest first.

        `everything`: as many as one answer may hold, on the first page.
        """
        if everything:
            number, size = 1, SHEETS_PAGE_SIZE_MAX
        size = min(size, SHEETS_PAGE_SIZE_MAX)
        skip, total = (number - 1) * size, 0
        found: dict[str, Webhook] = {}
        while len(found) < size:
            limit = min(size - len(found), SHEETS_READ_AT_ONCE)
            part = await self._store.sheets_of_account(account, skip=skip + len(found), limit=limit)
            total = part.total
            # One that was created meanwhile moves the others down: they are met again.
            known = len(found)
            found |= {webhook.webhook_id: webhook for webhook in part.webhooks}
            if len(part.webhooks) < limit or len(found) == known:
                break
        webhooks = await self._with_cursors(list(found.values()))
        if everything:
            size = max(1, min(total, size))
        return SheetPage(number=number, size=size, total=total, webhooks=webhooks)

    async def update(self, asker: Asker, number: int, body: bytes) -> Standing:
        """Change a webhook; answers after its challenge has ended, where there is one (2.4).

        A challenge that wasn't passed is no error: the webhook then says so. Raises what
        `read_sheet_change` does, NotFound, SheetRefusal 1153 or 1154.
        """
        change = read_sheet_change(body, self._policy)
        return await self._changed(asker, number, change)

    async def delete(self, account: str, number: int) -> None:
        """Delete a webhook. Raises NotFound."""
        await self._store.delete(await self._find(account, number))

    async def reset_secret(self, asker: Asker, number: int) -> str:
        """Give a webhook another shared secret, and return it. Raises NotFound."""
        entropy = self._clock.entropy(SHARED_SECRET_BYTES)

        def change(webhook: Webhook) -> Webhook:
            return with_new_secret(webhook, self._stamp(asker.name), entropy)

        return (await self._rewritten(asker.account, number, change)).secret

    async def disable(self, asker: Asker, number: int) -> Standing:
        """Disable a webhook until `enable`, whatever its owner asks. Raises NotFound."""

        def change(webhook: Webhook) -> Webhook:
            return disabled_administratively(webhook, self._clock.now())

        webhook = await self._rewritten(asker.account, number, change)
        [standing] = await self._with_cursors([webhook])
        return standing

    async def enable(self, asker: Asker, number: int) -> Standing:
        """Enable a webhook after its challenge, also one that was disabled by `disable`.

        Raises NotFound, and SheetRefusal 1153 where the key that created it is revoked.
        """
        return await self._changed(asker, number, SheetChange(enabled=True), administrative=True)

    async def _changed(
        self, asker: Asker, number: int, change: SheetChange, *, administrative: bool = False
    ) -> Standing:
        """Judge, challenge, and write by the revision; again where the row has moved on.

        What an endpoint answered holds for its URL, so it isn't asked twice.
        """
        answers: dict[str, str | None] = {}
        for _ in range(_TRIES):
            webhook = await self._find(asker.account, number)
            check_may_change(webhook, administrative=administrative)
            wanted = judged(webhook, change, self._stamp(asker.name))
            changed = wanted.webhook
            if wanted.challenges is not None:
                if wanted.challenges not in answers:
                    failure = await self._verifier.verify(webhook, wanted.challenges)
                    answers[wanted.challenges] = failure
                failure = answers[wanted.challenges]
                changed = answered(wanted, failure, self._stamp(asker.name))
            if changed == webhook:
                return await self.get(asker.account, number)
            try:
                stored = await self._store.update(changed, caps=self._caps)
            except RevisionConflict:
                continue
            [standing] = await self._with_cursors([stored])
            return standing
        raise _contended()

    async def _rewritten(
        self, account: str, number: int, change: Callable[[Webhook], Webhook]
    ) -> Webhook:
        for _ in range(_TRIES):
            changed = change(await self._find(account, number))
            try:
                return await self._store.update(changed, caps=self._caps)
            except RevisionConflict:
                continue
        raise _contended()

    async def _find(self, account: str, number: int) -> Webhook:
        bucket = bucket_of_number(number)
        webhook = None if bucket is None else await self._store.get(bucket, str(number))
        if webhook is None or webhook.account != account:
            raise no_such_webhook()
        return webhook

    async def _with_cursors(self, webhooks: Sequence[Webhook]) -> Sequence[Standing]:
        by_bucket: dict[int, list[str]] = defaultdict(list)
        for webhook in webhooks:
            by_bucket[webhook.bucket].append(webhook.webhook_id)
        cursors: dict[str, CallbackCursor] = {}
        for bucket, ids in by_bucket.items():
            cursors |= await self._cursors.cursors(bucket, ids)
        return [Standing(webhook, cursors.get(webhook.webhook_id)) for webhook in webhooks]

    def _stamp(self, by: str) -> Stamp:
        return Stamp(by, self._clock.now())


def _contended() -> Unavailable:
    return Unavailable("this webhook is being changed by others; try again")
