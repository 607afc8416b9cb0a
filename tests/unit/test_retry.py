"""The retry schedule of contract 1.6."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.domain.retry import RETRIES, retry_after_seconds, wait_before_retry

PRESENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_thirteen_waits_from_ten_seconds_double_to_nearly_a_day() -> None:
    waits = [wait_before_retry(n, 0.5) for n in range(1, RETRIES + 1)]
    assert waits[:4] == [10.0, 20.0, 40.0, 80.0]
    assert len(waits) == 13
    assert sum(w for w in waits if w) / 3600 == pytest.approx(22.75, abs=0.01)
    assert wait_before_retry(14, 0.5) is None


@given(st.integers(1, 13), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_a_tenth(failures: int, draw: float) -> None:
    middle, wait = wait_before_retry(failures, 0.5), wait_before_retry(failures, draw)
    assert middle is not None
    assert wait is not None
    assert 0.9 * middle <= wait <= 1.1 * middle


def test_retry_after_lengthens_a_wait_and_never_shortens_it_nor_passes_a_day() -> None:
    assert wait_before_retry(1, 0.5, retry_after_seconds=60) == 60
    assert wait_before_retry(5, 0.5, retry_after_seconds=60) == 160
    assert wait_before_retry(1, 0.5, retry_after_seconds=1e9) == 86_400


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
