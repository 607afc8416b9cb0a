"""Sharing buckets out: fair, with nothing moved that needn't be, and to an end."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.domain.buckets import BUCKETS
from tidings.domain.sharing import Holdings, share_of

NAMES = [f"d{number}" for number in range(9)]

presences = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)
leases = st.dictionaries(st.integers(0, BUCKETS - 1), st.sampled_from(NAMES))


def own(holder: str, held: dict[int, str]) -> set[int]:
    return {bucket for bucket, by in held.items() if by == holder}


def look(holder: str, present: list[str], held: dict[int, str]) -> None:
    """One look of one dispatcher, and what it does then."""
    share = share_of(holder, Holdings(tuple(present), dict(held)), own(holder, held))
    for bucket in share.give_up:
        del held[bucket]
    for bucket in share.take:
        assert bucket not in held
        held[bucket] = holder


@given(presences, leases, st.data())
@settings(max_examples=100, deadline=None)
def test_however_it_began_and_whoever_looks_first_all_is_shared_out_fairly_soon(
    present: list[str], held: dict[int, str], data: st.DataObject
) -> None:
    """Leases of those that are gone end by themselves; here they have."""
    held = {bucket: by for bucket, by in held.items() if by in present}
    for _ in range(3):
        for holder in data.draw(st.permutations(present)):
            look(holder, present, held)
    counts = Counter(held.values())
    assert len(held) == BUCKETS
    assert max(counts.values()) - min(counts[one] for one in present) <= 1
    settled = dict(held)
    for holder in present:
        look(holder, present, held)
    assert held == settled


@given(presences, leases, st.data())
@settings(max_examples=100, deadline=None)
def test_no_bucket_moves_that_needn_t(
    present: list[str], held: dict[int, str], data: st.DataObject
) -> None:
    held = {bucket: by for bucket, by in held.items() if by in present}
    before, counts = dict(held), Counter(held.values())
    for _ in range(3):
        for holder in data.draw(st.permutations(present)):
            look(holder, present, held)
    moved = sum(held[bucket] != by for bucket, by in before.items())
    least, more = divmod(BUCKETS, len(present))
    most_first = sorted((counts[one] for one in present), reverse=True)
    must = sum(max(0, count - least - (place < more)) for place, count in enumerate(most_first))
    assert moved == must


@given(presences, leases)
@settings(max_examples=50, deadline=None)
def test_those_who_look_at_the_same_moment_reach_for_different_buckets(
    present: list[str], held: dict[int, str]
) -> None:
    holdings = Holdings(tuple(present), held)
    wishes = [share_of(one, holdings, own(one, held)).take for one in present]
    assert len({bucket for wish in wishes for bucket in wish}) == sum(map(len, wishes))


def test_one_alone_takes_all_and_keeps_off_what_is_still_leased() -> None:
    assert share_of("a", Holdings((), {}), ()).take == tuple(range(BUCKETS))
    share = share_of("a", Holdings(("a",), {7: "dead"}), ())
    assert 7 not in share.take
    assert len(share.take) == BUCKETS - 1


def test_a_newcomer_is_given_half_and_the_other_keeps_the_rest() -> None:
    held = dict.fromkeys(range(BUCKETS), "old")
    share = share_of("old", Holdings(("new", "old"), held), set(range(BUCKETS)))
    assert share.give_up == tuple(range(BUCKETS // 2, BUCKETS))
    assert share_of("new", Holdings(("new", "old"), held), ()).take == ()
