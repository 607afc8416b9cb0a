"""The retry schedules of contract 1.6 and 2.6."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.domain.retry import (
    CALLBACK_RETRIES,
    DAY_SECONDS,
    RETRIES,
    retry_after_seconds,
    wait_before_callback_retry,
    wait_before_retry,
)

PRESENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_thirteen_waits_from_ten_seconds_double_to_nearly_a_day() -> None:
    waits: list[float] = []
    while (wait := wait_before_retry(len(waits) + 1, 0.5, since_seconds=sum(waits))) is not None:
        waits.append(wait)
    assert waits[:4] == [10.0, 20.0, 40.0, 80.0]
    assert len(waits) == RETRIES == 13
    assert sum(waits) / 3600 == pytest.approx(22.75, abs=0.01)


@given(st.integers(1, 12), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_a_tenth(failures: int, draw: float) -> None:
    middle = wait_before_retry(failures, 0.5, since_seconds=0)
    wait = wait_before_retry(failures, draw, since_seconds=0)
    assert middle is not None
    assert wait is not None
    assert 0.9 * middle <= wait <= 1.1 * middle


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=14), st.floats(0, 1e9))
def test_whatever_dice_and_endpoints_say_the_last_try_comes_within_the_day(
    draws: list[float], asked: float
) -> None:
    passed, failures = 0.0, 0
    for draw in draws:
        failures += 1
        wait = wait_before_retry(
            failures, draw, since_seconds=passed, retry_after_seconds=asked or None
        )
        if wait is None:
            break
        assert wait > 0
        passed += wait
    else:
        pytest.fail("it is tried for ever")
    assert passed <= DAY_SECONDS
    assert failures <= RETRIES + 1


def test_retry_after_lengthens_a_wait_and_never_shortens_it_nor_passes_the_day() -> None:
    def wait(failures: int, since: float, asked: float) -> float | None:
        return wait_before_retry(failures, 0.5, since_seconds=since, retry_after_seconds=asked)

    assert wait(1, 0, 60) == 60
    assert wait(5, 150, 60) == 160
    assert wait(1, 0, 1e9) == 86_400
    assert wait(2, 80_000, 1e9) == 6_400
    assert wait(2, 86_400, 60) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("99999999999999999999", 86_400.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("\N{ARABIC-INDIC DIGIT FOUR}", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_anything_else_is_ignored(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after_seconds(header, PRESENT) == seconds


@given(st.text(max_size=60))
def test_no_retry_after_that_an_endpoint_can_send_is_an_error(header: str) -> None:
    seconds = retry_after_seconds(header, PRESENT)
    assert seconds is None or 0 <= seconds <= 86_400


def test_a_callback_is_tried_again_seven_times_faster_and_seven_times_each_three_hours() -> None:
    waits = [wait_before_callback_retry(failures, 0.5) for failures in range(1, 16)]
    assert waits == [10, 20, 40, 80, 160, 320, 640, *[10_800] * 7, None]
    assert CALLBACK_RETRIES == 14


@given(st.integers(1, 7), st.floats(0, 1, exclude_max=True))
def test_the_first_seven_waits_of_a_callback_are_spread_by_a_tenth(
    failures: int, draw: float
) -> None:
    wait = wait_before_callback_retry(failures, draw)
    assert wait is not None
    assert 9 * 2 ** (failures - 1) <= wait <= 11 * 2 ** (failures - 1)
