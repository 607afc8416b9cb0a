"""What an inbox does to a SQLite file, in a transaction that is open already: plain calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from tidings.domain.instants import from_milliseconds, to_milliseconds
from tidings.receiver.inbox import Claim, ClaimLost, DeadItem, Held, Opened, is_new
from tidings.receiver.notification import Item, ItemKind, Kept, Notification
from tidings.receiver.sqlite_many import ManyRows
from tidings.sql_files import queries_of

SQL = queries_of("tidings.receiver", "sqlite_inbox.sql")
_REMEMBER, _KEEP = ManyRows(SQL["remember"]), ManyRows(SQL["keep"])
_TABLES = [text for name, text in SQL.items() if name.startswith("create_")]


def make_tables(db: sqlite3.Connection) -> None:
    """Make what is missing."""
    for statement in _TABLES:
        db.execute(statement)


def keep(
    db: sqlite3.Connection, receiver: str, notifications: Sequence[Notification], until_ms: int
) -> list[bool]:
    """Keep what isn't known; say of each whether it is new."""
    named = [one for one in notifications if one.identity is not None]
    last: int = db.execute(SQL["last_known"]).fetchone()[0]
    rows = [(one.identity, until_ms) for one in named]
    if _REMEMBER.insert(db, rows) == len(named):
        results = [True] * len(notifications)
    else:
        fresh = {row[0] for row in db.execute(SQL["known_since"], (last,))}
        results = [is_new(one, fresh) for one in notifications]
    new = [one for one, is_first in zip(notifications, results, strict=True) if is_first]
    _KEEP.insert(db, [_row_of(receiver, one) for one in new])
    return results


def _row_of(receiver: str, new: Notification) -> tuple[object, ...]:
    received_ms = to_milliseconds(new.received_at)
    return (receiver, new.stale, received_ms, new.identity, new.message_id, new.body)


def held(db: sqlite3.Connection, receiver: str) -> Held:
    """Count what there is."""
    return Held(*db.execute(SQL["held"], (receiver,)).fetchone())


def claim(
    db: sqlite3.Connection, receiver: str, holder: str, now_ms: int, until_ms: int
) -> Claim | None:
    """Claim or renew; None while another's claim lasts."""
    given = {"receiver": receiver, "holder": holder, "now": now_ms, "until": until_ms}
    found = db.execute(SQL["claim"], given).fetchone()
    return None if found is None else Claim(receiver, found[0])


def check(db: sqlite3.Connection, claim: Claim) -> None:
    """Raise ClaimLost where a claim is another's by now."""
    if not db.execute(SQL["holds"], (claim.receiver, claim.epoch)).fetchone():
        raise ClaimLost("another process works this inbox off now")


def unpack(db: sqlite3.Connection, claim: Claim, opened: Sequence[Opened], now_ms: int) -> None:
    """Put parts in the place of what was kept."""
    check(db, claim)
    for one in opened:
        db.execute(SQL["opened"], (one.notification,))
        for part in one.parts:
            row = {
                "receiver": claim.receiver,
                "notification": one.notification,
                "kind": part.kind,
                "place": part.place,
                "object_key": part.object_key,
                "now": now_ms,
                "error": part.dead,
            }
            db.execute(SQL["add_item"], row)
        db.execute(SQL["drop_finished"], {"notification": one.notification})


def settle(db: sqlite3.Connection, claim: Claim, items: Sequence[Item], now_ms: int) -> None:
    """Drop items that were handled."""
    check(db, claim)
    for item in items:
        if not db.execute(SQL["drop_item"], (item.number,)).rowcount:
            raise ClaimLost("this event was handled already")
        _release_next(db, claim.receiver, item.object_key, now_ms)
        db.execute(SQL["drop_finished"], {"notification": item.notification})


def postpone(db: sqlite3.Connection, claim: Claim, item: Item, due_ms: int) -> None:
    """Count a try that failed."""
    check(db, claim)
    db.execute(SQL["postpone"], (due_ms, item.number))


