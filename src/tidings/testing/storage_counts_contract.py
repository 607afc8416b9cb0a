"""The part of the storage contract by which processes tell each other of counts (contract 1.8)."""

from __future__ import annotations

from tidings.domain.count_note import Counted, CountNote
from tidings.domain.instants import to_milliseconds
from tidings.domain.limits import COUNT_NOTES_KEPT_SECONDS
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_setting import StorageSetting


def note_of(teller: str, number: int = 1) -> CountNote:
    """Return a note with all that one may hold."""
    counted = {
        "webhooks": (Counted("key_1", (1, 1, 3)), Counted("key_ü", (), 30_000)),
        "publishing": (Counted("key_1", (1_800_000_000_000,), None),),
    }
    return CountNote(teller, number, counted)


class CountsContract(StorageSetting):
    """ports.CountStore."""

    async def test_others_hear_what_was_told_in_its_order_and_the_teller_does_not(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        """Where one process serves a database it hears nothing: there is nobody to tell it."""
        told = [note_of("one"), note_of("two"), note_of("one", 2)]
        for note in told:
            await storage.counts.tell(note)
            await clock.advance(0.25)
        others = [] if storage.capabilities.sole_server else told
        assert list((await storage.counts.hear("three", 0)).notes) == others
        heard_by_two = (await storage.counts.hear("two", 0)).notes
        assert list(heard_by_two) == [note for note in others if note.teller != "two"]

    async def test_who_listens_hears_the_time_and_what_was_told_from_an_instant_on(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        await storage.counts.tell(note_of("one"))
        await clock.advance(0.25)
        before = await storage.counts.hear("two", 0)
        assert before.now_ms == to_milliseconds(clock.now())
        await storage.counts.tell(note_of("one", 2))
        await clock.advance(0.25)
        heard = await storage.counts.hear("two", before.now_ms)
        assert heard.now_ms == before.now_ms + 250
        expected = [] if storage.capabilities.sole_server else [2]
        assert [note.number for note in heard.notes] == expected
        assert list((await storage.counts.hear("two", heard.now_ms)).notes) == []

    async def test_a_note_lies_long_enough_for_who_starts_and_is_dropped_then(
        self, storage: Storage, clock: ManualClock
    ) -> None:
        async def told_by() -> list[str]:
            return [note.teller for note in (await storage.counts.hear("new", 0)).notes]

        await storage.counts.tell(note_of("one"))
        await clock.advance(COUNT_NOTES_KEPT_SECONDS - 1)
        await storage.counts.tell(note_of("two"))
        assert await told_by() == ([] if storage.capabilities.sole_server else ["one", "two"])
        await clock.advance(1)
        await storage.counts.tell(note_of("three"))
        assert await told_by() == ([] if storage.capabilities.sole_server else ["two", "three"])
