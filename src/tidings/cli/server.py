"""The server put together: the one place that knows every part (the composition root)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidings import telemetry
from tidings.api.app import Engine, build_app
from tidings.api.auth import Authenticator
from tidings.api.unavailable import respond_unavailable
from tidings.cli.http_server import HttpServer, bound, configured, ended_by_signals, url_of
from tidings.clock import SystemClock
from tidings.config import Settings
from tidings.domain.address import AddressPolicy
from tidings.domain.caps import Caps
from tidings.engine.arrivals import Arrivals
from tidings.engine.dispatch import Dispatch
from tidings.engine.listing import Listing
from tidings.engine.publish import Publisher
from tidings.engine.reads import Reads
from tidings.engine.retention import Retention
from tidings.engine.sheets import Sheets
from tidings.engine.sweeper import Sweeper
from tidings.engine.verifier import Verifier
from tidings.engine.webhooks import Webhooks
from tidings.engine.worker import Worker, run_worker
from tidings.ports import Clock, Storage
from tidings.sender import CurlSender
from tidings.storage.migrate import migrate_own
from tidings.storage.open import open_storage

_HOLDER_BYTES = 6


async def run_server(settings: Settings, listening: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain (within 30 s) and return.

    `listening` is called with the URL once connections are accepted: the schema is current and
    the dispatch has taken over. A second signal ends without waiting. Raises what opening the
    storage raises, and FailedPrecondition where the port is taken.
    """
    clock = SystemClock()
    await migrate_own(settings.database)
    async with _opened(settings, clock) as storage:
        server = _Server(settings, clock, storage, listening)
        await server.run()


@asynccontextmanager
async def _opened(settings: Settings, clock: Clock) -> AsyncIterator[Storage]:
    storage = await open_storage(
        settings.database,
        clock,
        serve=True,
        connections=settings.database_connections,
        statement_seconds=settings.statement_seconds,
    )
    try:
        yield storage
    finally:
        await storage.close()


class _Server:
    """All parts of one server, from start to end."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        storage: Storage,
        listening: Callable[[str], None],
    ) -> None:
        policy = AddressPolicy(dev=settings.dev)
        caps = Caps(
            account_webhooks=settings.account_webhooks,
            solution_webhooks=settings.solution_webhooks,
        )
        self._settings = settings
        self._clock = clock
        self._storage = storage
        self._listening = listening
        self._sender = CurlSender(policy, clock, ca_file=settings.ca_file)
        self._arrivals = Arrivals(hints=storage.capabilities.hints)
        self._reads = Reads(storage.dispatch)
        retention = Retention(storage.retention, clock)
        self._sweeper = Sweeper(storage.lifecycle, clock, (retention,))
        self._authenticator = Authenticator(storage.keys, clock)
        holder = f"{socket.gethostname()}-{os.getpid()}-{clock.entropy(_HOLDER_BYTES).hex()}"
        self._dispatch = Dispatch(
            storage,
            self._sender,
            clock,
            holder,
            reads=self._reads,
            sends=settings.sends,
            gather_seconds=settings.callback_gather_seconds,
        )
        self._app = build_app(
            Engine(
                publisher=Publisher(storage.log, storage.applications, clock),
                listing=Listing(storage, clock, self._arrivals, self._reads),
                webhooks=Webhooks(storage.webhooks, clock, policy, caps),
                sheets=Sheets(
                    storage,
                    Verifier(self._sender, storage.dispatch, clock),
                    clock,
                    policy,
                    caps,
                ),
                authenticator=self._authenticator,
                storage=storage,
                clock=clock,
                requests_per_second=settings.requests_per_second,
                sheet_requests_per_minute=settings.sheet_requests_per_minute,
                publish_requests_per_second=settings.publish_requests_per_second,
                readiness=(self._dispatching, self._sweeping),
            )
        )

    async def run(self) -> None:
        """Start, serve, drain."""
        unwatch = self._storage.log.watch(self._arrivals.appended)
        try:
            with bound(self._settings.host, self._settings.port) as listener:
                await self._sweeper.run_once()
                await self._dispatch.start()
                await self._serve(listener)
        finally:
            unwatch()
            await self._sender.close()

    async def _serve(self, listener: socket.socket) -> None:
        log = telemetry.logger()
        settings = self._settings
        config = configured(
            _CutShort(self._app),
            connections=settings.connections,
            drain_seconds=settings.drain_seconds,
        )
        http = HttpServer(config, lambda: self._announce(listener))
        ending = asyncio.Event()
        dispatching = _Running((*self._dispatch.workers, self._sweeper), self._clock)
        noting = _Running((self._reads, self._authenticator), self._clock)
        with ended_by_signals(ending, http):
            serving = asyncio.create_task(http.serve(sockets=[listener]))
            serving.add_done_callback(lambda _: ending.set())
            await ending.wait()
            log.info(telemetry.SERVER_DRAINING)
            http.should_exit = True
            self._arrivals.close()
            # Pings land while requests are answered, so that both fit into the 30 s together;
            # what is published meanwhile is pinged by the next start, from the checkpoint.
            ended = await asyncio.gather(
                serving, self._end_dispatch(dispatching), return_exceptions=True
            )
            await noting.stop()
            for worker in (self._reads, self._authenticator):
                await worker.run_once()
            for failure in ended:
                if isinstance(failure, BaseException):
                    raise failure
        log.info(telemetry.SERVER_STOPPED)

    async def _end_dispatch(self, workers: _Running) -> None:
        await workers.stop()
        await self._dispatch.stop()

    def _announce(self, listener: socket.socket) -> None:
        url = url_of(listener, "http")
        telemetry.logger().info(telemetry.SERVER_STARTED, url=url, dev=self._settings.dev)
        self._listening(url)

    async def _dispatching(self) -> str | None:
        return self._dispatch.hindrance

    async def _sweeping(self) -> str | None:
        return self._sweeper.hindrance


class _Running:
    """Workers in their loops, until they are stopped."""

    def __init__(self, workers: Sequence[Worker], clock: Clock) -> None:
        self._stop = asyncio.Event()
        self._workers = workers
        self._tasks = [
            asyncio.create_task(run_worker(worker, clock, self._stop), name=worker.name)
            for worker in workers
        ]

    async def stop(self) -> None:
        """Let each end its round, and return."""
        self._stop.set()
        for worker in self._workers:
            worker.wake.set()
        await asyncio.gather(*self._tasks)


class _CutShort:
    """Answers 503 for a request that is still open when the drain's time is over.

    Only the HTTP server cancels a request, and only then; what was to be appended may be durable
    or not, as after a lost connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            if not answered:
                await respond_unavailable(scope, send, "the server is stopping; send this again")
