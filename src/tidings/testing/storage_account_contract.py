"""The accounts' part of the storage contract: keys and applications (contract 3.1, 3.2)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from tidings.errors import AlreadyExists, IdempotencyKeyReused
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import ACCOUNT, Database, api_key, entry, publish
from tidings.testing.storage_setting import StorageSetting


class AccountContract(StorageSetting):
    """ports.KeyStore and ports.ApplicationStore."""

    async def test_a_key_is_found_by_its_hash_alone(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        key = api_key(clock)
        await storage.keys.create(key)
        assert await storage.keys.find(key.key_hash) == key
        assert await storage.keys.find(api_key(clock).key_hash) is None

    async def test_a_key_revoked_by_another_process_is_refused_at_once(
        self, database: Database, storage: Storage, clock: ManualClock
    ) -> None:
        key = api_key(clock)
        await storage.keys.create(key)
        assert await storage.keys.find(key.key_hash) == key
        other = await database.open(clock, serve=False)
        try:
            assert await other.keys.revoke(key.key_id, clock.now())
            assert await storage.keys.find(key.key_hash) is None
            assert not await storage.keys.revoke(key.key_id, clock.now())
        finally:
            await other.close()

    async def test_a_name_is_taken_only_while_its_key_lives_and_in_its_account(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        first = api_key(clock, name="ci")
        await storage.keys.create(first)
        with pytest.raises(AlreadyExists):
            await storage.keys.create(api_key(clock, name="ci"))
        await storage.keys.create(api_key(clock, account="other", name="ci"))
        await storage.keys.revoke(first.key_id, clock.now())
        await storage.keys.create(api_key(clock, name="ci"))

    async def test_keys_are_listed_oldest_first_also_revoked_ones(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        made = []
        for account in (ACCOUNT, "other", ACCOUNT):
            made.append(api_key(clock, account=account))
            await storage.keys.create(made[-1])
            await clock.advance(1)
        await storage.keys.revoke(made[0].key_id, clock.now())
        everyone = [key.key_id for key in await storage.keys.list(None)]
        own = await storage.keys.list(ACCOUNT)
        assert everyone == [key.key_id for key in made]
        assert [key.key_id for key in own] == [made[0].key_id, made[2].key_id]
        assert [key.revoked_at for key in own] == [clock.now(), None]

    async def test_the_last_use_is_kept_and_never_moves_back(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        key = api_key(clock)
        await storage.keys.create(key)
        used_at = clock.now() + timedelta(seconds=5)
        await storage.keys.touch({key.key_id: used_at, "unknown": used_at})
        await storage.keys.touch({key.key_id: clock.now()})
        [found] = await storage.keys.list(ACCOUNT)
        assert found.last_used_at == used_at

    async def test_an_application_belongs_to_one_solution_of_its_account(
        self, storage: Storage
    ) -> None:
        await storage.applications.register("a", "crm", "table", "Table")
        await storage.applications.register("a", "crm", "table", None)
        await storage.applications.register("b", "hr", "table", None)
        with pytest.raises(AlreadyExists):
            await storage.applications.register("a", "hr", "table", None)
        assert await storage.applications.solution_of("a", "table") == "crm"
        assert await storage.applications.solution_of("b", "table") == "hr"
        assert await storage.applications.solution_of("c", "table") is None
        assert await storage.applications.solution_of("a", "other") is None

    async def test_sheets_are_noted_with_the_append_that_names_them(self, storage: Storage) -> None:
        first = replace(publish(entry(), solution="one"), sheets=("1", "2"))
        second = replace(publish(entry(), solution="two"), sheets=("2", "3"))
        await asyncio.gather(storage.log.append(first), storage.log.append(second))
        await storage.log.append(first)
        found = [await storage.applications.solution_of(ACCOUNT, number) for number in "123"]
        assert found == ["one", "one", "two"]
        with pytest.raises(AlreadyExists):
            await storage.applications.register(ACCOUNT, "two", "1", None)
        await storage.applications.register(ACCOUNT, "one", "1", "a name")
        await storage.log.append(replace(publish(entry(), solution="one"), sheets=("1",)))

    async def test_an_append_that_is_refused_notes_no_sheet(self, storage: Storage) -> None:
        await storage.log.append(publish(entry(), key="k", sent=b"this"))
        refused = replace(publish(entry(), key="k", sent=b"that"), sheets=("7",))
        with pytest.raises(IdempotencyKeyReused):
            await storage.log.append(refused)
        assert await storage.applications.solution_of(ACCOUNT, "7") is None

    async def test_sheets_past_the_account_s_room_are_not_noted_and_refuse_no_append(
        self, storage: Storage
    ) -> None:
        sheets = tuple(map(str, range(1, 6)))
        receipt = await storage.log.append(
            replace(publish(entry()), sheets=sheets, sheets_at_most=3)
        )
        assert receipt.accepted == 1
        await storage.log.append(replace(publish(entry()), sheets=("6",), sheets_at_most=3))
        found = [await storage.applications.solution_of(ACCOUNT, number) for number in sheets]
        assert found.count("crm") == 3
        assert await storage.applications.solution_of(ACCOUNT, "6") is None
