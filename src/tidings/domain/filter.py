"""What a webhook covers: filters, revisions, and the one matching rule (contract 1.3).

The log's index knows a 64-bit mask of hashed changed fields; it answers "perhaps". The exact
field names decide on the few rows that pass, in the same function for pages and for pings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from tidings.domain.kinds import Kind, kind_bits

EVERY_FIELD = -1
"""The mask with all 64 bits set: a change that passes every field filter."""


@lru_cache(maxsize=65_536)
def _field_bit(field: str) -> int:
    return 1 << (hashlib.blake2b(field.encode(), digest_size=1).digest()[0] & 63)


def field_mask(fields: Iterable[str]) -> int:
    """Return the 64-bit mask of field names as a signed integer, which is what SQL holds."""
    bits = 0
    for field in fields:
        bits |= _field_bit(field)
    return bits - (1 << 64) if bits >> 63 else bits


class SolutionFilter(msgspec.Struct, frozen=True, tag_field="of", tag="solution"):
    """Everything in the solution."""


class ApplicationsFilter(msgspec.Struct, frozen=True, tag_field="of", tag="applications"):
    """Everything in the named applications (at least one)."""

    application_ids: tuple[str, ...]


class ApplicationFilter(msgspec.Struct, frozen=True, tag_field="of", tag="application"):
    """One application, and of its updates those that changed a named field (none named: all)."""

    application_id: str
    field_ids: tuple[str, ...] = ()


Filter = SolutionFilter | ApplicationsFilter | ApplicationFilter


def covered_applications(wanted: Filter) -> tuple[str, ...] | None:
    """Return the applications a filter names, or None where it takes all of them."""
    match wanted:
        case SolutionFilter():
            return None
        case ApplicationsFilter(application_ids):
            return application_ids
        case ApplicationFilter(application_id):
            return (application_id,)


def covered_fields(wanted: Filter) -> frozenset[str]:
    """Return the fields a filter watches; empty where it watches all."""
    if isinstance(wanted, ApplicationFilter):
        return frozenset(wanted.field_ids)
    return frozenset()


def fields_match(watched: frozenset[str], changed: tuple[str, ...] | None) -> bool:
    """Decide exactly what the mask decided roughly.

    `changed` is None for changes that every field filter passes: records created and deleted,
    changes of the application itself (contract 1.3, field filter).
    """
    return not watched or changed is None or not watched.isdisjoint(changed)


class Rule(msgspec.Struct, frozen=True):
    """A filter and kinds, compiled: what is asked for every change and every webhook."""

    kinds: int
    """As a bit set (`kinds.kind_bits`)."""
    applications: frozenset[str] | None
    fields: frozenset[str]

    def matches(self, kind: int, application: str, changed: tuple[str, ...] | None) -> bool:
        """Whether a change of this kind, application and changed fields is covered."""
        return (
            bool(self.kinds >> kind & 1)
            and (self.applications is None or application in self.applications)
            and fields_match(self.fields, changed)
        )


@lru_cache(maxsize=65_536)
def rule_of(wanted: Filter, kinds: tuple[Kind, ...]) -> Rule:
    """Compile a filter and kinds; webhooks that want the same share one rule."""
    applications = covered_applications(wanted)
    return Rule(
        kind_bits(kinds),
        None if applications is None else frozenset(applications),
        covered_fields(wanted),
    )


class Revision(msgspec.Struct, frozen=True):
    """What a webhook covered from a position on: events after `from_position` (mechanics L7)."""

    from_position: int
    filter: Filter
    kinds: tuple[Kind, ...]

    @property
    def rule(self) -> Rule:
        """The revision's rule, compiled."""
        return rule_of(self.filter, self.kinds)


class Span(msgspec.Struct, frozen=True):
    """A stretch of log `(after, until]` under one revision's rule."""

    after: int
    until: int
    revision: Revision


def spans(revisions: Sequence[Revision], after: int, until: int) -> Iterator[Span]:
    """Cut `(after, until]` at the revisions, oldest first.

    `revisions` ascend by `from_position`. What lies before the first one is covered by the first:
    a webhook with `start_at` sees, from then on, what it was created to see (contract 1.4).
    """
    for index, revision in enumerate(revisions):
        begins = revision.from_position if index else 0
        ends = revisions[index + 1].from_position if index + 1 < len(revisions) else until
        if max(begins, after) < min(ends, until):
            yield Span(max(begins, after), min(ends, until), revision)


def revision_at(revisions: Sequence[Revision], position: int) -> Revision:
    """Return the revision that holds for the change at `position`; the first one before it all."""
    for revision in reversed(revisions):
        if revision.from_position < position:
            return revision
    return revisions[0]
