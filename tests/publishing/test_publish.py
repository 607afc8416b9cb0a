"""`POST /v1/changes` as JSON, over the endpoint and a real log (contract 3.2)."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.publishing.platform import (
    ACCOUNT,
    GONE,
    HANG,
    SOLUTION,
    Answer,
    Platform,
    created,
    updated,
)
from tidings.domain.key import Role
from tidings.domain.limits import BODY_SECONDS, PUBLISH_BODY_BYTES, PUBLISH_CHANGES
from tidings.engine.retention import Retention
from tidings.errors import LogOverloaded, StorageFault, StorageUnavailable
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

MIB = 1 << 20


def body_of(*changes: Any, **members: Any) -> bytes:
    return json.dumps({"solution_id": SOLUTION, "changes": changes, **members}).encode()


async def test_a_publish_is_answered_with_its_counts_and_positions(platform: Platform) -> None:
    answer = await platform.publish(created(1), created(2), batch_id="b", source="sync")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    receipt = answer.json
    events = await platform.events()
    positions = [int(event["event_id"].removeprefix("W.")) for event in events]
    assert receipt == {
        "accepted": 2,
        "suppressed": 0,
        "batch_id": "b",
        "first_position": positions[0],
        "last_position": positions[1],
    }
    assert positions[0] < positions[1]
    assert events[0]["event_at"] == "2026-01-15T12:00:00.000Z"
    assert [event["ctx"]["batch_size"] for event in events] == [2, 2]
    assert {event["ctx"]["source"] for event in events} == {"sync"}
    assert events[0]["record_event_data"]["locator"] == {
        "account_id": ACCOUNT,
        "solution_id": SOLUTION,
        "application_id": "deals",
    }


async def test_suppressed_changes_are_counted_and_not_listed(platform: Platform) -> None:
    same = updated(1, before={"n": 1})
    mixed = (await platform.publish(same, updated(2, before={"n": 1}), same)).json
    assert (mixed["accepted"], mixed["suppressed"]) == (1, 2)
    assert [event["ctx"]["batch_size"] for event in await platform.events()] == [1]


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_publish_of_nothing_but_no_changes_has_no_positions(
    platform: Platform, key: str | None
) -> None:
    first = await platform.publish(updated(1, changed_fields=[]), key=key, batch_id="b")
    assert first.json == {
        "accepted": 0,
        "suppressed": 1,
        "batch_id": "b",
        "first_position": None,
        "last_position": None,
    }
    if key is not None:
        assert (await platform.publish(created(2), key=key)).status == 409
    assert await platform.events() == []


async def test_the_same_key_appends_once_and_answers_the_same(platform: Platform) -> None:
    answers = [await platform.publish(created(1), key="k") for _ in range(3)]
    assert len({answer.body for answer in answers}) == 1
    assert await platform.records() == ["1"]


async def test_concurrent_repeats_append_once_and_answer_the_same(platform: Platform) -> None:
    answers = await asyncio.gather(*(platform.publish(created(1), key="k") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert await platform.records() == ["1"]


async def test_the_same_key_with_another_body_is_a_conflict(platform: Platform) -> None:
    await platform.publish(created(1), key="k")
    answer = await platform.publish(created(2), key="k")
    assert answer.status == 409
    assert answer.json["type"] == "urn:tidings:problem:idempotency_key_reused"
    assert await platform.records() == ["1"]


@pytest.mark.parametrize("swept", [True, False])
async def test_a_key_counts_for_24_hours_and_then_appends_anew(
    platform: Platform, clock: ManualClock, swept: bool
) -> None:
    """To the millisecond, whether a sweep has come to drop it or not."""
    retention = Retention(platform.storage.retention, clock)

    async def publish() -> Answer:
        if swept:
            await retention.run_once(clock.now())
        return await platform.publish(created(1), key="k")

    first = await publish()
    await clock.advance(24 * 3_600 - 0.001)
    assert (await publish()).body == first.body
    await clock.advance(0.001)
    again = await publish()
    assert (again.status, again.json["accepted"]) == (200, 1)
    assert again.json["first_position"] > first.json["last_position"]
    await clock.advance(6 * 24 * 3_600)
    await publish()
    assert await platform.records() == ["1", "1", "1"]


async def test_a_database_that_another_process_holds_is_told_and_goes_on_when_it_is_free(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = apsw.Connection(str(tmp_path / "tidings.db"))
    platform.storage._connection.set_busy_timeout(20)  # type: ignore[attr-defined]
    other.execute("BEGIN IMMEDIATE")
    answers = await asyncio.gather(*(platform.publish(created(n), key=f"{n}") for n in range(9)))
    assert {answer.status for answer in answers} == {503}
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}
    assert await platform.events() == []
    other.execute("ROLLBACK")
    other.close()
    for number in range(9):
        assert (await platform.publish(created(number), key=f"{number}")).status == 200
    assert await platform.records() == [f"{n}" for n in range(9)]


async def test_the_same_key_in_another_solution_is_another_key(platform: Platform) -> None:
    await platform.publish(created(1), key="k")
    assert (await platform.publish(created(2), key="k", solution_id="other")).status == 200
    assert len(await platform.events("other")) == 1


async def test_without_a_key_the_same_body_is_published_twice(platform: Platform) -> None:
    await platform.publish(created(1))
    await platform.publish(created(1))
    assert await platform.records() == ["1", "1"]


async def test_a_publish_after_a_lost_answer_appends_nothing_twice(platform: Platform) -> None:
    platform.log.fail_after = [StorageUnavailable("connection lost")]
    assert (await platform.publish(created(1), key="k")).status == 503
    assert (await platform.publish(created(1), key="k")).json["accepted"] == 1
    assert await platform.records() == ["1"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é"])
async def test_an_idempotency_key_that_is_none_is_refused(platform: Platform, key: str) -> None:
    answer = await platform.publish(created(1), key=key)
    assert answer.status == 400
    assert answer.json["field"] == "Idempotency-Key"


@pytest.mark.parametrize("key", ["x", "x" * 255, " !~"])
async def test_the_edges_of_an_idempotency_key_pass(platform: Platform, key: str) -> None:
    assert (await platform.publish(created(1), key=key)).status == 200


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, None),
        (b"not json", 400, None),
        (b"[]", 400, None),
        (b'{"solution_id":"s","changes":[]} x', 400, None),
        (b'{"solution_id":"\xff","changes":[]}', 400, None),
        (b'{"solution_id":"s","changes":[],"x":' + b"[" * 64 + b"]" * 64 + b"}", 400, None),
        (b'{"solution_id":"s","changes":[],"x":' + b"[" * 100_000, 400, None),
        (b'{"changes":[]}', 400, "solution_id"),
        (body_of(created(), solution_id=7), 400, "solution_id"),
        (body_of(created(), created(kind="RECORD_MOVED")), 400, "changes[1].kind"),
        (body_of(created(), created(record_id=7)), 400, "changes[1].record_id"),
        (body_of(created(data={"a": "x" * MIB})), 413, "changes[0]"),
        (body_of(*[created()] * (PUBLISH_CHANGES + 1)), 413, "changes"),
        (b" " * (PUBLISH_BODY_BYTES + 1), 413, None),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_bad_publish_is_a_problem_that_names_the_field_and_stores_nothing(
    platform: Platform, body: bytes, status: int, field: str | None
) -> None:
    answer = await platform.send([body])
    assert (answer.status, answer.json.get("field")) == (status, field)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert {"type", "title", "detail"} <= answer.json.keys()
    assert await platform.events() == []


async def test_one_bad_change_keeps_all_the_others_out(platform: Platform) -> None:
    answer = await platform.publish(*map(created, range(50)), created(record_id=""))
    assert answer.status == 400
    assert await platform.events() == []


async def test_the_largest_publish_is_taken(platform: Platform) -> None:
    filler = "x" * (PUBLISH_BODY_BYTES // PUBLISH_CHANGES - 200)
    changes = [created(number, data={"a": filler}) for number in range(PUBLISH_CHANGES)]
    answer = await platform.publish(*changes)
    assert answer.json["accepted"] == PUBLISH_CHANGES
    assert answer.json["last_position"] - answer.json["first_position"] == PUBLISH_CHANGES - 1


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"],
)
async def test_other_media_types_are_refused(platform: Platform, content_type: str | None) -> None:
    answer = await platform.send([body_of(created())], content_type=content_type)
    assert answer.status == 415


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "Application/JSON"])
async def test_parameters_and_case_of_the_media_type_do_not_matter(
    platform: Platform, content_type: str
) -> None:
    answer = await platform.send([body_of(created())], content_type=content_type)
    assert answer.status == 200


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_gzip_is_unpacked_however_it_is_cut(platform: Platform, size: int) -> None:
    body = body_of(*map(created, range(5)))
    packed = gzip.compress(body[:100]) + gzip.compress(body[100:])
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    answer = await platform.send(pieces, headers={"Content-Encoding": "gzip"})
    assert answer.json["accepted"] == 5


@pytest.mark.parametrize(
    ("packed", "encoding", "status"),
    [
        (gzip.compress(body_of(created()))[:-9], "gzip", 400),
        (gzip.compress(body_of(created()))[:-1], "gzip", 400),
        (gzip.compress(body_of(created())) + b"\0", "gzip", 400),
        (body_of(created()), "gzip", 400),
        (zlib.compress(body_of(created())), "gzip", 400),
        (body_of(created()), "br", 415),
        (body_of(created()), "gzip, gzip", 415),
    ],
)
async def test_broken_or_unknown_packing_is_refused(
    platform: Platform, packed: bytes, encoding: str, status: int
) -> None:
    answer = await platform.send([packed], headers={"Content-Encoding": encoding})
    assert answer.status == status
    assert await platform.events() == []


async def test_a_gzip_bomb_is_refused_in_bounded_memory(platform: Platform) -> None:
    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(b" " * MIB) for _ in range(512)) + packer.flush()
    assert len(packed) < MIB
    tracemalloc.start()
    answer = await platform.send([packed], headers={"Content-Encoding": "gzip"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status == 413
    assert peak < 3 * PUBLISH_BODY_BYTES


async def test_a_body_announced_too_large_is_refused_unread(platform: Platform) -> None:
    announced = str(PUBLISH_BODY_BYTES + 1)
    answer = await platform.send([HANG], headers={"Content-Length": announced})
    assert answer.status == 413


async def test_a_body_that_stops_is_given_up_at_its_deadline(
    platform: Platform, clock: ManualClock
) -> None:
    sending = asyncio.ensure_future(platform.send([b'{"solution_id":', HANG]))
    await _until_reading(platform)
    await clock.advance(BODY_SECONDS - 0.1)
    assert not sending.done()
    await clock.advance(0.1)
    answer = await asyncio.wait_for(sending, 5)
    assert answer.status == 400
    assert "30 seconds" in answer.json["detail"]


async def test_a_request_that_is_cancelled_stays_cancelled(platform: Platform) -> None:
    sending = asyncio.ensure_future(platform.send([b"{", HANG]))
    await _until_reading(platform)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def _until_reading(platform: Platform) -> None:
    """Return when the endpoint waits for the body: its key was looked up by a thread."""
    for _ in range(1_000):
        if platform.clock._timers:
            return
        await asyncio.sleep(0.002)
    raise AssertionError("the endpoint never began to read")


async def test_a_client_that_goes_away_leaves_nothing(platform: Platform) -> None:
    whole = body_of(created())
    assert (await platform.send([whole[:20], GONE])).status == 400
    assert await platform.events() == []


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (LogOverloaded("full", retry_after_seconds=1.0), 503, "1"),
        (StorageUnavailable("locked", retry_after_seconds=2.5), 503, "3"),
        (StorageFault("broken"), 500, None),
    ],
)
async def test_a_log_that_can_not_take_it_is_told_with_when_to_come_back(
    platform: Platform, error: Any, status: int, retry_after: str | None
) -> None:
    platform.log.fail_before = [error]
    answer = await platform.publish(created(1))
    assert answer.status == status
    assert answer.headers.get("retry-after") == retry_after


async def test_a_fault_of_ours_is_told_without_a_trace_and_logged(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    class Bug(Exception):
        pass

    platform.log.fail_before = [Bug("secret detail")]  # type: ignore[list-item]
    answer = await platform.publish(created(1))
    assert answer.status == 500
    assert b"secret detail" not in answer.body
    captured = capsys.readouterr()
    assert "request.failed" in captured.out + captured.err


@pytest.mark.parametrize(
    ("role", "status"), [(Role.PUBLISHER, 200), (Role.ADMIN, 200), (Role.SUBSCRIBER, 403)]
)
async def test_publishing_takes_a_publisher_s_key(
    platform: Platform, role: Role, status: int
) -> None:
    key = await platform.new_key(role, "other")
    answer = await platform.send([body_of(created())], key=key)
    assert answer.status == status
    assert len(await platform.events(account="other")) == (status == 200)
    assert await platform.events() == []


async def test_without_a_key_that_exists_nothing_is_read(platform: Platform) -> None:
    answer = await platform.send([HANG], key="tdg_wrong")
    assert answer.status == 401
    assert answer.headers["www-authenticate"]
