"""Webhooks in memory, found by what a change is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.subscribing import header, revision, tracked
from tidings.domain.filter import (
    ApplicationFilter,
    ApplicationsFilter,
    Filter,
    Revision,
    SolutionFilter,
    revision_at,
)
from tidings.domain.kinds import Kind
from tidings.domain.log_entry import Header
from tidings.engine.subscriptions import Subscriptions, origin_of

APPLICATIONS = ("people", "deals", "tasks")
FIELDS = ("name", "stage", "owner")

filters: st.SearchStrategy[Filter] = st.one_of(
    st.just(SolutionFilter()),
    st.builds(
        ApplicationsFilter,
        st.lists(st.sampled_from(APPLICATIONS), min_size=1, unique=True).map(tuple),
    ),
    st.builds(
        ApplicationFilter,
        st.sampled_from(APPLICATIONS),
        st.lists(st.sampled_from(FIELDS), unique=True).map(tuple),
    ),
)
kinds = st.lists(st.sampled_from(list(Kind)), min_size=1, unique=True).map(tuple)
revision_lists = st.lists(
    st.tuples(st.integers(1, 20), filters, kinds), min_size=1, max_size=4, unique_by=lambda r: r[0]
).map(lambda rows: tuple(Revision(*row) for row in sorted(rows, key=lambda row: row[0])))
headers = st.builds(
    header,
    st.integers(1, 25),
    kind=st.sampled_from(list(Kind)),
    application=st.sampled_from(APPLICATIONS),
    changed=st.none() | st.lists(st.sampled_from(FIELDS), min_size=1, unique=True).map(tuple),
    solution=st.sampled_from(["crm", "erp"]),
)


def _covered_in_words(revisions: tuple[Revision, ...], change: Header) -> bool:
    """Contract 1.3 read aloud, as the second source of truth."""
    held = [r for r in revisions if r.from_position < change.position] or [revisions[0]]
    wanted = held[-1]
    if change.kind not in wanted.kinds:
        return False
    match wanted.filter:
        case SolutionFilter():
            return True
        case ApplicationsFilter(application_ids):
            return change.application in application_ids
        case ApplicationFilter(application_id, field_ids):
            if change.application != application_id:
                return False
            always = not field_ids or change.changed is None
            return always or bool(set(field_ids) & set(change.changed or ()))


@given(st.lists(revision_lists, max_size=6), headers)
def test_the_index_finds_exactly_the_webhooks_that_the_contract_says(
    all_revisions: list[tuple[Revision, ...]], change: Header
) -> None:
    subscriptions = Subscriptions()
    expected = []
    for number, revisions in enumerate(all_revisions):
        webhook = tracked(revisions=revisions, webhook_id=str(number))
        subscriptions.put(webhook)
        if change.solution == "crm" and _covered_in_words(revisions, change):
            expected.append(str(number))
    assert sorted(s.webhook_id for s in subscriptions.matching(change)) == expected


def test_yesterdays_log_is_matched_by_yesterdays_filter() -> None:
    before = revision(10, ApplicationFilter("people"))
    after = revision(20, ApplicationFilter("deals"))
    subscriptions = Subscriptions()
    subscriptions.put(tracked(revisions=(before, after)))
    assert list(subscriptions.matching(header(15, application="people")))
    assert not list(subscriptions.matching(header(15, application="deals")))
    assert not list(subscriptions.matching(header(25, application="people")))
    assert list(subscriptions.matching(header(25, application="deals")))
    assert revision_at((before, after), 20) is before, "its own control entry is still before it"


def test_what_happened_before_a_webhook_starts_is_not_its_own() -> None:
    subscriptions = Subscriptions()
    subscriptions.put(tracked(start_position=100))
    assert not list(subscriptions.matching(header(100)))
    assert list(subscriptions.matching(header(101)))


def test_a_changed_webhook_is_found_by_what_it_wants_now_and_a_removed_one_no_more() -> None:
    subscriptions = Subscriptions()
    one = tracked(revisions=(revision(1, ApplicationFilter("people")),), webhook_id="w")
    subscriptions.put(one)
    other = tracked(revisions=(revision(1, ApplicationFilter("deals")),), webhook_id="w")
    subscriptions.put(other)
    assert not list(subscriptions.matching(header(5, application="people")))
    assert list(subscriptions.matching(header(5, application="deals")))
    assert subscriptions.remove("w") is not None
    assert subscriptions.remove("w") is None
    assert not list(subscriptions.matching(header(5, application="deals")))
    assert len(subscriptions) == 0


def test_an_origin_is_the_host_and_port_that_a_connection_goes_to() -> None:
    assert origin_of("https://Example.com/a") == origin_of("https://example.com:443/b")
    assert origin_of("http://example.com/") == "example.com:80"
    assert origin_of(None) == ""
