"""Positions, buckets, page tokens: the numbers that everything hangs on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.domain.buckets import (
    BUCKETS,
    bucket_of,
    bucket_of_number,
    bucket_of_webhook,
    new_webhook_id,
    new_webhook_number,
)
from tidings.domain.filter import field_mask, fields_match
from tidings.domain.instants import (
    format_instant,
    from_milliseconds,
    parse_instant,
    to_milliseconds,
)
from tidings.domain.page_token import check_not_ahead, format_token, parse_token
from tidings.domain.positions import (
    PER_MINUTE,
    instant_of,
    next_position,
    position_at,
    previous_day_start,
)
from tidings.errors import InvalidArgument

NOW = datetime(2026, 3, 1, 0, 0, 5, 123_000, tzinfo=UTC)
instants = st.integers(10**12, 79 * 10**14).map(
    lambda us: NOW + timedelta(microseconds=us - 10**15)
)


def test_a_bucket_never_changes() -> None:
    """Fixed for ever: stored logs hang on these very numbers."""
    known = {("acme", "crm"): 220, ("", ""): 175, ("ab", "c"): 242, ("a", "bc"): 181}
    assert {pair: bucket_of(*pair) for pair in known} == known


@given(st.integers(0, BUCKETS - 1), st.binary(min_size=15, max_size=15))
def test_a_webhook_id_is_a_uuid_that_carries_its_bucket(bucket: int, entropy: bytes) -> None:
    assert bucket_of_webhook(new_webhook_id(bucket, entropy)) == bucket


@given(st.text() | st.uuids(version=4).map(str))
def test_what_is_no_id_of_ours_has_no_bucket(text: str) -> None:
    assert bucket_of_webhook(text) is None


@given(bucket=st.integers(0, 255), entropy=st.binary(min_size=6, max_size=6))
def test_a_callback_webhook_s_number_carries_its_bucket_and_is_exact_for_every_client(
    bucket: int, entropy: bytes
) -> None:
    number = new_webhook_number(bucket, entropy)
    assert bucket_of_number(number) == bucket
    assert len(str(number)) == 16
    assert int(float(number)) == number <= 2**53 - 1


def test_a_number_of_another_size_is_no_callback_webhook_s() -> None:
    for number in (-1, 0, 2**52 - 1, 2**53, 10**30):
        assert bucket_of_number(number) is None
    assert bucket_of_webhook(str(2**52)) is None


@given(st.integers(0, 2**52), st.integers(0, 2**42))
def test_positions_only_grow_also_when_the_clock_steps_back(last: int, now_ms: int) -> None:
    assert next_position(last, now_ms) > last


@given(instants)
def test_a_position_is_a_time_to_the_millisecond_and_safe_as_a_json_number(
    instant: datetime,
) -> None:
    cut = instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    assert instant_of(position_at(instant)) == cut
    assert position_at(instant) < 2**53
    assert from_milliseconds(to_milliseconds(instant)) == cut
    assert parse_instant(format_instant(instant)) == cut


def test_quiet_tokens_go_to_the_previous_days_start_not_to_the_present_ones() -> None:
    assert instant_of(previous_day_start(NOW)) == datetime(2026, 2, 28, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "abc", "\u0661", " 1", "1" * 17, "0x1"])
def test_what_is_no_decimal_number_is_no_token(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_token(text)
    assert caught.value.argument == "page_token"


@given(st.integers(0, 2**53))
def test_a_token_comes_back_as_its_position(position: int) -> None:
    assert parse_token(format_token(position)) == position


def test_a_token_may_lead_the_clock_or_the_log_by_a_minute_but_not_both_by_more() -> None:
    present = position_at(NOW)
    check_not_ahead(present + PER_MINUTE, now=NOW, last_position=0)
    check_not_ahead(present + 9 * PER_MINUTE, now=NOW, last_position=present + 8 * PER_MINUTE)
    with pytest.raises(InvalidArgument):
        check_not_ahead(present + PER_MINUTE + 1, now=NOW, last_position=0)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01",
        "2026-03-01T00:00:00",
        "yesterday",
        "",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_time_without_offset_or_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"offset|range|isoformat"):
        parse_instant(text)


def test_a_time_with_any_offset_is_turned_to_utc() -> None:
    assert parse_instant("2026-03-01T02:00:00+02:00") == datetime(2026, 3, 1, tzinfo=UTC)
    assert parse_instant("2026-03-01T00:00:00Z") + timedelta(hours=1) == datetime(
        2026, 3, 1, 1, tzinfo=UTC
    )


@given(st.lists(st.text(max_size=8), max_size=20), st.lists(st.text(max_size=8), max_size=5))
def test_the_mask_never_says_no_where_the_names_say_yes(
    changed: list[str], watched: list[str]
) -> None:
    mask = field_mask(changed)
    assert -(2**63) <= mask < 2**63
    if watched and fields_match(frozenset(watched), tuple(changed)):
        assert mask & field_mask(watched)
