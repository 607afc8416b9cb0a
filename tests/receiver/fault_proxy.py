"""A proxy before a server that answers some requests wrongly, as a seed draws."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.receiver.draws import Draws

GARBAGE = (b"<html>Bad gateway</html>", b'{"events":[{"event_id":', b"\xff\x00", b"", b"[]", b"{}")
FAULTS = ("429", "500", "503", "garbage", "cut off", "dropped", "lost", "old page")
"""`dropped` closes before the server was asked, `lost` after; `old page` repeats another answer."""


class FaultProxy:
    """Passes requests on while it is entered; `share` of them get a fault."""

    def __init__(self, port: int, *, share: float, seed: int) -> None:
        self.faults: Counter[str] = Counter()
        self._port = port
        self._share = share
        self._dice = Draws(seed)
        self._answers: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._endpoint())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _endpoint(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Endpoint(BaseHTTPRequestHandler):
            # A connection a request: a cut-off answer ends it anyway.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                proxy._answer(self, body)

            def log_message(self, *_: object) -> None:
                """Say nothing of each request."""

        return Endpoint

    def _answer(self, endpoint: BaseHTTPRequestHandler, body: bytes) -> None:
        fault = self._dice.one_of(FAULTS) if self._dice.chance(self._share) else ""
        self.faults[fault] += 1
        if fault in {"429", "500", "503"}:
            _write(endpoint, int(fault), b'{"code":"any","msg":"no"}')
        elif fault == "garbage":
            _write(endpoint, 200, self._dice.one_of(GARBAGE))
        elif fault == "old page" and self._answers:
            _write(endpoint, 200, self._dice.one_of(self._answers))
        elif fault != "dropped":
            status, answer = self._forward(endpoint, body)
            if fault == "cut off":
                _write(endpoint, status, answer, cut=self._dice.below(len(answer)))
            elif fault != "lost":
                self._answers.append(answer)
                _write(endpoint, status, answer)

    def _forward(self, endpoint: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            headers = {name: endpoint.headers[name] for name in ("Authorization", "Content-Type")}
            connection.request("POST", endpoint.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _write(endpoint: BaseHTTPRequestHandler, status: int, body: bytes, cut: int = 0) -> None:
    endpoint.send_response(status)
    endpoint.send_header("Content-Type", "application/json")
    endpoint.send_header("Content-Length", str(len(body)))
    endpoint.send_header("Retry-After", "1")
    endpoint.end_headers()
    endpoint.wfile.write(body[: len(body) - cut])
