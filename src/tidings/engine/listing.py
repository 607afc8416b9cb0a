"""ListEvents: pages of a webhook's events, read from the log (contract 1.5; mechanics P1 to P7)."""

from __future__ import annotations

from functools import partial

import msgspec

from tidings import telemetry
from tidings.domain.dispatch import ReadNote, Tracked
from tidings.domain.event_page import event_prefix, history_is_gone, next_position, print_page
from tidings.domain.filter import revision_at
from tidings.domain.kinds import CONTROL
from tidings.domain.lifecycle import writes_first
from tidings.domain.limits import PAGE_BYTES, SCAN_BUDGET_SECONDS
from tidings.domain.log_entry import Header, Page, PageQuery
from tidings.domain.page_token import check_not_ahead
from tidings.domain.webhook_messages import EventListWish
from tidings.engine.arrivals import Arrivals
from tidings.engine.known_webhooks import KnownWebhooks, standing_of
from tidings.engine.turns import Turns
from tidings.engine.webhooks import no_such_webhook
from tidings.errors import NotFound, Unavailable
from tidings.ports import Clock, NotificationHints, Storage

_READ_TRIES = 5
"""Reads of one page: the second where the webhook has changed since it was listed last, each other
one where somebody changes it in the midst."""


class Listed(msgspec.Struct, frozen=True):
    """A page as bytes, and the note to make once it is written (mechanics D1)."""

    body: bytes
    note: ReadNote


class Listing:
    """Lists events. It only gives hints; near a limit it writes first (mechanics P7)."""

    def __init__(
        self, storage: Storage, clock: Clock, arrivals: Arrivals, hints: NotificationHints
    ) -> None:
        self._log = storage.log
        self._webhooks = KnownWebhooks(storage.webhooks)
        self._lifecycle = storage.lifecycle
        self._clock = clock
        self._arrivals = arrivals
        self._hints = hints
        self._turns = Turns()

    async def list(self, account: str, key_id: str, wish: EventListWish) -> Listed:
        """Return a page of events, waiting for its first one as long as was asked for.

        Raises NotFound (also when the webhook is deleted meanwhile), InvalidArgument (a page
        token that lies in the future), and Unavailable where the webhook is within a day of a
        limit or past the first, and can't be extended now.
        """
        tracked = await self._extended(await self._find(account, wish.webhook_id), key_id)
        after = max(wish.token or 0, tracked.start_position)
        tracked, page = await self._read(tracked, key_id, after, wish)
        if wish.token is not None:
            check_not_ahead(wish.token, now=page.read_at, last_position=page.bucket_last)
        events_expired = history_is_gone(page, token=wish.token, after=after)
        if wish.wait_seconds:
            page = await self._wait(tracked, key_id, page, wish)
        position = next_position(page)
        return Listed(
            print_page(
                event_prefix(tracked.webhook_id, tracked.account, tracked.solution),
                page.entries,
                position=position,
                has_more=page.has_more,
                events_expired=events_expired,
            ),
            ReadNote(
                bucket=tracked.bucket,
                webhook_id=tracked.webhook_id,
                account=account,
                key_id=key_id,
                listed_at=page.read_at,
                read_position=position,
                has_more=page.has_more,
                asked=wish.token,
            ),
        )

    def written(self, listed: Listed) -> None:
        """Take note that a page's answer is written: from now on it counts as read (D1)."""
        self._hints.note_read(listed.note)

    async def _find(self, account: str, webhook_id: str) -> Tracked:
        """Return the webhook, or NotFound for one of another account as for none (T1)."""
        tracked = await self._webhooks.find(webhook_id)
        if tracked is None or tracked.account != account:
            raise no_such_webhook()
        return tracked

    async def _look(self, known: Tracked) -> Tracked:
        """Return a webhook as it is now, or NotFound."""
        tracked = await self._webhooks.look(known.webhook_id)
        if tracked is None:
            raise no_such_webhook()
        return tracked

    async def _extended(self, tracked: Tracked, key_id: str) -> Tracked:
        """Let the webhook live on before anything is read, where a sweep may be about to end it.

        Judged by what is known of it: a page that hangs on another stage is read again. That its
        limits count from later than is known only means one look more here.
        """
        if not self._writes_first(tracked):
            return tracked
        tracked = await self._look(tracked)
        if not self._writes_first(tracked):
            return tracked
        await self._extend(tracked, key_id)
        return await self._look(tracked)

    def _writes_first(self, tracked: Tracked) -> bool:
        return writes_first(tracked.stage, tracked.extended_at, self._clock.now())

    async def _extend(self, tracked: Tracked, key_id: str) -> None:
        try:
            revived = await self._lifecycle.extend(tracked.bucket, tracked.webhook_id, key_id)
        except NotFound:
            raise no_such_webhook() from None
        if revived:
            telemetry.logger().info(telemetry.WEBHOOK_REVIVED, webhook_id=tracked.webhook_id)

    async def _read(
        self, tracked: Tracked, key_id: str, after: int, wish: EventListWish
    ) -> tuple[Tracked, Page]:
        """Read a page by the revisions that hold at each of its places; return both.

        A filter that changed since `tracked` was read and before the page's snapshot would be
        passed over with the page's token, so the snapshot says how the webhook stands, and the page
        is read again by what is found then. One that doesn't stand at all was deleted.
        """
        for _ in range(_READ_TRIES):
            page = await self._read_page(tracked, key_id, after, wish)
            if page.standing == standing_of(tracked):
                return tracked, page
            tracked = await self._extended(await self._look(tracked), key_id)
        raise Unavailable("this webhook keeps changing; try again")

    async def _read_page(
        self, tracked: Tracked, key_id: str, after: int, wish: EventListWish
    ) -> Page:
        query = PageQuery(
            bucket=tracked.bucket,
            account=tracked.account,
            solution=tracked.solution,
            after=after,
            revisions=tracked.revisions,
            limit=wish.page_size,
            budget_seconds=SCAN_BUDGET_SECONDS,
            max_bytes=PAGE_BYTES,
            webhook_id=tracked.webhook_id,
        )
        await self._turns.take(key_id)
        try:
            return await self._log.read_page(query)
        finally:
            self._turns.give_back(key_id)

    async def _wait(self, tracked: Tracked, key_id: str, page: Page, wish: EventListWish) -> Page:
        """Read on whenever a covered event may have come, until one has or the time is over.

        Each look goes on where the last one ended, and sees the webhook as it is by then: it may
        be changed or deleted meanwhile.
        """
        left = float(wish.wait_seconds)
        ends_at = self._clock.monotonic() + left
        while left > 0 and not self._arrivals.closed and not (page.entries or page.has_more):
            await self._arrivals.wait(
                tracked.account,
                tracked.solution,
                page.bucket_last,
                left,
                self._clock,
                wanted=partial(_is_wanted, tracked),
            )
            tracked, page = await self._read(tracked, key_id, page.end, wish)
            left = ends_at - self._clock.monotonic()
        return page


def _is_wanted(tracked: Tracked, header: Header) -> bool:
    """Whether an entry is to wake a wait: covered by the webhook, or about the webhook itself."""
    if header.kind == CONTROL:
        return header.subject == tracked.webhook_id
    revision = revision_at(tracked.revisions, header.position)
    return revision.rule.matches(header.kind, header.application, header.changed)
