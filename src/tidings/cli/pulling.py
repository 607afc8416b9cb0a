"""A webhook followed without an endpoint: `tidings listen --pull`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tidings.cli.http_server import ENDING_SIGNALS
from tidings.client import AsyncClient, EventsPage
from tidings.domain import limits
from tidings.errors import TidingsError
from tidings.listener.place_in_memory import PlaceInMemory
from tidings.receiver.follower import AsyncFollower, Gap


async def pull_until_told(
    client: AsyncClient,
    webhook_id: str,
    page_token: str | None,
    tell: Callable[[EventsPage], None],
    warn: Callable[[str], None],
) -> str:
    """Tell each page that has events until SIGTERM or SIGINT; return the token to go on with.

    `warn` is given a sentence for what passes: the server away, events that were dropped. Raises
    NotFound where the webhook is gone, and errors of the key.
    """
    place = PlaceInMemory(page_token)
    following: AsyncFollower[None] = AsyncFollower(
        client,
        webhook_id,
        place,
        on_page=lambda page, _: tell(page),
        on_gap=lambda gap, _: warn(_lost(gap)),
        on_failure=lambda failure, wait: warn(_passing(failure, wait)),
        wait_seconds=limits.WAIT_SECONDS_MAX,
    )
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(following.run())
    for number in ENDING_SIGNALS:
        # A request may be waiting for the next event: it isn't waited for.
        loop.add_signal_handler(number, running.cancel)
    try:
        await asyncio.wait([running])
    finally:
        for number in ENDING_SIGNALS:
            loop.remove_signal_handler(number)
    if not running.cancelled():
        running.result()
    return place.token


def _lost(gap: Gap) -> str:
    since = f" after {gap.token}" if gap.token else ""
    return f"Events{since} were dropped: they are older than the log is kept."


def _passing(failure: Exception, wait_seconds: float) -> str:
    said = failure.message if isinstance(failure, TidingsError) else type(failure).__name__
    return f"{said} Trying again in {wait_seconds:.1f} s."