def bury(db: sqlite3.Connection, claim: Claim, item: Item, now_ms: int, error: str) -> None:
    """Give an item up."""
    check(db, claim)
    db.execute(SQL["bury"], (now_ms, error, item.number))
    _release_next(db, claim.receiver, item.object_key, now_ms)


def release(db: sqlite3.Connection, claim: Claim) -> None:
    """End a claim, where it still lasts."""
    db.execute(SQL["release"], (claim.receiver, claim.epoch))


def unopened(db: sqlite3.Connection, claim: Claim, limit: int, max_bytes: int) -> list[Kept]:
    """Return the oldest that aren't taken apart."""
    found = db.execute(SQL["unopened"], (claim.receiver, limit, max_bytes))
    return [kept_of(row) for row in found]


def contents(db: sqlite3.Connection, notification: int) -> Kept | None:
    """Return a notification that has items."""
    row = db.execute(SQL["contents"], (notification,)).fetchone()
    return None if row is None else kept_of(row)


def due(db: sqlite3.Connection, claim: Claim, now_ms: int, limit: int) -> list[Item]:
    """Return what is to be tried by now."""
    check(db, claim)
    return [item_of(row) for row in db.execute(SQL["due"], (claim.receiver, now_ms, limit))]


def next_due(db: sqlite3.Connection, claim: Claim) -> int | None:
    """Return when the next is to be tried."""
    due_ms: int | None = db.execute(SQL["next_due"], (claim.receiver,)).fetchone()[0]
    return due_ms


def dead(db: sqlite3.Connection, receiver: str, after: int, limit: int) -> list[DeadItem]:
    """Return what was given up."""
    return [dead_of(row) for row in db.execute(SQL["dead"], (receiver, after, limit))]


def revive(db: sqlite3.Connection, receiver: str, numbers: Sequence[int], now_ms: int) -> int:
    """Let dead items wait again, in their old places."""
    revived = 0
    for number in numbers:
        found = db.execute(SQL["dead_one"], (receiver, number)).fetchone()
        if found is not None:
            db.execute(SQL["revive"], (number,))
            place = {"receiver": receiver, "object_key": found[1], "number": number}
            db.execute(SQL["rest"], place)
            _release_next(db, receiver, found[1], now_ms)
            revived += 1
    return revived


def drop(db: sqlite3.Connection, receiver: str, numbers: Sequence[int]) -> int:
    """Drop dead items, and notifications that have none left."""
    dropped = 0
    for number in numbers:
        found = db.execute(SQL["dead_one"], (receiver, number)).fetchone()
        if found is not None:
            db.execute(SQL["drop_dead"], (receiver, number))
            db.execute(SQL["drop_finished"], {"notification": found[0]})
            dropped += 1
    return dropped


def forget(db: sqlite3.Connection, now_ms: int, limit: int) -> int:
    """Forget the oldest identities, as far as their time is over."""
    old = 0
    last = None
    for number, until_ms in db.execute(SQL["oldest_known"], (limit,)):
        if until_ms > now_ms:
            break
        old, last = old + 1, number
    if last is not None:
        db.execute(SQL["forget"], (last,))
    return old


def kept_of(row: tuple[Any, ...]) -> Kept:
    """Return a notification's row."""
    number, identity, message_id, received_ms, body, stale = row
    return Kept(
        number=number,
        identity=identity,
        message_id=message_id,
        received_at=from_milliseconds(received_ms),
        body=body,
        stale=bool(stale),
    )


def item_of(row: Sequence[Any]) -> Item:
    """Return an item's row."""
    number, notification, kind, place, object_key, tries = row
    return Item(
        number=number,
        notification=notification,
        kind=ItemKind(kind),
        place=place,
        object_key=object_key,
        tries=tries,
    )


def dead_of(row: Sequence[Any]) -> DeadItem:
    """Return a dead item's row."""
    return DeadItem(item=item_of(row[:6]), dead_at_ms=row[6], error=row[7])


def _release_next(db: sqlite3.Connection, receiver: str, object_key: bytes, now_ms: int) -> None:
    given = {"receiver": receiver, "object_key": object_key, "now": now_ms}
    db.execute(SQL["release_next"], given)
