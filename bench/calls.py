"""How many callbacks a second reach an endpoint on this machine, at 64 in flight.

A change in each of 16 accounts' sheets is owed to each of their callback webhooks at once. Each of
them is read from the log, written down, signed and sent; the bare loop sends as many bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import uvloop

from bench.burst import ACCOUNTS, bare_burst, burst
from bench.processes import running, tidings
from bench.report import Row, compared
from bench.sizes import Sizes
from tidings.clock import SystemClock
from tidings.domain import signing
from tidings.domain.buckets import WEBHOOK_NUMBER_BYTES, bucket_of, new_webhook_number
from tidings.domain.filter import ApplicationFilter
from tidings.domain.key import KEY_BYTES, ApiKey, Role, hash_key, new_key_text
from tidings.domain.kinds import Kind
from tidings.domain.sheet_standing import stood
from tidings.domain.sheet_webhook import SheetPart, SheetStatus
from tidings.domain.webhook import Notifications, Stamp, Webhook
from tidings.ports import Storage
from tidings.storage.migrate import migrate
from tidings.storage.open import open_storage

AT_ONCE = 64
_SHEET = 4509506114742148
_SOLUTION = "sheets"
_FIELDS = 5
_BODY_BYTES = 1_000
"""Of a callback of one new row with so many fields."""
_LEAST = 0.4
_WRITES_AT_ONCE = 500


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure bursts of callbacks beside a bare loop of libcurl, to the same receiver."""
    each = sizes.pings // ACCOUNTS
    owed = each * ACCOUNTS
    url = f"sqlite:///{(folder / 'calls.db').absolute()}"
    with running("bench.receiver", 0, log=folder / "receiver.log") as receiver:
        keys = uvloop.run(_filled(url, receiver.port, each))
        arguments = ("--sends", AT_ONCE, "--callback-gather-seconds", 0)
        with tidings(url, folder, *arguments) as ours:
            pairs = [
                (
                    burst(ours, receiver, keys, _publication(number), owed),
                    bare_burst("bench.bare.calls", receiver.port, owed, AT_ONCE, _BODY_BYTES),
                )
                for number in range(sizes.rounds)
            ]
    yield compared(f"callbacks, {AT_ONCE} at once", "callbacks/s", pairs, least_ratio=_LEAST)


async def _filled(url: str, port: int, each: int) -> Sequence[str]:
    clock = SystemClock()
    await migrate(url)
    storage = await open_storage(url, clock, serve=True)
    try:
        keys = []
        for number in range(ACCOUNTS):
            account = f"account-{number}"
            text = new_key_text(clock.entropy(KEY_BYTES))
            key = ApiKey(
                key_id=f"key-{number}",
                account=account,
                name=account,
                role=Role.ADMIN,
                key_hash=hash_key(text),
                created_at=clock.now(),
            )
            await storage.keys.create(key)
            keys.append(text)
            hooks = (f"http://127.0.0.1:{port}/hook/{number}/{one}" for one in range(each))
            made = [_webhook(account, key.key_id, hook, clock) for hook in hooks]
            for start in range(0, each, _WRITES_AT_ONCE):
                some = made[start : start + _WRITES_AT_ONCE]
                await asyncio.gather(*(_enabled(storage, one, clock) for one in some))
        return keys
    finally:
        await storage.close()


async def _enabled(storage: Storage, webhook: Webhook, clock: SystemClock) -> None:
    stored = await storage.webhooks.create(webhook, start_at=None)
    await storage.webhooks.update(stood(stored, SheetStatus.ENABLED, at=clock.now()))


def _webhook(account: str, key_id: str, url: str, clock: SystemClock) -> Webhook:
    bucket = bucket_of(account, _SOLUTION)
    stamp = Stamp("bench", clock.now())
    return Webhook(
        bucket=bucket,
        webhook_id=str(new_webhook_number(bucket, clock.entropy(WEBHOOK_NUMBER_BYTES))),
        account=account,
        solution=_SOLUTION,
        filter=ApplicationFilter(str(_SHEET)),
        kinds=tuple(Kind),
        notifications=Notifications(enabled=False, url=url),
        secret=signing.new_shared_secret(clock.entropy(signing.SHARED_SECRET_BYTES)),
        created=stamp,
        updated=stamp,
        sheet=SheetPart(name="bench", sheet=_SHEET, key_id=key_id, status_at=stamp.at),
    )


def _publication(row: int) -> bytes:
    change = {
        "kind": "RECORD_CREATED",
        "application_id": str(_SHEET),
        "record_id": str(7_129_509_179_746_180 + row),
        "by": "9007194052434043",
        "data": {str(2_650_235_767_940_996 + field): "value" for field in range(_FIELDS)},
    }
    return msgspec.json.encode({"solution_id": _SOLUTION, "changes": [change]})
