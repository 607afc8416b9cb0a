"""Many writers and a reader that tails: who must see every entry once, in order (mechanics L2)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from tidings.domain.buckets import bucket_of
from tidings.ports import ChangeLog
from tidings.testing.storage_samples import ACCOUNT, SOLUTION, entry, fresh, page_query, publish


class RaceReport(msgspec.Struct, frozen=True):
    """What a race came to. Subjects name entries; each was published once."""

    acknowledged: tuple[str, ...]
    missed_by_tail: tuple[str, ...]
    missed_by_pages: tuple[str, ...]
    repeated: tuple[str, ...]


async def race(
    writers: Sequence[ChangeLog], reader: ChangeLog, *, appends: int, appenders: int = 8
) -> RaceReport:
    """Let `appenders` tasks a writer append to one solution while `reader` tails it and pages it.

    Each writer should be a database connection of its own, as of another process. The readers
    start before the first append and read on until nothing more comes.
    """
    ended = asyncio.Event()
    tail = asyncio.ensure_future(_tail(reader, ended))
    pages = asyncio.ensure_future(_walk(reader, ended))
    per_task = max(1, appends // (len(writers) * appenders))
    tasks = [_append(log, per_task) for log in writers for _ in range(appenders)]
    acknowledged = [subject for done in await asyncio.gather(*tasks) for subject in done]
    ended.set()
    by_tail, by_pages = await tail, await pages
    return RaceReport(
        acknowledged=tuple(acknowledged),
        missed_by_tail=_missing(acknowledged, by_tail),
        missed_by_pages=_missing(acknowledged, by_pages),
        repeated=_repeated(by_tail) + _repeated(by_pages),
    )


async def _append(log: ChangeLog, times: int) -> list[str]:
    done = []
    for _ in range(times):
        subject = fresh("raced")
        await log.append(publish(entry(subject)))
        done.append(subject)
    return done


async def _tail(log: ChangeLog, ended: asyncio.Event) -> list[str]:
    bucket = bucket_of(ACCOUNT, SOLUTION)
    seen: list[str] = []
    tail = 0
    while True:
        last_round = ended.is_set()
        headers = await log.read_tail({bucket: tail}, 100)
        seen.extend(header.subject for header in headers)
        if headers:
            tail = headers[-1].position
        elif last_round:
            return seen


async def _walk(log: ChangeLog, ended: asyncio.Event) -> list[str]:
    seen: list[str] = []
    token = 0
    while True:
        last_round = ended.is_set()
        await asyncio.sleep(0)  # an adapter may read without giving the writers a turn
        page = await log.read_page(page_query(after=token, limit=7))
        seen.extend(found.body.decode() for found in page.entries)
        token = page.end
        if last_round and not page.has_more and not page.entries:
            return seen


def _missing(acknowledged: Sequence[str], seen: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(acknowledged).difference(seen)))


def _repeated(seen: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({subject for subject in seen if seen.count(subject) > 1}))
