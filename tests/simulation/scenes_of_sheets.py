"""Short scripts for faults in callbacks; each holds without one (see `scenes.py`)."""

from __future__ import annotations

from tests.simulation.endpoints import ERROR
from tests.simulation.month import Month
from tests.simulation.month_of_sheets import MonthOfSheets
from tests.simulation.month_platforms import ACCOUNTS
from tests.simulation.month_sheets import Called

ACCOUNT = ACCOUNTS[0]
_SOON = 60.0


async def _begin(month: Month) -> tuple[MonthOfSheets, Called]:
    assert isinstance(month, MonthOfSheets)
    await month.act(month.sheets.register(ACCOUNT))
    await month.server.run(5.0)
    [called] = month.sheets.called.values()
    return month, called


async def _delete_row(month: MonthOfSheets) -> None:
    await month.act(month.sheets.publish(ACCOUNT, 1, 0))


async def _end(month: MonthOfSheets) -> None:
    await month.heal(_SOON)
    await month.judge()


async def a_few_rows(month: Month) -> None:
    """One after the other, while each callback takes its time."""
    month, called = await _begin(month)
    month.sheets.drag(called, 10.0)
    for _ in range(4):
        await _delete_row(month)
        await month.server.run(2.0)
    await _end(month)


async def a_callback_in_a_crash(month: Month) -> None:
    """Its answer never came: whoever follows asks for it by the same bytes."""
    month, called = await _begin(month)
    month.sheets.drag(called, 10.0)
    await _delete_row(month)
    await month.server.run(1.2)
    await month.server.crash()
    month.history.was_down(0.0)
    await month.server.start()
    await _delete_row(month)
    await _end(month)


async def a_callback_that_fails(month: Month) -> None:
    """For half a minute; rows go on being deleted."""
    month, called = await _begin(month)
    await _delete_row(month)
    await month.server.run(3.0)
    month.sheets.answers(called, ERROR)
    for _ in range(4):
        await _delete_row(month)
        await month.server.run(8.0)
    await _end(month)


async def more_than_a_hundred(month: Month) -> None:
    """Callbacks, each of its own row: before the next hundred comes a challenge."""
    month, _ = await _begin(month)
    for _ in range(105):
        await _delete_row(month)
        await month.server.run(1.5)
    await _end(month)


async def disabled_for_a_while(month: Month) -> None:
    """What happens meanwhile is told once it is enabled again."""
    month, called = await _begin(month)
    await month.act(month.sheets.switch(called))
    await _delete_row(month)
    await month.server.run(5.0)
    await month.act(month.sheets.switch(called))
    await _end(month)


async def a_row_of_many_cells(month: Month) -> None:
    """More than a callback holds: the next one goes on within the same change."""
    month, _ = await _begin(month)
    await month.act(month.sheets.publish(ACCOUNT, 1, 1_500))
    await _delete_row(month)
    await _end(month)
