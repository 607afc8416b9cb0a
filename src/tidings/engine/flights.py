"""The attempts that are under way: one a webhook, each a task (mechanics D6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from tidings import telemetry
from tidings.engine.departure import Compose, Departure
from tidings.engine.slots import Start
from tidings.ports import Sender, SendOutcome


class Flights:
    """Sends, and tells of how it ended: `on_landed` with what was sent, or called off."""

    def __init__(
        self,
        sender: Sender,
        *,
        on_landed: Callable[[Start, Departure | None, SendOutcome], None],
        on_called_off: Callable[[Start], None],
    ) -> None:
        self._sender = sender
        self._on_landed = on_landed
        self._on_called_off = on_called_off
        self._tasks: dict[str, asyncio.Task[SendOutcome | None]] = {}

    def send(self, start: Start, compose: Compose) -> None:
        """Let an attempt start in the background, with what `compose` makes."""
        departed: Departure | None = None

        async def attempt() -> SendOutcome | None:
            nonlocal departed
            departed = await compose()
            return None if departed is None else await self._sender.send(departed.request)

        task = asyncio.create_task(attempt())
        webhook_id = start.subscription.webhook_id
        self._tasks[webhook_id] = task

        def landed(task: asyncio.Task[SendOutcome | None]) -> None:
            if self._tasks.get(webhook_id) is task:
                del self._tasks[webhook_id]
            outcome = None if task.cancelled() else _outcome(task)
            if outcome is None:
                self._on_called_off(start)
            else:
                self._on_landed(start, departed, outcome)

        task.add_done_callback(landed)

    def abort(self, webhook_id: str) -> None:
        """Hang up a webhook's attempt, if one is under way: it is called off."""
        task = self._tasks.get(webhook_id)
        if task is not None:
            task.cancel()

    def abort_all(self) -> None:
        """Hang up all of them."""
        for task in self._tasks.values():
            task.cancel()

    async def drain(
        self, timeout_seconds: float, webhook_ids: Collection[str] | None = None
    ) -> None:
        """Let what is under way (None: for all) end, and abort what doesn't in time."""
        wanted = self._tasks if webhook_ids is None else webhook_ids
        flights = {self._tasks[one] for one in wanted if one in self._tasks}
        if not flights:
            return
        _, late = await asyncio.wait(flights, timeout=timeout_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


def _outcome(task: asyncio.Task[SendOutcome | None]) -> SendOutcome | None:
    """What came of an attempt; a fault of the sender is a failed attempt, and is logged."""
    fault = task.exception()
    if fault is None:
        return task.result()
    telemetry.logger().error(telemetry.WORKER_FAILED, worker="sender", exc_info=fault)
    return SendOutcome(status=None, error="the attempt failed on our side")
