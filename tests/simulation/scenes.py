"""Short scripts for faults that a month of dice would take long to meet; each holds without one.

Two virtual minutes of healing are enough in them: nothing here waits for the end of a schedule but
the scenes that are about one.
"""

from __future__ import annotations

from typing import Any

from tests.simulation.endpoints import ERROR, OK
from tests.simulation.history import Subscriber
from tests.simulation.month import DAY_SECONDS, Month
from tests.simulation.month_platforms import ACCOUNTS

ACCOUNT = ACCOUNTS[0]
EVERYTHING: dict[str, Any] = {"solution": {}}
PEOPLE = {"application": {"application_id": "people"}}
ORDERS = {"application": {"application_id": "orders"}}
SOON = 120.0


async def _register(month: Month, wanted: dict[str, Any] = EVERYTHING) -> Subscriber:
    known = set(month.history.subscribers)
    await month.act(month.owners.register(ACCOUNT, wanted=wanted))
    [webhook_id] = set(month.history.subscribers) - known
    subscriber = month.history.subscribers[webhook_id]
    month.clients.reads_page_by_page(subscriber)
    await month.server.run(1.0)
    return subscriber


async def _publish(month: Month, application: str = "people", count: int = 1) -> None:
    await month.act(month.platforms.publish(ACCOUNT, application, count))


async def _die(month: Month, down: float = 0.0) -> None:
    """Crash with nothing else under way, and start again."""
    await month.server.crash()
    await month.server.clock.advance(down)
    month.history.was_down(down)
    await month.server.start()


async def _step_clock(month: Month, seconds: float) -> None:
    month.history.was_set(seconds)
    month.server.clock.shift(seconds)
    await month.server.run(60.0)


async def _end(month: Month, seconds: float = SOON) -> None:
    await month.heal(seconds)
    await month.judge()


async def everyday(month: Month) -> None:
    """Two webhooks, some publishes, and readers at each ping."""
    for wanted in (EVERYTHING, ORDERS):
        await _register(month, wanted)
    for application in ("people", "orders") * 3:
        await _publish(month, application, 3)
        await month.server.run(20.0)
    await _end(month)


async def a_process_that_ends(month: Month) -> None:
    """The one that follows it knows no more than what is durable."""
    await _register(month)
    for _ in range(3):
        await _publish(month)
        await month.server.run(2.0)
        await _die(month)
    await _end(month)


async def commits_that_fail(month: Month) -> None:
    """More than half of them, or their answers are lost."""
    await _register(month)
    month.history.trouble += SOON
    month.server.threads.share = 0.6
    month.platforms.copied = 0.0
    for _ in range(60):
        await _publish(month)
    month.server.threads.share = 0.0
    await _end(month)


async def one_key_many_times(month: Month) -> None:
    """Two or three send a publish at once, and later once more."""
    await _register(month)
    month.platforms.copied = 1.0
    for _ in range(6):
        await _publish(month)
    await _die(month)
    for _ in range(6):
        await month.act(month.platforms.repeat())
    await _end(month)


async def values_alike(month: Month) -> None:
    """Updates whose values were something else before, or only look so."""
    await _register(month)
    for _ in range(40):
        await month.act(month.platforms.touch())
    await _end(month)


async def a_clock_that_steps_back(month: Month) -> None:
    """By most of an hour, between pages, publishes and the making of a webhook."""
    quiet = await _register(month, ORDERS)
    await month.server.run(7_200.0)
    await _publish(month)
    await month.server.run(60.0)
    await month.act(month.clients.read_page(quiet))
    await _step_clock(month, -3_000.0)
    late = await _register(month, EVERYTHING)
    await _publish(month, "orders")
    for subscriber in (quiet, late):
        await month.act(month.clients.read_page(subscriber))
    await _end(month)


async def a_clock_that_runs_away(month: Month) -> None:
    """Three weeks ahead, for five hours; then somebody sets it right."""
    await _register(month)
    await _publish(month)
    await month.server.run(600.0)
    await _step_clock(month, 21 * DAY_SECONDS)
    await month.server.run(18_000.0)
    await _step_clock(month, -21 * DAY_SECONDS)
    await _end(month)


async def days_of_downtime(month: Month) -> None:
    """More than a webhook would live, and an hour to see who survived."""
    await _register(month)
    await month.server.run(7_200.0)
    await _die(month, 15 * DAY_SECONDS)
    await _end(month, 7_200.0)


async def a_listing_in_between(month: Month) -> None:
    """Three days after the creation: six days later it is warned, and no sooner."""
    subscriber = await _register(month)
    await month.server.run(3 * DAY_SECONDS)
    await month.act(month.clients.read_page(subscriber))
    await month.server.run(3.5 * DAY_SECONDS)
    await _end(month)


async def another_filter(month: Month) -> None:
    """What was published before it changed is still a page's, and still told of after a crash."""
    subscriber = await _register(month, PEOPLE)
    month.server.threads.deaf = True
    await _publish(month)
    await month.act(month.owners.change_filter(subscriber, ORDERS))
    await _die(month)
    month.server.threads.deaf = False
    await _end(month)


