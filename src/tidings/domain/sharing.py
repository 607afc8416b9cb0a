"""Which buckets a dispatcher is to hold, where several share them (mechanics D6). Pure.

Each decides for itself, from what it sees of all: who is there, and who holds what. They may see
different moments, and then wish for the same bucket or give up one too many: the leases let only
one of them have it, and the next look mends the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import msgspec

from tidings.domain.buckets import BUCKETS


class Holdings(msgspec.Struct, frozen=True):
    """Who is there, and who holds what, at one moment."""

    present: tuple[str, ...]
    """The dispatchers that said lately that they are there, also those that hold nothing."""
    held: Mapping[int, str]
    """Bucket → holder, of the leases that haven't ended."""


class Share(msgspec.Struct, frozen=True):
    """What one dispatcher does next. Both ascending; one of them is empty."""

    take: tuple[int, ...] = ()
    """Free buckets that it takes."""
    give_up: tuple[int, ...] = ()
    """Buckets of its own that it drains and releases, for others that hold too few."""


def share_of(holder: str, holdings: Holdings, own: Collection[int]) -> Share:
    """Return what `holder` takes, or gives up; `own` is what it holds by its own knowledge.

    Fair: each that is there is to hold 256 / n, rounded down or up. Nothing is moved but what that
    takes: rounded up is for those that hold the most already. What is free is shared out by slices,
    so that those who look at the same moment don't reach for the same.
    """
    counts = Counter(by for bucket, by in holdings.held.items() if by != holder)
    present = sorted({*holdings.present, holder})
    counts[holder] = len(own)
    quotas = _quotas({one: counts[one] for one in present})
    over = len(own) - quotas[holder]
    if over > 0:
        return Share(give_up=tuple(sorted(own)[-over:]))
    free = [b for b in range(BUCKETS) if b not in own and holdings.held.get(b, holder) == holder]
    begin = 0
    for one in present:
        lack = max(0, quotas[one] - counts[one])
        if one == holder:
            return Share(take=tuple(free[begin : begin + lack]))
        begin += lack
    raise AssertionError("the holder isn't among those who are there")


def _quotas(counts: Mapping[str, int]) -> dict[str, int]:
    least, more = divmod(BUCKETS, len(counts))
    by_most = sorted(counts, key=lambda one: (-counts[one], one))
    return {one: least + (place < more) for place, one in enumerate(by_most)}
