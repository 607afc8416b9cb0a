"""A Sender whose endpoints do as a test says; nothing leaves the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from tidings.ports import SendOutcome, SendRequest

Behaviour = Callable[[SendRequest], SendOutcome]

OK = SendOutcome(status=200)
ERROR = SendOutcome(status=500)
UNREACHABLE = SendOutcome(status=None, error="connection refused", unreachable=True)


class Sent:
    """One request that an endpoint got."""

    def __init__(self, request: SendRequest, at: float) -> None:
        self.url = request.url
        self.at = at
        self.headers = {name.lower(): value for name, value in request.headers}
        self.body = request.body
        self.json: dict[str, Any] = msgspec.json.decode(request.body)
        self.outcome: SendOutcome | None = None
        """None while it is under way, and where it was aborted."""

    @property
    def notification_id(self) -> str:
        """Return the `webhook-id` header."""
        return self.headers["webhook-id"]

    @property
    def covered(self) -> int:
        """Return the newest position that the ping covers."""
        covered: int = self.json["transactionNumber"]
        return covered


class ScriptedSender:
    """ports.Sender: each URL answers as `behave` says, 200 otherwise; `hold` keeps answers back.

    `began` and `ended` are told of each request; `visits` holds what an endpoint does first, and
    `programs` what answers in the place of a script.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.sent: list[Sent] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.began: Callable[[Sent], None] = lambda sent: None
        self.ended: Callable[[Sent], None] = lambda sent: None
        self.visits: dict[str, Callable[[], Awaitable[object]]] = {}
        self.programs: dict[str, Callable[[SendRequest], Awaitable[SendOutcome]]] = {}
        self._monotonic = monotonic
        self._behaviours: dict[str, Behaviour] = {}
        self._held: dict[str, asyncio.Event] = {}

    def behave(self, url: str, behaviour: SendOutcome | Behaviour) -> None:
        """Let an endpoint answer so from now on."""
        self._behaviours[url] = behaviour if callable(behaviour) else lambda request: behaviour

    def hold(self, url: str) -> asyncio.Event:
        """Keep an endpoint's answers back until the returned event is set."""
        held = self._held.get(url)
        if held is None or held.is_set():
            held = self._held[url] = asyncio.Event()
        return held

    def to(self, url: str) -> list[Sent]:
        """Return what an endpoint got, in order."""
        return [sent for sent in self.sent if sent.url == url]

    async def send(self, request: SendRequest) -> SendOutcome:
        """Record the request and answer by script."""
        sent = Sent(request, self._monotonic())
        self.sent.append(sent)
        self.began(sent)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            sent.outcome = await self.deliver(request)
            return sent.outcome
        finally:
            self.in_flight -= 1
            self.ended(sent)

    async def deliver(self, request: SendRequest) -> SendOutcome:
        """Bring a request to its endpoint; return what came of it."""
        return await self.answer(request)

    async def answer(self, request: SendRequest) -> SendOutcome:
        """Answer for an endpoint that was reached."""
        held = self._held.get(request.url)
        if held is not None:
            await held.wait()
        visit = self.visits.get(request.url)
        if visit is not None:
            await visit()
        program = self.programs.get(request.url)
        if program is not None:
            return await program(request)
        behaviour = self._behaviours.get(request.url)
        return behaviour(request) if behaviour else OK

    async def close(self) -> None:
        """Nothing is held open."""