async def a_lost_hint(month: Month) -> None:
    """Nobody heard of the first publish; of the second, which is another webhook's, all did."""
    await _register(month, PEOPLE)
    await _register(month, ORDERS)
    month.server.threads.deaf = True
    await _publish(month, "people")
    month.server.threads.deaf = False
    await _publish(month, "orders")
    await _end(month)


async def off_for_a_while(month: Month) -> None:
    """What came meanwhile is pinged at once when pings are on again."""
    subscriber = await _register(month)
    await month.act(month.owners.switch(subscriber))
    await _publish(month)
    await month.server.run(60.0)
    await month.act(month.owners.switch(subscriber))
    await _end(month)


async def off_and_on_again(month: Month) -> None:
    """What came meanwhile is listed with what comes later."""
    subscriber = await _register(month)
    await month.act(month.owners.switch(subscriber))
    await _publish(month)
    await month.server.run(60.0)
    await month.act(month.owners.switch(subscriber))
    await _publish(month)
    await _end(month)


async def a_crash_in_flight(month: Month) -> None:
    """The attempt had neither succeeded nor failed; its checkpoint was written every second."""
    subscriber = await _register(month)
    month.endpoints.drag(subscriber, 20.0)
    await _publish(month)
    await month.server.run(5.0)
    await _die(month)
    await _end(month)


async def news_in_flight(month: Month) -> None:
    """The second change comes while the first is being told of."""
    subscriber = await _register(month)
    month.endpoints.drag(subscriber, 20.0)
    await _publish(month)
    await month.server.run(5.0)
    await _publish(month)
    await _end(month)


async def news_while_a_debt_is_paid(month: Month) -> None:
    """The second change comes while the retry of the first is under way."""
    subscriber = await _register(month)
    month.server.sender.behave(subscriber.url, ERROR)
    await _publish(month)
    await month.server.run(5.0)
    month.server.sender.behave(subscriber.url, OK)
    month.endpoints.drag(subscriber, 20.0)
    await month.server.run(10.0)
    await _publish(month)
    await _end(month)


async def a_burst(month: Month) -> None:
    """Six pages of it; the reader takes one a ping."""
    subscriber = await _register(month)
    await month.act(month.clients.read_page(subscriber))
    await _publish(month, count=300)
    await _end(month, 30.0)


async def a_quick_platform(month: Month) -> None:
    """Changes every fifth of a second, for eight webhooks that one key lists."""
    for _ in range(8):
        month.owners.shared = 1.0
        await _register(month)
    await _publish(month)
    await month.server.run(10.0)
    for _ in range(20):
        await _publish(month)
        await month.server.run(0.2)
    await _end(month)


async def a_crowd_on_one_host(month: Month) -> None:
    """Forty webhooks of one; the host takes its time for each."""
    await _crowd(month, [f"https://one.example/{number}" for number in range(40)])


async def a_crowd_on_many_hosts(month: Month) -> None:
    """Each has a host of its own, and all of them take their time."""
    await _crowd(month, [f"https://host-{number}.example/" for number in range(40)])


async def _crowd(month: Month, urls: list[str]) -> None:
    for url in urls:
        await month.act(month.owners.register(ACCOUNT, url, EVERYTHING))
    for subscriber in month.history.living():
        month.clients.sleeps(subscriber)
        month.endpoints.drag(subscriber, 20.0)
    await _publish(month)
    await month.server.run(5.0)
    await _end(month)


async def a_dead_endpoint(month: Month) -> None:
    """For more than a day; changes go on coming."""
    subscriber = await _register(month)
    subscriber.dying = True
    month.server.sender.behave(subscriber.url, ERROR)
    for _ in range(6):
        await _publish(month)
        await month.server.run(1_200.0)
    await _end(month, DAY_SECONDS)


async def a_sleeping_reader(month: Month) -> None:
    """It reads once; what follows stays unread for three hours."""
    subscriber = await _register(month)
    await _publish(month)
    await month.server.run(20.0)
    month.clients.sleeps(subscriber)
    await _publish(month)
    await _end(month, 3 * 3_600.0)


async def asking_too_often(month: Month) -> None:
    """Some keys do, again and again."""
    await _register(month)
    for _ in range(6):
        await month.act(month.strangers.hammer())
        await month.server.run(5.0)
    await _end(month)


async def prying(month: Month) -> None:
    """One account asks for the other's webhooks, in all ways there are."""
    for account in ACCOUNTS * 2:
        await month.act(month.owners.register(account))
    for _ in range(20):
        await month.act(month.strangers.pry())
        await month.server.run(2.0)
    await _end(month)


async def webhooks_that_go(month: Month) -> None:
    """Most of those that were made are deleted."""
    for _ in range(8):
        await _register(month)
    await _publish(month)
    for _ in range(4):
        await month.act(month.owners.delete())
    await _end(month)


async def seventeen_days(month: Month) -> None:
    """Long enough for keys, attempts and entries to be over their time."""
    subscriber = await _register(month)
    for _ in range(17):
        await _publish(month)
        await month.server.run(DAY_SECONDS)
        await month.act(month.clients.read_page(subscriber))
    await _end(month)
