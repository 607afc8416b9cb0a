"""What a process tells of its counts, as one column, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tidings.domain.count_note import Counted

_decoder = msgspec.msgpack.Decoder(dict[str, tuple[Counted, ...]])


def counted_column(counted: Mapping[str, Sequence[Counted]]) -> bytes:
    """Return counts as they are stored."""
    return msgspec.msgpack.encode(counted)


def read_counted(column: bytes) -> Mapping[str, Sequence[Counted]]:
    """Return the counts of a column; what a later version added is left out."""
    return _decoder.decode(column)
