"""The subscribers of a simulated month: owners who change webhooks, and clients who read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.simulation import invariants
from tests.simulation.dice import Dice
from tests.simulation.history import History, KeyUse, PageSeen, Subscriber
from tests.simulation.month_endpoints import Endpoints
from tests.simulation.month_platforms import ACCOUNTS, APPLICATIONS, FIELDS, SOLUTION
from tests.simulation.server import Answer, Server
from tidings.domain.buckets import bucket_of
from tidings.domain.key import Role
from tidings.domain.lifecycle import Stage

_AWAY_DAYS = (8, 13)


class Subscribers:
    """All of them; each has a key of its own, and a habit that never changes."""

    def __init__(self, server: Server, history: History, dice: Dice, endpoints: Endpoints) -> None:
        self._server = server
        self._history = history
        self._dice = dice
        self._habits: dict[str, Callable[[Subscriber], Awaitable[None]]] = {}
        self._away_until: dict[str, float] = {}
        endpoints.on_ping = self._pinged
        endpoints.accounts = ACCOUNTS

    # --- owners -------------------------------------------------------------------------------

    async def register(self) -> None:
        """Create a webhook, on or off."""
        number = len(self._history.key_uses)
        account = self._dice.one_of(ACCOUNTS)
        key = await self._server.new_key(account, Role.SUBSCRIBER, f"{account}-key-{number}")
        bucket = bucket_of(account, SOLUTION)
        subscriber = Subscriber("", account, bucket, key, self._fresh_url())
        wish = {
            "locator": {"account_id": account, "solution_id": SOLUTION},
            "filter": self._filter(),
            "kinds": ["RECORD_CREATED", "RECORD_UPDATED", "RECORD_DELETED"],
            "notification_status": {"enabled": {"url": subscriber.url}},
        }
        answer = await self._ask(subscriber, "CreateWebhook", {"webhook": wish})
        if answer.status != 200:
            assert answer.status in (0, 503), answer
            return  # made or not: nobody was told its id
        subscriber.webhook_id = answer.json["webhook"]["webhook_id"]
        self._history.listed(subscriber, self._server.clock.monotonic())
        await self._learn_revisions(subscriber)
        self._habits[subscriber.webhook_id] = self._dice.one_of(
            (self._read_page, self._drain, self._read_twice, self._stay_away)
        )
        self._history.subscribers[subscriber.webhook_id] = subscriber

    async def switch(self) -> None:
        """Switch a webhook's pings off, or on."""
        subscriber = self._any()
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
            await self._update(
                subscriber, {"notification_status": {"enabled": {"url": subscriber.url}}}
            )

    async def change_filter(self) -> None:
        """Let a webhook cover something else from now on."""
        subscriber = self._any()
        if subscriber is not None:
            await self._update(subscriber, {"filter": self._filter()})

    async def delete(self) -> None:
        """Delete a webhook, where enough are left."""
        subscriber = self._any()
        if subscriber is not None and len(self._living()) > 4:
            subscriber.wanted_on = None
            await self._until_done(subscriber, "DeleteWebhook", {})
            subscriber.alive = False

    async def pry(self) -> None:
        """Ask for another account's webhook by its id."""
        subscriber, other = self._any(), self._any()
        if subscriber is None or other is None or subscriber.account == other.account:
            return
        answer = await self._ask(subscriber, "ListEvents", {"webhook_id": other.webhook_id})
        assert answer.status in (0, 404, 503), answer

    async def is_visibly_off(self, subscriber: Subscriber) -> bool:
        """Ask for the webhook, and say whether it says that it isn't pinged."""
        answer = await self._until_done(subscriber, "GetWebhook", {})
        if answer is None:
            subscriber.alive = False
            return True
        webhook = answer.json["webhook"]
        return (
            "disabled" in webhook["notification_status"] or "disabled" in webhook["system_status"]
        )

    async def _update(self, subscriber: Subscriber, change: dict[str, Any]) -> bool:
        webhook = {"webhook_id": subscriber.webhook_id, **change}
        answer = await self._until_done(subscriber, "UpdateWebhook", {"webhook": webhook})
        if "notification_status" in change:
            subscriber.restarted = len(subscriber.attempts)
        if answer is not None:
            await self._learn_revisions(subscriber)
        return answer is not None

    async def _learn_revisions(self, subscriber: Subscriber) -> None:
        share, self._server.threads.share = self._server.threads.share, 0.0
        store = self._server.storage.webhooks
        row = await store.get(subscriber.bucket, subscriber.webhook_id)
        assert row is not None
        subscriber.start = row.start_position
        for revision in await store.revisions(subscriber.bucket, subscriber.webhook_id):
            subscriber.revisions[revision.from_position] = revision
        self._server.threads.share = share

    def _filter(self) -> dict[str, Any]:
        if self._dice.chance(0.5):
            return {"solution": {}}
        fields = [self._dice.one_of(FIELDS)] if self._dice.chance(0.5) else []
        application = self._dice.one_of(APPLICATIONS)
        return {"application": {"application_id": application, "field_ids": fields}}

    def _fresh_url(self) -> str:
        return f"https://endpoint-{self._server.clock.entropy(4).hex()}.example/hook"

    def _living(self) -> list[Subscriber]:
        return [one for one in self._history.subscribers.values() if one.alive]

    def _any(self) -> Subscriber | None:
        living = self._living()
        return self._dice.one_of(living) if living else None

    # --- clients ------------------------------------------------------------------------------

    async def come_back(self) -> None:
        """Let a client read without being pinged, unless it stays away."""
        subscriber = self._any()
        if subscriber is not None:
            await self._pinged(subscriber)

    async def _pinged(self, subscriber: Subscriber) -> None:
        if subscriber.alive and not subscriber.asking.locked():
            await self._habits[subscriber.webhook_id](subscriber)

    async def _read_page(self, subscriber: Subscriber) -> None:
        await self._page(subscriber, subscriber.token)

    async def _read_twice(self, subscriber: Subscriber) -> None:
        token = subscriber.token
        await self._page(subscriber, token)
        await self._page(subscriber, token)

    async def _drain(self, subscriber: Subscriber) -> None:
        while (page := await self._page(subscriber, subscriber.token)) and page.positions:
            pass

    async def _stay_away(self, subscriber: Subscriber) -> None:
        now = self._server.clock.monotonic()
        if now >= self._away_until.get(subscriber.webhook_id, 0.0):
            days = self._dice.one_of(_AWAY_DAYS)
            self._away_until[subscriber.webhook_id] = now + days * 86_400.0
            await self._drain(subscriber)

    async def walk(self, subscriber: Subscriber) -> PageSeen | None:
        """Read all there is without a token, as one page; None where that doesn't go through."""
        positions: list[int] = []
        token: int | None = None
        while True:
            page = await self._page(subscriber, token, size=1_000, keeps_token=False)
            if page is None:
                return None
            positions += page.positions
            token = page.next_token
            if not page.positions:
                return PageSeen(0, token, tuple(positions), False, page.at)

    async def _page(
        self, subscriber: Subscriber, token: int | None, size: int = 50, *, keeps_token: bool = True
    ) -> PageSeen | None:
        wish: dict[str, Any] = {"webhook_id": subscriber.webhook_id, "page_size": size}
        if token is not None:
            wish["page_token"] = str(token)
        answer = await self._ask(subscriber, "ListEvents", wish)
        if answer.status != 200:
            assert answer.status in (0, 404, 503), answer
            subscriber.alive = subscriber.alive and answer.status != 404
            return None
        self._history.listed(subscriber, self._server.clock.monotonic())
        if self._server.threads.share:
            subscriber.trouble = subscriber.astray = float("-inf")
        subscriber.stage = Stage.ACTIVE
        said = answer.json
        prefix = f"{subscriber.webhook_id}."
        page = PageSeen(
            after=subscriber.start if token is None else token,
            next_token=int(said["next_page_token"]),
            positions=tuple(int(e["event_id"].removeprefix(prefix)) for e in said["events"]),
            events_expired=said.get("events_expired", token is None),
            at=self._server.clock.now(),
        )
        subscriber.pages.append(page)
        if keeps_token:
            subscriber.token = max(page.next_token, subscriber.token or 0)
        return page

    # --- asking -------------------------------------------------------------------------------

    async def _until_done(
        self, subscriber: Subscriber, method: str, body: dict[str, Any]
    ) -> Answer | None:
        """Ask until it is done; None where there is no such webhook any more."""
        while True:
            answer = await self._ask(
                subscriber, method, {"webhook_id": subscriber.webhook_id, **body}
            )
            if answer.status in (200, 404):
                return answer if answer.status == 200 else None
            assert answer.status in (0, 503), answer
            await self._server.clock.sleep(2.0)

    async def _ask(self, subscriber: Subscriber, method: str, body: dict[str, Any]) -> Answer:
        """Ask once; where the key asked too often, wait as long as it was told and ask again."""
        async with subscriber.asking:
            while True:
                at = self._server.clock.monotonic()
                answer = await self._server.call(method, body, subscriber.key)
                uses = self._history.key_uses.setdefault(subscriber.key, [])
                if answer.counted:
                    uses.append(KeyUse(at, answer.status))
                strangers = [one for one in ACCOUNTS if one != subscriber.account]
                invariants.tenancy(answer.body, strangers)
                if answer.status != 429:
                    return answer
                await self._server.clock.sleep(30.0)
