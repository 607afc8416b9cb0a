"""The model of growth: its queues agree with theory, and its page with its numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from bench.model.__main__ import PAGE, filled, kept
from bench.model.costs import Costs, Line, fit
from bench.model.dice import Dice
from bench.model.growth import Growth, grow
from bench.model.queueing import Agenda, Station, percentile
from bench.model.world import World, shared_out

SMALL = World(accounts=200, changes_a_day=2e6, webhooks=20_000, node_cores=1)
COSTS = Costs(
    source="made up",
    api=Line(100e-6, 10e-6),
    database=Line(200e-6, 20e-6),
    commit=Line(2e-3, 40e-6),
    ping=100e-6,
    list_api=5e-6,
    list_database=5e-6,
    event_bytes=1_500,
)


def mean_wait(load: float, service: Callable[[Dice], float], *, customers: int) -> float:
    """Return how long one waits on average before a server of a mean service of 1 second."""
    agenda, dice, waited = Agenda(), Dice(11), list[float]()

    def begun(group: Sequence[float]) -> float:
        waited.extend(agenda.now - came_at for came_at in group)
        return service(dice)

    station = Station[float](agenda, servers=1, seconds_of=begun, served=lambda _: None)

    def arrive() -> None:
        station.put(agenda.now)
        agenda.plan(dice.exponential(1 / load), arrive)

    agenda.plan(0.0, arrive)
    agenda.run(customers / load)
    return sum(waited) / len(waited)


@pytest.mark.parametrize("load", [0.5, 0.7])
def test_waiting_agrees_with_pollaczek_and_khinchine(load: float) -> None:
    """M/D/1: load / 2 (1 - load); M/M/1: twice as long."""
    constant = mean_wait(load, lambda _: 1.0, customers=40_000)
    assert constant == pytest.approx(load / (2 * (1 - load)), rel=0.06)
    random = mean_wait(load, lambda dice: dice.exponential(1.0), customers=40_000)
    assert random == pytest.approx(load / (1 - load), rel=0.06)


def test_what_waits_when_a_commit_ends_goes_into_the_next_together() -> None:
    agenda, commits = Agenda(), list[tuple[float, Sequence[int]]]()
    station = Station[int](
        agenda,
        servers=1,
        seconds_of=lambda group: float(len(group)),
        served=lambda group: commits.append((agenda.now, group)),
        most=3,
    )
    for number in range(5):
        station.put(number)
    agenda.run(10)
    assert commits == [(1.0, [0]), (4.0, [1, 2, 3]), (5.0, [4])]
    assert station.busy_seconds == 5.0


def test_nothing_begins_while_a_station_is_closed() -> None:
    agenda, served_at = Agenda(), list[float]()
    station = Station[int](
        agenda, servers=2, seconds_of=lambda _: 1.0, served=lambda _: served_at.append(agenda.now)
    )
    station.close(5.0)
    station.put(1)
    agenda.run(10)
    assert served_at == [6.0]


def test_a_percentile_counts_weights() -> None:
    assert percentile([(5.0, 1.0), (1.0, 98.0), (9.0, 1.0)], 50) == 1.0
    assert percentile([(5.0, 1.0), (1.0, 98.0), (9.0, 1.0)], 99) == 5.0


def test_a_fit_finds_the_line_that_it_was_given() -> None:
    line = fit([(1, 105e-6), (10, 150e-6), (100, 600e-6)])
    assert (line.fixed, line.each) == pytest.approx((100e-6, 5e-6))


def test_shares_lose_nothing_and_the_busiest_bucket_holds_the_hottest_solution() -> None:
    shares = shared_out(SMALL)
    assert sum(shares.changes) == pytest.approx(SMALL.peak_rate)
    assert max(shares.changes) >= shares.hottest_solution


def small(seed: int) -> Growth:
    return grow(SMALL, COSTS, seed=seed, seconds=60.0)


def test_the_same_seed_plays_the_same_and_another_one_doesnt() -> None:
    first = small(1)
    assert first == small(1)
    assert first.quiet != small(2).quiet


def test_trouble_costs_what_it_lasts_and_is_worked_off() -> None:
    growth = small(1)
    pause_ms = SMALL.failover_seconds * 1000
    assert growth.quiet.publish_p99_ms < 100
    assert pause_ms * 0.8 < growth.failover.publish_p99_ms < pause_ms * 1.5
    assert growth.failover.drained_seconds is not None
    assert growth.dispatcher_lost.most_pings_waiting > growth.quiet.most_pings_waiting
    assert growth.dispatcher_lost.publish_p99_ms == growth.quiet.publish_p99_ms


def test_a_storm_leaves_none_of_the_endpoints_unaccounted_for() -> None:
    light, heavy = small(1).storms
    assert 0 < light.down < heavy.down
    assert 0 <= light.disabled <= light.down
    assert heavy.attempts > light.attempts


def test_more_work_needs_more_of_everything() -> None:
    needs, more = (
        grow(replace(SMALL, changes_a_day=rate), COSTS, seed=1, seconds=1.0).needs
        for rate in (2e6, 4e8)
    )
    assert more.nodes > needs.nodes
    assert more.busiest_bucket_utilisation > needs.busiest_bucket_utilisation


def test_the_pages_numbers_are_those_that_are_kept() -> None:
    page = PAGE.read_text()
    assert "| quiet |" in page
    assert filled(page, kept()) == page
