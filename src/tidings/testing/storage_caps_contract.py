"""The caps' part of the storage contract (mechanics D8)."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tidings.domain.caps import Caps
from tidings.domain.kinds import Kind
from tidings.domain.webhook import Webhook
from tidings.errors import FailedPrecondition
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import webhook
from tidings.testing.storage_setting import StorageSetting


class CapsContract(StorageSetting):
    """What `caps` leave no room for is refused whole; what is deleted makes room."""

    async def test_a_solution_has_room_for_so_many_webhooks(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        caps = Caps(solution_webhooks=2)

        async def create(solution: str = "crm", account: str = "acme") -> Webhook:
            wish = webhook(clock, solution=solution, account=account)
            return await storage.webhooks.create(wish, start_at=None, caps=caps)

        first = await create()
        await create()
        with pytest.raises(FailedPrecondition, match="a solution may have 2 webhooks"):
            await create()
        await create(solution="erp")
        await create(account="other")
        await storage.webhooks.delete(first)
        await create()
        listed = await storage.webhooks.list_of_account("acme", solution="crm", after=0, limit=10)
        assert len(listed) == 2

    async def test_an_account_has_room_for_so_many_webhooks_and_solutions(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        caps = Caps(account_webhooks=4, account_solutions=2)

        async def create(solution: str) -> Webhook:
            wish = webhook(clock, solution=solution)
            return await storage.webhooks.create(wish, start_at=None, caps=caps)

        await create("one")
        second = await create("two")
        with pytest.raises(FailedPrecondition, match="in 2 solutions"):
            await create("three")
        await storage.webhooks.delete(second)
        await create("three")
        await create("three")
        await create("one")
        with pytest.raises(FailedPrecondition, match="an account may have 4 webhooks"):
            await create("one")

    async def test_no_crowd_of_creations_gets_past_a_cap(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        caps = Caps(account_webhooks=7)
        wishes = [webhook(clock, solution=f"s{number % 3}") for number in range(50)]
        done = await asyncio.gather(
            *(storage.webhooks.create(wish, start_at=None, caps=caps) for wish in wishes),
            return_exceptions=True,
        )
        assert sum(isinstance(one, FailedPrecondition) for one in done) == 43
        assert sum(isinstance(one, Webhook) for one in done) == 7

    async def test_what_a_webhook_covers_may_change_so_often_and_the_rest_as_it_likes(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        caps = Caps(webhook_revisions=3)
        stored = await storage.webhooks.create(webhook(clock), start_at=None, caps=caps)
        for kind in (Kind.RECORD_CREATED, Kind.RECORD_UPDATED):
            narrower = msgspec.structs.replace(stored, kinds=(kind,))
            stored = await storage.webhooks.update(narrower, caps=caps)
        other = msgspec.structs.replace(stored, kinds=(Kind.RECORD_DELETED,))
        with pytest.raises(FailedPrecondition, match="changed 2 times"):
            await storage.webhooks.update(other, caps=caps)
        off = msgspec.structs.replace(stored.notifications, enabled=False)
        disabled = msgspec.structs.replace(stored, notifications=off)
        updated = await storage.webhooks.update(disabled, caps=caps)
        assert updated.kinds == (Kind.RECORD_UPDATED,)
        assert len(await storage.webhooks.revisions(stored.bucket, stored.webhook_id)) == 3

    async def test_an_account_may_register_so_many_applications_and_rename_them(
        self, storage: Storage
    ) -> None:
        caps = Caps(account_applications=2)
        for application in ("one", "two"):
            await storage.applications.register("a", "crm", application, None, caps=caps)
        with pytest.raises(FailedPrecondition, match="2 applications"):
            await storage.applications.register("a", "crm", "three", None, caps=caps)
        await storage.applications.register("a", "crm", "two", "Two", caps=caps)
        await storage.applications.register("b", "crm", "three", None, caps=caps)
