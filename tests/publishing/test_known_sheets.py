"""A sheet is known once a change of it was published, or it was registered (contract 2.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.publishing.platform import ACCOUNT, SOLUTION, Platform, created, ndjson
from tidings.engine.known_sheets import KnownSheets
from tidings.errors import StorageUnavailable
from tidings.testing.storage_samples import entry, publish

pytestmark = pytest.mark.anyio

SHEET = "4509506114742148"


class _Noted:
    """What each append that got through would have the log note."""

    def __init__(self, platform: Platform) -> None:
        self.sheets: list[tuple[str, ...]] = []
        self._append = platform.log.append

    async def append(self, append: Any) -> Any:
        receipt = await self._append(append)
        self.sheets.append(append.sheets)
        return receipt


async def test_a_sheet_is_known_once_a_change_of_it_is_published(platform: Platform) -> None:
    solution_of = platform.storage.applications.solution_of
    assert await solution_of(ACCOUNT, SHEET) is None
    await platform.publish(created(application_id=SHEET), created(application_id="deals"))
    assert await solution_of(ACCOUNT, SHEET) == SOLUTION
    assert await solution_of(ACCOUNT, "deals") is None
    assert await solution_of("another", SHEET) is None


async def test_a_sheet_is_known_once_a_stream_has_brought_a_change_of_it(
    platform: Platform,
) -> None:
    await platform.stream([ndjson([created(application_id=SHEET), created(application_id="7")])])
    for sheet in (SHEET, "7"):
        assert await platform.storage.applications.solution_of(ACCOUNT, sheet) == SOLUTION


async def test_the_first_solution_that_publishes_to_a_sheet_has_it(platform: Platform) -> None:
    await platform.publish(created(application_id=SHEET), solution_id="first")
    await platform.publish(created(application_id=SHEET), solution_id="second")
    assert await platform.storage.applications.solution_of(ACCOUNT, SHEET) == "first"
    assert len(await platform.events("second")) == 1


async def test_a_known_sheet_costs_no_append_anything(platform: Platform) -> None:
    log: Any = _Noted(platform)
    known = KnownSheets(log, remembers=2)
    for sheets in (("1", "x"), ("1",), ("1", "2"), ("2",), ("3",), ("3",), ("1",)):
        await known.append(publish(*(entry(application=sheet) for sheet in sheets)))
    assert log.sheets == [("1",), (), ("2",), (), ("3",), (), ("1",)]


async def test_a_sheet_whose_append_failed_is_noted_by_the_next(platform: Platform) -> None:
    log: Any = _Noted(platform)
    known = KnownSheets(log)
    platform.log.fail_before = [StorageUnavailable("the disk is full")]
    with pytest.raises(StorageUnavailable):
        await known.append(publish(entry(application=SHEET)))
    await known.append(publish(entry(application=SHEET)))
    assert log.sheets == [(SHEET,)]
