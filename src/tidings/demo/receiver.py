"""The demo's receiver, a process of its own: `python -m tidings.demo.receiver <orders.json>`.

It is told by pings alone: one is verified, kept and acknowledged, and then the events are listed
from the saved page token and applied. It can be killed at any moment.
"""

from __future__ import annotations

import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn

import msgspec

from tidings.client import Client, Patience
from tidings.clock import SystemClock
from tidings.demo.ledger import Ledger, ReceivedPing
from tidings.domain import signing
from tidings.domain.limits import PAGE_SIZE_MAX
from tidings.errors import SignatureMismatchError, TidingsError

REQUESTS_PER_SECOND = 4
"""Below the 5 a second that the contract allows a key (1.8)."""
PING_BYTES = 64 * 1024
IDLE_SECONDS = 30
"""A connection that says nothing is closed."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver must know."""

    port: int
    ledger: str
    url: str
    key: str
    webhook_id: str
    secret: str


class _PingBody(msgspec.Struct):
    transactionNumber: int  # noqa: N815 - the contract's word


class Pace:
    """Says how long to wait so that no second sees more than so many requests."""

    def __init__(self, per_second: int) -> None:
        self._gap = 1.0 / per_second
        self._next_at = 0.0

    def take(self, now: float) -> float:
        """Take a turn; return the seconds until it."""
        at = max(now, self._next_at)
        self._next_at = at + self._gap
        return at - now


class Receiver:
    """Keeps pings, and reads events up to the newest of them."""

    def __init__(self, orders: Orders, ledger: Ledger, clock: SystemClock) -> None:
        self.rung = threading.Event()
        self._orders = orders
        self._ledger = ledger
        self._clock = clock
        self._pace = Pace(REQUESTS_PER_SECOND)

    def take_ping(self, headers: dict[str, str], body: bytes) -> int:
        """Verify and keep one ping; return the status to answer."""
        try:
            signing.verify([self._orders.secret], headers, body, now=self._clock.now())
            covered = msgspec.json.decode(body, type=_PingBody).transactionNumber
        except (SignatureMismatchError, msgspec.DecodeError):
            return HTTPStatus.BAD_REQUEST
        identity = {name.lower(): value for name, value in headers.items()}["webhook-id"]
        self._ledger.add_ping(ReceivedPing(identity, covered, self._clock.monotonic()))
        self.rung.set()
        return HTTPStatus.OK

    def work(self) -> NoReturn:
        """Read whenever a ping came, for ever; what failed is tried again a second later."""
        if self._ledger.unread():  # told of before a crash, and not read then
            self.rung.set()
        patience = Patience(first_seconds=1.0 / REQUESTS_PER_SECOND)
        orders = self._orders
        with Client(orders.url, orders.key, pause=self._clock.pause, patience=patience) as client:
            while True:
                self.rung.wait()
                self.rung.clear()
                try:
                    self._read_events(client)
                except TidingsError as error:
                    sys.stderr.write(f"{error.message}\n")
                    self._clock.pause(1.0)
                    self.rung.set()

    def _read_events(self, client: Client) -> None:
        """List and apply pages until there is nothing more now."""
        token = self._ledger.progress().token
        more = True
        while more:
            self._clock.pause(self._pace.take(self._clock.monotonic()))
            page = client.list_events(
                self._orders.webhook_id, page_token=token, page_size=PAGE_SIZE_MAX
            )
            token = self._ledger.apply(page).token
            more = page.has_more


def endpoint_of(receiver: Receiver, port: int) -> ThreadingHTTPServer:
    """Return the HTTP server that takes pings, on this machine only."""

    class Endpoint(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = IDLE_SECONDS

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            status = HTTPStatus.LENGTH_REQUIRED
            if length.isdigit() and int(length) <= PING_BYTES:
                body = self.rfile.read(int(length))
                status = HTTPStatus(receiver.take_ping(dict(self.headers), body))
            else:
                self.close_connection = True
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing of each request."""

    return ThreadingHTTPServer(("127.0.0.1", port), Endpoint)


def main() -> None:
    """Run a receiver by its orders until it is stopped or killed."""
    orders = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders)
    receiver = Receiver(orders, Ledger(Path(orders.ledger)), SystemClock())
    endpoint = endpoint_of(receiver, orders.port)
    threading.Thread(target=endpoint.serve_forever, daemon=True).start()
    receiver.work()


if __name__ == "__main__":
    main()
