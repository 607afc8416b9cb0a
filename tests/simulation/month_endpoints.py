"""The endpoints of a simulated month: what they answer, and what is judged at each request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from tests.simulation import egress, invariants
from tests.simulation.dice import Dice
from tests.simulation.endpoints import OK, Sent
from tests.simulation.history import Attempted, History, Subscriber
from tests.simulation.invariants import Violation
from tests.simulation.month_hosts import Names
from tests.simulation.month_platforms import ACCOUNTS
from tests.simulation.server import Server
from tidings.ports import SendOutcome

_SLOW_SECONDS = (1.0, 3.0, 24.9)
ANSWERS = (
    *(OK,) * 4,
    SendOutcome(status=204),
    SendOutcome(status=301, error="answered 301"),
    SendOutcome(status=410, error="answered 410"),
    SendOutcome(status=429, headers={"retry-after": "90"}, error="answered 429"),
    SendOutcome(status=500, body=b"\xff" * 100, error="answered 500"),
    SendOutcome(status=None, error="the answer isn't HTTP"),
    SendOutcome(status=None, error="connection refused", unreachable=True),
)
DEATHS = (
    SendOutcome(status=500, error="answered 500"),
    SendOutcome(status=503, headers={"retry-after": "7200"}, error="answered 503"),
    SendOutcome(status=None, error="connection refused", unreachable=True),
)


class Endpoints:
    """All of them, behind the scripted sender."""

    def __init__(self, server: Server, history: History, dice: Dice) -> None:
        self.on_ping: Callable[[Subscriber], Awaitable[None]]
        self.accounts: tuple[str, ...] = ()
        self.names = Names(server.sender, dice)
        self._server = server
        self._history = history
        self._dice = dice
        self._violations: list[Violation] = []
        self._reactions: set[asyncio.Future[None]] = set()
        egress.watch(server.sender, self.judge, len(ACCOUNTS))
        server.sender.began = self._began
        server.sender.ended = self._ended

    async def change(self) -> None:
        """Let an endpoint answer otherwise from now on, at once or after a while."""
        living = [one for one in self._history.living() if not one.dying]
        if not living:
            return
        subscriber = self._dice.one_of(living)
        self.mend(subscriber)
        if self._dice.chance(0.2):
            self.names.change(subscriber.url)
        elif self._dice.chance(0.2):
            self._flap(subscriber)
        else:
            self._server.sender.behave(subscriber.url, self._dice.one_of(ANSWERS))
        if self._dice.chance(0.3):
            self.drag(subscriber, self._dice.one_of(_SLOW_SECONDS))

    async def die(self) -> None:
        """Let an endpoint fail until it is given up."""
        await self.change()
        living = [one for one in self._history.living() if one.wanted_on]
        if living and self._dice.chance(0.5):
            subscriber = self._dice.one_of(living)
            self.mend(subscriber)
            subscriber.dying = True
            self._server.sender.behave(subscriber.url, self._dice.one_of(DEATHS))

    def drag(self, subscriber: Subscriber, seconds: float) -> None:
        """Let an endpoint take so long for each answer."""
        sleep = self._server.clock.sleep
        self._server.sender.visits[subscriber.url] = lambda: sleep(seconds)

    def mend(self, subscriber: Subscriber) -> None:
        """Let an endpoint be well."""
        subscriber.dying = False
        self.names.mend(subscriber.url)
        self._server.sender.visits.pop(subscriber.url, None)
        self._server.sender.behave(subscriber.url, OK)

    def _flap(self, subscriber: Subscriber) -> None:
        self._server.sender.behave(subscriber.url, lambda _: self._dice.one_of(ANSWERS))

    # --- judging ------------------------------------------------------------------------------

    def judge(self, check: Callable[..., None], *given: Any) -> None:
        """Check where the engine would take a violation for a fault; raised a little later."""
        try:
            check(*given)
        except Violation as violation:
            self._violations.append(violation)

    def raise_violation(self) -> None:
        """Raise what was found on the way; also what a client's reaction to a ping ran into."""
        for reaction in [reaction for reaction in self._reactions if reaction.done()]:
            self._reactions.discard(reaction)
            reaction.result()
        if self._violations:
            raise self._violations[0]

    def _began(self, sent: Sent) -> None:
        subscriber = self._history.subscribers.get(sent.json["webhookId"])
        if subscriber is None:
            return  # its creation isn't answered yet
        events = self._history.events_of(subscriber)
        attempt = Attempted(
            sent=sent,
            life=self._server.life,
            listable=self._server.threads.last_position(subscriber.bucket),
            enabled=subscriber.enabled,
            last_event=events[-1].position if events else 0,
            began=self._server.clock.monotonic(),
            trouble=self._history.trouble,
        )
        subscriber.attempts.append(attempt)
        subscriber.flying.append(attempt)
        strangers = [account for account in self.accounts if account != subscriber.account]
        self.judge(invariants.only_while_enabled, attempt)
        self.judge(invariants.listable_first, attempt)
        self.judge(invariants.one_in_flight, subscriber.flying)
        self.judge(invariants.within_caps, [one for one in self._everybody() if one.flying])
        self.judge(invariants.tenancy, sent.body, strangers)

    def _everybody(self) -> Iterable[Subscriber]:
        return self._history.subscribers.values()

    def _ended(self, sent: Sent) -> None:
        subscriber = self._history.subscribers.get(sent.json["webhookId"])
        if subscriber is None:
            return
        for attempt in subscriber.flying:
            if attempt.sent is sent:
                attempt.ended = self._server.clock.monotonic()
        subscriber.flying = [one for one in subscriber.flying if one.sent is not sent]
        self._reactions.add(asyncio.ensure_future(self.on_ping(subscriber)))
