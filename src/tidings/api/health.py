"""`/healthz` and `/readyz`: does the process live, and can it do its work (contract 3.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from starlette.types import Receive, Scope, Send

from tidings import telemetry
from tidings.api.responses import respond
from tidings.domain.limits import READY_HOLD_SECONDS, READY_SECONDS
from tidings.errors import TidingsError
from tidings.ports import Clock, Storage

ReadinessCheck = Callable[[], Awaitable[str | None]]
"""Returns None, or a sentence that says why the server can't work now. Anyone may read it."""


async def live(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 200: the process lives and its event loop turns."""
    await respond(send, 200, b'{"status":"ok"}')


class Readiness:
    """Answers 200, or 503 with the reasons.

    The answer is held for a moment and looked for by one request at a time: `/readyz` needs no
    key, and each look writes to the database.
    """

    def __init__(self, storage: Storage, clock: Clock, checks: Sequence[ReadinessCheck]) -> None:
        self._storage = storage
        self._clock = clock
        self._checks = (self._probe, *checks)
        self._reasons: list[str] = []
        self._looked_at: float | None = None
        self._looking = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request (ASGI)."""
        async with self._looking:
            now = self._clock.monotonic()
            if self._looked_at is None or now - self._looked_at >= READY_HOLD_SECONDS:
                found = await asyncio.gather(*[self._ask(check) for check in self._checks])
                self._reasons = [reason for reason in found if reason is not None]
                self._looked_at = now
            reasons = self._reasons
        if reasons:
            body = msgspec.json.encode({"status": "unavailable", "reasons": reasons})
            await respond(send, 503, body)
        else:
            await respond(send, 200, b'{"status":"ready"}')

    async def _probe(self) -> str | None:
        await self._storage.probe()
        return None

    async def _ask(self, check: ReadinessCheck) -> str | None:
        log = telemetry.logger()
        try:
            async with asyncio.timeout(READY_SECONDS):
                return await check()
        except TimeoutError:
            return f"no answer within {READY_SECONDS:g} s"
        except TidingsError as error:
            return error.message
        except Exception:
            log.exception(telemetry.REQUEST_FAILED, path="/readyz")
            return "a check failed; see the server's log"
