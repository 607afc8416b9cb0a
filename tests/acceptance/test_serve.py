"""The server as a process: it drains on SIGTERM, and a SIGKILL loses nothing that was answered."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.acceptance.processes import RunningServer, changes_body
from tidings.client import Client
from tidings.errors import PermissionDenied, Unauthenticated


@pytest.fixture
def server(own_database: str, tmp_path: Path) -> Iterator[RunningServer]:
    """A server that its test may end."""
    with RunningServer(tmp_path, database=own_database) as running:
        yield running


@pytest.fixture(scope="module")
def standing(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that no test ends, for all that only look at it."""
    with RunningServer(tmp_path_factory.mktemp("standing"), database=database) as running:
        yield running


def listed(client: Client, webhook_id: str) -> list[str]:
    """Walk all pages and return the record ids in their order."""
    records: list[str] = []
    token: str | None = None
    while True:
        page = client.list_events(webhook_id, page_token=token, page_size=1000)
        records += [e.record_event_data.record_id for e in page.events if e.record_event_data]
        if not page.events:
            return records
        token = page.next_page_token


def test_it_listens_only_when_it_is_ready_and_says_where(standing: RunningServer) -> None:
    answer = httpx.get(f"{standing.url}/readyz", trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    assert "server" not in answer.headers


def test_sigterm_answers_the_request_in_flight_and_exits_with_0(server: RunningServer) -> None:
    key = server.make_key()
    with server.client(key) as client:
        webhook = client.create_webhook("s", ["RECORD_CREATED"])
    body = changes_body("s", 1)
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    with (
        ThreadPoolExecutor(2) as pool,
        socket.create_connection((host, int(port))) as half,
        server.client(key) as client,
    ):
        # A request of which half was sent, and one that waits for events.
        half.sendall(
            f"POST /v1/changes HTTP/1.1\r\nHost: x\r\nAuthorization: Token {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body[:10]
        )
        waiting = pool.submit(client.list_events, webhook.webhook_id, wait_seconds=30)
        wait_for_connections(server, 2)
        stopping = pool.submit(server.stop)
        page = waiting.result(20)
        half.sendall(body[10:])
        half.settimeout(20)
        answer = half.recv(65_536)
        assert stopping.result(30) == 0
    assert page.events == ()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    server.start()
    with server.client(key) as client:
        assert listed(client, webhook.webhook_id) == ["1"]


def test_a_request_that_never_ends_holds_the_drain_up_for_its_time_only(
    own_database: str, tmp_path: Path
) -> None:
    with RunningServer(tmp_path, "--drain-seconds", "1", database=own_database) as server:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        head = (
            f"POST /v1/changes HTTP/1.1\r\nHost: x\r\nAuthorization: Token {server.make_key()}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        with socket.create_connection((host, int(port)), timeout=20) as stuck:
            stuck.sendall(head.encode())
            wait_for_connections(server, 1)
            assert server.stop() == 0
            said = stuck.recv(65_536)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"content-type: application/problem+json" in said
        assert b"retry-after: 1" in said
        assert "Traceback" not in server.log()


def test_one_connection_too_many_is_told_so_by_either_service_in_its_own_words(
    own_database: str, tmp_path: Path
) -> None:
    with RunningServer(tmp_path, "--connections", "2", database=own_database) as server:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port))):
            wait_for_connections(server, 1)
            publish = httpx.post(f"{server.url}/v1/changes", trust_env=False)
            listing = server.call("ListEvents", "tdg_x", {})
        assert (publish.status_code, publish.json()["status"]) == (503, 503)
        assert publish.headers["content-type"] == "application/problem+json"
        assert (listing.status_code, listing.json()["code"]) == (503, "unavailable")
        assert publish.headers["retry-after"] == listing.headers["retry-after"] == "1"


