"""What strangers may send over a real socket: answered, bounded, and nothing is kept of it."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import re
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.receiver.processes import free_port, started, until
from tests.receiver.senders import SHARED, callback_body, fresh_body, row_event, signed
from tidings.domain.limits import MEBIBYTE, RECEIVED_BODY_BYTES
from tidings.domain.signing import CALLBACK_SIGNATURE, sign_callback

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
STREAMED_BYTES = 100 * MEBIBYTE
GROWTH_BYTES = 32 * MEBIBYTE
"""A server may grow by a few bodies; not by what is streamed at it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attacked")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    port = free_port()
    command = ["-m", "uvicorn", "--app-dir", str(EXAMPLES), "asgi_app:receiver"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("WEBHOOK_SECRET", SHARED)
        with started([*command, "--port", str(port), "--log-level", "warning"], port) as process:
            yield port, process


def memory_of(process: subprocess.Popen[bytes]) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def status_of(port: int, body: bytes, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", "/", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def kept_in(folder: Path) -> int:
    with contextlib.closing(sqlite3.connect(folder / "inbox.db")) as db:
        count: int = db.execute("SELECT count(*) FROM tidings_known").fetchone()[0]
        return count


def waiting_in(folder: Path) -> int:
    with contextlib.closing(sqlite3.connect(folder / "inbox.db")) as db:
        count: int = db.execute("SELECT count(*) FROM tidings_notification").fetchone()[0]
        return count


@pytest.mark.parametrize(
    "length", [f"content-length: {STREAMED_BYTES}", "transfer-encoding: chunked"]
)
def test_a_hundred_megabytes_are_refused_early_and_never_held(
    server: tuple[int, subprocess.Popen[bytes]], length: str
) -> None:
    port, process = server
    before = memory_of(process)
    sent, answer = 0, b""
    piece = b"x" * MEBIBYTE
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sender:
        sender.sendall(f"POST / HTTP/1.1\r\nhost: x\r\n{length}\r\n\r\n".encode())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while sent < STREAMED_BYTES:
                if "chunked" in length:
                    sender.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
                else:
                    sender.sendall(piece)
                sent += len(piece)
        with contextlib.suppress(ConnectionResetError):
            answer = sender.recv(4096)
    assert not answer or b" 413 " in answer.splitlines()[0]
    assert answer or sent < STREAMED_BYTES
    assert memory_of(process) - before < GROWTH_BYTES


def test_a_body_that_is_over_the_limit_by_a_byte_is_refused_and_one_of_its_size_is_read(
    server: tuple[int, subprocess.Popen[bytes]], folder: Path
) -> None:
    port, _ = server
    largest = b'{"a":"' + b"x" * (RECEIVED_BODY_BYTES - 8) + b'"}'
    for body, status in ((largest, 200), (largest + b" ", 413)):
        headers = {CALLBACK_SIGNATURE: sign_callback(SHARED, body)}
        assert status_of(port, body, headers) == status
    until(lambda: waiting_in(folder) == 0)  # a worker needs memory for it, which is no attack


def test_a_gzip_bomb_is_never_unpacked(server: tuple[int, subprocess.Popen[bytes]]) -> None:
    port, process = server
    before = memory_of(process)
    bomb = gzip.compress(b"0" * STREAMED_BYTES, compresslevel=1)
    assert len(bomb) < RECEIVED_BODY_BYTES
    headers = {"Content-Encoding": "gzip", CALLBACK_SIGNATURE: sign_callback(SHARED, bomb)}
    assert status_of(port, bomb, headers) == 400
    assert status_of(port, bomb, {"Content-Encoding": "gzip"}) == 401
    assert memory_of(process) - before < GROWTH_BYTES


def test_a_flood_of_headers_is_refused_or_lost_among_the_others(
    server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, _ = server
    body = fresh_body("flood", row_event(1))
    signature = sign_callback(SHARED, body)
    lines = b"".join(b"x-%d: y\r\n" % number for number in range(2_000))
    twice = f"{CALLBACK_SIGNATURE}: {signature}\r\n".encode() * 2
    for more in (lines, twice, f"{CALLBACK_SIGNATURE}: \u00e9\r\n".encode("latin-1")):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sender:
            head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n" % len(body)
            sender.sendall(head + more + b"\r\n" + body)
            assert re.match(rb"HTTP/1.1 (401|400|431) ", sender.recv(4096))


def test_a_sender_that_goes_away_in_the_middle_leaves_nothing(
    server: tuple[int, subprocess.Popen[bytes]], folder: Path
) -> None:
    port, _ = server
    before = kept_in(folder)
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sender:
            sender.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    assert status_of(port, callback_body("n"), {}) == 401
    assert kept_in(folder) == before


def test_a_replay_of_all_that_was_ever_sent_changes_nothing(
    server: tuple[int, subprocess.Popen[bytes]], folder: Path
) -> None:
    port, _ = server
    sent = [signed(fresh_body(f"replay-{n}", row_event(1_000 + n))) for n in range(20)]

    def noted() -> int:
        with contextlib.closing(sqlite3.connect(folder / "inbox.db")) as db:
            found = db.execute("SELECT count(*) FROM note WHERE row_id >= 1000").fetchone()
        return int(found[0])

    for _ in range(3):
        for one in sent:
            assert one.body is not None
            assert status_of(port, one.body, dict(one.headers)) == 200
    until(lambda: noted() == len(sent))
    old = callback_body("ancient", row_event(1_999))  # of before all memory
    assert status_of(port, old, dict(signed(old).headers)) == 200
    one = sent[0]
    assert one.body is not None
    assert status_of(port, one.body, dict(one.headers)) == 200
    assert noted() == len(sent)
