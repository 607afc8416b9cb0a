"""Short scripts for faults of the receiving half; each holds without one (see `scenes.py`)."""

from __future__ import annotations

from tests.simulation.month import DAY_SECONDS, Month
from tests.simulation.month_followers import Consumer
from tests.simulation.month_of_sheets import MonthOfSheets
from tests.simulation.month_receivers import Receiving
from tests.simulation.month_sheets import Called
from tests.simulation.scenes import ACCOUNT, EVERYTHING

_SOON = 300.0


# --- followers ------------------------------------------------------------------------------------


async def _follow(month: Month) -> Consumer:
    await month.act(month.owners.register(ACCOUNT, wanted=EVERYTHING))
    [subscriber] = month.history.living()
    consumer = month.clients.follows(subscriber)
    await month.server.run(5.0)
    return consumer


async def _publish(month: Month, consumer: Consumer) -> None:
    await month.act(month.platforms.publish(ACCOUNT, "people", 3))
    consumer.look()
    await month.server.run(5.0)


async def _end(month: Month, seconds: float = _SOON) -> None:
    await month.heal(seconds)
    await month.judge()


async def a_follower_killed_in_its_work(month: Month) -> None:
    """Between the work and the commit; another one goes on."""
    consumer = await _follow(month)
    consumer.slow_seconds, consumer.slow_share = 30.0, 1.0
    await _publish(month, consumer)
    await month.act(consumer.kill())
    consumer.begin()
    await _end(month)


async def a_follower_that_looks_again(month: Month) -> None:
    """Once more after each publish."""
    consumer = await _follow(month)
    for _ in range(3):
        await _publish(month, consumer)
    await _end(month)


async def a_follower_that_stays_away(month: Month) -> None:
    """For longer than the log is kept; somebody else lists its webhook meanwhile."""
    consumer = await _follow(month)
    await _publish(month, consumer)
    await month.act(consumer.kill())
    await month.act(month.platforms.publish(ACCOUNT, "people", 3))
    for _ in range(3):
        await month.server.run(6 * DAY_SECONDS)
        await month.act(month.clients.read_page(consumer.subscriber))
    consumer.begin()
    await month.act(month.platforms.publish(ACCOUNT, "people", 3))
    await _end(month)


# --- receivers ------------------------------------------------------------------------------------


async def _receive(month: Month) -> tuple[MonthOfSheets, Called, Receiving]:
    assert isinstance(month, MonthOfSheets)
    await month.act(month.sheets.register(ACCOUNT, receives=True))
    await month.server.run(5.0)
    [called] = month.sheets.called.values()
    assert called.receiving is not None
    return month, called, called.receiving


async def _add_rows(month: MonthOfSheets) -> None:
    await month.act(month.sheets.publish(ACCOUNT, 3, 3))
    await month.server.run(5.0)


async def an_inbox_that_fails(month: Month) -> None:
    """Each of its commits, or the answer to it; then it is well."""
    month, _, receiving = await _receive(month)
    for _ in range(4):
        receiving.strike(1.0)
        await _add_rows(month)
        receiving.strike(0.0)
        await month.server.run(30.0)
    await _end(month)


async def a_receiver_killed_at_work(month: Month) -> None:
    """In the midst of a handler, whose rows are all to be handled, once."""
    month, _, receiving = await _receive(month)
    receiving.slow_seconds = 0.5
    await _add_rows(month)
    await month.act(receiving.kill())
    await month.act(receiving.begin())
    await _end(month)


async def old_callbacks_once_more(month: Month) -> None:
    """Each of a few, in any order."""
    month, _, _ = await _receive(month)
    for _ in range(3):
        await _add_rows(month)
    for _ in range(6):
        await month.act(month.sheets.replay())
        await month.server.run(5.0)
    await _end(month)


async def handlers_that_fail(month: Month) -> None:
    """Half of their calls, until some events are dead letters, which are run again."""
    month, _, receiving = await _receive(month)
    receiving.fails = 0.5
    for _ in range(5):
        await _add_rows(month)
    await month.server.run(60.0)
    await _end(month)
