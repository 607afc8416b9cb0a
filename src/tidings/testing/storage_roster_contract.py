"""The roster's part of the storage contract (mechanics D6)."""

from __future__ import annotations

from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_setting import StorageSetting


class RosterContract(StorageSetting):
    """ports.RosterStore."""

    async def test_who_is_there_is_seen_until_its_time_is_over(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        assert list(await storage.roster.attend("sweeper", "one", 10)) == ["one"]
        await clock.advance(1)
        assert list(await storage.roster.attend("sweeper", "two", 10)) == ["one", "two"]
        await storage.roster.attend("dispatcher", "three", 10)
        await clock.advance(9)
        assert list(await storage.roster.present("sweeper")) == ["two"]
        assert list(await storage.roster.present("dispatcher")) == ["three"]

    async def test_who_comes_back_stands_last_and_who_stayed_keeps_its_place(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await storage.roster.attend("sweeper", "one", 10)
        await clock.advance(1)
        await storage.roster.attend("sweeper", "two", 20)
        await clock.advance(8)
        assert list(await storage.roster.attend("sweeper", "one", 2)) == ["one", "two"]
        await clock.advance(3)
        assert list(await storage.roster.attend("sweeper", "one", 10)) == ["two", "one"]

    async def test_who_leaves_is_gone_at_once(self, storage: Storage) -> None:
        await storage.roster.attend("sweeper", "one", 10)
        await storage.roster.leave("sweeper", "one")
        await storage.roster.leave("sweeper", "nobody")
        assert list(await storage.roster.present("sweeper")) == []

    async def test_who_has_long_been_away_is_forgotten_and_may_come_again(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await storage.roster.attend("sweeper", "one", 10)
        await clock.advance(7_200)
        assert list(await storage.roster.attend("sweeper", "two", 10)) == ["two"]
        await clock.advance(1)
        assert list(await storage.roster.attend("sweeper", "one", 10)) == ["two", "one"]
