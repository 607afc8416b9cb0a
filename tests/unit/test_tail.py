"""Following the log's tail while buckets come and go (mechanics D6, L7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tidings.domain.kinds import Kind
from tidings.domain.log_entry import Appended, Header
from tidings.engine.matching import Tail

pytestmark = pytest.mark.anyio

BUCKET = 7


def header(position: int) -> Header:
    return Header(
        bucket=BUCKET,
        position=position,
        account="acme",
        solution="crm",
        kind=Kind.RECORD_CREATED,
        application="people",
        subject="r1",
        changed=None,
    )


class Log:
    """A log whose tail is read by one reader."""

    def __init__(self, *positions: int) -> None:
        self.positions = positions

    async def read_tail(self, tails: Mapping[int, int], limit: int) -> Sequence[Header]:
        return [header(one) for one in self.positions if one > tails[BUCKET]]


def tail_of(log: Log) -> Tail:
    """Return the tail of a log of which no other process's appends are heard."""
    storage = SimpleNamespace(log=log, capabilities=SimpleNamespace(hints=False))
    return Tail(cast("Any", storage))


async def test_a_bucket_that_is_lost_before_its_gap_was_read_is_waited_for_no_more() -> None:
    log = Log()
    tail = tail_of(log)
    tail.positions[BUCKET] = 10
    assert not await tail.read(0.0)
    log.positions = (11, 13)
    tail.appended(Appended(BUCKET, 12, (header(13),)))
    assert len(await tail.read(0.0)) == 2, "it doesn't join on: the log is read"
    tail.forget(BUCKET)
    assert not await tail.read(1.0)
    assert tail.next_read() > 1.0


@pytest.mark.parametrize("again", [5, 10, 12])
async def test_a_bucket_that_was_lost_and_is_held_again_is_read_from_where_it_was_loaded(
    again: int,
) -> None:
    tail = tail_of(Log(6, 11, 13))
    tail.positions[BUCKET] = 10
    read = await tail.read(0.0)
    assert [one.position for one in read] == [11, 13]
    tail.forget(BUCKET)
    tail.positions[BUCKET] = again
    tail.retreat()
    tail.advance(read)
    left = [one.position for one in await tail.read(0.0)]
    assert left == {5: [6, 11, 13], 10: [], 12: [13]}[again]


async def test_headers_of_a_bucket_that_is_held_no_more_bring_it_back_by_nothing() -> None:
    tail = tail_of(Log(11))
    tail.positions[BUCKET] = 10
    read = await tail.read(0.0)
    tail.forget(BUCKET)
    tail.advance(read)
    assert not tail.positions
