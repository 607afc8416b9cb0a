"""What one callback is made of, read in one short transaction (contract 2.5; mechanics P5)."""

from __future__ import annotations

import apsw
import msgspec

from tidings.domain.filter import covered_applications, covered_fields, field_mask
from tidings.domain.kinds import kind_bits
from tidings.domain.log_entry import CallbackEntries, CallbackQuery
from tidings.storage.rows.change_log import read_callback
from tidings.storage.sqlite.connection import snapshot
from tidings.storage.sqlite.queries import load_queries

_SQL = load_queries("change_log")
_HEAD, _SLICE_END, _SCAN = _SQL["last_position"], _SQL["slice_end"], _SQL["scan_callback"]


def scan_callback(
    connection: apsw.Connection, query: CallbackQuery, *, rows: int, max_bytes: int
) -> CallbackEntries:
    """Read a sheet's changes: look at `rows` of its solution's at most, and take so many bytes.

    Where a limit comes first, `end` says up to where nothing was left out.
    """
    with snapshot(connection):
        [(_, floor)] = connection.execute(_HEAD, (query.bucket,))
        after = max(query.after, floor)
        place = (query.bucket, query.account, query.solution, after, query.until, rows - 1)
        cut: int | None = connection.execute(_SLICE_END, place).get
        until = query.until if cut is None else cut
        found = connection.execute(_SCAN, _bindings(query, after, until))
        return read_callback(found, query, floor=floor, until=until, max_bytes=max_bytes)


def _bindings(query: CallbackQuery, after: int, until: int) -> dict[str, apsw.SQLiteValue]:
    wanted = query.revision.filter
    watched = covered_fields(wanted)
    return {
        "bucket": query.bucket,
        "account": query.account,
        "solution": query.solution,
        "after": after,
        "until": until,
        "kind_bits": kind_bits(query.revision.kinds),
        "applications": msgspec.json.encode(covered_applications(wanted)).decode(),
        "mask": field_mask(watched) if watched else None,
        "limit": query.limit,
    }
