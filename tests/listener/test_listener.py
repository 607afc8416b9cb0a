"""What `tidings listen` does with a request, without its process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from tests.listener.messages import (
    CHALLENGE,
    SHARED_SECRET,
    SIGNING_SECRET,
    callback,
    ping,
    signed,
    signed_ping,
)
from tidings.domain import limits, signing
from tidings.errors import ConfigurationError, InvalidArgument, SignatureMismatchError
from tidings.listener.delivery import Delivery, What
from tidings.listener.listener import Listener
from tidings.listener.passing import Target
from tidings.listener.record import RecordFile, read_record, recorded
from tidings.listener.replaying import described, replay, signed_again
from tidings.listener.telling import json_line, lines_of
from tidings.receiver.decision import Rules
from tidings.receiver.request import Request
from tidings.receiver.secrets import sorted_secrets
from tidings.testing.clock import ManualClock
from tidings.testing.endpoint import Answer, ScriptedEndpoint

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
UNSIGNED = Rules(secrets=None)


class Told(list[Delivery]):
    """What was told, in order; `tell` takes it."""

    def tell(self, delivery: Delivery) -> None:
        self.append(delivery)

    @property
    def text(self) -> str:
        return "\n".join(line.plain for one in self for line in lines_of(one))


def request(body: bytes, headers: dict[str, str] | None = None) -> Request:
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    return Request(headers=lowered, body=body)


async def test_a_full_record_is_not_acknowledged_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    monkeypatch.setattr(limits, "RECORD_BYTES", 500)
    with RecordFile(str(tmp_path / "record")) as record:
        listener = Listener(UNSIGNED, ManualClock(NOW), told.tell, record=record)
        statuses = [(await listener.receive(request(callback(str(n))))).status for n in range(3)]
    assert statuses == [200, 503, 503]
    assert [one.message_id for one in map(described, read_record(str(tmp_path / "record")))] == [
        "0"
    ]
    assert "is full" in told.text


async def test_what_is_not_taken_where_it_is_passed_on_to_is_not_acknowledged() -> None:
    told, clock = Told(), ManualClock(NOW)
    async with (
        ScriptedEndpoint() as endpoint,
        Target(endpoint.url(), clock, argument="forward") as target,
    ):
        listener = Listener(UNSIGNED, clock, told.tell, target=target)
        endpoint.script(
            Answer(status=500),
            Answer(status=204),
            Answer(status=301, headers=(("Location", endpoint.url("/other")),)),
            Answer(close_after=0),
            Answer(status=200, endless_bytes=10_000_000),
            Answer(status=204),
        )
        answers = [await listener.receive(request(callback())) for _ in range(5)]
        answers.append(await listener.receive(request(ping())))
    assert [answer.status for answer in answers] == [502, 502, 502, 502, 200, 200]
    assert len(endpoint.requests) == 6
    assert "204 in 0 s, which acknowledges nothing" in told.text


async def test_nothing_that_is_sent_can_move_the_cursor_or_be_markup() -> None:
    told = Told()
    event = {"objectType": "\x1b[2Jrow", "eventType": "[red]\r\n", "id": "x" * 9_000, "rowId": {}}
    listener = Listener(UNSIGNED, ManualClock(NOW), told.tell)
    bodies: list[object] = [
        {"events": [event, None, 3]},
        {"type": "\x07"},
        ["\x1b[2J"],
        {"events": []},
    ]
    for body in bodies:
        answer = await listener.receive(request(msgspec.json.encode(body)))
        assert answer.status == 200
    lines = [line.plain for one in told for line in lines_of(one)]
    assert "?[2Jrow [red]??" in told.text
    assert all(line.isprintable() and len(line) < 1_000 for line in lines)


async def test_a_line_of_json_keeps_the_body_s_own_numbers() -> None:
    told = Told()
    listener = Listener(UNSIGNED, ManualClock(NOW), told.tell)
    await listener.receive(request(b'{\n "nonce": "n", "events": [], "n": 1.10e5\n}'))
    line = json_line(told[0])
    assert b"\n" not in line
    assert line.endswith(b'"body":{"nonce":"n","events":[],"n":1.10e5}}')


async def test_an_old_ping_is_verified_again_once_it_is_signed_anew() -> None:
    body, then = ping(), NOW - timedelta(days=9)
    secrets = sorted_secrets([SIGNING_SECRET, SHARED_SECRET])
    old = recorded(then, request(body, signed_ping(body, then)).headers, body)
    headers = signed_again(old.headers, body, secrets, NOW)
    with pytest.raises(SignatureMismatchError):
        signing.verify([SIGNING_SECRET], old.headers, body, now=NOW)
    signing.verify([SIGNING_SECRET], headers, body, now=NOW)
    called = signed(callback(), "another")
    again = signed_again(request(b"", called).headers, callback(), secrets, NOW)
    signing.verify_callback([SHARED_SECRET], again, callback())
    assert signed_again(old.headers, body, None, NOW) == old.headers


async def test_a_challenge_is_replayed_and_its_answer_judged() -> None:
    told, clock = Told(), ManualClock(NOW)
    challenge = recorded(NOW, {"smartsheet-hook-challenge": CHALLENGE}, b"\xff")
    answering = Answer(headers=(("Smartsheet-Hook-Response", CHALLENGE),))
    async with (
        ScriptedEndpoint() as endpoint,
        Target(endpoint.url(), clock, argument="to") as target,
    ):
        endpoint.script(answering, Answer())
        refused = await replay([challenge] * 2, clock, told.tell, target=target, secrets=None)
    assert endpoint.requests[0].body == b"\xff"
    assert refused == 1
    assert [one.what for one in told] == [What.CHALLENGE] * 2
    assert "Response did not contain the challenge" in told.text


@pytest.mark.parametrize(
    "line", [b"garbage", b"{}", b"[1]", b'{"at": "2026-11-22T03:00:00Z", "headers": {"a": 1}}']
)
async def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "record"
    with RecordFile(str(path)) as record:
        record.write(recorded(NOW, {}, b"{}"))
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(InvalidArgument, match="Line 2"):
        list(read_record(str(path)))


@pytest.mark.parametrize("url", ["ftp://x", "", "http://", "nonsense", "http://a:b", "//host/x"])
async def test_a_url_that_is_none_is_refused_by_its_option(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--forward"):
        Target(url, ManualClock(NOW), argument="forward")
