"""The owners of a simulated month's webhooks: they make, change and delete them."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.simulation import egress
from tests.simulation.asking import Asking
from tests.simulation.dice import Dice
from tests.simulation.history import History, Subscriber
from tests.simulation.month_hosts import INSIDE_URLS
from tests.simulation.month_platforms import ACCOUNTS, APPLICATIONS, FIELDS, SOLUTION
from tests.simulation.server import Server
from tidings.domain.buckets import bucket_of
from tidings.domain.filter import Filter, Revision
from tidings.domain.key import Role

FEWEST = 4
"""Webhooks that are left alone: a world without any shows nothing."""
_REVISIONS = "SELECT from_position, filter FROM webhook_revision WHERE webhook_id = ?"
_CREATED = "SELECT min(position) FROM change_log WHERE kind = 0 AND subject = ?"
_filter = msgspec.json.Decoder(Filter).decode


class Shown(msgspec.Struct, frozen=True):
    """What a webhook says of itself."""

    off: bool
    given_up: bool
    """Off since its endpoint failed for a day, or said 410."""


class Owners:
    """All of them; some have one key for several webhooks."""

    def __init__(self, server: Server, history: History, dice: Dice) -> None:
        self._server = server
        self._history = history
        self._dice = dice
        self._asking = Asking(server, history, ACCOUNTS)
        self._keys: list[tuple[str, str]] = []
        self.shared = 0.3
        """So many webhooks of one are made with a key that others have too."""

    async def register(
        self,
        account: str | None = None,
        url: str | None = None,
        wanted: dict[str, Any] | None = None,
    ) -> None:
        """Create a webhook; what isn't given is left to the dice."""
        account, key = await self._key(account)
        bucket = bucket_of(account, SOLUTION)
        subscriber = Subscriber("", account, bucket, key, url or self._fresh_url())
        wish = {
            "locator": {"account_id": account, "solution_id": SOLUTION},
            "filter": wanted or self._filter(),
            "kinds": ["RECORD_CREATED", "RECORD_UPDATED", "RECORD_DELETED"],
            "notification_status": {"enabled": {"url": subscriber.url}},
        }
        answer = await self._asking.ask(subscriber, "CreateWebhook", {"webhook": wish})
        if answer.status != 200:
            assert answer.status in (0, 503), answer
            return  # made or not: nobody was told its id
        subscriber.webhook_id = answer.json["webhook"]["webhook_id"]
        [(subscriber.start,)] = self._server.threads.rows(_CREATED, subscriber.webhook_id)
        self._history.listed(subscriber, self._server.clock.monotonic())
        self._learn_revisions(subscriber)
        self._history.subscribers[subscriber.webhook_id] = subscriber

    async def reach_inside(self) -> None:
        """Ask for a webhook of an address inside, or move one there."""
        url = self._dice.one_of(INSIDE_URLS)
        status = {"notification_status": {"enabled": {"url": url}}}
        subscriber = self._any()
        if subscriber is not None and self._dice.chance(0.5):
            webhook = {"webhook_id": subscriber.webhook_id, **status}
            answer = await self._asking.ask(subscriber, "UpdateWebhook", {"webhook": webhook})
        else:
            account, key = await self._key(None)
            asker = Subscriber("", account, bucket_of(account, SOLUTION), key, url)
            locator = {"account_id": account, "solution_id": SOLUTION}
            webhook = {"locator": locator, "filter": {"solution": {}}, **status}
            answer = await self._asking.ask(asker, "CreateWebhook", {"webhook": webhook})
        egress.refused(answer.status, url)

    async def switch(self, subscriber: Subscriber | None = None) -> None:
        """Switch a webhook's pings off, or on."""
        subscriber = subscriber or self._any()
        if subscriber is not None:
            on = not subscriber.wanted_on
            status = {"enabled": {"url": subscriber.url}} if on else {"disabled": {}}
            subscriber.wanted_on = None
            if await self._update(subscriber, {"notification_status": status}):
                subscriber.wanted_on = on

    async def move(self) -> None:
        """Let a webhook that is on notify another URL."""
        subscriber = self._any()
        if subscriber is not None and subscriber.wanted_on:
            subscriber.url = self._fresh_url()
            subscriber.dying = False
            await self._update(
                subscriber, {"notification_status": {"enabled": {"url": subscriber.url}}}
            )

    async def change_filter(
        self, subscriber: Subscriber | None = None, wanted: dict[str, Any] | None = None
    ) -> None:
        """Let a webhook cover something else from now on."""
        subscriber = subscriber or self._any()
        if subscriber is not None:
            await self._update(subscriber, {"filter": wanted or self._filter()})

    async def delete(self) -> None:
        """Delete a webhook, where enough are left."""
        subscriber = self._any()
        if subscriber is not None and len(self._history.living()) > FEWEST:
            subscriber.wanted_on = None
            await self._asking.until_done(subscriber, "DeleteWebhook", {})
            subscriber.alive = False

    async def look(self, subscriber: Subscriber) -> Shown | None:
        """Ask a webhook how it is; None where it is gone."""
        answer = await self._asking.until_done(subscriber, "GetWebhook", {})
        if answer is None:
            subscriber.alive = False
            return None
        webhook = answer.json["webhook"]
        status = webhook["notification_status"]
        return Shown(
            off="disabled" in status or "disabled" in webhook["system_status"],
            given_up=bool(status.get("disabled")),
        )

    async def _key(self, account: str | None) -> tuple[str, str]:
        known = [one for one in self._keys if account in (None, one[0])]
        if known and self._dice.chance(self.shared):
            return self._dice.one_of(known)
        account = account or self._dice.one_of(ACCOUNTS)
        text = f"{account}-key-{len(self._keys)}"
        self._keys.append((account, await self._server.new_key(account, Role.SUBSCRIBER, text)))
        return self._keys[-1]

    async def _update(self, subscriber: Subscriber, change: dict[str, Any]) -> bool:
        webhook = {"webhook_id": subscriber.webhook_id, **change}
        answer = await self._asking.until_done(subscriber, "UpdateWebhook", {"webhook": webhook})
        if "notification_status" in change:
            subscriber.restarted = len(subscriber.attempts)
            subscriber.restarted_at = self._server.clock.monotonic()
        if answer is not None:
            self._learn_revisions(subscriber)
        return answer is not None

    def _learn_revisions(self, subscriber: Subscriber) -> None:
        """Take note of what it covers from where on: of the rows, past the engine's own code."""
        for place, wanted in self._server.threads.rows(_REVISIONS, subscriber.webhook_id):
            subscriber.revisions[place] = Revision(place, _filter(wanted), ())

    def _filter(self) -> dict[str, Any]:
        if self._dice.chance(0.5):
            return {"solution": {}}
        fields = [self._dice.one_of(FIELDS)] if self._dice.chance(0.5) else []
        application = self._dice.one_of(APPLICATIONS)
        return {"application": {"application_id": application, "field_ids": fields}}

    def _fresh_url(self) -> str:
        return f"https://endpoint-{self._server.clock.entropy(4).hex()}.example/hook"

    def _any(self) -> Subscriber | None:
        living = self._history.living()
        return self._dice.one_of(living) if living else None
