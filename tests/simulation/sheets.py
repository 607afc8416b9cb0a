"""A world with sheets in it: callback webhooks, their endpoints, and changes of rows."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec.structs import replace

from tests.simulation.endpoints import OK, Behaviour, Sent
from tests.simulation.world import World
from tidings.domain import signing
from tidings.domain.buckets import WEBHOOK_NUMBER_BYTES, bucket_of, new_webhook_number
from tidings.domain.challenge import CHALLENGE_HEADER, RESPONSE_HEADER
from tidings.domain.dispatch import CallbackCursor
from tidings.domain.filter import ApplicationFilter
from tidings.domain.kinds import Kind
from tidings.domain.log_entry import Receipt
from tidings.domain.sheet_standing import sheet_of, stood
from tidings.domain.sheet_webhook import SheetPart, SheetStatus
from tidings.domain.webhook import Notifications, Stamp, Webhook
from tidings.engine.flight import Call
from tidings.engine.publish import Publisher
from tidings.engine.subscriptions import Subscription
from tidings.ports import SendOutcome, SendRequest

URL = "https://endpoint.example/callback"
SHEET = 4509506114742148
ACCOUNT, SOLUTION = "acme", "crm"
COLUMNS = (11, 12, 13)


def answering_challenges(otherwise: SendOutcome = OK) -> Behaviour:
    """Return an endpoint that passes every challenge, and answers all else so."""

    def behave(request: SendRequest) -> SendOutcome:
        value = dict(request.headers).get(CHALLENGE_HEADER)
        if value is None:
            return otherwise
        return SendOutcome(status=200, headers={RESPONSE_HEADER.lower(): value})

    return behave


class SheetWorld(World):
    """Callback webhooks of one sheet, and what is published in it."""

    _composing = 0

    async def start(self) -> None:
        """Start a dispatch, and count who composes a callback."""
        await super().start()
        composer = self.dispatch.dispatcher._sending._composer
        compose = composer.compose

        async def counted(subscription: Subscription, webhook: Webhook, call: Call) -> Any:
            self._composing += 1
            try:
                return await compose(subscription, webhook, call)
            finally:
                self._composing -= 1

        composer.compose = counted  # type: ignore[method-assign]

    async def land(self) -> None:
        """Let what is composed be written and sent: that takes the database's time, and no other.

        Virtual time would move on meanwhile, since nobody but a task of its own waits for it.
        """
        await super().land()
        while self._composing:
            await asyncio.sleep(0.0002)
            await super().land()

    async def let(self, answer: asyncio.Event) -> None:
        """Let an answer come that was held back, and what follows from it at the same instant."""
        answer.set()
        await self.land()
        await self.run(0)

    async def call(
        self,
        url: str = URL,
        *,
        columns: tuple[int, ...] = (),
        enabled: bool = True,
        key_id: str = "key_none",
    ) -> Webhook:
        """Create a callback webhook, and enable it as if it had passed its challenge."""
        bucket = bucket_of(ACCOUNT, SOLUTION)
        stamp = Stamp("Jane Doe", self.clock.now())
        number = new_webhook_number(bucket, self.clock.entropy(WEBHOOK_NUMBER_BYTES))
        webhook = Webhook(
            bucket=bucket,
            webhook_id=str(number),
            account=ACCOUNT,
            solution=SOLUTION,
            filter=ApplicationFilter(str(SHEET), tuple(map(str, columns))),
            kinds=tuple(Kind),
            notifications=Notifications(enabled=False, url=url),
            secret=signing.new_shared_secret(self.clock.entropy(signing.SHARED_SECRET_BYTES)),
            created=stamp,
            updated=stamp,
            sheet=SheetPart(
                name="a webhook", sheet=SHEET, columns=columns, key_id=key_id, status_at=stamp.at
            ),
        )
        stored = await self.storage.webhooks.create(webhook, start_at=None)
        return await self.stand(stored, SheetStatus.ENABLED) if enabled else stored

    async def row_of(self, webhook: Webhook) -> Webhook:
        """Return a webhook's row."""
        row = await self.storage.webhooks.get(webhook.bucket, webhook.webhook_id)
        assert row is not None
        return row

    async def status_of(self, webhook: Webhook) -> SheetStatus:
        """Return how a webhook stands."""
        return sheet_of(await self.row_of(webhook)).standing

    async def stand(self, webhook: Webhook, status: SheetStatus) -> Webhook:
        """Let a webhook be enabled or disabled, as its owner would."""
        row = await self.row_of(webhook)
        return await self.storage.webhooks.update(stood(row, status, at=self.clock.now()))

    async def move(self, webhook: Webhook, url: str) -> Webhook:
        """Let a webhook be called elsewhere."""
        row = await self.row_of(webhook)
        there = replace(row.notifications, url=url)
        return await self.storage.webhooks.update(replace(row, notifications=there))

    async def cursor_of(self, webhook: Webhook) -> CallbackCursor:
        """Return how far a webhook was called, as the database knows it."""
        cursors = await self.storage.dispatch.cursors(webhook.bucket, [webhook.webhook_id])
        return cursors[webhook.webhook_id]

    # --- what happens in the sheet --------------------------------------------------------------

    async def add_rows(self, *rows: int, cells: int = 1) -> Receipt:
        """Publish new rows, each with so many cells."""
        data = {str(column): "x" for column in range(11, 11 + cells)}
        return await self.publish_changes(
            *({"kind": "RECORD_CREATED", "record_id": str(row), "data": data} for row in rows)
        )

    async def delete_rows(self, *rows: int) -> Receipt:
        """Publish that rows were deleted: one event each."""
        return await self.publish_changes(
            *({"kind": "RECORD_DELETED", "record_id": str(row)} for row in rows)
        )

    async def delete_sheet(self) -> Receipt:
        """Publish that the sheet was deleted."""
        return await self.publish_changes({"kind": "APPLICATION_DELETED"})

    async def publish_changes(self, *changes: dict[str, Any], sheet: int = SHEET) -> Receipt:
        """Publish changes of a sheet as a platform does."""
        publisher = Publisher(self.storage.log, self.storage.applications, self.clock)
        sent = [{"application_id": str(sheet), **change} for change in changes]
        body = msgspec.json.encode({"solution_id": SOLUTION, "changes": sent})
        return await publisher.publish(ACCOUNT, body, None)

    # --- what endpoints got ---------------------------------------------------------------------

    def callbacks(self, url: str = URL) -> list[Sent]:
        """Return the event callbacks that an endpoint got."""
        return [sent for sent in self.sender.to(url) if "events" in sent.json]

    def challenges(self, url: str = URL) -> list[Sent]:
        """Return the challenges that an endpoint got."""
        return [sent for sent in self.sender.to(url) if "challenge" in sent.json]

    def statuses(self, url: str = URL) -> list[str]:
        """Return the statuses that an endpoint was told of."""
        told = [sent.json.get("newWebhookStatus") for sent in self.sender.to(url)]
        return [status for status in told if status is not None]

    def rows(self, url: str = URL) -> list[int]:
        """Return the rows that an endpoint was told of, callback by callback, repetitions too."""
        events = [event for sent in self.callbacks(url) for event in sent.json["events"]]
        return [event["id"] for event in events if event["objectType"] == "row"]

    def handled(self, url: str = URL) -> list[int]:
        """Return the rows that a receiver handles that knows a callback by its nonce."""
        seen: dict[str, list[int]] = {}
        for sent in self.callbacks(url):
            events = sent.json["events"]
            rows = [event["id"] for event in events if event["objectType"] == "row"]
            assert seen.setdefault(sent.json["nonce"], rows) == rows
        return [row for rows in seen.values() for row in rows]
