"""The clients of a simulated month: each reads by a habit that never changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.simulation import invariants
from tests.simulation.asking import Asking
from tests.simulation.dice import Dice
from tests.simulation.history import History, PageSeen, Read, Subscriber
from tests.simulation.month_followers import Consumer, Followers
from tests.simulation.month_platforms import ACCOUNTS
from tests.simulation.server import Answer, Server

_AWAY_DAYS = (8, 13)


class Clients:
    """All of them."""

    def __init__(self, server: Server, history: History, dice: Dice) -> None:
        self._server = server
        self._history = history
        self._dice = dice
        self._asking = Asking(server, history, ACCOUNTS)
        self._habits: dict[str, Callable[[Subscriber], Awaitable[None]]] = {}
        self._away_until: dict[str, float] = {}
        self.followers = Followers(server, history, dice, self._list)

    async def come_back(self) -> None:
        """Let a client read without being pinged, unless it stays away."""
        living = self._history.living()
        if living:
            subscriber = self._dice.one_of(living)
            if self._habit(subscriber) == self._follow:
                self.followers.of(subscriber).look()
            else:
                await self.pinged(subscriber)

    async def pinged(self, subscriber: Subscriber) -> None:
        """Let a client read by its habit."""
        if subscriber.alive and not subscriber.asking.locked():
            await self._habit(subscriber)(subscriber)

    def reads_on(self, subscriber: Subscriber) -> bool:
        """Whether it reads on at each ping, until nothing is left."""
        habit = self._habit(subscriber)
        if habit == self._follow:
            return not self.followers.of(subscriber).is_away
        return habit != self._stay_away

    def reads_page_by_page(self, subscriber: Subscriber) -> None:
        """Let a client read one page at each ping from now on."""
        self._habits[subscriber.webhook_id] = self.read_page

    def follows(self, subscriber: Subscriber) -> Consumer:
        """Let a client follow from now on."""
        self._habits[subscriber.webhook_id] = self._follow
        return self.followers.of(subscriber)

    def sleeps(self, subscriber: Subscriber) -> None:
        """Let a client read no more."""
        self._away_until[subscriber.webhook_id] = float("inf")
        self._habits[subscriber.webhook_id] = self._stay_away

    def _habit(self, subscriber: Subscriber) -> Callable[[Subscriber], Awaitable[None]]:
        habit = self._habits.get(subscriber.webhook_id)
        if habit is None:
            habit = self._dice.one_of(
                (self.read_page, self._drain, self._read_twice, self._stay_away, self._follow)
            )
            self._habits[subscriber.webhook_id] = habit
        return habit

    async def read_page(self, subscriber: Subscriber) -> None:
        """Read one page, from where the last one ended."""
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

    async def _follow(self, subscriber: Subscriber) -> None:
        self.followers.of(subscriber).tell()

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
        answer = await self._asking.ask(subscriber, "ListEvents", wish)
        return self._seen(subscriber, token, answer, keeps_token=keeps_token)

    async def _list(self, subscriber: Subscriber, wish: dict[str, Any]) -> Answer:
        """Ask for a page as a follower does."""
        async with subscriber.asking:
            answer = await self._asking.once(subscriber, "ListEvents", wish)
        if answer.status != 429:
            token = wish.get("page_token")
            self._seen(subscriber, None if token is None else int(token), answer)
        return answer

    def _seen(
        self, subscriber: Subscriber, token: int | None, answer: Answer, *, keeps_token: bool = True
    ) -> PageSeen | None:
        """Take note of a page; return it, or None where it is none."""
        if answer.status != 200:
            invariants.token_taken(answer.status, answer.body)
            assert answer.status in (0, 404, 503), answer
            subscriber.alive = subscriber.alive and answer.status != 404
            return None
        self._history.listed(subscriber, self._server.clock.monotonic())
        if self._server.threads.share:
            subscriber.trouble = subscriber.astray = float("-inf")
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
        self._note(subscriber, token, page.next_token, has_more=said.get("has_more", False))
        if keeps_token:
            subscriber.token = max(page.next_token, subscriber.token or 0)
        return page

    def _note(
        self, subscriber: Subscriber, token: int | None, next_token: int, *, has_more: bool
    ) -> None:
        subscriber.reads.append(
            Read(
                at=self._server.clock.monotonic(),
                comes_on=next_token > subscriber.read_to,
                has_more=has_more,
                walks=token is not None and token == subscriber.last_token,
                trouble=self._history.trouble,
            )
        )
        subscriber.last_token = next_token
        subscriber.read_to = max(subscriber.read_to, next_token)
