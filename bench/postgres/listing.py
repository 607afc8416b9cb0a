"""How many events a second are listed from PostgreSQL over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg

from bench.filling import Filling, Wished, fill
from bench.pairs import paired
from bench.postgres.cluster import running_cluster, settle
from bench.processes import running, tidings
from bench.report import Row, compared
from bench.sizes import Sizes
from bench.traffic import ACCOUNT, list_request
from tidings.domain.webhook import Webhook

PAGE_SIZES = (50, 500, 1_000)
_SOLUTION = "641b70cb0d94c969a49983aa"
_KEYS = 16
"""One a connection: a key has one scan at a time."""
_PLACES = 64
_LEAST = 0.6
_TOKENS = Path(__file__).parent / "places.sql"
_SIZE = Path(__file__).parent / "size.sql"


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure pages from all over a log, beside the bare path on the same database."""

    async def filled(filling: Filling) -> tuple[list[str], Webhook]:
        [webhook] = await filling.webhooks([Wished(account=ACCOUNT, solution=_SOLUTION)])
        await filling.events(ACCOUNT, _SOLUTION, sizes.events)
        return [await filling.key(ACCOUNT) for _ in range(_KEYS)], webhook

    with running_cluster() as cluster:
        database = cluster.database()
        keys, webhook = fill(database, filled)
        settle(database)
        yield _on_disk(database, sizes.events)
        arguments = (database, webhook.bucket, _SOLUTION)
        with (
            tidings(database, folder, "--roles", "api") as ours,
            running("bench.bare.postgres_listing", *arguments, log=folder / "bare.log") as bare,
        ):
            for size in PAGE_SIZES:
                page = min(size, sizes.events // 2)
                requests = [
                    list_request(
                        keys[number % _KEYS],
                        {"webhook_id": webhook.webhook_id, "page_token": token, "page_size": page},
                    )
                    for number, token in enumerate(_tokens(database, webhook, sizes.events, page))
                ]
                pairs = paired(
                    sizes,
                    (ours, requests),
                    (bare, requests),
                    connections=_KEYS,
                    per_request=page,
                    database_cpu=cluster.cpu_seconds,
                )
                name = f"PostgreSQL: list, pages of {size}"
                yield compared(name, "events/s", pairs, least_ratio=_LEAST)


def _tokens(database: str, webhook: Webhook, events: int, page: int) -> list[str]:
    """Return places all over the log behind which a whole page stands."""
    step = max(1, (events - page - 1) // _PLACES)
    with psycopg.connect(database) as connection:
        query = _TOKENS.read_text().encode()
        places = connection.execute(query, (webhook.bucket, step)).fetchall()
    return [str(place) for (place,) in places[:_PLACES]]


def _on_disk(database: str, events: int) -> Row:
    """Return what an event takes with its indexes, beside the bytes of its own that are kept."""
    with psycopg.connect(database) as connection:
        [found] = connection.execute(_SIZE.read_text().encode()).fetchall()
    taken, kept = float(found[0]) / events, float(found[1])
    return Row(
        name="PostgreSQL: bytes on disk an event",
        unit="bytes",
        ours=taken,
        bare=kept,
        ratio=kept / taken,
        note="bare: the event's own bytes",
    )
