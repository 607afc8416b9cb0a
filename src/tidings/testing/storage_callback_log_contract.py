"""The part of the storage contract that callbacks are made by (contract 2.5; mechanics D5)."""

from __future__ import annotations

from tidings.domain.buckets import bucket_of
from tidings.domain.dispatch import BucketSettlement
from tidings.domain.filter import ApplicationFilter, Revision
from tidings.domain.kinds import Kind
from tidings.domain.log_entry import CallbackEntries, CallbackQuery, NewEntry
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import ACCOUNT, SOLUTION, entry, publish
from tidings.testing.storage_setting import StorageSetting

BUCKET = bucket_of(ACCOUNT, SOLUTION)
TOLD = (Kind.RECORD_CREATED, Kind.RECORD_UPDATED, Kind.RECORD_DELETED)
WHOLE = b"x" * 1_000


def query(
    until: int,
    *,
    after: int = 0,
    fields: tuple[str, ...] = (),
    limit: int = 1_000,
    max_bytes: int = 1 << 20,
) -> CallbackQuery:
    """Return a query for the changes of the sheet `1`."""
    return CallbackQuery(
        bucket=BUCKET,
        account=ACCOUNT,
        solution=SOLUTION,
        after=after,
        until=until,
        revision=Revision(0, ApplicationFilter("1", fields), TOLD),
        limit=limit,
        max_bytes=max_bytes,
    )


async def published(storage: Storage, *entries: NewEntry) -> int:
    """Append entries and return the last one's position."""
    receipt = await storage.log.append(publish(*entries))
    assert receipt.last_position is not None
    return receipt.last_position


def subjects(found: CallbackEntries) -> list[str]:
    """Return what was found, by name."""
    return [one.subject for one in found.entries]


class CallbackLogContract(StorageSetting):
    """What ports.ChangeLog.read_callback and a settlement without a checkpoint hold."""

    async def test_a_callback_is_made_of_its_sheets_changes_and_nothing_else(
        self, storage: Storage
    ) -> None:
        last = await published(
            storage,
            entry("10", application="1"),
            entry("11", application="2"),
            entry("12", application="1", kind=Kind.FIELD_CREATED),
            entry("13", application="1", kind=Kind.RECORD_DELETED),
        )
        await storage.log.append(publish(entry("14", application="1"), account="other"))
        found = await storage.log.read_callback(query(last))
        assert subjects(found) == ["10", "13"]
        assert found.end == last
        first = found.entries[0]
        assert subjects(await storage.log.read_callback(query(last, after=first.position))) == [
            "13"
        ]
        assert subjects(await storage.log.read_callback(query(first.position))) == ["10"]

    async def test_a_subscope_is_decided_by_exact_columns(self, storage: Storage) -> None:
        updated = Kind.RECORD_UPDATED
        columns = [str(number) for number in range(200)]  # more than the mask has bits
        last = await published(
            storage,
            *(entry(c, application="1", kind=updated, changed=(c,)) for c in columns),
            entry("created", application="1"),
        )
        found = await storage.log.read_callback(query(last, fields=("7", "123")))
        assert subjects(found) == ["7", "123", "created"]

    async def test_it_says_who_did_it_and_keeps_as_much_of_the_body_as_is_needed(
        self, storage: Storage
    ) -> None:
        made = [
            NewEntry(
                kind=kind,
                application="1",
                subject="10",
                mask=-1,
                changed=changed,
                body=WHOLE,
                by="42",
                change_agent="an agent",
            )
            for kind, changed in (
                (Kind.RECORD_CREATED, None),
                (Kind.RECORD_UPDATED, None),
                (Kind.RECORD_UPDATED, ("5",)),
                (Kind.RECORD_DELETED, None),
            )
        ]
        found = (await storage.log.read_callback(query(await published(storage, *made)))).entries
        assert {(one.by, one.change_agent) for one in found} == {("42", "an agent")}
        assert [one.changed for one in found] == [None, None, ("5",), None]
        assert [one.body for one in found[:2]] == [WHOLE, WHOLE]
        assert all(WHOLE.startswith(one.body) and len(one.body) >= 100 for one in found[2:])

    async def test_bounded_reads_one_after_the_other_find_everything_once(
        self, storage: Storage
    ) -> None:
        names = [str(number) for number in range(300)]
        last = await published(storage, *(entry(n, application="1", body=WHOLE) for n in names))
        for limit, max_bytes in ((7, 1 << 20), (1_000, 12_345)):
            after, seen = 0, []
            while after < last:
                wish = query(last, after=after, limit=limit, max_bytes=max_bytes)
                found = await storage.log.read_callback(wish)
                assert found.end > after
                seen += subjects(found)
                after = found.end
            assert seen == names

    async def test_it_says_up_to_where_retention_has_dropped(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await published(storage, entry("10", application="1"))
        await clock.advance(60)
        border = clock.now()
        last = await published(storage, entry("11", application="1"))
        before = await storage.log.read_callback(query(last))
        assert before.floor < before.entries[0].position
        await storage.retention.raise_floor(border)
        found = await storage.log.read_callback(query(last))
        assert before.entries[0].position <= found.floor < last
        assert subjects(found) == ["11"], "also where the rows are still there"

    async def test_a_settlement_without_a_checkpoint_leaves_it_where_it_is(
        self, storage: Storage
    ) -> None:
        epochs = await storage.dispatch.take([BUCKET], "holder", 10)
        for checkpoint in (77, None):
            settlement = BucketSettlement(
                bucket=BUCKET, epoch=epochs[BUCKET], checkpoint=checkpoint
            )
            assert await storage.dispatch.settle([settlement]) == frozenset()
        assert (await storage.dispatch.load(BUCKET)).checkpoint == 77
