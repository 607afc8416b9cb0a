"""Leases and what dispatch must remember, on PostgreSQL (mechanics D1, D2, D6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from tidings.domain.dispatch import (
    Attempt,
    BucketSettlement,
    BucketState,
    CallbackCursor,
    ReadNote,
)
from tidings.domain.instants import to_milliseconds
from tidings.domain.lifecycle import Stage
from tidings.domain.positions import DAY_MS
from tidings.errors import TidingsError
from tidings.storage.postgres.connection import Connection
from tidings.storage.postgres.days import Days, misses_a_day
from tidings.storage.postgres.lanes import Lanes
from tidings.storage.postgres.lifecycle_time import lag_ms
from tidings.storage.postgres.queries import load_queries
from tidings.storage.postgres.revival import revive
from tidings.storage.postgres.transaction import LaneTransaction
from tidings.storage.postgres.webhook_rows import (
    columns_of,
    cursors_of_bucket,
    tracked_of_bucket,
)
from tidings.storage.rows.callbacks import Row, cursor_row, read_cursor
from tidings.storage.rows.dispatch import (
    attempt_row,
    debt_row,
    read_attempt,
    read_debt,
    read_state,
    read_told,
    state_row,
    told_row,
)

_SQL, _WEBHOOKS, _CALLBACKS = map(load_queries, ("dispatch", "webhooks", "callbacks"))

_Key = tuple[int, str]


class PostgresDispatchStore:
    """ports.DispatchStore on PostgreSQL."""

    def __init__(self, lanes: Lanes, days: Days) -> None:
        self._lanes = lanes
        self._database = lanes.database
        self._days = days

    async def take(
        self, buckets: Sequence[int], holder: str, seconds: float, *, predecessor_gone: bool = False
    ) -> Mapping[int, int]:
        """Take the leases that may be taken; return bucket → new epoch (ports.DispatchStore)."""
        wish = (holder, predecessor_gone)
        free = await self._database.fetch(_SQL["free_leases"], list(buckets), *wish)
        if not free:
            return {}
        async with self._database.writing() as connection:
            locks = [(row["bucket"], *wish) for row in free]
            locked = await connection.fetchmany(_SQL["lock_lease"], locks)
            taken = await connection.fetchmany(
                _SQL["take_lease"], [(row["bucket"], holder, _ms(seconds)) for row in locked]
            )
        return {row["bucket"]: row["epoch"] for row in taken}

    async def renew(self, holder: str, epochs: Mapping[int, int], seconds: float) -> frozenset[int]:
        """Lengthen leases that nobody else took; return the buckets that are still held."""
        rows = [(*lease, holder, _ms(seconds)) for lease in sorted(epochs.items())]
        async with self._database.writing() as connection:
            held = await connection.fetchmany(_SQL["renew_lease"], rows)
        return frozenset(row["bucket"] for row in held)

    async def release(self, holder: str, epochs: Mapping[int, int]) -> None:
        """End leases that are still held at these epochs."""
        rows = [(*lease, holder) for lease in sorted(epochs.items())]
        async with self._database.writing() as connection:
            await connection.executemany(_SQL["release_lease"], rows)

    async def held(self) -> Mapping[int, str]:
        """Return who holds which bucket."""
        rows = await self._database.fetch(_SQL["held_leases"])
        return {row["bucket"]: row["holder"] for row in rows}

    async def load(self, bucket: int) -> BucketState:
        """Read all that the holder of a bucket needs, from one snapshot."""
        async with self._database.snapshot() as connection:
            checkpoint = await connection.fetchval(_SQL["checkpoint"], bucket)
            states = await connection.fetch(_SQL["states"], bucket)
            debts = await connection.fetch(_SQL["debts"], bucket)
            return BucketState(
                bucket=bucket,
                checkpoint=checkpoint or 0,
                webhooks=await tracked_of_bucket(connection, bucket),
                states=tuple(read_state(*row) for row in states),
                debts=tuple(read_debt(*row) for row in debts),
                cursors=await cursors_of_bucket(connection, bucket),
            )

    async def settle(self, settlements: Sequence[BucketSettlement]) -> frozenset[int]:
        """Write settlements in one transaction; return the buckets left out."""
        ordered = sorted(settlements, key=lambda settlement: settlement.bucket)
        async with self._database.writing() as connection:
            fences = [(settlement.bucket, settlement.epoch) for settlement in ordered]
            rows = await connection.fetchmany(_SQL["fence"], fences)
            held = {row["bucket"] for row in rows}
            await _settle(connection, [one for one in ordered if one.bucket in held])
        return frozenset(settlement.bucket for settlement in ordered) - held

    async def cursors(
        self, bucket: int, webhook_ids: Sequence[str]
    ) -> Mapping[str, CallbackCursor]:
        """Return those of the callback webhooks' cursors that exist."""
        rows = await self._database.fetch(_CALLBACKS["cursors"], bucket, list(webhook_ids))
        found = [read_cursor(*row) for row in rows]
        return {cursor.webhook_id: cursor for cursor in found}

    async def note_reads(self, notes: Sequence[ReadNote]) -> Sequence[str]:
        """Store when and how far webhooks were listed (ports.DispatchStore.note_reads).

        Those that have left their first stage need their head's lock, for the control entry: each
        is written by its lane, with what leads it back. No other can leave it before this commits.
        """
        staged: list[ReadNote] = []
        async with self._database.writing() as connection:
            behind = await lag_ms(connection)
            by_bucket = _ids_by_bucket((note.bucket, note.webhook_id) for note in notes)
            rows = await connection.fetchmany(_WEBHOOKS["hold_webhooks"], by_bucket)
            stages = {(row["bucket"], row["webhook_id"]): row["stage"] for row in rows}
            active: list[Row] = []
            for note in _last_of_each(notes):
                stage = stages.get((note.bucket, note.webhook_id))
                if stage == Stage.ACTIVE:
                    active.append(_note_row(note, behind))
                elif stage is not None:
                    staged.append(note)
            await _save(connection, _SQL["note_reads"], active)
        revived = []
        for note in staged:
            revived += await self._lanes.of(note.bucket).run(
                note.bucket, partial(_note_staged, note=note)
            )
        return revived

    async def tell_reads(self, notes: Sequence[ReadNote]) -> None:
        """Leave notes for the dispatcher of another process (ports.DispatchStore.tell_reads)."""
        async with self._database.writing() as connection:
            await _save(connection, _SQL["tell_reads"], [*map(told_row, _last_of_each(notes))])

    async def take_told(self, buckets: Sequence[int]) -> Sequence[ReadNote]:
        """Return the notes that were left for these buckets, and keep them no more."""
        rows = await self._database.fetch(_SQL["take_told"], list(buckets))
        return [read_told(*row) for row in rows]

    async def add_attempts(self, attempts: Sequence[Attempt]) -> None:
        """Add to the log of attempts, in one batch; not those of webhooks that are gone."""
        rows = [_without_nul(attempt_row(attempt)) for attempt in attempts]
        try:
            await self._add_attempts(rows)
        except TidingsError as error:
            if error.__cause__ is None or not misses_a_day(error.__cause__):
                raise
            made_at = {to_milliseconds(attempt.attempted_at) for attempt in attempts}
            await self._days.attach({at_ms // DAY_MS for at_ms in made_at})
            await self._add_attempts(rows)

    async def attempts_of(self, bucket: int, webhook_id: str, limit: int) -> Sequence[Attempt]:
        """Return a webhook's newest attempts, newest first."""
        rows = await self._database.fetch(_SQL["attempts_of"], bucket, webhook_id, limit)
        return [read_attempt(*row) for row in rows]

    async def _add_attempts(self, rows: Sequence[Row]) -> None:
        async with self._database.writing() as connection:
            await _save(connection, _SQL["add_attempts"], rows)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


async def _settle(connection: Connection, settlements: Sequence[BucketSettlement]) -> None:
    """Write what fenced settlements hold; rows of webhooks that are gone are left out."""
    checkpoints: list[Row] = [
        (one.bucket, one.checkpoint) for one in settlements if one.checkpoint is not None
    ]
    states = [state_row(state) for one in settlements for state in one.states]
    paid: list[Row] = [(one.bucket, webhook_id) for one in settlements for webhook_id in one.paid]
    debts = [_without_nul(debt_row(debt)) for one in settlements for debt in one.debts]
    cursors = [cursor_row(cursor) for one in settlements for cursor in one.cursors]
    touched = _ids_by_bucket((row[0], row[1]) for row in (*states, *debts, *cursors))
    locked = await connection.fetchmany(_WEBHOOKS["lock_webhooks"], touched)
    there = {(row["bucket"], row["webhook_id"]) for row in locked}
    await _save(connection, _SQL["save_checkpoints"], checkpoints)
    await _save(connection, _SQL["pay_debts"], paid)
    for query, rows in (
        (_SQL["save_states"], states),
        (_SQL["save_debts"], debts),
        (_CALLBACKS["save_cursors"], cursors),
    ):
        await _save(connection, query, [row for row in rows if row[:2] in there])


async def _save(connection: Connection, query: str, rows: Sequence[Row]) -> None:
    """Write rows in one statement, in the order of their keys; nothing where there are none."""
    if rows:
        ordered = sorted(rows, key=lambda row: row[:2])
        await connection.execute(query, *columns_of(ordered))


def _ids_by_bucket(keys: Iterable[tuple[Any, Any]]) -> list[tuple[int, list[str]]]:
    """Return webhooks' ids by bucket, ascending both."""
    by_bucket: dict[int, set[str]] = {}
    for bucket, webhook_id in keys:
        by_bucket.setdefault(bucket, set()).add(webhook_id)
    return [(bucket, sorted(ids)) for bucket, ids in sorted(by_bucket.items())]


def _last_of_each(notes: Sequence[ReadNote]) -> list[ReadNote]:
    """Return of each webhook's notes the last: one statement may not write a row twice."""
    latest: dict[_Key, ReadNote] = {}
    for note in notes:
        key = (note.bucket, note.webhook_id)
        earlier = latest.get(key)
        if earlier is None or (note.listed_at, note.read_position) >= (
            earlier.listed_at,
            earlier.read_position,
        ):
            latest[key] = note
    return list(latest.values())


def _note_row(note: ReadNote, behind_ms: int) -> Row:
    listed_at = to_milliseconds(note.listed_at)
    place = (note.bucket, note.webhook_id)
    return (*place, listed_at, note.read_position, note.key_id, listed_at - behind_ms)


async def _note_staged(transaction: LaneTransaction, *, note: ReadNote) -> list[str]:
    connection = transaction.connection
    rows = await connection.fetch(_WEBHOOKS["lock_webhook"], note.bucket, note.webhook_id)
    if not rows:
        return []
    await _save(connection, _SQL["note_reads"], [_note_row(note, await lag_ms(connection))])
    back = await revive(transaction, note.bucket, note.webhook_id)
    return [note.webhook_id] if back else []


def _without_nul(row: Row) -> Row:
    """Return a row whose texts PostgreSQL can hold: an endpoint's answer may hold any character."""
    return tuple(value.replace("\0", "") if isinstance(value, str) else value for value in row)
