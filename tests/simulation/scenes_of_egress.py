"""Short scripts for faults of the guard; each holds without one (see `scenes.py`)."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.month import Month
from tests.simulation.month_hosts import INSIDE_URLS, host_of
from tests.simulation.month_of_sheets import MonthOfSheets
from tests.simulation.month_platforms import ACCOUNTS
from tests.simulation.scenes import ACCOUNT, EVERYTHING

_SOON = 120.0


async def _told(month: Month, *, meanwhile: Callable[[str, str], None]) -> None:
    """Tell a webhook of something, let its name go astray, and tell it of more."""
    await month.act(month.owners.register(ACCOUNT, wanted=EVERYTHING))
    await month.server.run(1.0)
    await _publish(month)
    [subscriber] = month.history.living()
    meanwhile(subscriber.url, host_of(subscriber.url))
    for _ in range(3):
        await _publish(month)
    await _end(month)


async def _publish(month: Month) -> None:
    await month.act(month.platforms.publish(ACCOUNT, "people", 1))
    await month.server.run(20.0)


async def _end(month: Month) -> None:
    await month.heal(_SOON)
    await month.judge()


async def a_name_that_turns_inside(month: Month) -> None:
    """It was public when the webhook was made, and when it was told of the first change."""
    await _told(month, meanwhile=month.endpoints.names.inside)


async def a_name_of_many_addresses(month: Month) -> None:
    """The first is public and refuses; the next is inside."""
    await _told(month, meanwhile=month.endpoints.names.one_of_many)


async def a_name_of_this_machine(month: Month) -> None:
    """It leads to the sender itself, by a public address."""
    await _told(month, meanwhile=month.endpoints.names.own)


async def an_address_that_becomes_our_own(month: Month) -> None:
    """Between its vetting and the connection."""
    await _told(month, meanwhile=month.endpoints.names.taken)


async def an_endpoint_that_leads_inside(month: Month) -> None:
    """By a redirect."""
    await _told(month, meanwhile=month.endpoints.names.redirecting)


async def asking_for_what_is_inside(month: Month) -> None:
    """By every URL that there is for it, and more."""
    await month.act(month.owners.register(ACCOUNT))
    for _ in range(3 * len(INSIDE_URLS)):
        await month.act(month.owners.reach_inside())
        await month.server.run(2.0)
    await _end(month)


async def a_crowd_of_slow_names(month: Month) -> None:
    """Thirty webhooks of one account, each of a name for which DNS takes a second."""
    for number in range(30):
        url = f"https://slow-{number}.example/"
        await month.act(month.owners.register(ACCOUNT, url, EVERYTHING))
    for subscriber in month.history.living():
        month.clients.sleeps(subscriber)
    month.server.sender.hosts.answer_seconds = 1.0
    await _publish(month)
    month.server.sender.hosts.answer_seconds = 0.0
    await _end(month)


async def a_callback_that_turns_inside(month: Month) -> None:
    """The name was public when the endpoint passed its challenge."""
    assert isinstance(month, MonthOfSheets)
    await month.act(month.sheets.register(ACCOUNTS[0]))
    await month.server.run(10.0)
    [called] = month.sheets.called.values()
    month.endpoints.names.inside(called.url, host_of(called.url))
    await month.act(month.sheets.publish(ACCOUNTS[0], 1, 0))
    await month.server.run(20.0)
    await _end(month)