def wait_for_connections(server: RunningServer, count: int) -> None:
    """Return when the server has accepted so many connections that are still open."""
    port = f"{int(server.url.rpartition(':')[2]):04X}"
    for _ in range(400):
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        open_now = [f for f in lines if f[1].endswith(":" + port) and f[3] == "01"]
        if len(open_now) >= count:
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"never {count} connections")


def test_sigkill_loses_nothing_that_was_answered_and_repeats_nothing(
    server: RunningServer,
) -> None:
    publisher, subscriber = server.make_key("publisher"), server.make_key("subscriber")
    with server.client(subscriber) as client:
        webhook = client.create_webhook("s", ["RECORD_CREATED"])
    answered: list[str] = []
    enough = threading.Event()

    def publish() -> None:
        with server.client(publisher, patience_seconds=20) as client:
            for number in range(400):
                client.publish(changes_body("s", number), idempotency_key=f"n{number}")
                answered.append(str(number))
                if len(answered) % 100 == 0:
                    enough.set()

    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(publish)
        for _ in range(3):
            assert enough.wait(30)
            enough.clear()
            server.kill()
            server.start_soon()
        publishing.result(60)
    with server.client(subscriber, patience_seconds=10) as client:
        records = listed(client, webhook.webhook_id)
    assert records == answered == [str(number) for number in range(400)]


def test_a_stream_of_lines_goes_on_after_a_sigkill_and_appends_nothing_twice(
    server: RunningServer,
) -> None:
    key = server.make_key()
    with server.client(key) as client:
        webhook = client.create_webhook("s", ["RECORD_CREATED"])
    tries: list[int] = []

    def pieces() -> Iterator[bytes]:
        tries.append(len(tries))
        for first in range(0, 10_000, 500):
            if first == 7_000 and tries == [0]:
                server.kill()
                server.start_soon()
            yield b"".join(
                b'{"kind":"RECORD_CREATED","application_id":"t","record_id":"%d","data":{}}\n' % n
                for n in range(first, first + 500)
            )

    with server.client(key, patience_seconds=20) as client:
        receipt = client.publish_lines("s", pieces, idempotency_key="k")
        assert (receipt.lines, receipt.accepted) == (10_000, 10_000)
        assert len(tries) > 1
        assert listed(client, webhook.webhook_id) == [str(number) for number in range(10_000)]


@pytest.mark.only_on("sqlite", "several servers may serve one PostgreSQL database")
def test_a_second_server_on_the_same_file_is_refused_with_a_sentence(
    standing: RunningServer,
) -> None:
    second = standing.run("serve", "--port", "0")
    assert second.returncode == 1
    assert b"in use by another server" in second.stderr
    assert b"Traceback" not in second.stderr
    assert httpx.get(f"{standing.url}/readyz", trust_env=False).status_code == 200


def test_other_commands_work_beside_a_running_server(standing: RunningServer) -> None:
    for command in (("keys", "list"), ("migrate",)):
        done = standing.run(*command)
        assert done.returncode == 0, done.stderr
    with standing.client(standing.make_key()) as client:
        assert client.list_webhooks().webhooks == ()


def test_a_revoked_key_is_refused_from_the_next_request_on(standing: RunningServer) -> None:
    key = standing.make_key(account="revoked")
    with standing.client(key) as client:
        assert client.list_webhooks().webhooks == ()
        shown = standing.run_here("keys", "list", "--account", "revoked", "--json").stdout
        (made,) = msgspec.json.decode(shown)
        assert standing.run_here("keys", "revoke", made["key_id"]).returncode == 0
        with pytest.raises(Unauthenticated):
            client.list_webhooks()


def test_a_key_that_is_made_beside_a_running_server_works_at_once(standing: RunningServer) -> None:
    wish = ("--account", "new", "--name", "n", "--role", "publisher")
    made = standing.run("keys", "create", *wish).stdout.decode().strip()
    with standing.client(made) as client:
        assert client.publish(changes_body("s", 1), idempotency_key="k").accepted == 1
        with pytest.raises(PermissionDenied):
            client.list_webhooks()
