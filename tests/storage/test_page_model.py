"""Pages against a plain list: whatever was stored, a walk shows what the list shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from itertools import count

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidings.domain import limits
from tidings.domain.filter import (
    ApplicationFilter,
    ApplicationsFilter,
    Filter,
    Revision,
    SolutionFilter,
    field_mask,
)
from tidings.domain.kinds import Kind
from tidings.ports import Storage
from tidings.testing.clock import ManualClock
from tidings.testing.storage_samples import bodies, entry, page_query, publish

from .conftest import SqliteFile
from .postgres_setting import PostgresDatabase


def _twins() -> tuple[str, str]:
    """Return two fields that share a bit of the mask."""
    seen: dict[int, str] = {}
    for number in count():
        name = f"f{number}"
        if (bit := field_mask([name])) in seen:
            return seen[bit], name
        seen[bit] = name
    raise AssertionError


FIELDS = ("a", "b", *_twins())
TABLES = ("t", "u", "v")


class Stored(msgspec.Struct, frozen=True):
    """An entry of the model; `own` is False for a neighbour in the same account."""

    kind: Kind
    application: str
    changed: tuple[str, ...] | None
    own: bool


def _subsets(names: tuple[str, ...], smallest: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), min_size=smallest, unique=True).map(tuple)


STORED = st.builds(
    Stored,
    kind=st.sampled_from(Kind),
    application=st.sampled_from(TABLES),
    changed=st.none() | _subsets(FIELDS, 0),
    own=st.sampled_from((True, True, True, False)),
)
FILTERS: st.SearchStrategy[Filter] = st.one_of(
    st.just(SolutionFilter()),
    st.builds(ApplicationsFilter, _subsets(TABLES, 1)),
    st.builds(ApplicationFilter, st.sampled_from(TABLES), _subsets(FIELDS, 0)),
)
KINDS = st.lists(st.sampled_from(Kind), min_size=1, unique=True).map(tuple)
RULES = st.lists(st.tuples(st.integers(0, 40), FILTERS, KINDS), min_size=1, max_size=4)


def _covers(wanted: Filter, kinds: tuple[Kind, ...], stored: Stored) -> bool:
    """Say in plain words what the contract's table of filters says (contract 1.3)."""
    if stored.kind not in kinds:
        return False
    if isinstance(wanted, ApplicationsFilter):
        return stored.application in wanted.application_ids
    if isinstance(wanted, ApplicationFilter):
        if stored.application != wanted.application_id:
            return False
        told = stored.changed is None or not wanted.field_ids
        return told or any(field in wanted.field_ids for field in stored.changed or ())
    return True


class Lab:
    """One storage for all examples; each example has an account of its own."""

    def __init__(self, runner: asyncio.Runner, storage: Storage) -> None:
        self.runner = runner
        self.storage = storage
        self.accounts = count()


@pytest.fixture
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FIRST_SLICE_ROWS", 1)
    monkeypatch.setattr(limits, "SCAN_SLICE_ROWS", 7)


@pytest.fixture
def sqlite_lab(database: SqliteFile, _small_slices: None) -> Iterator[Lab]:
    with asyncio.Runner() as runner:
        storage = runner.run(database.open(ManualClock()))
        yield Lab(runner, storage)
        runner.run(storage.close())


@pytest.fixture
def postgres_lab(postgres: PostgresDatabase, _small_slices: None) -> Iterator[Lab]:
    with asyncio.Runner() as runner:
        storage = runner.run(postgres.open(ManualClock()))
        yield Lab(runner, storage)
        runner.run(storage.close())


async def _store(lab: Lab, account: str, entries: list[Stored]) -> list[tuple[int, Stored]]:
    placed = []
    for number, stored in enumerate(entries):
        what = entry(
            f"{number}",
            kind=stored.kind,
            application=stored.application,
            changed=stored.changed,
        )
        solution = "own" if stored.own else "neighbour"
        receipt = await lab.storage.log.append(publish(what, account=account, solution=solution))
        assert receipt.first_position is not None
        if stored.own:
            placed.append((receipt.first_position, stored))
    return placed


async def _walk(
    lab: Lab,
    account: str,
    revisions: tuple[Revision, ...],
    sizes: list[int],
    budgets: list[float],
    max_bytes: int,
) -> list[bytes]:
    """Read pages of these sizes in turn to the end, checking each page's own promises."""
    seen: list[bytes] = []
    token = 0
    for turn in count():
        size, budget = sizes[turn % len(sizes)], budgets[turn % len(budgets)]
        page = await lab.storage.log.read_page(
            page_query(
                account=account,
                solution="own",
                after=token,
                revisions=revisions,
                limit=size,
                budget_seconds=budget,
                max_bytes=max_bytes,
            )
        )
        assert token <= page.end
        assert all(token < found.position <= page.end for found in page.entries)
        full = len(page.entries) == size or sum(map(len, bodies(page))) >= max_bytes
        assert full or not page.has_more or budget == 0
        seen += bodies(page)
        token = page.end
        if not page.has_more:
            return seen
    raise AssertionError


class Example(msgspec.Struct, frozen=True):
    """What is stored, what is asked for, and in what pages."""

    entries: list[Stored]
    rules: list[tuple[int, Filter, tuple[Kind, ...]]]
    sizes: list[int]
    budgets: list[float]
    max_bytes: int


EXAMPLES = st.builds(
    Example,
    entries=st.lists(STORED, max_size=40),
    rules=RULES,
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    budgets=st.lists(st.sampled_from((60.0, 0.0)), min_size=1, max_size=3),
    max_bytes=st.sampled_from((1 << 20, 4)),
)
any_number_of = partial(
    settings, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@any_number_of(max_examples=120)
@given(example=EXAMPLES)
def test_a_walk_of_pages_on_sqlite_shows_what_a_plain_list_shows(
    sqlite_lab: Lab, example: Example
) -> None:
    check(sqlite_lab, example)


@any_number_of(max_examples=30)
@given(example=EXAMPLES)
def test_a_walk_of_pages_on_postgresql_shows_what_a_plain_list_shows(
    postgres_lab: Lab, example: Example
) -> None:
    check(postgres_lab, example)


def check(lab: Lab, example: Example) -> None:
    """Store an example under an account of its own, and compare a walk with what was stored."""
    entries = example.entries
    account = f"account-{next(lab.accounts)}"
    placed = lab.runner.run(_store(lab, account, entries))
    ordered = sorted(example.rules, key=lambda rule: rule[0])
    starts = [placed[index][0] if index < len(placed) else 1 << 52 for index, _, _ in ordered]
    revisions = tuple(
        Revision(start, wanted, kinds)
        for start, (_, wanted, kinds) in zip(starts, ordered, strict=True)
    )
    expected = []
    own = [(number, stored) for number, stored in enumerate(entries) if stored.own]
    for (number, stored), (position, _) in zip(own, placed, strict=True):
        rule = ordered[0]
        for start, later in zip(starts, ordered, strict=True):
            if start < position:
                rule = later
        if _covers(rule[1], rule[2], stored):
            expected.append(f"{number}".encode())
    pages = (example.sizes, example.budgets, example.max_bytes)
    assert lab.runner.run(_walk(lab, account, revisions, *pages)) == expected
