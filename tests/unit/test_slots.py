"""Who may send next (mechanics D7)."""

from __future__ import annotations

from collections import Counter

from tests.unit.subscribing import subscription
from tidings.engine.slots import ReadyQueue, Slots, Start


def _drain(queue: ReadyQueue) -> list[Start]:
    starts = []
    while (start := queue.take()) is not None:
        starts.append(start)
    return starts


def test_an_account_with_many_dripping_hosts_leaves_slots_to_others() -> None:
    queue = ReadyQueue(Slots(64))
    for number in range(256):
        queue.put(subscription(account="loud", url=f"https://h{number}.example/"))
    queue.put(subscription(account="quiet", url="https://quiet.example/"))
    started = Counter(start.subscription.account for start in _drain(queue))
    assert started == {"loud": 8, "quiet": 1}


def test_a_host_of_an_account_has_its_own_cap() -> None:
    queue = ReadyQueue(Slots(256))
    for _ in range(40):
        queue.put(subscription(account="a", url="https://one.example/"))
    queue.put(subscription(account="a", url="https://two.example/"))
    started = Counter(start.origin for start in _drain(queue))
    assert started == {"one.example:443": 16, "two.example:443": 1}


def test_slow_endpoints_share_a_quarter_and_never_fill_the_rest() -> None:
    queue = ReadyQueue(Slots(64))
    for number in range(64):
        slow = subscription(account=f"s{number}", url="https://slow.example/")
        slow.slow = True
        queue.put(slow)
    assert len(_drain(queue)) == 16
    for number in range(64):
        queue.put(subscription(account=f"f{number}", url="https://fast.example/"))
    assert len(_drain(queue)) == 48


def test_accounts_take_turns() -> None:
    slots = Slots(256)
    queue = ReadyQueue(slots)
    for _ in range(5):
        queue.put(subscription(account="many", url="https://many.example/"))
    queue.put(subscription(account="one", url="https://one.example/"))
    first_two = [queue.take(), queue.take()]
    assert {start.subscription.account for start in first_two if start} == {"many", "one"}


def test_a_freed_slot_is_given_again() -> None:
    slots = Slots(8)
    queue = ReadyQueue(slots)
    for _ in range(2):
        queue.put(subscription(account="a", url="https://a.example/"))
    start = queue.take()
    assert start is not None
    assert queue.take() is None, "an eighth of eight is one"
    slots.free(start.subscription.account, start.origin, slow=start.slow)
    assert queue.take() is not None
    assert slots.used == 1


def test_a_webhook_waits_once_however_often_it_is_put() -> None:
    queue = ReadyQueue(Slots(256))
    waiting = subscription()
    queue.put(waiting)
    queue.put(waiting)
    assert len(_drain(queue)) == 1


def test_all_that_wait_for_a_dead_host_are_taken_together_and_without_slots() -> None:
    slots = Slots(64)
    queue = ReadyQueue(slots)
    for number in range(100):
        queue.put(subscription(account=f"a{number}", url="https://dead.example/x"))
    alive = subscription(account="a1", url="https://alive.example/")
    queue.put(alive)
    taken = queue.take_some_of("dead.example:443", 60)
    assert len(taken) == 60
    taken += queue.take_some_of("dead.example:443", 60)
    assert len(set(taken)) == 100
    assert queue.take_some_of("dead.example:443", 60) == []
    assert not any(one.queued for one in taken)
    assert [start.subscription for start in _drain(queue)] == [alive]
    assert slots.used == 1
