"""Each example, through its real framework and a real server where it has one."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import io
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import flask
import pytest
import uvicorn

from tests.receiver.processes import free_port, started, until
from tests.receiver.senders import SHARED, fresh_body, request, row_event, signed
from tidings.domain.challenge import CHALLENGE_HEADER, RESPONSE_HEADER
from tidings.domain.limits import RECEIVED_BODY_BYTES
from tidings.receiver import Request

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PATH = "/my-sheet-webhook"
Post = Callable[[Request], tuple[int, Mapping[str, str], bytes]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEBHOOK_SECRET", SHARED)
    return tmp_path


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noted(folder: Path) -> list[tuple[int, str]]:
    with contextlib.closing(sqlite3.connect(folder / "inbox.db")) as db:
        try:
            return db.execute("SELECT row_id, nonce FROM note ORDER BY row_id").fetchall()
        except sqlite3.OperationalError:  # no note was taken yet
            return []


def exercise(post: Post, folder: Path) -> None:
    """Do what a sender does, right and wrong; see that each event is handled once."""
    status, headers, body = post(request(b"{}", {CHALLENGE_HEADER: "abc", "Content-Type": "x/y"}))
    assert (status, headers.get(RESPONSE_HEADER.lower())) == (200, "abc")
    assert b'"smartsheetHookResponse":"abc"' in body
    first, second = (signed(fresh_body(f"n{row}", row_event(row))) for row in (1, 2))
    for sent in (first, second, first):
        status, headers, body = post(sent)
        assert (status, body) == (200, b"")
        assert "content-type" not in headers
    assert post(Request(headers=first.headers, body=b"{}"))[0] == 401
    assert post(request(fresh_body("n3"), {}))[0] == 401
    assert post(signed(b"{"))[0] == 400
    assert post(signed(b" " * (RECEIVED_BODY_BYTES + 1)))[0] == 413
    until(lambda: noted(folder) == [(1, "n1"), (2, "n2")])


def over_http(port: int, path: str = PATH) -> Post:
    def post(sent: Request) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request("POST", path, sent.body, dict(sent.headers))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            connection.close()

    return post


@contextlib.contextmanager
def served(app: Any) -> Iterator[int]:
    """Serve an ASGI application from this process, with its lifespan; yield the port."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("name", ["starlette_app", "fastapi_app"])
def test_a_route_of_starlette_and_of_fastapi(name: str, folder: Path) -> None:
    with served(loaded(name).app) as port:
        exercise(over_http(port), folder)


def test_an_asgi_application_on_uvicorn(folder: Path) -> None:
    port = free_port()
    command = ["-m", "uvicorn", "--app-dir", str(EXAMPLES), "asgi_app:receiver"]
    with started([*command, "--port", str(port), "--log-level", "warning"], port):
        exercise(over_http(port), folder)


def test_a_blueprint_of_flask_on_gunicorn_with_two_processes(folder: Path) -> None:
    port = free_port()
    command = ["-m", "gunicorn", "--config", str(EXAMPLES / "gunicorn_settings.py")]
    more = ["--pythonpath", str(EXAMPLES), "--log-level", "warning", "flask_app:app"]
    os.environ["BIND"] = f"127.0.0.1:{port}"
    try:
        with started([*command, *more], port):
            exercise(over_http(port), folder)
    finally:
        del os.environ["BIND"]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_wsgi_application_on_the_standard_librarys_server(folder: Path) -> None:
    module = loaded("wsgi_app")
    server = make_server("127.0.0.1", 0, module.application, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        exercise(over_http(server.server_port), folder)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        module.receiver.stop()


def test_flask_sees_a_body_that_something_else_has_read_before(folder: Path) -> None:
    module = loaded("flask_app")
    read: list[bytes] = []
    module.app.before_request(lambda: read.append(flask.request.get_data()))
    try:
        client = module.app.test_client()
        sent = signed(fresh_body("n1", row_event(1)))
        answer = client.post(PATH, data=sent.body, headers=dict(sent.headers))
        assert answer.status_code == 200
        unsized = {"input_stream": io.BytesIO(sent.body or b""), "headers": dict(sent.headers)}
        chunked = {"wsgi.input_terminated": True}
        assert client.post(PATH, environ_overrides=chunked, **unsized).status_code == 200
        assert read == [sent.body] * 2
    finally:
        module.receiver.stop()


def test_a_callback_survives_the_process_that_took_it(folder: Path) -> None:
    """One process only takes callbacks; another, started later, handles them."""
    taking = (
        "import asyncio, sys; sys.path.insert(0, sys.argv[1])\n"
        "from asgi_app import receiver\n"
        "from tests.receiver.senders import fresh_body, row_event, signed\n"
        "receiver._works = False\n"
        "answer = asyncio.run(receiver.receive(signed(fresh_body('n1', row_event(1)))))\n"
        "print(answer.status)\n"
    )
    command = [sys.executable, "-c", taking, str(EXAMPLES)]
    root = EXAMPLES.parent
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=30,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    assert done.stdout.split() == ["200"], done.stderr
    assert noted(folder) == []
    with served(loaded("starlette_app").app):
        until(lambda: noted(folder) == [(1, "n1")])


@pytest.fixture(autouse=True)
def _no_leftover() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    until(lambda: not [t for t in set(threading.enumerate()) - before if "tidings" in t.name])
