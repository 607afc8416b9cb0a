"""One limit over several processes that tell each other what they admitted (decision 0031).

Here they hear of each other in no time, by one clock; of slow databases and of clocks that differ
tells `tests/simulation/test_told_counts.py`.
"""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.domain.count_note import Counted
from tidings.domain.limits import PENALTY_SECONDS, TOLD_COUNTS_SECONDS, UNTOLD_COUNTS
from tidings.engine.rate_limit import WINDOW_MS, RateLimit

EVERY_MS = round(TOLD_COUNTS_SECONDS * 1_000)
UNHEARD_MS = 2 * EVERY_MS
"""A request waits so long at most until it is told, and the note as long until it is heard."""
PENALTY_MS = round(PENALTY_SECONDS * 1_000)


class Processes:
    """Several processes that count one key, each with rounds of its own."""

    def __init__(self, at_most: int, phases: list[int], *, penalty_ms: int = 0) -> None:
        self.rates = [RateLimit(at_most, penalty_ms=penalty_ms, shared=True) for _ in phases]
        self.admitted: list[int] = []
        self.refused: list[int] = []
        self.penalties: list[int] = []
        self._next_rounds = list(phases)
        self._notes: list[tuple[int, tuple[Counted, ...]]] = []
        self._heard = [0] * len(phases)

    def ask(self, process: int, now: int) -> bool:
        """Ask a process; whether it was admitted."""
        self.pass_until(now)
        quota = self.rates[process].take("k", now)
        (self.admitted if quota.admitted else self.refused).append(now)
        if quota.penalty_begins:
            self.penalties.append(now)
        return quota.admitted

    def pass_until(self, now: int) -> None:
        """Let each process have the rounds that are due."""
        while (due := min(self._next_rounds)) <= now:
            process = self._next_rounds.index(due)
            for teller, counted in self._notes[self._heard[process] :]:
                if teller != process:
                    self.rates[process].hear(counted, due)
            self._heard[process] = len(self._notes)
            if counted := self.rates[process].untold():
                self._notes.append((process, counted))
            self._next_rounds[process] = due + EVERY_MS


PHASES = st.lists(st.integers(0, EVERY_MS - 1), min_size=1, max_size=4)
GAPS = st.one_of(
    st.integers(0, 40), st.sampled_from([200, EVERY_MS, UNHEARD_MS, 999, 1_000, 1_001, 2_500])
)
ASKED = st.lists(st.tuples(st.integers(0, 3), GAPS), max_size=60)


@given(PHASES, ASKED, st.integers(1, 6))
def test_over_any_time_the_excess_is_one_limit_for_each_further_process(
    phases: list[int], asked: list[tuple[int, int]], at_most: int
) -> None:
    processes, now = Processes(at_most, phases), 0
    for process, gap in asked:
        now += gap
        processes.ask(process % len(phases), now)
    admitted = processes.admitted
    for first, last in combinations(range(len(admitted)), 2):
        seconds_begun = (admitted[last] - admitted[first]) // WINDOW_MS + 1
        assert last - first + 1 <= at_most * seconds_begun + (len(phases) - 1) * at_most


@given(PHASES, ASKED, st.integers(1, 6), st.sampled_from([0, PENALTY_MS]))
def test_a_key_that_keeps_to_its_limit_over_all_processes_is_never_refused(
    phases: list[int], asked: list[tuple[int, int]], at_most: int, penalty_ms: int
) -> None:
    processes, now = Processes(at_most, phases, penalty_ms=penalty_ms), 0
    for process, gap in asked:
        now += gap
        if len(processes.admitted) >= at_most:
            now = max(now, processes.admitted[-at_most] + WINDOW_MS)
        assert processes.ask(process % len(phases), now)


@given(PHASES, st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=100))
def test_a_penalty_that_began_anywhere_soon_holds_everywhere_and_ends_everywhere_at_once(
    phases: list[int], asked: list[tuple[int, int]]
) -> None:
    processes, now = Processes(2, phases, penalty_ms=PENALTY_MS), 0
    for process, gap in asked:
        now += gap
        processes.ask(process % len(phases), now)
    if processes.penalties:
        began = processes.penalties[0]
        assert all(at < began + UNHEARD_MS for at in processes.admitted)
        assert all(at < began + UNHEARD_MS for at in processes.penalties)
        for process in range(len(phases)):
            assert not processes.ask(process, began + PENALTY_MS - 1)
        for process in range(len(phases)):
            assert processes.ask(process, began + PENALTY_MS)


