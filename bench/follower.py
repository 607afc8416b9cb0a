"""How many events a second a follower hands over, beside a bare loop of ListEvents.

Both read the same server from a log's beginning, in this process, in turns. The bare loop is what
one writes without a library: a kept connection, a decode, the next token. It keeps no token, tries
nothing again and checks nothing; the follower does, and syncs its place to the disk at each page.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import msgspec

from bench.filling import Filling, Wished, fill, url_of
from bench.processes import tidings
from bench.report import Row, Slice, compared
from bench.sizes import Sizes
from bench.traffic import ACCOUNT, SERVICE
from tidings.client import Client, EventsPage
from tidings.clock import SystemClock
from tidings.receiver.follower import Follower, SqlitePlaces

PAGE_SIZES = {1_000: 0.7, 100: None}
"""Its own page size, which is to reach the mark; and a small one, for what a page costs beside its
events: httpx, where the bare loop has http.client, and a transaction."""
_SOLUTION = "641b70cb0d94c969a49983aa"

Side = Callable[[float], Slice]
"""Reads from the beginning for so many seconds, or to the end."""


def measure(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Measure both in turns, page size by page size."""
    file = folder / "follower.db"

    async def filled(filling: Filling) -> tuple[str, str]:
        [webhook] = await filling.webhooks([Wished(account=ACCOUNT, solution=_SOLUTION)])
        await filling.events(ACCOUNT, _SOLUTION, sizes.events)
        return await filling.key(ACCOUNT), webhook.webhook_id

    key, webhook_id = fill(url_of(file), filled)
    with tidings(url_of(file), folder) as server:
        for size, least in PAGE_SIZES.items():
            arguments = (server.port, key, webhook_id, size)
            ours, bare = partial(_followed, folder, *arguments), partial(_listed, *arguments)
            for side in (ours, bare):
                side(sizes.seconds / 4)
            pairs = [(ours(sizes.seconds), bare(sizes.seconds)) for _ in range(sizes.rounds)]
            name = f"follow, pages of {size:,}"
            yield compared(name, "events/s", pairs, least_ratio=least)


def _followed(
    folder: Path, port: int, key: str, webhook_id: str, size: int, seconds: float
) -> Slice:
    """Follow with a place in a file that is new."""
    file = folder / "place.db"
    file.unlink(missing_ok=True)
    clock = SystemClock()
    handed = 0

    def count(page: EventsPage, _: object) -> None:
        nonlocal handed
        handed += len(page.events)
        if clock.monotonic() > ends_at:
            follower.stop()

    url = f"http://127.0.0.1:{port}"
    with (
        closing(SqlitePlaces(file)) as places,
        Client(url, key, pause=clock.pause) as client,
    ):
        follower = Follower(client, webhook_id, places, clock=clock, on_page=count, page_size=size)
        began_at, before = clock.monotonic(), _cpu_seconds()
        ends_at = began_at + seconds
        follower.run_once()
        return Slice(
            done=handed,
            seconds=clock.monotonic() - began_at,
            cpu_seconds=_cpu_seconds() - before,
        )


def _listed(port: int, key: str, webhook_id: str, size: int, seconds: float) -> Slice:
    """List and decode page after page."""
    clock = SystemClock()
    headers = {"Authorization": f"Token {key}", "Content-Type": "application/json"}
    handed, token = 0, None
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        began_at, before = clock.monotonic(), _cpu_seconds()
        while clock.monotonic() < began_at + seconds:
            wish = {"webhook_id": webhook_id, "page_token": token, "page_size": size}
            body = msgspec.json.encode(wish)
            connection.request("POST", f"{SERVICE}/ListEvents", body, headers)
            page = msgspec.json.decode(connection.getresponse().read())
            handed += len(page["events"])
            token = page["next_page_token"]
            if not page["has_more"]:
                break
        return Slice(
            done=handed,
            seconds=clock.monotonic() - began_at,
            cpu_seconds=_cpu_seconds() - before,
        )


def _cpu_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system
