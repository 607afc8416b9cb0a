"""A server of one webhook's events, in memory: answers ListEvents, or whatever a test says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from tidings.client import AsyncClient, Client

WEBHOOK = "3c8a1835-a39a-43ba-ba9c-6fbce5581e34"
Fault = Callable[[httpx.Request], httpx.Response | None]
"""Answers in the log's place, raises, or returns None: then the log answers."""


class LogServer:
    """Keeps events at positions 10, 20, 30, …; its faults answer one request each."""

    def __init__(self, events: int = 0) -> None:
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.faults: list[Fault | httpx.Response | Exception] = []
        self.floor = 0
        """Events up to this position are dropped."""
        self._positions: list[int] = []
        self.append(events)

    def append(self, count: int = 1) -> None:
        """Add events behind the last."""
        first = len(self._positions) + 1
        self._positions += [10 * number for number in range(first, first + count)]

    @property
    def kept(self) -> list[int]:
        """The positions of the events that are there."""
        return [position for position in self._positions if position > self.floor]

    def client(self) -> Client:
        """Return a blocking client; it must not wait by itself."""
        return Client("http://server.test", "k", pause=_refuse, transport=self._transport())

    def async_client(self) -> AsyncClient:
        """Return an asynchronous client; it must not wait by itself."""
        return AsyncClient("http://server.test", "k", pause=_refuse, transport=self._transport())

    def _transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        wish = json.loads(request.content)
        self.requests.append(wish)
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            answer = fault if isinstance(fault, httpx.Response) else fault(request)
            if answer is not None:
                return httpx.Response(
                    answer.status_code, headers=answer.headers, content=answer.content
                )
        return httpx.Response(200, json=self.page(wish["page_token"], wish["page_size"]))

    def page(self, token: str | None, size: int) -> dict[str, Any]:
        """Return the page after a token."""
        after = int(token or 0)
        behind = [position for position in self.kept if position > after]
        shown = behind[:size]
        page: dict[str, Any] = {
            "events": [event_at(position) for position in shown],
            "next_page_token": str(shown[-1] if shown else max(after, self.floor)),
            "has_more": len(behind) > size,
        }
        if token and after < self.floor:
            page["events_expired"] = True
        return page


def event_at(position: int, webhook_id: str = WEBHOOK) -> dict[str, Any]:
    """Return the event at a position, as a server prints it."""
    locator = {"account_id": "a", "solution_id": "s"}
    return {
        "webhook_id": webhook_id,
        "locator": locator,
        "event_id": f"{webhook_id}.{position}",
        "kind": "RECORD_CREATED",
        "event_at": "2026-01-15T12:00:00.000Z",
        "record_event_data": {
            "record_id": str(position),
            "locator": locator | {"application_id": "t"},
            "data": {},
            "previous": {},
        },
        "ctx": {},
    }


def refused(status: int, **headers: str) -> httpx.Response:
    """Return an answer that refuses."""
    return httpx.Response(status, headers=headers, json={"code": "any", "msg": "no"})


def _refuse(seconds: float) -> Any:
    raise AssertionError(f"the client was about to wait {seconds} s: waiting is the follower's")
