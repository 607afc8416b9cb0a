"""A server process put together: the one place that knows every part (the composition root)."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from tidings import telemetry
from tidings.api.health import ReadinessCheck
from tidings.cli.api_part import ApiPart
from tidings.cli.http_server import bound, ended_by_signals, url_of
from tidings.cli.running import Running
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
from tidings.ports import Clock, Storage
from tidings.sender import CurlSender
from tidings.storage.migrate import migrate_own
from tidings.storage.open import open_storage

_HOLDER_BYTES = 6


async def run_server(
    settings: Settings,
    ready: Callable[[str], None],
    *,
    listener: socket.socket | None = None,
    lifeline: int | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain (within 30 s) and return.

    `ready` is called with a sentence once the schema is current, the dispatch has taken over and
    connections are accepted. `listener` is a socket that is bound already, where processes share
    one; `lifeline` a pipe that whoever started them holds open: its end is as a SIGTERM. A second
    signal ends without waiting. Raises what opening the storage raises, and FailedPrecondition
    where the port is taken.
    """
    clock = SystemClock()
    await migrate_own(settings.database)
    async with _opened(settings, clock) as storage:
        server = _Server(settings, clock, storage, ready)
        try:
            with _socket_of(settings, listener) as bound_socket:
                await server.run(bound_socket, lifeline)
        finally:
            await server.close()


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


def _socket_of(
    settings: Settings, listener: socket.socket | None
) -> AbstractContextManager[socket.socket | None]:
    if listener is not None or ServerRole.API not in settings.server_roles:
        return nullcontext(listener)
    return bound(settings.host, settings.port)


class _Server:
    """All parts of one process, by its roles, from start to end."""

    def __init__(
        self, settings: Settings, clock: Clock, storage: Storage, ready: Callable[[str], None]
    ) -> None:
        roles = settings.server_roles
        holder = f"{socket.gethostname()}-{os.getpid()}-{clock.entropy(_HOLDER_BYTES).hex()}"
        self._settings = settings
        self._clock = clock
        self._ready = ready
        self._sender = CurlSender(AddressPolicy(dev=settings.dev), clock, ca_file=settings.ca_file)
        self._watch = SweepWatch(storage.lifecycle)
        self._api: ApiPart | None = None
        self._dispatch: Dispatch | None = None
        self._sweeper: Sweeper | None = None
        self._attendance: Attendance | None = None
        if ServerRole.API in roles:
            self._api = ApiPart(settings, clock, storage, self._sender, holder, self._checks(roles))
        if ServerRole.DISPATCHER in roles:
            self._dispatch = Dispatch(
                storage,
                self._sender,
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

    async def run(self, listener: socket.socket | None, lifeline: int | None) -> None:
        """Start, serve, drain."""
        if self._sweeper is not None:
            await self._sweeper.run_once()
        if self._dispatch is not None:
            await self._dispatch.start()
        ending = asyncio.Event()
        working = Running(self._workers(), self._clock)
        with ended_by_signals(ending, self._hang_up, lifeline):
            if self._api is not None and listener is not None:
                self._api.start(listener, lambda: self._announce(listener), ending)
            else:
                self._announce(None)
            await ending.wait()
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
        telemetry.logger().info(telemetry.SERVER_STOPPED)

    async def close(self) -> None:
        """Hang up on all endpoints."""
        await self._sender.close()

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

    def _hang_up(self) -> None:
        if self._api is not None:
            self._api.hang_up()

    def _announce(self, listener: socket.socket | None) -> None:
        url = None if listener is None else url_of(listener, "http")
        roles = self._settings.roles
        telemetry.logger().info(
            telemetry.SERVER_STARTED, url=url, roles=roles, dev=self._settings.dev
        )
        self._ready(
            f"tidings works as {roles}" if url is None else f"tidings is listening on {url}"
        )

    def _checks(self, roles: frozenset[ServerRole]) -> tuple[ReadinessCheck, ...]:
        """Return what must be well, besides the database, for this process to be ready."""
        checks: list[ReadinessCheck] = [self._sweeping]
        if ServerRole.DISPATCHER in roles:
            checks.append(self._dispatching)
        return tuple(checks)

    async def _dispatching(self) -> str | None:
        return None if self._dispatch is None else self._dispatch.hindrance

    async def _sweeping(self) -> str | None:
        if self._sweeper is not None and self._sweeper.hindrance is not None:
            return self._sweeper.hindrance
        return await self._watch.hindrance()
