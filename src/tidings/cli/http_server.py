"""An HTTP server of ours: its socket, its signals, and a word when it listens."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import uvicorn
from starlette.types import ASGIApp

from tidings.api.connection import BoundedHttp
from tidings.config import flag_of
from tidings.domain import limits
from tidings.errors import FailedPrecondition, InvalidArgument

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Tls(msgspec.Struct, frozen=True):
    """A certificate with its chain, and its private key: PEM files. Raises InvalidArgument."""

    cert: str
    key: str

    def __post_init__(self) -> None:
        try:
            # An encrypted key is refused: nobody may be there to be asked.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.cert, self.key, b"")
        except (OSError, ValueError) as error:
            raise InvalidArgument(
                "cert", f"--cert {self.cert} and --key {self.key} can't be used: {error}."
            ) from None


def configured(
    app: ASGIApp, *, connections: int, drain_seconds: float, tls: Tls | None = None
) -> uvicorn.Config:
    """Return how an application is served: bounded, and silent but for what we say ourselves."""
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=connections,
        timeout_keep_alive=limits.KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(drain_seconds),
        ssl_certfile=None if tls is None else tls.cert,
        ssl_keyfile=None if tls is None else tls.key,
    )


class HttpServer(uvicorn.Server):
    """uvicorn without its own signals, and with a word when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, and say so.

        Raises FailedPrecondition where another, who had bound the same address, listened first.
        """
        where = ", ".join(url_of(one, "http") for one in sockets or ())
        taken = FailedPrecondition(f"{where} can't be listened on: another does by now.")
        try:
            await super().startup(sockets)
        except OSError:
            raise taken from None
        if any(one.fileno() < 0 for one in sockets or ()):
            raise taken  # uvloop says nothing of it, and closes the socket
        self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is open, and end.

        Over TLS a client that only keeps its connection is not said goodbye to: asyncio would wait
        for its answer, which many clients give with their next request.
        """
        if self.config.is_ssl:
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedHttp) and connection.is_idle:
                    connection.transport.abort()
        await super().shutdown(sockets)

    def hang_up(self) -> None:
        """Answer what is open no more."""
        self.force_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: they end more than the HTTP server."""
        yield


@contextmanager
def ended_by_signals(
    ending: asyncio.Event, hang_up: Callable[[], None], lifeline: int | None = None
) -> Iterator[None]:
    """Take SIGTERM and SIGINT: the first sets `ending`, a second hangs up on open requests.

    The end of a pipe, the `lifeline`, is as a first signal.
    """
    loop = asyncio.get_running_loop()

    def end() -> None:
        if ending.is_set():
            hang_up()
        ending.set()

    if lifeline is not None:
        loop.add_reader(lifeline, _ended_by_pipe, loop, lifeline, ending)
    for number in ENDING_SIGNALS:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in ENDING_SIGNALS:
            loop.remove_signal_handler(number)
        if lifeline is not None:
            loop.remove_reader(lifeline)


def _ended_by_pipe(loop: asyncio.AbstractEventLoop, lifeline: int, ending: asyncio.Event) -> None:
    loop.remove_reader(lifeline)
    ending.set()


@contextmanager
def bound(host: str, port: int, *, setting: str = "port") -> Iterator[socket.socket]:
    """Bind the address without listening yet, so that nobody connects before all is ready.

    Raises FailedPrecondition where that can't be, naming the `setting` that the port is of.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise FailedPrecondition(f"{flag_of('host')} {host}: {error.strerror}.") from None
    with contextlib.closing(listener):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by each connection: a client that takes none of its answer is hung up on.
        stalled_ms = limits.STALLED_CLIENT_SECONDS * 1000
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, stalled_ms)
        try:
            listener.bind(address)
        except OSError as error:
            raise FailedPrecondition(
                f"{host} port {port} can't be listened on: {error.strerror}. "
                f"Choose another with {flag_of(setting)}."
            ) from None
        yield listener


def url_of(listener: socket.socket, scheme: str) -> str:
    """Return the URL of a socket that is bound."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
