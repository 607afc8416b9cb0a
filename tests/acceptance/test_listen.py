"""`tidings listen` and `tidings replay`: real processes, real sockets, real TLS."""

from __future__ import annotations

import asyncio
import json
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.acceptance.processes import RunningServer, run_command
from tests.listener.messages import (
    CHALLENGE,
    SHARED_SECRET,
    SIGNING_SECRET,
    callback,
    ping,
    signed,
    signed_ping,
)
from tidings.client import Change, Client
from tidings.clock import SystemClock
from tidings.demo.processes import Child
from tidings.testing.endpoint import Answer, ScriptedEndpoint

pytestmark = pytest.mark.anyio

CERTIFICATES = Path(__file__).parent.parent / "certificates"
_SAID = "listening on "
ANY = ("--any-port", "--port", "0")
CHALLENGED = {"Smartsheet-Hook-Challenge": CHALLENGE}


class Listening:
    """A `tidings listen` that listens."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.url = child.output().rpartition(_SAID)[2].split()[0]

    def output(self) -> str:
        return self._child.output()

    def told(self) -> list[dict[str, object]]:
        """Return what it printed with --json."""
        return [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]

    def wait_for(self, words: str) -> None:
        self._child.wait_until_ready(lambda: words in self.output())

    def stop(self) -> int | None:
        return self._child.stop()


@contextmanager
def listening(folder: Path, *arguments: str) -> Iterator[Listening]:
    child = Child("listener", folder, SystemClock())
    child.start("tidings", ["listen", *ANY, *arguments])
    try:
        child.wait_until_ready(lambda: _SAID in child.output())
        yield Listening(child)
    finally:
        child.stop()


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that trusts this test's certificate."""
    more = ("--ca-file", str(CERTIFICATES / "authority.pem"), "--callback-gather-seconds", "0.05")
    with RunningServer(tmp_path_factory.mktemp("server"), *more, database=database) as running:
        yield running


def test_a_real_sender_s_challenge_is_answered_and_its_callback_told(
    server: RunningServer, tmp_path: Path
) -> None:
    pem = str(CERTIFICATES / "endpoint.pem")
    with server.client(server.make_key()) as client:
        publish(client, 1, {"3": "open"})
        webhook = client.create_sheet_webhook("Deals", 7, "https://127.0.0.1:1/hook")
        secret = ("--secret", str(webhook.shared_secret))
        with listening(tmp_path, "--cert", pem, "--key", pem, *secret) as listener:
            webhook = client.update_sheet_webhook(
                webhook.id, callback_url=f"{listener.url}/hook", enabled=True
            )
            assert webhook.status == "ENABLED"
            publish(client, 2, {"3": "won"}, {"3": "open"})
            listener.wait_for("cell updated")
    words = " ".join(listener.output().split())
    assert "challenge → 200" in words
    assert f"webhook {webhook.id}, sheet 7, 2 events → 200" in words
    assert "row updated 17" in words
    assert "cell updated row 17, column 3" in words


async def test_over_tls_it_verifies_with_each_secret_and_tells_each_event(tmp_path: Path) -> None:
    pem, trusted = str(CERTIFICATES / "endpoint.pem"), str(CERTIFICATES / "authority.pem")
    tls = ssl.create_default_context(cafile=trusted)
    secrets = ("--secret", "an-older-one", "--secret", SHARED_SECRET, "--secret", SIGNING_SECRET)
    with listening(tmp_path, "--cert", pem, "--key", pem, *secrets) as listener:
        url = listener.url + "/any/path"
        assert url.startswith("https://")
        async with httpx.AsyncClient(verify=tls, trust_env=False) as sender:
            challenged = await sender.post(url, headers=CHALLENGED)
            answers = [
                await sender.post(url, content=callback(), headers=signed(callback())),
                await sender.post(
                    url, content=callback("n2"), headers=signed(callback("n2"), "an-older-one")
                ),
                await sender.post(url, content=callback(), headers=signed(callback())),
                await sender.post(url, content=ping(), headers=signed_ping(ping())),
                await sender.post(url, content=ping(), headers=signed(callback())),
                await sender.post(url, content=b"x" * 5_000_000, headers=signed(callback())),
                await sender.get(url),
            ]
        assert listener.stop() == 0
    assert challenged.headers["Smartsheet-Hook-Response"] == CHALLENGE
    assert challenged.json() == {"smartsheetHookResponse": CHALLENGE}
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 401, 413, 405]
    assert [answer.content for answer in answers[:4]] == [b""] * 4
    words = [" ".join(line.split()) for line in listener.output().splitlines()]
    assert "row created 17 by 9" in words
    assert "cell updated row 17, column 3" in words
    assert sum("webhook 42, sheet 7, 2 events → 200" in line for line in words) == 2
    assert sum("webhook 42, sheet 7, 2 events again → 200" in line for line in words) == 1
    assert "webhook w-1, solution crm, application deals, up to 1836311903004672" in str(words)
    assert "challenge → 200" in str(words)
    assert "refused → 401 The signature is missing or wrong." in str(words)


