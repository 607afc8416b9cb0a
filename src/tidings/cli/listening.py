"""An endpoint on a port, put together: its HTTP server, what it takes, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec
from starlette.types import Receive, Scope, Send

from tidings.cli.http_server import HttpServer, Tls, bound, configured, ended_by_signals, url_of
from tidings.clock import SystemClock
from tidings.domain import limits
from tidings.listener.delivery import Delivery
from tidings.listener.listener import Listener
from tidings.listener.passing import Target
from tidings.listener.record import RecordFile
from tidings.receiver import asgi
from tidings.receiver.decision import Rules
from tidings.receiver.secrets import Secrets


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How to listen. `secrets` is None where senders sign nothing."""

    host: str
    port: int
    secrets: Secrets | None
    tls: Tls | None
    forward: str | None
    record: str | None


async def listen_until_told(
    wanted: Wanted, listening: Callable[[str], None], tell: Callable[[Delivery], None]
) -> None:
    """Answer requests until SIGTERM or SIGINT; then let those that are open end, and return.

    `listening` is called with the URL once connections are accepted. Where `tell` raises, because
    nobody reads any more, it ends too, and raises that. Raises FailedPrecondition where the port
    can't be had, InvalidArgument for a file that can't be used, ConfigurationError for a URL.
    """
    clock = SystemClock()
    ending = asyncio.Event()
    unheard: list[OSError] = []

    def told(delivery: Delivery) -> None:
        try:
            tell(delivery)
        except OSError as error:
            unheard.append(error)
            ending.set()

    async with AsyncExitStack() as parts:
        target = record = None
        if wanted.forward is not None:
            target = await parts.enter_async_context(
                Target(wanted.forward, clock, argument="forward")
            )
        if wanted.record is not None:
            record = parts.enter_context(RecordFile(wanted.record))
        listener = Listener(
            Rules(secrets=wanted.secrets), clock, told, record=record, target=target
        )
        await _serve(listener, wanted, ending, listening)
    if unheard:
        raise unheard[0]


async def _serve(
    listener: Listener, wanted: Wanted, ending: asyncio.Event, listening: Callable[[str], None]
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asgi.run(listener, scope, receive, send)

    config = configured(
        app,
        connections=limits.LISTEN_CONNECTIONS,
        drain_seconds=limits.LISTEN_DRAIN_SECONDS,
        tls=wanted.tls,
    )
    scheme = "http" if wanted.tls is None else "https"
    with bound(wanted.host, wanted.port) as socket:
        http = HttpServer(config, lambda: listening(url_of(socket, scheme)))
        with ended_by_signals(ending, http.hang_up):
            serving = asyncio.create_task(http.serve(sockets=[socket]))
            serving.add_done_callback(lambda _: ending.set())
            await ending.wait()
            http.should_exit = True
            await serving
