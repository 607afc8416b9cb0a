"""The benchmarks' own arithmetic: what is counted, compared and asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report import Row, Slice, compared
from bench.sizes import SMOKE, Sizes, sizes_of
from bench.traffic import Messages, request


def took(seconds: float, *, cpu_seconds: float = 1.0) -> Slice:
    return Slice(done=100, seconds=seconds, cpu_seconds=cpu_seconds)


def test_a_disturbed_round_doesnt_move_the_ratio() -> None:
    quiet = (took(2.0, cpu_seconds=2.0), took(1.0))
    disturbed = (took(2.0, cpu_seconds=9.0), took(50.0))
    row = compared("x", "/s", [quiet, disturbed, quiet], least_ratio=0.5)
    assert row.ratio == 0.5
    assert row.cpu_ratio == 0.5
    assert row.kept


def test_a_mark_is_kept_at_its_very_value_and_missed_past_it() -> None:
    row = Row(name="x", unit="ms", ours=50.0, most=50.0)
    assert row.kept
    assert not Row(name="x", unit="ms", ours=50.1, most=50.0).kept
    assert not compared("x", "/s", [(took(2.01), took(1.0))], least_ratio=0.5).kept
    assert Row(name="x", unit="ms", ours=1.0).kept is None


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 7))
def test_messages_come_whole_however_they_are_cut(bodies: list[bytes], size: int) -> None:
    stream = b"".join(request("/x", "key", body) for body in bodies)
    messages = Messages()
    taken = [
        body
        for start in range(0, len(stream), size)
        for _, body in messages.take(stream[start : start + size])
    ]
    assert taken == bodies


def test_sizes_are_asked_for_by_the_environment() -> None:
    assert sizes_of({}) == Sizes()
    assert sizes_of({"BENCH_SIZES": "smoke"}) == SMOKE
    small = sizes_of({"BENCH_EVENTS": "1000", "BENCH_SECONDS": "0.5"})
    assert (small.events, small.seconds, small.webhooks) == (1000, 0.5, 100_000)
    with pytest.raises(ValueError, match="events"):
        sizes_of({"BENCH_EVENTS": "many"})