def two(at_most: int, *, penalty_ms: int = 0) -> tuple[RateLimit, RateLimit]:
    here, there = (RateLimit(at_most, penalty_ms=penalty_ms, shared=True) for _ in range(2))
    return here, there


def test_what_was_admitted_too_much_is_paid_back_and_begins_no_penalty() -> None:
    """Five at each of two processes: nobody told the key that ten were too many."""
    here, there = two(5, penalty_ms=PENALTY_MS)
    assert all(rate.take("k", 0).admitted for rate in (here, there) for _ in range(5))
    here.hear(there.untold(), 400)
    for now in (401, 1_000, 1_999):
        refused = here.take("k", now)
        assert (refused.retry_after_ms, refused.penalty_begins) == (2_000 - now, False)
    assert [here.take("k", 2_000).admitted for _ in range(5)] == [True] * 5
    assert here.take("k", 2_000).penalty_begins, "and this one is the key's mistake"


def test_a_request_that_is_one_too_many_by_what_was_heard_begins_the_penalty() -> None:
    here, there = two(5, penalty_ms=PENALTY_MS)
    assert all(there.take("k", at).admitted for at in (0, 10, 20))
    here.hear(there.untold(), 400)
    assert [here.take("k", 500).remaining for _ in range(2)] == [1, 0]
    assert here.take("k", 999).penalty_begins


@pytest.mark.parametrize(
    ("at_ms", "until_ms"),
    [(9_000, 10_000), (10_001, 10_001 + PENALTY_MS)],
    ids=["over", "ahead"],
)
def test_what_is_over_or_lies_ahead_when_it_is_heard_counts_for_nothing(
    at_ms: int, until_ms: int
) -> None:
    """A slow database, and one whose clock stepped: then each process counts for itself."""
    here = RateLimit(5, penalty_ms=PENALTY_MS, shared=True)
    here.hear([Counted("k", (at_ms,) * 10, until_ms)], 10_000)
    assert [here.take("k", 10_000).admitted for _ in range(6)] == [True] * 5 + [False]


def test_an_end_of_a_penalty_that_is_heard_later_than_its_own_changes_nothing() -> None:
    here, there = two(1, penalty_ms=PENALTY_MS)
    for rate, began in ((here, 0), (there, 300)):
        assert rate.take("k", began).admitted
        assert rate.take("k", began).penalty_begins
    told_here, told_there = here.untold(), there.untold()
    here.hear(told_there, 400)
    there.hear(told_here, 400)
    for rate in (here, there):
        assert not rate.take("k", PENALTY_MS - 1).admitted
        assert rate.take("k", PENALTY_MS).admitted


def test_each_admission_and_penalty_is_told_once_and_what_was_heard_never() -> None:
    here, there = two(2, penalty_ms=PENALTY_MS)
    here.take("a", 5)
    here.take("b", 6)
    here.take("a", 7)
    here.take("a", 8)
    assert here.untold() == (Counted("a", (5, 7), 8 + PENALTY_MS), Counted("b", (6,)))
    there.hear([Counted("c", (9,), 9 + PENALTY_MS), Counted("d", (9,))], 10)
    assert (here.untold(), there.untold()) == ((), ())


def test_one_process_alone_gathers_nothing_to_tell() -> None:
    alone = RateLimit(5)
    alone.take("k", 0)
    assert alone.untold() == ()


def test_what_waits_to_be_told_is_bounded_and_the_oldest_goes() -> None:
    rate = RateLimit(UNTOLD_COUNTS + 10, shared=True)
    for at in range(UNTOLD_COUNTS + 10):
        rate.take("k", at // 100)
    (told,) = rate.untold()
    assert len(told.admitted_at) == UNTOLD_COUNTS
    assert told.admitted_at[-1] == (UNTOLD_COUNTS + 9) // 100


def test_a_process_that_is_asked_nothing_forgets_what_it_hears_when_it_is_over() -> None:
    rate = RateLimit(2, penalty_ms=PENALTY_MS, shared=True)
    crowd = [Counted(f"key-{number}", (0, 0, 0), None) for number in range(100)]
    rate.hear([*crowd, Counted("k", (), PENALTY_MS)], 0)
    assert len(rate) == 101
    rate.hear([Counted("key-7", (0,))], 2_000)
    assert len(rate) == 1
    rate.hear([], PENALTY_MS)
    assert len(rate) == 0
    assert rate._paid_back_at == {}
