"""The role `api` put together: what answers requests, and what it notes meanwhile."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from tidings.api.app import Engine, build_app
from tidings.api.auth import Authenticator
from tidings.api.health import ReadinessCheck
from tidings.api.metering import Rates
from tidings.cli.http_server import HttpServer, configured
from tidings.cli.running import CutShort, Running
from tidings.config import Settings
from tidings.domain.address import AddressPolicy
from tidings.domain.caps import Caps
from tidings.engine.arrivals import Arrivals
from tidings.engine.listing import Listing
from tidings.engine.publish import Publisher
from tidings.engine.reads import Reads
from tidings.engine.sheets import Sheets
from tidings.engine.told_counts import ToldCounts
from tidings.engine.verifier import Verifier
from tidings.engine.webhooks import Webhooks
from tidings.engine.worker import Worker
from tidings.ports import Clock, Sender, Storage


class ApiPart:
    """Answers requests on a socket, from `serve` until its end."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        storage: Storage,
        sender: Sender,
        holder: str,
        readiness: Sequence[ReadinessCheck],
    ) -> None:
        policy = AddressPolicy(dev=settings.dev)
        caps = Caps(
            account_webhooks=settings.account_webhooks,
            solution_webhooks=settings.solution_webhooks,
        )
        shared = not storage.capabilities.sole_server
        rates = Rates(
            requests_per_second=settings.requests_per_second,
            sheet_requests_per_minute=settings.sheet_requests_per_minute,
            publish_requests_per_second=settings.publish_requests_per_second,
            shared=shared,
        )
        verifier = Verifier(sender, storage.dispatch, clock)
        self.reads = Reads(storage.dispatch)
        self._settings = settings
        self._clock = clock
        self._arrivals = Arrivals(hints=storage.capabilities.hints)
        self._unwatch = storage.log.watch(self._arrivals.appended)
        self._authenticator = Authenticator(storage.keys, clock)
        self._app = build_app(
            Engine(
                publisher=Publisher(storage.log, storage.applications, clock),
                listing=Listing(storage, clock, self._arrivals, self.reads),
                webhooks=Webhooks(storage.webhooks, clock, policy, caps),
                sheets=Sheets(storage, verifier, clock, policy, caps),
                authenticator=self._authenticator,
                storage=storage,
                clock=clock,
                rates=rates,
                readiness=readiness,
            )
        )
        self._workers: list[Worker] = [self.reads, self._authenticator]
        if shared:
            self._workers.append(ToldCounts(storage.counts, clock, holder, rates.by_service()))
        self._http: HttpServer | None = None
        self._serving: asyncio.Task[None] | None = None
        self._noting: Running | None = None

    def start(
        self, listener: socket.socket, listening: Callable[[], None], ended: asyncio.Event
    ) -> None:
        """Accept requests; `ended` is set where the HTTP server ends by itself."""
        config = configured(
            CutShort(self._app),
            connections=self._settings.connections,
            drain_seconds=self._settings.drain_seconds,
        )
        self._http = HttpServer(config, listening)
        self._noting = Running(self._workers, self._clock)
        self._serving = asyncio.create_task(self._http.serve(sockets=[listener]))
        self._serving.add_done_callback(lambda _: ended.set())

    def hang_up(self) -> None:
        """Answer what is open no more."""
        if self._http is not None:
            self._http.hang_up()

    async def stop(self) -> None:
        """Answer what is open, and end; raises what the HTTP server raised."""
        if self._http is None or self._serving is None:
            return
        self._http.should_exit = True
        self._arrivals.close()
        await asyncio.wait([self._serving])

    async def write_down(self) -> None:
        """After all has ended: write down what was noted. Raises what ended the HTTP server."""
        self._unwatch()
        if self._noting is not None:
            await self._noting.stop()
            for worker in (self.reads, self._authenticator):
                await worker.run_once()
        if self._serving is not None:
            self._serving.result()
