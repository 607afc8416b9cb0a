"""How a process says that it lives and can work, on a port that is for nothing else."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.acceptance.processes import RunningServer, changes_body
from tests.acceptance.role_processes import RoleProcess
from tidings.clock import SystemClock
from tidings.demo.processes import free_port, wait_until
from tidings.domain.server_role import ServerRole

CLOCK = SystemClock()
PATIENCE_SECONDS = 15.0


def asked(url: str) -> httpx.Response | None:
    """Return an answer, None where nobody listens."""
    try:
        return httpx.get(url, trust_env=False, verify=False, timeout=PATIENCE_SECONDS)
    except httpx.TransportError:
        return None


def when(url: str, wanted: Callable[[httpx.Response], bool]) -> httpx.Response:
    """Ask until the answer is wanted, and return it."""
    until = CLOCK.monotonic() + PATIENCE_SECONDS
    while CLOCK.monotonic() < until:
        answer = asked(url)
        if answer is not None and wanted(answer):
            return answer
        CLOCK.pause(0.05)
    raise AssertionError(f"{url}: {answer and answer.text}")


@pytest.mark.only_on("postgresql", "a SQLite file is served by one process, in all roles")
def test_a_process_without_the_api_says_how_it_is_and_heeds_sigterm_while_it_starts(
    own_database: str, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    roles = (ServerRole.DISPATCHER, ServerRole.SWEEPER)
    options = ("--health-port", url.rpartition(":")[2])
    with RoleProcess(own_database, tmp_path, "quiet", *roles, options=options) as process:
        with psycopg.connect(own_database) as holding:
            holding.execute("SELECT * FROM sweep FOR UPDATE")
            starting = when(f"{url}/readyz", lambda answer: True)
            assert starting.status_code == 503
            assert "the server is starting" in starting.json()["reasons"]
            assert when(f"{url}/healthz", lambda answer: True).status_code == 200
            assert process.stop() == 0
        assert asked(f"{url}/healthz") is None
        process.start()
        ready = when(f"{url}/readyz", lambda answer: answer.status_code == 200)
        assert ready.json() == {"status": "ready"}
        elsewhere = when(f"{url}/v1/changes", lambda answer: True)
        assert (elsewhere.status_code, elsewhere.json()["status"]) == (404, 404)
        said = f"tidings works as dispatcher,sweeper and says how it is on {url}\n"
        wait_until(lambda: said in process.log(), PATIENCE_SECONDS, CLOCK, process.log())
        assert process.stop() == 0
        assert "Traceback" not in process.log()


@pytest.mark.only_on("sqlite", "what it says while it drains hangs on no database")
def test_a_server_that_drains_lives_and_is_not_ready(own_database: str, tmp_path: Path) -> None:
    port = free_port()
    health = f"http://127.0.0.1:{port}"
    with (
        RunningServer(tmp_path, "--health-port", str(port), database=own_database) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        assert when(f"{health}/readyz", lambda answer: True).status_code == 200
        body = changes_body("s", 1)
        host, _, api_port = server.url.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(api_port))) as half:
            half.sendall(
                f"POST /v1/changes HTTP/1.1\r\nHost: x\r\nAuthorization: Token {server.make_key()}"
                "\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body[:10]
            )
            when(f"{server.url}/healthz", lambda answer: True)
            stopping = pool.submit(server.stop)
            stopped = when(f"{health}/readyz", lambda answer: answer.status_code == 503)
            assert stopped.json()["reasons"] == ["the server is stopping"]
            assert when(f"{health}/healthz", lambda answer: True).status_code == 200
            half.sendall(body[10:])
            half.settimeout(PATIENCE_SECONDS)
            assert half.recv(65_536).startswith(b"HTTP/1.1 200 OK")
        assert stopping.result(30) == 0
