"""When webhooks come up again, and that it takes no more memory than there are webhooks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.subscribing import subscription
from tidings.engine.timers import Timers

WEBHOOKS = [subscription() for _ in range(5)]


def test_a_nearer_time_overtakes_and_a_later_one_changes_nothing() -> None:
    timers, (one, two, *_) = Timers(), WEBHOOKS
    timers.set(one, 10.0)
    timers.set(two, 20.0)
    timers.set(one, 5.0)
    timers.set(one, 30.0)
    assert timers.next_due() == 5.0
    assert list(timers.ripe(4.9)) == []
    assert list(timers.ripe(5.0)) == [one]
    assert list(timers.ripe(100.0)) == [two]
    assert timers.next_due() is None


def test_who_is_dropped_does_not_come_up() -> None:
    timers, (one, *_) = Timers(), WEBHOOKS
    timers.set(one, 1.0)
    timers.drop(one)
    timers.drop(one)
    assert list(timers.ripe(2.0)) == []


def test_a_webhook_that_is_pinged_each_second_while_its_reminder_is_a_day_off_takes_no_memory() -> (
    None
):
    timers, (one, two, *_) = Timers(), WEBHOOKS
    timers.set(two, 1e9)
    for second in range(5_000):
        timers.set(one, second + 86_400.0)
        timers.set(one, second + 0.5)
        assert list(timers.ripe(second + 1.0)) == [one]
    assert len(timers) < 100


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.integers(0, 4), st.floats(0, 100)),
            st.tuples(st.just("drop"), st.integers(0, 4), st.just(0.0)),
            st.tuples(st.just("ripe"), st.just(0), st.floats(0, 100)),
        ),
        max_size=300,
    )
)
def test_who_comes_up_is_what_a_plain_table_of_nearest_times_says(
    steps: list[tuple[str, int, float]],
) -> None:
    timers, table, now = Timers(), dict[int, float](), 0.0
    for what, number, value in steps:
        if what == "set":
            timers.set(WEBHOOKS[number], now + value)
            table[number] = min(now + value, table.get(number, now + value))
        elif what == "drop":
            timers.drop(WEBHOOKS[number])
            table.pop(number, None)
        else:
            now += value
            ripe = {WEBHOOKS.index(each) for each in timers.ripe(now)}
            assert ripe == {number for number, due in table.items() if due <= now}
            table = {number: due for number, due in table.items() if due > now}
