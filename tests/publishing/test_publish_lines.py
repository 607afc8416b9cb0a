"""`POST /v1/changes` as NDJSON: any length, in chunks that a second sending finds again (3.2)."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.publishing.platform import GONE, HANG, Platform, created, ndjson, updated
from tidings.domain.limits import (
    BODY_SECONDS,
    CHANGE_BYTES,
    NDJSON_CHUNK_LINES,
    NDJSON_OVERLOAD_TRIES,
)
from tidings.domain.log_entry import Append, Receipt
from tidings.errors import LogOverloaded, StorageUnavailable
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

CHUNK = NDJSON_CHUNK_LINES


def numbered(count: int, start: int = 1) -> list[dict[str, Any]]:
    return [created(number) for number in range(start, start + count)]


def ids(count: int) -> list[str]:
    return [str(number) for number in range(1, count + 1)]


async def test_a_stream_is_answered_with_its_counts_positions_and_lines(
    platform: Platform,
) -> None:
    lines = [*numbered(2), updated(3, before={"n": 3})]
    answer = await platform.stream([ndjson(lines)], source="sync", handler="h")
    events = await platform.events()
    assert answer.status == 200
    assert answer.json == {
        "accepted": 2,
        "suppressed": 1,
        "lines": 3,
        "first_position": int(events[0]["event_id"][2:]),
        "last_position": int(events[1]["event_id"][2:]),
    }
    assert [(e["ctx"]["source"], e["ctx"]["handler"]) for e in events] == [("sync", "h")] * 2


async def test_lines_of_one_batch_id_are_one_batch_and_other_lines_one_each(
    platform: Platform,
) -> None:
    lines = [created(1, batch_id="x"), created(2, batch_id="x"), created(3), created(4)]
    await platform.stream([ndjson(lines)])
    ctx = [event["ctx"] for event in await platform.events()]
    assert [each["batch_size"] for each in ctx] == [2, 2, 1, 1]
    assert [each["batch_id"] for each in ctx[:2]] == ["x", "x"]
    assert len({each["batch_id"] for each in ctx}) == 3


async def test_a_batch_stays_whole_over_a_chunk_s_end(platform: Platform) -> None:
    lines = [*numbered(CHUNK - 1), *(created(n, batch_id="x") for n in range(50))]
    await platform.stream([ndjson(lines), ndjson(numbered(1))])
    assert platform.log.appended == [CHUNK + 49, 1]
    assert {e["ctx"]["batch_size"] for e in (await platform.events())[CHUNK - 1 : -1]} == {50}


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"\r\n".join(ndjson([change])[:-1] for change in numbered(3)), 3),
        (ndjson(numbered(3))[:-1], 3),
        (b"\n\n" + ndjson(numbered(2)) + b"  \t\n" + ndjson(numbered(1, 3)) + b"\n\n", 8),
    ],
    ids=["CRLF, last line without its end", "last line without its end", "blank lines"],
)
async def test_ends_of_lines_and_blank_lines_are_taken_as_editors_leave_them(
    platform: Platform, body: bytes, lines: int
) -> None:
    for size in (3, len(body)):
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        answer = await platform.stream(pieces, key="k")
        assert (answer.json["accepted"], answer.json["lines"]) == (3, lines)
    assert await platform.records() == ids(3)


@pytest.mark.parametrize("body", [b"", b"\n\n"])
async def test_a_stream_without_a_change_appends_nothing(platform: Platform, body: bytes) -> None:
    answer = await platform.stream([body])
    assert answer.status == 200
    assert (answer.json["accepted"], answer.json["first_position"]) == (0, None)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("{", "line 1500"),
        ("nonsense", "line 1500"),
        (json.dumps(created(7, record_id=7)), "record_id"),
        (json.dumps(created(7, kind="RECORD_MOVED")), "kind"),
        (json.dumps(created(7, batch_id="")), "batch_id"),
        ('{"a":' * 65 + "1" + "}" * 65, "deep"),
        (json.dumps(created(7, data={"a": "x" * CHANGE_BYTES})), str(CHANGE_BYTES)),
    ],
)
async def test_at_a_bad_line_the_answer_says_which_and_how_many_are_durable(
    platform: Platform, bad: str, says: str
) -> None:
    lines: list[Any] = [*numbered(1_499), bad, *numbered(100)]
    answer = await platform.stream([ndjson(lines)])
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json
    assert told["field"] == "line 1500"
    assert says in told["detail"]
    assert (told["accepted"], told["lines"], told["suppressed"]) == (CHUNK, CHUNK, 0)
    assert await platform.records() == ids(CHUNK)


async def test_a_line_that_never_ends_is_refused_in_bounded_memory(platform: Platform) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 65_536

    answer = await platform.stream(endless())
    assert answer.json["field"] == "line 1"
    assert taken < 2 * CHANGE_BYTES // 65_536


async def test_a_mended_file_goes_on_from_its_durable_lines(platform: Platform) -> None:
    lines: list[Any] = [created(n, batch_id=f"b{n // 3}") for n in range(1, 2_501)]
    stopped = await platform.stream([ndjson([*lines[:2_200], "{", *lines[2_201:]])], key="k")
    durable = stopped.json["lines"]
    assert stopped.json["accepted"] == durable
    rest = await platform.stream([ndjson(lines)], key="k", from_line=durable + 1)
    assert rest.json["lines"] == 2_500
    assert rest.json["accepted"] == 2_500 - durable
    assert await platform.records() == ids(2_500)
    assert {event["ctx"]["batch_size"] for event in await platform.events()} == {2, 3}


async def test_a_mended_file_sent_whole_appends_nothing_twice(platform: Platform) -> None:
    lines: list[Any] = numbered(2_500)
    await platform.stream([ndjson([*lines[:2_200], "{", *lines[2_201:]])], key="k")
    assert (await platform.stream([ndjson(lines)], key="k")).json["accepted"] == 2_500
    assert await platform.records() == ids(2_500)


async def test_a_second_bad_line_is_counted_from_the_file_s_first(platform: Platform) -> None:
    lines: list[Any] = numbered(3_500)
    again = await platform.stream([ndjson([*lines[:3_200], "{"])], key="k", from_line=1_001)
    assert (again.json["field"], again.json["lines"]) == ("line 3201", 3_000)
    assert again.json["accepted"] == 2_000


async def test_a_file_sent_again_after_a_lost_answer_counts_the_same(platform: Platform) -> None:
    body = ndjson(numbered(2_500))
    first = await platform.stream([body], key="k")
    cut = 100_001
    again = await platform.stream([body[:cut], body[cut:]], key="k")
    assert again.body == first.body
    assert await platform.records() == ids(2_500)


@pytest.mark.parametrize("cut", [1, 60_000, 150_000])
async def test_a_connection_lost_anywhere_is_mended_by_sending_it_all_again(
    platform: Platform, cut: int
) -> None:
    body = ndjson(numbered(2_500))
    lost = await platform.stream([body[:cut], GONE], key="k")
    assert lost.status == 400
    assert "field" not in lost.json
    assert (await platform.stream([body], key="k")).json["accepted"] == 2_500
    assert await platform.records() == ids(2_500)


async def test_an_answer_that_the_log_lost_is_found_again(platform: Platform) -> None:
    body = ndjson(numbered(2_500))
    platform.log.fail_after = [None, StorageUnavailable("connection lost")]
    stopped = await platform.stream([body], key="k")
    assert (stopped.status, stopped.json["lines"]) == (503, CHUNK)
    assert stopped.headers["retry-after"]
    assert (await platform.stream([body], key="k")).json["accepted"] == 2_500
    assert await platform.records() == ids(2_500)


async def test_without_a_key_a_file_sent_again_is_published_again(platform: Platform) -> None:
    for _ in range(2):
        await platform.stream([ndjson(numbered(1))])
    assert await platform.records() == ["1", "1"]


async def test_the_same_key_with_other_lines_or_another_source_is_a_conflict(
    platform: Platform,
) -> None:
    await platform.stream([ndjson(numbered(1))], key="k")
    other_lines = await platform.stream([ndjson(numbered(2))], key="k")
    other_source = await platform.stream([ndjson(numbered(1))], key="k", source="s")
    assert {other_lines.status, other_source.status} == {409}
    assert other_lines.json["lines"] == 0
    assert await platform.records() == ["1"]


async def test_a_key_is_one_key_for_a_json_publish_and_for_a_stream(platform: Platform) -> None:
    await platform.stream([ndjson(numbered(1))], key="k")
    assert (await platform.publish(created(1), key="k")).status == 409
    await platform.publish(created(2), key="j")
    assert (await platform.stream([ndjson(numbered(1))], key="j")).status == 409
    assert await platform.records() == ["1", "2"]


async def test_lines_before_from_line_are_not_read(platform: Platform) -> None:
    body = b"garbage\n{\n" + ndjson(numbered(1))
    answer = await platform.stream([body], from_line=3)
    assert (answer.json["accepted"], answer.json["lines"]) == (1, 3)


async def test_from_line_may_be_the_one_after_the_last_but_not_later(platform: Platform) -> None:
    body = ndjson(numbered(2))
    end = await platform.stream([body], from_line=3)
    assert (end.status, end.json["lines"], end.json["accepted"]) == (200, 2, 0)
    beyond = await platform.stream([body], from_line=4)
    assert (beyond.status, beyond.json["field"]) == (400, "from_line")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"solution_id": ""}, "solution_id"),
        ({"solution_id": "s" * 256}, "solution_id"),
        ({"solution_id": b"\xff"}, "query"),
        ({"source": "s" * 256}, "source"),
        ({"from_line": "0"}, "from_line"),
        ({"from_line": "x"}, "from_line"),
        ({"from_line": "-1"}, "from_line"),
        ({"from_line": "9" * 5_000}, "from_line"),
    ],
)
async def test_a_bad_query_is_named(platform: Platform, query: Any, field: str) -> None:
    answer = await platform.stream([ndjson(numbered(1))], **query)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert await platform.events() == []


async def test_the_solution_is_required(platform: Platform) -> None:
    answer = await platform.send([b""], content_type="application/x-ndjson")
    assert (answer.status, answer.json["field"]) == (400, "solution_id")


async def test_a_full_queue_is_waited_for(platform: Platform, clock: ManualClock) -> None:
    platform.log.fail_before = [LogOverloaded("full")] * 3
    sending = asyncio.ensure_future(platform.stream([ndjson(numbered(5))]))
    answer = await _advanced(sending, clock)
    assert answer.json["accepted"] == 5


async def test_a_queue_that_stays_full_stops_the_stream_where_it_is(
    platform: Platform, clock: ManualClock
) -> None:
    full = LogOverloaded("full")
    platform.log.fail_before = [None, *[full] * (NDJSON_OVERLOAD_TRIES + 1)]
    sending = asyncio.ensure_future(platform.stream([ndjson(numbered(2_500))], key="k"))
    answer = await _advanced(sending, clock)
    assert (answer.status, answer.json["lines"]) == (503, CHUNK)
    assert answer.headers["retry-after"] == "1"
    assert await platform.records() == ids(CHUNK)


async def _advanced(sending: asyncio.Future[Any], clock: ManualClock) -> Any:
    """Let time pass until the answer is there."""
    for _ in range(2_000):
        if sending.done():
            break
        await clock.advance(0.1)
        await asyncio.sleep(0.001)
    return await asyncio.wait_for(sending, 1)


async def test_each_piece_of_a_stream_has_its_own_deadline(
    platform: Platform, clock: ManualClock
) -> None:
    body = ndjson(numbered(3))

    def slowly() -> Iterator[Any]:
        yield body[:10]
        yield body[10:]
        yield HANG

    sending = asyncio.ensure_future(platform.stream(slowly()))
    answer = await _advanced(sending, clock)
    assert answer.status == 400
    assert f"{BODY_SECONDS:.0f} seconds" in answer.json["detail"]
    assert await platform.events() == []


async def test_a_key_revoked_in_the_midst_of_a_stream_stops_it_there(
    platform: Platform, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, keys = platform.log.append, platform.storage.keys

    async def append_and_revoke(chunk: Append) -> Receipt:
        receipt = await append(chunk)
        (key,) = await keys.list(None)
        await keys.revoke(key.key_id, clock.now())
        return receipt

    monkeypatch.setattr(platform.log, "append", append_and_revoke)
    answer = await platform.stream([ndjson([change]) for change in numbered(2_500)])
    assert (answer.status, answer.json["lines"]) == (401, CHUNK)
    assert await platform.records() == ids(CHUNK)


async def test_gzip_is_unpacked_as_it_comes_and_a_cut_end_is_told(platform: Platform) -> None:
    packed = gzip.compress(ndjson(numbered(2_500)))
    half = len(packed) // 2
    for end, status in ((len(packed) - 5, 400), (len(packed), 200)):
        answer = await platform.send(
            [packed[:half], packed[half:end]],
            content_type="application/x-ndjson",
            headers={"Content-Encoding": "gzip", "Idempotency-Key": "k"},
            query={"solution_id": "sales"},
        )
        assert answer.status == status
    assert await platform.records() == ids(2_500)


async def test_a_long_stream_is_held_a_chunk_at_a_time(platform: Platform) -> None:
    count, at_once, held = 100_000, 100, 0
    piece = ndjson([created(1, data={"a": "x" * 100})] * at_once)

    def pieces() -> Iterator[bytes]:
        nonlocal held
        for number in range(count // at_once):
            held = max(held, number * at_once - sum(platform.log.appended))
            yield piece

    answer = await platform.stream(pieces())
    assert (answer.json["accepted"], answer.json["lines"]) == (count, count)
    assert held <= CHUNK + 2 * at_once
