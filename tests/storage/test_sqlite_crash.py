"""A server that is killed at any moment has lost nothing that it acknowledged."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tidings.domain.buckets import bucket_of
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import ACCOUNT, SOLUTION, whole_log

from .conftest import SqliteFile

pytestmark = pytest.mark.anyio

CHILD = """
import asyncio, sys
from tidings.clock import SystemClock
from tidings.storage.sqlite import open_sqlite
from tidings.testing.storage_samples import entry, fresh, publish

async def append(log):
    while True:
        name = fresh("e")
        receipt = await log.append(publish(*(entry(f"{name}.{n}") for n in range(3))))
        print(receipt.first_position, name, flush=True)

async def main():
    storage = await open_sqlite(sys.argv[1], SystemClock(), serve=True)
    await asyncio.gather(*(append(storage.log) for _ in range(16)))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledgements", [1, 40, 333])
async def test_a_killed_server_has_lost_nothing_acknowledged_and_half_stored_nothing(
    database: SqliteFile, clock: ManualClock, acknowledgements: int
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, database.path], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(acknowledgements)]
    child.kill()
    lines += child.stdout.readlines()
    child.stdout.close()
    child.wait()
    acknowledged = [line.split() for line in lines if line.endswith("\n")]
    assert len(acknowledged) >= acknowledgements

    storage = await database.open(clock)  # the lock died with its holder
    stored = await whole_log(storage.log, bucket_of(ACCOUNT, SOLUTION))
    await storage.close()
    placed = {subject: position for position, subject in stored}
    for position, name in acknowledged:
        assert [placed[f"{name}.{n}"] - int(position) for n in range(3)] == [0, 1, 2]
    names = {subject.rsplit(".", 1)[0] for subject in placed}
    assert len(placed) == 3 * len(names)
