"""How many events a second are listed over HTTP, and what an event takes on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw

from bench.filling import Filling, Wished, fill, url_of
from bench.pairs import paired
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
_PAGES = Path(__file__).parent / "bare" / "places.sql"


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure pages from all over a log, beside the bare path on the same file."""
    file = folder / "listing.db"

    async def filled(filling: Filling) -> tuple[list[str], Webhook]:
        [webhook] = await filling.webhooks([Wished(account=ACCOUNT, solution=_SOLUTION)])
        await filling.events(ACCOUNT, _SOLUTION, sizes.events)
        return [await filling.key(ACCOUNT) for _ in range(_KEYS)], webhook

    keys, webhook = fill(url_of(file), filled)
    yield _on_disk(file, sizes.events)
    arguments = (file, webhook.bucket, _SOLUTION)
    with (
        tidings(url_of(file), folder) as ours,
        running("bench.bare.listing", *arguments, log=folder / "bare.log") as bare,
    ):
        for size in PAGE_SIZES:
            page = min(size, sizes.events // 2)
            requests = [
                list_request(
                    keys[number % _KEYS],
                    {"webhook_id": webhook.webhook_id, "page_token": token, "page_size": page},
                )
                for number, token in enumerate(_tokens(file, webhook, sizes.events, page))
            ]
            pairs = paired(
                sizes, (ours, requests), (bare, requests), connections=_KEYS, per_request=page
            )
            yield compared(f"list, pages of {size}", "events/s", pairs, least_ratio=_LEAST)


def _tokens(file: Path, webhook: Webhook, events: int, page: int) -> list[str]:
    """Return places all over the log behind which a whole page stands."""
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    step = max(1, (events - page - 1) // _PLACES)
    places = connection.execute(_PAGES.read_text(), (webhook.bucket, step)).fetchall()
    connection.close()
    return [str(place) for (place,) in places[:_PLACES]]


def _on_disk(file: Path, events: int) -> Row:
    """Return what an event takes in the file, beside the bytes of its own that are kept."""
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    kept: float = connection.execute((_PAGES.parent / "kept.sql").read_text()).get
    connection.close()
    taken = file.stat().st_size / events
    return Row(
        name="bytes on disk an event",
        unit="bytes",
        ours=taken,
        bare=kept,
        ratio=kept / taken,
        note="bare: the event's own bytes",
    )
