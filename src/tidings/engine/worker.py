"""The one loop under every worker: `run_once()`, then wait for its wish or its wake-up."""

from __future__ import annotations

import asyncio
from typing import Protocol

from tidings import telemetry
from tidings.errors import TidingsError
from tidings.ports import Clock

PAUSE_AFTER_FAILURE_SECONDS = 1.0
"""A round that raised is followed by this pause, so that a broken database isn't hammered."""


class Worker(Protocol):
    """Something that works in rounds. All its state lives between rounds; none in a stack."""

    name: str
    wake: asyncio.Event
    """Set by others when there is work before the next round is due."""

    async def run_once(self) -> float:
        """Do what is due; return the seconds until the next round is due."""


async def run_worker(worker: Worker, clock: Clock, stop: asyncio.Event) -> None:
    """Run a worker until `stop` is set. A round that raises is logged and tried again later."""
    log = telemetry.logger()
    while not stop.is_set():
        worker.wake.clear()
        try:
            pause = await worker.run_once()
        except TidingsError as error:
            log.warning(telemetry.WORKER_FAILED, worker=worker.name, error=error.message)
            pause = PAUSE_AFTER_FAILURE_SECONDS
        except Exception:
            log.exception(telemetry.WORKER_FAILED, worker=worker.name)
            pause = PAUSE_AFTER_FAILURE_SECONDS
        if not stop.is_set():
            await clock.wait(worker.wake, pause)
