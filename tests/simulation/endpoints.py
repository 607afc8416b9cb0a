"""A Sender whose endpoints do as a test says; nothing leaves the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
    """ports.Sender: each URL answers as `behave` says, 200 otherwise; `hold` keeps answers back."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.sent: list[Sent] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._monotonic = monotonic
        self._behaviours: dict[str, Behaviour] = {}
        self._held: dict[str, asyncio.Event] = {}

    def behave(self, url: str, behaviour: SendOutcome | Behaviour) -> None:
        """Let an endpoint answer so from now on."""
        self._behaviours[url] = behaviour if callable(behaviour) else lambda request: behaviour

    def hold(self, url: str) -> asyncio.Event:
        """Keep an endpoint's answers back until the returned event is set."""
        return self._held.setdefault(url, asyncio.Event())

    def to(self, url: str) -> list[Sent]:
        """Return what an endpoint got, in order."""
        return [sent for sent in self.sent if sent.url == url]

    async def send(self, request: SendRequest) -> SendOutcome:
        """Record the request and answer by script."""
        self.sent.append(Sent(request, self._monotonic()))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            held = self._held.get(request.url)
            if held is not None:
                await held.wait()
            behaviour = self._behaviours.get(request.url)
            return behaviour(request) if behaviour else OK
        finally:
            self.in_flight -= 1

    async def close(self) -> None:
        """Nothing is held open."""
