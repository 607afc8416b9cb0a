"""What a write sees of a lane's transaction: heads that are locked, their lasts, and the clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidings.domain import limits
from tidings.domain.instants import from_milliseconds
from tidings.domain.log_entry import Appended, NewEntry
from tidings.domain.positions import DAY_MS, PER_MILLISECOND, next_position
from tidings.errors import ClockAhead, InvalidArgument
from tidings.storage.clock_bound import ClockBound
from tidings.storage.postgres.connection import Connection, Copy, commit
from tidings.storage.postgres.queries import load_queries
from tidings.storage.rows.change_log import Value, entry_rows, headers

_SQL, _CONTROL = load_queries("change_log"), load_queries("transactions")
_HEADS, _INSERT = _SQL["read_heads"], _SQL["insert_entries"]
_PREPARE, _BEGIN = _CONTROL["prepare_lock_head"], _CONTROL["begin_write"]
_PATIENCE, _LOCK = _CONTROL["lock_patience"], _CONTROL["lock_head"]
_COLUMNS = (
    "bucket",
    "position",
    "account",
    "solution",
    "application",
    "kind",
    "mask",
    "subject",
    "changed",
    "by",
    "change_agent",
    "body",
)


class LaneTransaction:
    """A transaction that holds the head locks of its buckets, so time may become positions.

    `now_ms` is the database's clock after the locks were taken (mechanics L2, P4), in milliseconds
    since 1970.
    """

    def __init__(self, connection: Connection, bound: ClockBound, *, hints: bool) -> None:
        self.connection = connection
        self.now_ms = 0
        self.appended: list[Appended] = []
        self.days: set[int] = set()
        """Days (since 1970) of what was placed: without its partition a row can't be stored."""
        self._bound = bound
        self._hints = hints
        self._floors: dict[int, int] = {}
        self._lasts: dict[int, int] = {}
        self._rows: list[tuple[Value, ...]] = []

    async def begin(self, buckets: Iterable[int], patience_ms: int | None = None) -> None:
        """Begin, lock the heads, ascending, then read what lies behind them and the time.

        No lock of this transaction is waited for longer than `patience_ms`, if it is given.

        In two round trips: what goes over in the first is one text of several statements, so the
        read of the second sees all that the locks waited for. Locks taken in no order deadlock at
        once.
        """
        ordered = sorted(set(buckets))
        locks = (_LOCK.format(bucket=bucket) for bucket in ordered)
        patience = () if patience_ms is None else (_PATIENCE.format(milliseconds=patience_ms),)
        await self.connection.execute("; ".join((_BEGIN, *patience, *locks)))
        rows = await self.connection.fetch(_HEADS, ordered)
        for bucket, floor, last, now_ms, swept_at in rows:
            self._floors[bucket] = floor
            self._lasts[bucket] = last
            self.now_ms = max(self.now_ms, now_ms)
            self._bound.see(None if swept_at is None else from_milliseconds(swept_at))

    def floor(self, bucket: int) -> int:
        """Return up to where retention has dropped a bucket."""
        return self._floors[bucket]

    def last(self, bucket: int) -> int:
        """Return a bucket's last position."""
        return self._lasts[bucket]

    def next(self, bucket: int) -> int:
        """Return the bucket's next position."""
        return next_position(self._lasts[bucket], self.now_ms)

    def check_clock(self) -> None:
        """Raise ClockAhead where the clock can't be believed (mechanics L8)."""
        if self._bound.is_passed(from_milliseconds(self.now_ms)):
            raise ClockAhead("the database's clock runs over an hour ahead; nothing is taken by it")

    async def insert(
        self, bucket: int, account: str, solution: str, entries: Sequence[NewEntry]
    ) -> tuple[int, int]:
        """Put entries at the bucket's next positions, in order; return the first and the last."""
        placed = self.place(bucket, account, solution, entries)
        await self.insert_placed()
        return placed

    def place(
        self, bucket: int, account: str, solution: str, entries: Sequence[NewEntry]
    ) -> tuple[int, int]:
        """Give entries the bucket's next positions; they are stored by the commit at the latest.

        Returns the first and the last. At least one entry. Raises ClockAhead: positions can't go
        back.
        """
        self.check_clock()
        previous, first = self._lasts[bucket], self.next(bucket)
        self._rows += entry_rows(bucket, first, account, solution, entries)
        last = first + len(entries) - 1
        self._lasts[bucket] = last
        self.days |= {day_of(first), day_of(last)}
        if self._hints:
            told = headers(bucket, first, account, solution, entries)
            self.appended.append(Appended(bucket, previous, told))
        return first, last

    async def commit(self) -> None:
        """Commit, with what was placed and isn't stored yet (connection.commit)."""
        rows, self._rows = self._rows, []
        await commit(self.connection, Copy("change_log", _COLUMNS, rows) if rows else None)

    async def insert_placed(self) -> None:
        """Insert what was placed: a few rows one by one in one round trip, more of them by COPY."""
        rows, self._rows = self._rows, []
        if len(rows) >= limits.COPY_ROWS:
            await self.connection.copy_records_to_table(
                "change_log", records=rows, columns=_COLUMNS
            )
        elif rows:
            await self.connection.executemany(_INSERT, rows)


async def prepare(connection: Connection) -> None:
    """Make a connection ready for transactions of a lane."""
    await connection.execute(_PREPARE)


def day_of(position: int) -> int:
    """Return the day, since 1970, that a position lies in."""
    return position // PER_MILLISECOND // DAY_MS


def check_storable(account: str, solution: str, entry: NewEntry) -> None:
    """Return if PostgreSQL can hold an entry; raises InvalidArgument.

    Asked before an append waits in line: one that broke the COPY would have all that wait with it
    written one by one.
    """
    if not (0 <= entry.kind < 64 and -(1 << 63) <= entry.mask < 1 << 63):
        raise InvalidArgument("entry", "a number doesn't fit into its column")
    key = f"{account}\n{solution}\n{entry.application}"
    check_text(key, limits.INDEX_KEY_BYTES)
    check_text(f"{entry.subject}\n{entry.by}\n{entry.change_agent}")


def check_text(text: str, max_bytes: int | None = None) -> None:
    """Return if PostgreSQL can hold a text, and its indexes one so long."""
    if "\0" in text:
        raise InvalidArgument("entry", "text holds a NUL")
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidArgument("entry", "text holds half of a surrogate pair") from error
    if max_bytes is not None and size > max_bytes:
        raise InvalidArgument("entry", f"ids take {size} bytes together, over {max_bytes}")
