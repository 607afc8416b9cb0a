"""A key as `tidings keys create` makes it, without a process of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from tidings.clock import SystemClock
from tidings.domain.key import (
    KEY_BYTES,
    KEY_ID_BYTES,
    ApiKey,
    Role,
    hash_key,
    new_key_id,
    new_key_text,
)
from tidings.storage.open import open_storage


def make_key(database: str, *, account: str, name: str, role: Role) -> str:
    """Make a key in the database at a URL and return its text. The schema has to be there.

    It works beside a running server, and in an event loop, which it holds up for some milliseconds.
    """
    clock = SystemClock()
    text = new_key_text(clock.entropy(KEY_BYTES))
    key = ApiKey(
        key_id=new_key_id(clock.entropy(KEY_ID_BYTES)),
        account=account,
        name=name,
        role=role,
        key_hash=hash_key(text),
        created_at=clock.now(),
    )
    # In a thread: the caller may be in an event loop, in which no other can be run.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, _keep(database, key)).result()
    return text


async def _keep(database: str, key: ApiKey) -> None:
    storage = await open_storage(database, SystemClock(), serve=False)
    try:
        await storage.keys.create(key)
    finally:
        await storage.close()
