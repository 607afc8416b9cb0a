"""The lifecycle's table, by its properties in words, and the time that sweeps keep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.domain.lifecycle import (
    LISTED,
    NOTIFIED,
    STEPS,
    Stage,
    limit_ahead,
    step_out_of,
    writes_first,
)
from tidings.domain.sweep import SweepTime, is_ahead, lag

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_every_stage_is_reached_and_left_and_time_ends_at_nothing() -> None:
    assert [step.leaves for step in STEPS] == list(Stage)
    assert [step.enters for step in STEPS] == [*list(Stage)[1:], None]


def test_time_takes_its_steps_on_days_6_7_13_and_14() -> None:
    assert [step.after / timedelta(days=1) for step in STEPS] == [6, 7, 13, 14]


def test_each_limit_is_warned_of_a_day_before() -> None:
    for warning, limit in ((STEPS[0], STEPS[1]), (STEPS[2], STEPS[3])):
        assert (warning.warns, limit.warns) == (True, False)
        assert limit.after - warning.after == timedelta(days=1)
        assert warning.enters is not None
        assert limit_ahead(warning.enters, START) == START + limit.after


def test_listing_leads_back_from_every_stage() -> None:
    assert {LISTED[stage] for stage in Stage} == {Stage.ACTIVE}


def test_notifications_are_on_until_the_first_limit() -> None:
    off = [stage for stage in Stage if stage not in NOTIFIED]
    assert off == [Stage.EXPIRED, Stage.LAST_WARNED]
    assert all(step_out_of(stage).after >= timedelta(days=13) for stage in off)


@pytest.mark.parametrize("stage", Stage)
def test_a_listing_is_gathered_only_further_than_a_day_from_a_limit(stage: Stage) -> None:
    near = START + timedelta(days=6)
    assert writes_first(stage, START, near)
    assert writes_first(stage, START, near - timedelta(milliseconds=1)) == (
        stage is not Stage.ACTIVE
    )


def test_up_to_ten_minutes_between_two_sweeps_are_no_downtime() -> None:
    for gap in (timedelta(0), MINUTE, 10 * MINUTE, -10 * MINUTE):
        assert lag(SweepTime(now=START + gap, swept_at=START, paused=MINUTE)) == MINUTE


_ROUNDS = st.lists(
    st.tuples(st.integers(0, 600_000), st.integers(600_001, 10**10), st.booleans()), max_size=8
)


@given(_ROUNDS)
def test_lifecycle_time_passes_evenly_wherever_the_clock_jumps(
    rounds: list[tuple[int, int, bool]],
) -> None:
    now, paused = START, timedelta(0)
    for passed, jump, back in rounds:
        for moved in (passed, -jump if back else jump):
            swept_at, now = now, now + timedelta(milliseconds=moved)
            paused = lag(SweepTime(now=now, swept_at=swept_at, paused=paused))
    lived = timedelta(milliseconds=sum(passed for passed, _, _ in rounds))
    assert now - paused == START + lived


def test_a_clock_may_run_an_hour_ahead_of_what_has_passed() -> None:
    passed = START + timedelta(seconds=90)
    assert not is_ahead(passed + timedelta(hours=1), START, 90.0)
    assert is_ahead(passed + timedelta(hours=1, milliseconds=1), START, 90.0)
    assert not is_ahead(START - timedelta(days=400), START, 90.0)