async def test_what_is_passed_on_and_recorded_is_what_came_and_is_replayed_so(
    tmp_path: Path,
) -> None:
    record = tmp_path / "record.jsonl"
    bodies = [callback(str(number)) for number in range(3)]
    headers = {name.encode(): value.encode() for name, value in signed(bodies[0]).items()}
    headers |= {b"X-Request-Id": b"r-\xe9", b"Connection": b"X-Hop", b"X-Hop": b"1"}
    async with ScriptedEndpoint() as endpoint:
        endpoint.script(Answer(), Answer(status=500), Answer())
        arguments = ("--no-secret", "--json", "--record", str(record))
        with listening(tmp_path, *arguments, "--forward", endpoint.url("/hook?a=b")) as listener:
            async with httpx.AsyncClient(trust_env=False) as sender:
                assert (await sender.post(listener.url, headers=CHALLENGED)).status_code == 200
                statuses = [
                    (await sender.post(listener.url, content=body, headers=headers)).status_code
                    for body in bodies
                ]
            told = listener.told()
        assert statuses == [200, 502, 200]
        assert [one["what"] for one in told] == ["challenge"] + ["callback"] * 3
        assert [one.get("answered") for one in told] == [200, 200, 502, 200]
        assert [one["body"] for one in told[1:]] == [json.loads(body) for body in bodies]
        assert stat.S_IMODE(record.stat().st_mode) == 0o600

        endpoint.script(Answer(headers=(("Smartsheet-Hook-Response", CHALLENGE),)))
        command = ("replay", str(record), "--to", endpoint.url("/again"))
        replayed = await asyncio.to_thread(run_command, *command, folder=tmp_path)
    passed, again = endpoint.requests[:3], endpoint.requests[3:]
    assert (replayed.returncode, replayed.stderr) == (0, b"")
    assert replayed.stdout.count(b"/again: 200") == 4
    assert [one.body for one in passed] == bodies
    assert [one.body for one in again] == [b"", *bodies]
    for one in (*passed, *again[1:]):
        assert one.headers["smartsheet-hmac-sha256"] == signed(bodies[0])["Smartsheet-Hmac-SHA256"]
        assert one.headers["x-request-id"] == "r-\xe9"
        assert "x-hop" not in one.headers
    assert [one.target for one in passed] == ["/hook?a=b"] * 3


def test_without_an_endpoint_events_are_told_as_they_come(
    server: RunningServer, tmp_path: Path
) -> None:
    key, child = server.make_key(account="pulled"), Child("follower", tmp_path, SystemClock())
    with server.client(key) as client:
        webhook = client.create_webhook("crm", ["RECORD_CREATED", "RECORD_UPDATED"])
        pull = ["listen", "--pull", webhook.webhook_id, "--url", server.url, "--key", key]
        publish(client, 1, {"stage": "open"})
        child.start("tidings", pull)
        child.wait_until_ready(lambda: "RECORD_CREATED  7 17" in child.output())
        publish(client, 2, {"stage": "won\x1b[2J"}, {"stage": "open"})
        child.wait_until_ready(lambda: 'stage: "open" → "won' in child.output())
        assert child.stop() == 0
    said = child.output()
    assert "\x1b" not in said
    assert said.count("RECORD_") == 2
    token = said.rpartition("--page-token ")[2].strip()
    with server.client(key) as client:
        assert client.list_events(webhook.webhook_id, page_token=token).events == ()


def publish(client: Client, number: int, data: object, before: object = None) -> None:
    """Publish that record 17 of application 7 is there, or was changed."""
    kind = "RECORD_CREATED" if before is None else "RECORD_UPDATED"
    change = Change(kind=kind, application_id="7", record_id="17", data=data, before=before)
    client.publish_changes("crm", [change], idempotency_key=str(number))
