"""A server process put together: the one place that knows every part (the composition root)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress

from tidings import telemetry
from tidings.api.app import build_health_app
from tidings.api.health import ReadinessCheck
from tidings.cli.api_part import ApiPart
from tidings.cli.database import opening
from tidings.cli.health_part import health_served
from tidings.cli.http_server import ended_by_signals, url_of
from tidings.cli.running import EndedEarly, Running, unless_ended
from tidings.cli.sockets import Sockets, bound_sockets
from tidings.clock import SystemClock
from tidings.config import Settings
from tidings.domain.address import AddressPolicy
from tidings.domain.server_role import ServerRole
from tidings.engine.attendance import Attendance
from tidings.engine.dispatch import Dispatch
from tidings.engine.leading import Led
from tidings.engine.retention import Retention
from tidings.engine.sweep_watch import SweepWatch
from tidings.engine.sweeper import Sweeper
from tidings.engine.worker import Worker
from tidings.ports import Clock, Sender, Storage
from tidings.sender import CurlSender
from tidings.storage.migrate import migrate_own
from tidings.storage.open import open_storage

_HOLDER_BYTES = 6


async def run_server(
    settings: Settings,
    ready: Callable[[str], None],
    *,
    sockets: Sockets | None = None,
    lifeline: int | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain (within 30 s) and return.

    `ready` is called with a sentence once the schema is current, the dispatch has taken over and
    connections are accepted. `sockets` are bound already, where processes share them; `lifeline` is
    a pipe that whoever started them holds open: its end is as a SIGTERM. One that comes during
    the start breaks it off; a second signal ends without waiting. Raises what opening the storage
    raises, and FailedPrecondition where a port is taken.
    """
    server, ending = _Server(settings, SystemClock(), ready), asyncio.Event()
    with ended_by_signals(ending, server.hang_up, lifeline):
        with suppress(EndedEarly):
            await server.run(sockets, ending)
        telemetry.logger().info(telemetry.SERVER_STOPPED)


@asynccontextmanager
async def _opened(
    settings: Settings, clock: Clock, ending: asyncio.Event
) -> AsyncIterator[Storage]:
    with opening(settings.database):
        await migrate_own(settings.database)
        storage = await unless_ended(
            ending,
            open_storage(
                settings.database,
                clock,
                serve=True,
                connections=settings.database_connections,
                statement_seconds=settings.statement_seconds,
            ),
        )
    try:
        yield storage
    finally:
        await storage.close()


class _Server:
    """All parts of one process, by its roles, from start to end."""

    def __init__(
        self, settings: Settings, clock: SystemClock, ready: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ready = ready
        self._hindrance: str | None = "the server is starting"
        self._api: ApiPart | None = None
        self._dispatch: Dispatch | None = None
        self._sweeper: Sweeper | None = None
        self._attendance: Attendance | None = None

    async def run(self, sockets: Sockets | None, ending: asyncio.Event) -> None:
        """Start, serve, drain. Raises EndedEarly where `ending` came first."""
        own = bound_sockets(self._settings) if sockets is None else nullcontext(sockets)
        policy = AddressPolicy(dev=self._settings.dev)
        async with _opened(self._settings, self._clock, ending) as storage:
            sender = CurlSender(policy, self._clock, ca_file=self._settings.ca_file)
            checks = self._checks(storage)
            self._put_together(storage, sender, checks)
            health = build_health_app(storage, self._clock, checks)
            try:
                with own as listening:
                    async with health_served(health, listening.health, ending):
                        await self._serve(listening, ending)
            finally:
                await sender.close()

    def hang_up(self) -> None:
        """Answer what is open no more."""
        if self._api is not None:
            self._api.hang_up()

    def _put_together(
        self, storage: Storage, sender: Sender, checks: Sequence[ReadinessCheck]
    ) -> None:
        settings, clock = self._settings, self._clock
        roles = settings.server_roles
        holder = f"{socket.gethostname()}-{os.getpid()}-{clock.entropy(_HOLDER_BYTES).hex()}"
        if ServerRole.API in roles:
            self._api = ApiPart(settings, clock, storage, sender, holder, checks)
        if ServerRole.DISPATCHER in roles:
            self._dispatch = Dispatch(
                storage,
                sender,
                clock,
                holder,
                reads=None if self._api is None else self._api.reads,
                sends=settings.sends,
                gather_seconds=settings.callback_gather_seconds,
            )
        if ServerRole.SWEEPER in roles:
            retention = Retention(storage.retention, clock)
            self._sweeper = Sweeper(storage.lifecycle, clock, (retention,))
            if not storage.capabilities.sole_server:
                self._attendance = Attendance(storage.roster, clock, ServerRole.SWEEPER, holder)

    async def _serve(self, sockets: Sockets, ending: asyncio.Event) -> None:
        try:
            await unless_ended(ending, self._start())
        except EndedEarly:
            if self._dispatch is not None:
                await self._dispatch.stop()
            raise
        working = Running(self._workers(), self._clock)
        self._hindrance = None
        if self._api is not None and sockets.api is not None:
            self._api.start(sockets.api, lambda: self._announce(sockets), ending)
        else:
            self._announce(sockets)
        await ending.wait()
        self._hindrance = "the server is stopping"
        telemetry.logger().info(telemetry.SERVER_DRAINING)
        # Pings land while requests are answered, so that both fit into the 30 s together;
        # what is published meanwhile is pinged by the next start, from the checkpoint.
        ended = await asyncio.gather(
            self._stop_api(), self._stop_working(working), return_exceptions=True
        )
        if self._api is not None:
            await self._api.write_down()
        for failure in ended:
            if isinstance(failure, BaseException):
                raise failure

    async def _start(self) -> None:
        if self._sweeper is not None:
            await self._sweeper.run_once()
        if self._dispatch is not None:
            await self._dispatch.start()

    def _workers(self) -> tuple[Worker, ...]:
        workers: list[Worker] = []
        if self._dispatch is not None:
            workers.extend(self._dispatch.workers)
        if self._sweeper is not None and self._attendance is not None:
            workers += [self._attendance, Led(self._sweeper, self._attendance)]
        elif self._sweeper is not None:
            workers.append(self._sweeper)
        return tuple(workers)

    async def _stop_api(self) -> None:
        if self._api is not None:
            await self._api.stop()

    async def _stop_working(self, workers: Running) -> None:
        await workers.stop()
        if self._dispatch is not None:
            await self._dispatch.stop()
        if self._attendance is not None:
            await self._attendance.leave()

    def _announce(self, sockets: Sockets) -> None:
        url, health_url = (None if one is None else url_of(one, "http") for one in sockets)
        roles = self._settings.roles
        telemetry.logger().info(
            telemetry.SERVER_STARTED,
            url=url,
            health_url=health_url,
            roles=roles,
            dev=self._settings.dev,
        )
        sentence = f"tidings works as {roles}" if url is None else f"tidings is listening on {url}"
        self._ready(
            sentence if health_url is None else f"{sentence} and says how it is on {health_url}"
        )

    def _checks(self, storage: Storage) -> tuple[ReadinessCheck, ...]:
        """Return what must be well, besides the database, for this process to be ready."""
        watch = SweepWatch(storage.lifecycle)

        async def working() -> str | None:
            return self._hindrance

        async def dispatching() -> str | None:
            return None if self._dispatch is None else self._dispatch.hindrance

        async def sweeping() -> str | None:
            leads = self._attendance is None or self._attendance.leads
            if self._sweeper is not None and leads and self._sweeper.hindrance is not None:
                return self._sweeper.hindrance
            return await watch.hindrance()

        return (working, dispatching, sweeping)
