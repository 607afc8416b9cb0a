"""The demo's own rules: batches, the comparison, the latencies, the pace, the ledger."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tidings.client import Event, EventsPage
from tidings.client.messages import Locator, RecordEventData
from tidings.demo.ledger import Ledger, Progress, ReceivedPing
from tidings.demo.publisher import Published, bursts, doomed_revision
from tidings.demo.receiver import Pace
from tidings.demo.report import Outage, Outcome, latencies, outage, percentile
from tidings.demo.sheet import SheetNumbers, Told, as_sheet, implied, load_numbers
from tidings.demo.sheet_report import SheetOutcome
from tidings.demo.source import (
    Revision,
    SourceChange,
    differences,
    idempotency_key,
    load_revisions,
    publish_body,
    table_after,
)

PLACE = Locator(account_id="demo", solution_id="sp500", application_id="constituents")


def test_the_history_is_189_batches_that_lead_from_nothing_to_503_records() -> None:
    revisions = load_revisions()
    assert [revision.number for revision in revisions] == list(range(1, 190))
    assert sum(len(revision.changes) for revision in revisions) == 4_682
    assert len({idempotency_key(revision) for revision in revisions}) == 189
    assert len(table_after(revisions)) == 503


def test_the_source_s_before_is_what_the_table_held() -> None:
    revisions = load_revisions()
    table = table_after(revisions[:100])
    for change in revisions[100].changes:
        assert change.before == table.get(change.key)


def test_a_batch_is_published_as_the_contract_says() -> None:
    revision = load_revisions()[2]
    body = msgspec.json.decode(publish_body(revision))
    assert body["batch_id"] == revision.identity
    for change, sent in zip(revision.changes, body["changes"], strict=True):
        assert sent["kind"] == f"RECORD_{change.op.upper()}D"
        assert (sent.get("data"), sent.get("before")) == (change.after, change.before)


def test_every_ticker_and_field_has_a_number_of_its_own() -> None:
    numbers = load_numbers()
    numbered = [as_sheet(revision, numbers) for revision in load_revisions()]
    keys = {change.key for revision in load_revisions() for change in revision.changes}
    assert {change.key for revision in numbered for change in revision.changes} == {
        str(numbers.rows[key]) for key in keys
    }
    for table in (numbers.rows, numbers.columns):
        assert len(set(table.values())) == len(table)


def test_what_changes_imply_is_a_row_and_the_cells_that_differ() -> None:
    numbers = SheetNumbers(sheet=1, columns={"x": 11, "y": 12, "z": 13}, rows={"A": 7})
    change = SourceChange("t", "r", "create", "A", {"x": "1", "y": "", "z": "3"}, None)
    update = SourceChange("t", "r", "update", "A", {"x": "1", "y": "2"}, change.after)
    nothing = SourceChange("t", "r", "update", "A", update.after, update.after)
    delete = SourceChange("t", "r", "delete", "A", None, update.after)
    told = list(implied([Revision(1, "r", (change, update, nothing, delete))], numbers))
    assert told == [
        Told("row", "created", 7),
        Told("cell", "created", 7, 11),
        Told("cell", "created", 7, 13),
        Told("row", "updated", 7),
        Told("cell", "updated", 7, 12),
        Told("cell", "updated", 7, 13),
        Told("row", "deleted", 7),
    ]


def test_tables_are_compared_record_by_record() -> None:
    source = {"A": {"x": "1"}, "B": {"x": "2"}}
    assert differences(source, {"B": {"x": "2"}, "A": {"x": "1"}}) == []
    found = differences(source, {"B": {"x": "3"}, "C": {}})
    assert [sentence.split()[0] for sentence in found] == ["A", "B", "C"]


def test_bursts_keep_the_order_and_lose_nothing() -> None:
    revisions = load_revisions()
    assert [one for burst in bursts(revisions) for one in burst] == list(revisions)


@pytest.mark.parametrize("count", [16, 60, 189])
def test_the_server_dies_late_under_a_large_batch(count: int) -> None:
    revisions = load_revisions()[:count]
    doomed = doomed_revision(revisions)
    assert doomed.number > count * 0.7
    assert len(doomed.changes) == max(len(r.changes) for r in revisions[doomed.number - 1 :])


def published(position: int, sent_at: float) -> Published:
    return Published(
        number=1,
        changes=1,
        accepted=1,
        suppressed=0,
        last_position=position,
        sent_at=sent_at,
        answered_at=sent_at,
    )


def ping(covered: int, received_at: float) -> ReceivedPing:
    return ReceivedPing(f"w.{covered}", covered, received_at)


def test_a_latency_ends_with_the_first_ping_that_covers_the_batch() -> None:
    pings = [ping(30, 2.0), ping(10, 0.1), ping(30, 3.0)]
    found = latencies([published(10, 0.0), published(20, 0.5), published(30, 1.5)], pings, [])
    assert found.all == pytest.approx((0.1, 1.5, 0.5))


def test_after_quiet_are_those_whose_ping_had_nothing_to_wait_for() -> None:
    batches = [published(10, 0.0), published(20, 0.5), published(30, 0.6), published(40, 5.0)]
    pings = [ping(10, 0.1), ping(30, 1.1), ping(40, 5.02)]
    assert latencies(batches, pings, []).after_quiet == pytest.approx((0.1, 0.02))


def test_a_batch_that_waited_through_a_kill_is_left_out() -> None:
    pings = [ping(10, 0.1), ping(40, 9.0)]
    down = outage(1.0, 2.0, pings)
    assert down == Outage(1.0, 9.0)
    assert latencies([published(10, 0.0), published(40, 3.0)], pings, [down]).all == (0.1,)


def test_percentiles_are_values_that_were_seen() -> None:
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.5) is None


def test_the_pace_keeps_any_second_to_so_many_requests() -> None:
    pace, now, taken = Pace(4), 100.0, []
    for _ in range(12):
        now += pace.take(now)
        taken.append(now)
    assert all(later - earlier >= 1.0 for earlier, later in zip(taken, taken[4:], strict=False))


def event(position: int, kind: str, record: dict[str, str], previous: dict[str, str]) -> Event:
    return Event(
        webhook_id="w",
        event_id=f"w.{position}",
        kind=kind,
        event_at="2026-01-01T00:00:00.000Z",
        locator=PLACE,
        record_event_data=RecordEventData(
            record_id="MMM", locator=PLACE, data=record, previous=previous
        ),
    )


def page(token: str, *events: Event) -> EventsPage:
    return EventsPage(events=events, next_page_token=token)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.db")


def test_a_page_moves_the_table_the_token_and_the_counters_together(ledger: Ledger) -> None:
    ledger.apply(page("5", event(5, "RECORD_CREATED", {"a": "1"}, {})))
    ledger.apply(page("9", event(9, "RECORD_UPDATED", {"a": "2"}, {"a": "1"})))
    assert ledger.table() == {"MMM": {"a": "2"}}
    ledger.apply(page("12", event(12, "RECORD_DELETED", {"a": "2"}, {})))
    assert ledger.table() == {}
    progress = ledger.progress()
    assert (progress.token, progress.events, progress.pages) == ("12", 3, 3)
    assert (progress.repeated, progress.out_of_order, progress.wrong_previous) == (0, 0, 0)


def test_a_page_that_fails_in_its_middle_moves_nothing(ledger: Ledger) -> None:
    bad = msgspec.structs.replace(event(6, "RECORD_CREATED", {}, {}), event_id="w.not-a-number")
    with pytest.raises(ValueError, match="not-a-number"):
        ledger.apply(page("6", event(5, "RECORD_CREATED", {"a": "1"}, {}), bad))
    assert ledger.table() == {}
    assert ledger.progress().token is None
    ledger.apply(page("5", event(5, "RECORD_CREATED", {"a": "1"}, {})))
    assert ledger.progress().repeated == 0


def test_repeats_disorder_and_wrong_prior_values_are_counted(ledger: Ledger) -> None:
    one = event(5, "RECORD_CREATED", {"a": "1"}, {})
    ledger.apply(page("5", one, one, event(4, "RECORD_UPDATED", {"a": "2"}, {"a": "9"})))
    progress = ledger.progress()
    assert (progress.repeated, progress.out_of_order, progress.wrong_previous) == (1, 2, 1)


def test_a_ping_from_before_a_crash_is_still_to_be_read(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "ledger.db")
    first.add_ping(ping(7, 1.0))
    first.close()
    reopened = Ledger(tmp_path / "ledger.db")
    assert reopened.unread()
    reopened.apply(page("7"))
    assert not reopened.unread()


def test_a_run_is_right_only_if_everything_is() -> None:
    progress = Progress(
        token="9",
        last_position=9,
        pages=1,
        events=1,
        repeated=0,
        out_of_order=0,
        wrong_previous=0,
    )
    right = Outcome(
        published=(published(9, 0.0),),
        pings=(ping(9, 0.1),),
        outages=(),
        progress=progress,
        attempts=(),
        differences=(),
        records=1,
        receiver_restarts=1,
        server_restarts=1,
        server_exit=0,
        seconds=1.0,
    )
    assert right.faults == ()
    for wrong in (
        {"differences": ("MMM is missing",)},
        {"server_exit": -9},
        {"published": (published(8, 0.0), published(9, 0.0))},
        {"progress": msgspec.structs.replace(progress, repeated=1)},
        {"progress": msgspec.structs.replace(progress, out_of_order=1)},
        {"progress": msgspec.structs.replace(progress, wrong_previous=1)},
    ):
        assert len(msgspec.structs.replace(right, **wrong).faults) == 1


def called(**told: object) -> SheetOutcome:
    row = Told("row", "created", 7)
    right = {
        "expected": (row, Told("cell", "created", 7, 11)),
        "handled": (row, Told("cell", "created", 7, 11)),
        "rows": frozenset({7}),
        "live": frozenset({7}),
        "status": "ENABLED",
        "attempts": (),
        "receiver_restarts": 1,
        "server_restarts": 1,
        "server_exit": 0,
        "seconds": 1.0,
    }
    return SheetOutcome(**(right | told))  # type: ignore[arg-type]


def test_callbacks_are_right_where_each_event_was_handled_once_and_in_its_rows_order() -> None:
    row, cell = called().expected
    assert called().faults == ()
    assert called(handled=(row,)).faults
    assert called(handled=(row, cell, cell)).faults
    assert called(handled=(cell, row)).faults, "out of order"
    assert called(live=frozenset({7, 8})).faults
    assert called(status="DISABLED_CALLBACK_FAILED").faults
    other = Told("row", "created", 8)
    assert called(expected=(row, other), handled=(other, row)).faults == (), "of different rows"
