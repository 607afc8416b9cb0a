"""What holds a bucket's checkpoint back: found without a look at everybody, and never too late."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.subscribing import subscription
from tidings.domain.notification import UNKNOWN_SCOPE
from tidings.engine import debts, owing
from tidings.engine.holds import Holds
from tidings.engine.subscriptions import Subscription

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Bucket:
    """A bucket's webhooks, the holds that are noted of them, and its tail."""

    def __init__(self, webhooks: int = 4) -> None:
        self.holds = Holds()
        self.webhooks = [subscription() for _ in range(webhooks)]
        self.bucket = self.webhooks[0].bucket
        self.position = 0

    def match(self, number: int) -> None:
        self.position += 1
        one = self.webhooks[number]
        owing.match(one, self.position, UNKNOWN_SCOPE, float(self.position))
        if one.hold_from == self.position:
            self.holds.note(one, self.position)

    def take_off(self, number: int) -> None:
        one = self.webhooks[number]
        if one.flight is None:
            one.flight = owing.take_off(one, float(self.position), lambda: 1)

    def land(self, number: int) -> None:
        owing.acknowledged(self.webhooks[number], float(self.position), NOW)

    def call_off(self, number: int) -> None:
        owing.called_off(self.webhooks[number])

    def owe(self, number: int) -> None:
        one = self.webhooks[number]
        if one.debt is None and debts.held_from(one) is not None:
            debts.owe(one, "", 0, since=NOW, wait=0.0, now=float(self.position), present=NOW)

    def disable(self, number: int) -> None:
        owing.gone(self.webhooks[number])

    @property
    def oldest(self) -> int | None:
        found = self.holds.oldest(self.bucket)
        return None if found is None else found[0]


def held_by(webhooks: list[Subscription]) -> list[int]:
    """Return every webhook's hold, by a look at each."""
    return [held for one in webhooks if (held := debts.held_from(one)) is not None]


OFTEN = ["match", "take_off", "land", "call_off"]
STEPS = st.sampled_from([*OFTEN, *OFTEN, "owe", "disable"])


@given(st.lists(st.tuples(STEPS, st.integers(0, 2)), min_size=20, max_size=60), st.integers(1, 5))
def test_the_oldest_hold_is_what_a_look_at_everybody_says(
    steps: list[tuple[str, int]], each: int
) -> None:
    bucket = Bucket()
    for count, (step, number) in enumerate(steps):
        getattr(bucket, step)(number)
        if count % each == 0:
            assert bucket.oldest == min(held_by(bucket.webhooks), default=None)
    assert bucket.oldest == min(held_by(bucket.webhooks), default=None)


def test_what_came_while_an_attempt_was_in_flight_holds_when_that_has_landed() -> None:
    bucket = Bucket()
    bucket.match(0)
    bucket.take_off(0)
    bucket.match(1)
    bucket.match(0)
    assert bucket.oldest == 1
    bucket.land(0)
    assert bucket.oldest == 2
    bucket.take_off(1)
    bucket.land(1)
    assert bucket.oldest == 3


def test_a_webhook_is_noted_once_however_often_it_is_pinged() -> None:
    bucket = Bucket()
    bucket.match(1)
    for _ in range(1_000):
        bucket.match(0)
        bucket.take_off(0)
        bucket.land(0)
    assert len(bucket.holds) == 2
    assert bucket.oldest == 1


def test_a_bucket_that_went_to_another_holds_nothing_here() -> None:
    bucket = Bucket()
    bucket.match(0)
    bucket.holds.forget(bucket.bucket)
    bucket.holds.forget(bucket.bucket)
    assert (bucket.oldest, len(bucket.holds)) == (None, 0)
