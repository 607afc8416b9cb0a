"""How fast pings may follow each other (contract 1.6, mechanics D4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidings.engine.pace import KeyPace


@given(st.lists(st.floats(0, 0.7), max_size=40))
def test_no_second_ever_sees_a_fourth_ping_for_one_key(pauses: list[float]) -> None:
    pace, now, starts = KeyPace(), 100.0, list[float]()
    for pause in pauses:
        now = pace.next_start("key", now + pause)
        pace.started("key", now)
        starts.append(now)
    for index in range(len(starts) - 3):
        assert starts[index + 3] - starts[index] >= 1.0 - 1e-9


def test_webhooks_that_no_key_has_listed_are_not_held_back() -> None:
    pace = KeyPace()
    for _ in range(100):
        assert pace.next_start(None, 5.0) == 5.0
        pace.started(None, 5.0)


def test_keys_do_not_hold_each_other_back_and_quiet_ones_are_forgotten() -> None:
    pace = KeyPace()
    for _ in range(3):
        pace.started("busy", 10.0)
    assert pace.next_start("busy", 10.5) == 11.0
    assert pace.next_start("calm", 10.5) == 10.5
    pace.forget_quiet(11.0)
    assert pace.next_start("busy", 11.0) == 11.0
