"""Kinds of change: names, numbers and families (contract 1.3)."""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """What happened. The numbers are the wire's (proto enum values) and the log's."""

    RECORD_CREATED = 1
    RECORD_UPDATED = 2
    RECORD_DELETED = 3
    APPLICATION_CREATED = 4
    APPLICATION_UPDATED = 5
    APPLICATION_DELETED = 6
    FIELD_CREATED = 7
    FIELD_UPDATED = 8
    FIELD_DELETED = 9


CONTROL = 0
"""The kind of a control entry in the log (mechanics L7); no webhook can subscribe to it."""

RECORD_KINDS = frozenset({Kind.RECORD_CREATED, Kind.RECORD_UPDATED, Kind.RECORD_DELETED})
APPLICATION_KINDS = frozenset(
    {Kind.APPLICATION_CREATED, Kind.APPLICATION_UPDATED, Kind.APPLICATION_DELETED}
)
FIELD_KINDS = frozenset({Kind.FIELD_CREATED, Kind.FIELD_UPDATED, Kind.FIELD_DELETED})
UPDATED_KINDS = frozenset({Kind.RECORD_UPDATED, Kind.APPLICATION_UPDATED, Kind.FIELD_UPDATED})
DELETED_KINDS = frozenset({Kind.RECORD_DELETED, Kind.APPLICATION_DELETED, Kind.FIELD_DELETED})


def kind_bits(kinds: tuple[Kind, ...]) -> int:
    """Return the kinds as a bit set: bit n stands for kind n."""
    bits = 0
    for kind in kinds:
        bits |= 1 << kind
    return bits
