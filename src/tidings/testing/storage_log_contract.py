"""The change log's part of the storage contract: append, order, tails, hints."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tidings.domain.buckets import bucket_of
from tidings.domain.log_entry import Appended
from tidings.domain.positions import position_at
from tidings.errors import IdempotencyKeyReused, StorageClosed, TidingsError
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_races import race
from tidings.testing.storage_samples import (
    ACCOUNT,
    SOLUTION,
    Database,
    api_key,
    entry,
    page_query,
    publish,
    webhook,
    whole_log,
)
from tidings.testing.storage_setting import StorageSetting

BUCKET = bucket_of(ACCOUNT, SOLUTION)


class LogContract(StorageSetting):
    """ports.ChangeLog, without its pages."""

    async def test_racing_writers_leave_nothing_that_a_reader_skips(
        self, database: Database, storage: Storage, clock: ManualClock
    ) -> None:
        other = await database.open(clock, serve=False)
        try:
            report = await race([storage.log, other.log], storage.log, appends=640)
        finally:
            await other.close()
        assert len(report.acknowledged) == 640
        assert (report.missed_by_tail, report.missed_by_pages, report.repeated) == ((), (), ())

    async def test_positions_ascend_without_a_gap_inside_one_append(self, storage: Storage) -> None:
        receipt = await storage.log.append(publish(entry("a"), entry("b"), entry("c")))
        assert receipt.first_position is not None
        first = receipt.first_position
        assert receipt.last_position == first + 2
        log = await whole_log(storage.log, BUCKET)
        assert log == [(first, "a"), (first + 1, "b"), (first + 2, "c")]

    async def test_a_position_is_the_time_of_its_commit(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await clock.advance(1.5)
        receipt = await storage.log.append(publish(entry()))
        assert receipt.first_position == position_at(clock.now())

    async def test_positions_go_on_behind_the_last_when_the_clock_steps_back(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        before = await storage.log.append(publish(entry("before")))
        clock.shift(-3_600)
        after = await storage.log.append(publish(entry("after")))
        assert before.last_position is not None
        assert after.first_position == before.last_position + 1

    async def test_the_same_key_appends_once_and_answers_the_same(self, storage: Storage) -> None:
        first = await storage.log.append(publish(entry(), key="k", suppressed=3))
        again = await storage.log.append(publish(entry(), entry(), key="k", suppressed=0))
        assert again == first
        assert len(await whole_log(storage.log, BUCKET)) == 1

    async def test_the_same_key_many_times_at_once_appends_once(self, storage: Storage) -> None:
        receipts = await asyncio.gather(
            *(storage.log.append(publish(entry(), key="k")) for _ in range(50))
        )
        assert len(set(map(repr, receipts))) == 1
        assert len(await whole_log(storage.log, BUCKET)) == 1

    async def test_the_same_key_with_another_body_is_refused_and_appends_nothing(
        self, storage: Storage
    ) -> None:
        outcomes = await asyncio.gather(
            storage.log.append(publish(entry(), key="k", sent=b"one")),
            storage.log.append(publish(entry(), key="k", sent=b"two")),
            return_exceptions=True,
        )
        assert [type(outcome).__name__ for outcome in outcomes] == [
            "Receipt",
            IdempotencyKeyReused.__name__,
        ]
        assert len(await whole_log(storage.log, BUCKET)) == 1

    async def test_a_key_is_scoped_to_its_solution_and_account(self, storage: Storage) -> None:
        for account, solution in (("one", "crm"), ("two", "crm"), ("one", "hr")):
            receipt = await storage.log.append(
                publish(entry(), account=account, solution=solution, key="k", sent=b"its own")
            )
            assert receipt.accepted == 1
            log = await whole_log(storage.log, bucket_of(account, solution))
            assert len(log) >= 1

    async def test_a_key_is_remembered_for_a_day_and_then_free(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        first = await storage.log.append(publish(entry(), key="k"))
        await clock.advance(24 * 3_600 - 1)
        assert await storage.log.append(publish(entry(), key="k")) == first
        await clock.advance(2)
        anew = await storage.log.append(publish(entry(), key="k", sent=b"another"))
        assert anew != first
        assert await storage.log.append(publish(entry(), key="k", sent=b"another")) == anew
        assert len(await whole_log(storage.log, BUCKET)) == 2

    async def test_a_publish_of_which_nothing_is_left_is_remembered_too(
        self, storage: Storage
    ) -> None:
        receipt = await storage.log.append(publish(key="k", suppressed=2))
        assert (receipt.accepted, receipt.suppressed) == (0, 2)
        assert (receipt.first_position, receipt.last_position) == (None, None)
        assert await storage.log.append(publish(entry(), key="k")) == receipt

    async def test_an_append_is_stored_whole_or_not_at_all(self, storage: Storage) -> None:
        bad = entry("half a surrogate pair: \ud800", body=b"x")
        with pytest.raises(TidingsError):
            await storage.log.append(publish(entry("good"), bad, key="k"))
        assert await whole_log(storage.log, BUCKET) == []
        receipt = await storage.log.append(publish(entry("mended"), key="k", sent=b"mended"))
        assert receipt.accepted == 1

    async def test_a_bad_entry_fails_alone_among_those_committed_with_it(
        self, storage: Storage
    ) -> None:
        broken = msgspec.structs.replace(entry("broken"), mask=1 << 70)
        heard: list[Appended] = []
        storage.log.watch(heard.append)
        outcomes = await asyncio.gather(
            *(storage.log.append(publish(entry(f"good {n}"))) for n in range(10)),
            storage.log.append(publish(entry("beside it"), broken)),
            *(storage.log.append(publish(entry(f"good {n}"))) for n in range(10, 20)),
            return_exceptions=True,
        )
        failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert [isinstance(error, TidingsError) for error in failed] == [True]
        log = await whole_log(storage.log, BUCKET)
        assert [subject for _, subject in log] == [f"good {n}" for n in range(20)]
        told = [(header.position, header.subject) for hint in heard for header in hint.headers]
        assert told == log

    async def test_what_was_appended_is_there_after_reopening(
        self, database: Database, clock: ManualClock
    ) -> None:
        storage = await database.open(clock)
        receipt = await storage.log.append(publish(entry("kept"), key="k"))
        await storage.close()
        reopened = await database.open(clock)
        try:
            assert await whole_log(reopened.log, BUCKET) == [(receipt.first_position, "kept")]
            assert await reopened.log.append(publish(entry("kept"), key="k")) == receipt
        finally:
            await reopened.close()

    async def test_a_tail_has_no_gap_however_the_limit_cuts(self, storage: Storage) -> None:
        await storage.log.append(publish(*(entry(f"e{n}") for n in range(25))))
        log = await whole_log(storage.log, BUCKET, step=3)
        assert [subject for _, subject in log] == [f"e{n}" for n in range(25)]

    async def test_a_loud_bucket_leaves_room_for_the_others_in_a_tail(
        self, storage: Storage
    ) -> None:
        await storage.log.append(publish(*(entry() for _ in range(100)), solution="loud"))
        await storage.log.append(publish(entry(), solution="quiet"))
        loud, quiet = bucket_of(ACCOUNT, "loud"), bucket_of(ACCOUNT, "quiet")
        headers = await storage.log.read_tail({loud: 0, quiet: 0}, 10)
        assert {header.bucket for header in headers} == {loud, quiet}
        assert len(headers) <= 10

    async def test_a_tail_shows_what_matching_needs(self, storage: Storage) -> None:
        await storage.log.append(publish(entry("r", kind=2, application="t", changed=("f", "g"))))
        [header] = await storage.log.read_tail({BUCKET: 0}, 10)
        assert (header.bucket, header.account, header.solution) == (BUCKET, ACCOUNT, SOLUTION)
        assert (header.kind, header.application, header.subject) == (2, "t", "r")
        assert header.changed == ("f", "g")

    async def test_watchers_hear_of_each_append_before_it_is_answered(
        self, storage: Storage
    ) -> None:
        heard: list[Appended] = []
        undo = storage.log.watch(heard.append)
        for number in range(3):
            receipt = await storage.log.append(publish(entry(f"e{number}"), entry("more")))
            assert heard[-1].headers[0].position == receipt.first_position
            assert heard[-1].headers[0].subject == f"e{number}"
        undo()
        await storage.log.append(publish(entry("unheard")))
        assert len(heard) == 3

    async def test_hints_join_on_to_each_other_and_equal_the_tail(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        heard: list[Appended] = []
        storage.log.watch(heard.append)
        await asyncio.gather(
            *(storage.log.append(publish(entry(f"e{n}"), entry(f"f{n}"))) for n in range(20)),
            storage.webhooks.create(webhook(clock), start_at=None),
        )
        tail = 0
        for hint in heard:
            assert hint.previous == tail
            tail = hint.headers[-1].position
        told = [header for hint in heard for header in hint.headers]
        assert told == list(await storage.log.read_tail({BUCKET: 0}, 1_000))

    async def test_a_watcher_that_raises_hurts_neither_the_append_nor_other_watchers(
        self, storage: Storage
    ) -> None:
        def broken(_: Appended) -> None:
            raise RuntimeError("a watcher's own fault")

        heard: list[Appended] = []
        storage.log.watch(broken)
        storage.log.watch(heard.append)
        receipt = await storage.log.append(publish(entry()))
        assert (receipt.accepted, len(heard)) == (1, 1)

    async def test_an_append_whose_caller_left_stands(self, storage: Storage) -> None:
        leaving = asyncio.ensure_future(storage.log.append(publish(entry("left"), key="k")))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        again = await storage.log.append(publish(entry("left"), key="k"))
        assert again.accepted == 1
        assert [subject for _, subject in await whole_log(storage.log, BUCKET)] == ["left"]

    async def test_a_probe_of_a_sound_database_passes_and_leaves_nothing(
        self, storage: Storage
    ) -> None:
        await storage.probe()
        await storage.probe()
        assert await whole_log(storage.log, BUCKET) == []

    async def test_closing_commits_what_is_queued(
        self, database: Database, clock: ManualClock
    ) -> None:
        storage = await database.open(clock)
        queued = [
            asyncio.ensure_future(storage.log.append(publish(entry(f"e{n}")))) for n in range(20)
        ]
        await asyncio.sleep(0)
        await storage.close()
        assert [(await append).accepted for append in queued] == [1] * 20

    async def test_closing_twice_is_fine_and_use_after_it_says_so(
        self, database: Database, clock: ManualClock
    ) -> None:
        storage = await database.open(clock)
        await asyncio.gather(storage.close(), storage.close())
        await storage.close()
        with pytest.raises(StorageClosed):
            await storage.log.append(publish(entry()))
        with pytest.raises(StorageClosed):
            await storage.log.read_page(page_query())
        with pytest.raises(StorageClosed):
            await storage.keys.find(api_key(clock).key_hash)
        with pytest.raises(StorageClosed):
            await storage.probe()
