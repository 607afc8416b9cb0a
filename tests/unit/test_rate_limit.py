"""How often a key may ask, at the exact millisecond (contract 1.8, 3.2)."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from tidings.domain.limits import PENALTY_SECONDS, REQUESTS_PER_SECOND
from tidings.engine.rate_limit import RateLimit

PENALTY_MS = int(PENALTY_SECONDS * 1_000)
"""30 s, as contract 1.8 has it."""


def service() -> RateLimit:
    return RateLimit(REQUESTS_PER_SECOND, penalty_ms=PENALTY_MS)


def test_the_sixth_request_within_a_second_is_refused_for_thirty_seconds() -> None:
    rate = service()
    assert all(rate.take("k", at).admitted for at in (0, 100, 200, 300, 400))
    refused = rate.take("k", 999)
    assert (refused.retry_after_ms, refused.penalty_begins) == (30_000, True)
    assert rate.take("k", 999 + 29_999).retry_after_ms == 1
    assert rate.take("k", 999 + 30_000).admitted


def test_a_second_is_any_thousand_milliseconds() -> None:
    """Neither one of the clock's seconds, nor a millisecond more."""
    rate = service()
    assert all(rate.take("k", at).admitted for at in (900, 900, 900, 900, 900))
    assert rate.take("k", 1_900).admitted, "the first five are 1,000 ms old"
    other = service()
    assert all(other.take("k", at).admitted for at in (900, 900, 900, 900, 900))
    assert not other.take("k", 1_899).admitted


def test_five_requests_a_second_may_go_on_for_ever() -> None:
    rate = service()
    assert all(rate.take("k", at).admitted for at in range(0, 600_000, 200))


def test_requests_during_the_penalty_do_not_lengthen_it() -> None:
    rate = service()
    for _ in range(6):
        began = rate.take("k", 0)
    assert began.penalty_begins
    hammered = [rate.take("k", at) for at in range(1, 30_000)]
    assert [one.retry_after_ms for one in hammered] == list(range(29_999, 0, -1))
    assert not any(one.penalty_begins for one in hammered)
    after = [rate.take("k", 30_000).admitted for _ in range(6)]
    assert after == [True] * 5 + [False], "and the key begins anew, with a whole second's requests"


def test_a_key_says_how_many_requests_it_has_left() -> None:
    rate = service()
    assert [rate.take("k", 0).remaining for _ in range(5)] == [4, 3, 2, 1, 0]
    refused = rate.take("k", 0)
    assert (refused.limit, refused.remaining, refused.reset_ms) == (5, 0, 30_000)


def test_one_key_costs_another_nothing() -> None:
    rate = service()
    for at in range(10_000):
        rate.take("loud", at)
        assert at % 250 or rate.take("quiet", at).admitted


def test_without_a_penalty_a_request_is_admitted_as_soon_as_the_second_has_room() -> None:
    rate = RateLimit(2)
    assert rate.take("k", 0).admitted
    assert rate.take("k", 400).admitted
    refused = rate.take("k", 600)
    assert (refused.retry_after_ms, refused.reset_ms) == (400, 800)
    assert not rate.take("k", 999).admitted
    assert rate.take("k", 1_000).admitted
    assert not rate.take("k", 1_399).admitted
    assert rate.take("k", 1_400).admitted


def test_only_keys_that_asked_within_a_second_or_are_under_a_penalty_are_remembered() -> None:
    rate = service()
    for number in range(10_000):
        rate.take(f"key-{number}", number)
        assert len(rate) <= 1_001
    for _ in range(6):
        rate.take("penalized", 20_000)
    for at in range(20_001, 30_000):
        rate.take("busy", at * 10)
        if at > 23_000:
            assert len(rate) == 1


def test_a_crowd_that_went_away_is_forgotten_as_others_ask() -> None:
    rate = service()
    for number in range(1_000):
        for _ in range(6 if number % 2 else 1):
            rate.take(f"key-{number}", 0)
    assert len(rate) == 1_000
    for at in range(0, 100_000, 200):
        rate.take("busy", 31_000 + at)
    assert len(rate) == 1


class Naive:
    """The rule as the contract says it, with all of history at hand."""

    def __init__(self, per_second: int, penalty_ms: int) -> None:
        self.per_second = per_second
        self.penalty_ms = penalty_ms
        self.admitted: list[tuple[str, int]] = []
        self.penalties: list[tuple[str, int]] = []

    def take(self, key: str, now: int) -> bool:
        if any(k == key and now < began + self.penalty_ms for k, began in self.penalties):
            return False
        if sum(k == key and now - 1_000 < at for k, at in self.admitted) >= self.per_second:
            self.penalties.append((key, now))
            return False
        self.admitted.append((key, now))
        return True


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.one_of(
            st.integers(0, 300), st.sampled_from([1, 499, 500, 999, 1_000, 1_001, 29_999, 30_000])
        ),
    ),
    max_size=80,
)


@given(STEPS, st.integers(1, 6), st.sampled_from([0, 1_000, 30_000]))
def test_it_decides_as_a_naive_model_does(
    steps: list[tuple[str, int]], per_second: int, penalty_ms: int
) -> None:
    rate, naive, now = (
        RateLimit(per_second, penalty_ms=penalty_ms),
        Naive(per_second, penalty_ms),
        0,
    )
    for key, pause in steps:
        now += pause
        quota = rate.take(key, now)
        assert quota.admitted == naive.take(key, now)
        if not quota.admitted:
            # What it tells a client is true: one who waits so long is served, and no sooner.
            due = now + quota.retry_after_ms
            assert not deepcopy(rate).take(key, due - 1).admitted
            assert deepcopy(rate).take(key, due).admitted
