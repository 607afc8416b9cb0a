"""The pages' part of the storage contract (mechanics P1, P2)."""

from __future__ import annotations

import asyncio

import msgspec

from tidings.domain.filter import (
    ApplicationFilter,
    ApplicationsFilter,
    Revision,
    SolutionFilter,
    field_mask,
)
from tidings.domain.kinds import Kind
from tidings.domain.lifecycle import Stage
from tidings.domain.log_entry import Standing
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import (
    ALL_KINDS,
    bodies,
    entry,
    page_query,
    publish,
    webhook,
)
from tidings.testing.storage_setting import StorageSetting


class PageContract(StorageSetting):
    """ports.ChangeLog.read_page."""

    async def test_a_page_walk_sees_each_entry_once_while_more_are_added(
        self, storage: Storage
    ) -> None:
        async def append() -> None:
            for number in range(60):
                await storage.log.append(publish(entry(f"e{number:02}"), entry(f"f{number:02}")))

        adding = asyncio.ensure_future(append())
        seen: list[bytes] = []
        token, ended = 0, False
        while not ended:
            ended = adding.done()
            await asyncio.sleep(0)  # an adapter may read without giving the appends a turn
            page = await storage.log.read_page(page_query(after=token, limit=7))
            seen.extend(bodies(page))
            ended = ended and not page.has_more
            token = page.end
        await adding
        assert seen == [f"{kind}{n:02}".encode() for n in range(60) for kind in "ef"]

    async def test_a_page_and_its_token_come_from_one_snapshot(self, storage: Storage) -> None:
        """What is appended while pages are read lies behind a page's end or in it, never before."""

        async def append() -> None:
            for _ in range(100):
                await storage.log.append(publish(entry("hit"), entry("miss", application="other")))

        only_hits = (Revision(0, ApplicationsFilter(("table",)), ALL_KINDS),)
        adding = asyncio.ensure_future(append())
        seen, token = 0, 0
        while not adding.done():
            await asyncio.sleep(0)
            page = await storage.log.read_page(page_query(after=token, revisions=only_hits))
            assert token <= page.end <= page.bucket_last
            seen, token = seen + len(page.entries), page.end
        await adding
        rest = await storage.log.read_page(
            page_query(after=token, revisions=only_hits, limit=1_000)
        )
        assert seen + len(rest.entries) == 100

    async def test_a_page_shows_one_solution_of_one_account_only(self, storage: Storage) -> None:
        for account, solution in (("a", "s"), ("b", "s"), ("a", "t")):
            name = f"{account}{solution}"
            await storage.log.append(publish(entry(name), account=account, solution=solution))
        page = await storage.log.read_page(page_query(account="a", solution="s"))
        assert bodies(page) == [b"as"]

    async def test_has_more_is_true_only_where_something_more_matches(
        self, storage: Storage
    ) -> None:
        await storage.log.append(publish(entry("one"), entry("two")))
        await storage.log.append(publish(*(entry("no", application="other") for _ in range(9))))
        tables = (Revision(0, ApplicationsFilter(("table",)), ALL_KINDS),)
        first = await storage.log.read_page(page_query(limit=1, revisions=tables))
        second = await storage.log.read_page(page_query(limit=1, revisions=tables, after=first.end))
        assert (bodies(first), first.has_more) == ([b"one"], True)
        assert (bodies(second), second.has_more) == ([b"two"], False)

    async def test_the_end_passes_what_was_scanned_without_a_match(self, storage: Storage) -> None:
        receipt = await storage.log.append(publish(*(entry() for _ in range(9))))
        deleted_only = (Revision(0, SolutionFilter(), (Kind.RECORD_DELETED,)),)
        page = await storage.log.read_page(page_query(revisions=deleted_only))
        assert (page.entries, page.has_more, page.end) == ((), False, receipt.last_position)

    async def test_the_end_tells_nothing_of_other_solutions_in_the_bucket(
        self, storage: Storage
    ) -> None:
        own = await storage.log.append(publish(entry(), solution="quiet-0"))
        neighbour = next(
            f"loud-{n}"
            for n in range(10_000)
            if page_query(solution=f"loud-{n}").bucket == page_query(solution="quiet-0").bucket
        )
        strange = await storage.log.append(publish(entry(), solution=neighbour))
        page = await storage.log.read_page(page_query(solution="quiet-0"))
        assert page.end == own.last_position
        assert page.bucket_last == strange.last_position

    async def test_a_token_past_the_log_is_answered_empty_with_itself(
        self, storage: Storage
    ) -> None:
        receipt = await storage.log.append(publish(entry()))
        assert receipt.last_position is not None
        ahead = receipt.last_position + 5_000
        page = await storage.log.read_page(page_query(after=ahead))
        assert (page.entries, page.end, page.has_more) == ((), ahead, False)

    async def test_an_untouched_solution_is_an_empty_page(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        page = await storage.log.read_page(page_query(solution="nobody", after=17))
        assert (page.entries, page.end, page.has_more, page.floor) == ((), 17, False, 0)
        assert page.read_at == clock.now()

    async def test_a_page_says_how_its_webhook_stands_in_its_own_snapshot(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Full or not: whoever remembers a webhook tells by it whether the page is right."""
        stored = await storage.webhooks.create(webhook(clock), start_at=None)
        await storage.log.append(publish(*(entry(f"{n}") for n in range(3))))
        every = (Revision(0, SolutionFilter(), ALL_KINDS),)
        some = (Revision(0, ApplicationsFilter(("table",)), ALL_KINDS),)

        async def standings(webhook_id: str | None) -> set[Standing | None]:
            queries = [
                page_query(revisions=revisions, limit=limit, webhook_id=webhook_id)
                for revisions in (every, some)
                for limit in (1, 50)
            ]
            return {(await storage.log.read_page(query)).standing for query in queries}

        assert await standings(None) == {None}
        begun = stored.start_position
        assert await standings(stored.webhook_id) == {Standing(Stage.ACTIVE, (begun,))}
        await storage.webhooks.update(
            msgspec.structs.replace(stored, filter=ApplicationsFilter(("t",)))
        )
        held = await storage.webhooks.revisions(stored.bucket, stored.webhook_id)
        revised_at = tuple(one.from_position for one in held)
        assert await standings(stored.webhook_id) == {Standing(Stage.ACTIVE, revised_at)}
        assert len(revised_at) == 2
        await storage.webhooks.delete(stored)
        assert await standings(stored.webhook_id) == {None}

    async def test_a_page_of_many_days_is_whole(self, storage: Storage, clock: ManualClock) -> None:
        first = await storage.log.append(publish(entry("0")))
        for number in range(1, 4):
            await clock.advance(20 * 3_600)
            await storage.log.append(publish(entry(f"{number}")))
        assert first.last_position is not None
        page = await storage.log.read_page(page_query(after=first.last_position - 1))
        assert bodies(page) == [b"0", b"1", b"2", b"3"]
        assert not page.has_more

    async def test_a_page_ends_early_past_its_bytes_but_is_never_stuck(
        self, storage: Storage
    ) -> None:
        big = [entry(f"{n}", body=bytes([n]) * 1_000) for n in range(5)]
        await storage.log.append(publish(*big))
        token, sizes, more = 0, [], True
        while more:
            page = await storage.log.read_page(page_query(after=token, max_bytes=1_500))
            sizes.append(len(page.entries))
            token, more = page.end, page.has_more
        assert sizes == [2, 2, 1]

    async def test_filters_take_kinds_applications_and_exact_fields(self, storage: Storage) -> None:
        watched = "status"
        twin = next(
            f"f{n}" for n in range(10_000) if field_mask([f"f{n}"]) == field_mask([watched])
        )
        await storage.log.append(
            publish(
                entry("created"),
                entry("deleted", kind=Kind.RECORD_DELETED),
                entry("other", application="other"),
                entry("status", kind=Kind.RECORD_UPDATED, changed=("x", watched)),
                entry("twin", kind=Kind.RECORD_UPDATED, changed=(twin,)),
                entry("nothing", kind=Kind.RECORD_UPDATED, changed=()),
            )
        )
        fields = ApplicationFilter("table", (watched,))
        updates = (Kind.RECORD_UPDATED,)
        for wanted, kinds, expected in (
            (fields, ALL_KINDS, [b"created", b"deleted", b"status"]),
            (fields, updates, [b"status"]),
            (ApplicationFilter("table"), updates, [b"status", b"twin", b"nothing"]),
            (ApplicationsFilter(("other", "absent")), ALL_KINDS, [b"other"]),
            (SolutionFilter(), (Kind.RECORD_CREATED,), [b"created", b"other"]),
        ):
            revisions = (Revision(0, wanted, kinds),)
            page = await storage.log.read_page(page_query(revisions=revisions))
            assert bodies(page) == expected

    async def test_each_entry_is_judged_by_the_revision_at_its_position(
        self, storage: Storage
    ) -> None:
        receipt = await storage.log.append(publish(*(entry(f"e{n}") for n in range(9))))
        assert receipt.first_position is not None
        third, sixth = receipt.first_position + 2, receipt.first_position + 5
        revisions = (
            Revision(receipt.first_position - 1, SolutionFilter(), ALL_KINDS),
            Revision(third, SolutionFilter(), (Kind.RECORD_DELETED,)),
            Revision(sixth, ApplicationsFilter(("table",)), ALL_KINDS),
        )
        page = await storage.log.read_page(page_query(revisions=revisions))
        assert bodies(page) == [b"e0", b"e1", b"e2", b"e6", b"e7", b"e8"]

    async def test_control_entries_never_appear_but_are_scanned(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await storage.log.append(publish(entry("change")))
        created = await storage.webhooks.create(webhook(clock), start_at=None)
        page = await storage.log.read_page(page_query())
        assert bodies(page) == [b"change"]
        assert page.end == created.created_position
