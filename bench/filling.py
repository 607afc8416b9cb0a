"""Databases to measure on: filled through the storage's own port, before anything is timed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import uvloop

from bench.traffic import publication
from tidings.clock import SystemClock
from tidings.domain.buckets import bucket_of, new_webhook_id
from tidings.domain.filter import ApplicationsFilter, Filter, SolutionFilter
from tidings.domain.key import (
    KEY_BYTES,
    KEY_ID_BYTES,
    ApiKey,
    Role,
    hash_key,
    new_key_id,
    new_key_text,
)
from tidings.domain.kinds import Kind
from tidings.domain.signing import SECRET_BYTES, new_secret
from tidings.domain.webhook import Notifications, Stamp, Webhook
from tidings.engine.publish import Publisher
from tidings.ports import Storage
from tidings.storage.migrate import migrate
from tidings.storage.open import open_storage

T = TypeVar("T")

_AT_ONCE = 1_000
_CHANGES = 500


class Wished(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook to make."""

    account: str
    solution: str
    application: str | None = None
    url: str | None = None


class Filling:
    """What a database is filled by."""

    def __init__(self, storage: Storage, clock: SystemClock) -> None:
        self._storage = storage
        self._clock = clock

    async def key(self, account: str) -> str:
        """Make a key that may do everything in an account; return its text."""
        text = new_key_text(self._clock.entropy(KEY_BYTES))
        key_id = new_key_id(self._clock.entropy(KEY_ID_BYTES))
        await self._storage.keys.create(
            ApiKey(
                key_id=key_id,
                account=account,
                name=key_id,
                role=Role.ADMIN,
                key_hash=hash_key(text),
                created_at=self._clock.now(),
            )
        )
        return text

    async def events(self, account: str, solution: str, count: int) -> None:
        """Publish `count` events."""
        publisher = Publisher(self._storage.log, self._storage.applications, self._clock)
        for done in range(0, count, _CHANGES):
            body = publication(solution, min(_CHANGES, count - done))
            await publisher.publish(account, body, None)

    async def webhooks(self, wishes: Iterable[Wished]) -> Sequence[Webhook]:
        """Make webhooks, all that are wished."""
        made = [self._webhook(wish) for wish in wishes]
        kept: list[Webhook] = []
        for start in range(0, len(made), _AT_ONCE):
            some = made[start : start + _AT_ONCE]
            create = self._storage.webhooks.create
            kept += await asyncio.gather(*(create(webhook, start_at=None) for webhook in some))
        return kept

    def _webhook(self, wish: Wished) -> Webhook:
        bucket = bucket_of(wish.account, wish.solution)
        stamp = Stamp("bench", self._clock.now())
        wanted: Filter = SolutionFilter()
        if wish.application is not None:
            wanted = ApplicationsFilter((wish.application,))
        return Webhook(
            bucket=bucket,
            webhook_id=new_webhook_id(bucket, self._clock.entropy(15)),
            account=wish.account,
            solution=wish.solution,
            filter=wanted,
            kinds=(Kind.RECORD_CREATED,),
            notifications=Notifications(enabled=wish.url is not None, url=wish.url),
            secret=new_secret(self._clock.entropy(SECRET_BYTES)),
            created=stamp,
            updated=stamp,
        )


def url_of(file: Path) -> str:
    """Return the URL of a database file."""
    return f"sqlite:///{file.absolute()}"


@asynccontextmanager
async def _filling(database: str) -> AsyncIterator[Filling]:
    clock = SystemClock()
    await migrate(database)
    storage = await open_storage(database, clock, serve=True)
    try:
        yield Filling(storage, clock)
    finally:
        await storage.close()


def fill(database: str, how: Callable[[Filling], Coroutine[object, object, T]]) -> T:
    """Make the database of a URL and fill it; return what `how` returns."""

    async def filled() -> T:
        async with _filling(database) as filling:
            return await how(filling)

    return uvloop.run(filled())
