"""What the webhook service reads and prints, by contract 1.2 to 1.4."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.domain.filter import ApplicationFilter, ApplicationsFilter, SolutionFilter
from tidings.domain.kinds import Kind
from tidings.domain.proto_json import check_text, parse_message
from tidings.domain.webhook import DisabledReason, Notifications, Stamp, Webhook
from tidings.domain.webhook_messages import (
    NotificationWish,
    print_webhook,
    read_event_list_wish,
    read_webhook_id,
    read_webhook_list_wish,
    read_webhook_wish,
)
from tidings.errors import InvalidArgument, MalformedRequest, RequestError

BY_JANE = Stamp("Jane Doe", datetime(2023, 6, 20, 14, 26, 47, 192_000, tzinfo=UTC))
WEBHOOK_ID = "3c8a1835-a39a-83ba-ba9c-6fbce5581e34"


def listing(**fields: Any) -> bytes:
    return json.dumps({"webhook_id": WEBHOOK_ID, **fields}).encode()


def wished(**fields: Any) -> bytes:
    return json.dumps({"webhook": fields}).encode()


@pytest.mark.parametrize(
    ("page_size", "events"),
    [
        ("50", 50),
        (50, 50),
        (50.0, 50),
        (7, 7),
        (0, 50),
        ("0", 50),
        ("", 50),
        (None, 50),
        (1_000, 1_000),
        (1_001, 1_000),
        ("9" * 5_000, 1_000),
        (10**30, 1_000),
    ],
)
def test_page_size_is_read_by_proto3_rules_and_clamped(page_size: Any, events: int) -> None:
    assert read_event_list_wish(parse_message(listing(page_size=page_size))).page_size == events
    assert read_webhook_list_wish(parse_message(listing(page_size=page_size))).page_size == events


@pytest.mark.parametrize(
    "page_size", ["abc", 50.5, "50.5", -1, "-1", True, [], {}, " 50", "\u0665\u0660", "1e2", -0.5]
)
def test_a_page_size_that_is_no_whole_number_is_refused_by_name(page_size: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_event_list_wish(parse_message(listing(page_size=page_size)))
    assert refused.value.argument == "page_size"


def test_numbers_that_no_float_holds_are_refused_by_name_and_ignored_elsewhere() -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_event_list_wish(parse_message(b'{"webhook_id":"w","page_size":1e400}'))
    assert refused.value.argument == "page_size"
    wish = read_event_list_wish(parse_message(b'{"webhook_id":"w","mood":[-1e400]}'))
    assert wish.webhook_id == "w"
    with pytest.raises(MalformedRequest, match="out of range"):
        parse_message(b'{"webhook_id":"w","page_size":%b}' % (b"9" * 10_000))


@pytest.mark.parametrize("page_token", [None, ""])
def test_an_empty_page_token_means_the_beginning(page_token: str | None) -> None:
    assert read_event_list_wish(parse_message(listing(page_token=page_token))).token is None
    assert read_event_list_wish(parse_message(listing())).token is None


@pytest.mark.parametrize("page_token", ["8991625", 8991625])
def test_a_page_token_may_come_as_a_number(page_token: Any) -> None:
    assert read_event_list_wish(parse_message(listing(page_token=page_token))).token == 8991625


@pytest.mark.parametrize(
    "page_token", ["abc", "-1", -1, 1.5, True, [], {}, "1" * 300, 10**25, "12 ", "\u0663"]
)
def test_a_page_token_that_is_no_number_is_refused_by_name(page_token: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_event_list_wish(parse_message(listing(page_token=page_token)))
    assert refused.value.argument == "page_token"


@pytest.mark.parametrize(("asked", "waits"), [(None, 0), (0, 0), (5, 5), ("30", 30), (3_600, 30)])
def test_wait_seconds_is_clamped_at_thirty(asked: Any, waits: int) -> None:
    assert read_event_list_wish(parse_message(listing(wait_seconds=asked))).wait_seconds == waits


def test_wait_seconds_below_zero_is_refused_by_name() -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_event_list_wish(parse_message(listing(wait_seconds=-1)))
    assert refused.value.argument == "wait_seconds"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"webhook_id": ""}', b'{"webhook_id": null}'])
def test_a_missing_webhook_id_is_named(body: bytes) -> None:
    for read in (read_webhook_id, read_event_list_wish):
        with pytest.raises(InvalidArgument) as refused:
            read(parse_message(body))
        assert refused.value.argument == "webhook_id"


@pytest.mark.parametrize(
    "body", [b"[]", b"7", b"null", b'"x"', b"{", b"{]", b"nonsense", b'{"a": "\xff"}', b"{}{}"]
)
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parse_message(body)


def test_json_that_nests_too_deep_is_malformed() -> None:
    with pytest.raises(MalformedRequest):
        parse_message(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_every_field_is_known_in_camel_case_too_and_unknown_ones_are_ignored() -> None:
    wish = read_webhook_wish(
        parse_message(
            wished(
                webhookId="w",
                locator={"accountId": "acme", "solutionId": "s", "planet": "earth"},
                filter={"application": {"applicationId": "a", "fieldIds": ["f"]}, "mood": 1},
                kinds=["RECORD_UPDATED"],
                notificationStatus={"enabled": {"url": "https://example.test/hook"}},
                startAt="2023-06-20T14:26:47Z",
                systemStatus={"enabled": {}},
            )
        )
    )
    assert (wish.webhook_id, wish.account, wish.solution) == ("w", "acme", "s")
    assert wish.filter == ApplicationFilter("a", ("f",))
    assert wish.notifications == NotificationWish(True, "https://example.test/hook")
    assert wish.start_at == datetime(2023, 6, 20, 14, 26, 47, tzinfo=UTC)
    pages = read_event_list_wish(
        parse_message(b'{"webhookId":"w","pageSize":3,"pageToken":"9","waitSeconds":2}')
    )
    assert (pages.webhook_id, pages.page_size, pages.token, pages.wait_seconds) == ("w", 3, 9, 2)
    webhooks = read_webhook_list_wish(parse_message(b'{"solutionId":"s","pageToken":"7"}'))
    assert (webhooks.solution, webhooks.after) == ("s", 7)


def test_absent_and_null_fields_of_a_webhook_are_none() -> None:
    for fields in ({}, dict.fromkeys(["filter", "kinds", "locator", "notification_status"])):
        wish = read_webhook_wish(parse_message(wished(**fields)))
        assert (wish.filter, wish.kinds, wish.notifications, wish.start_at) == (None,) * 4
        assert (wish.webhook_id, wish.account, wish.solution) == ("", "", "")


@pytest.mark.parametrize(
    ("kinds", "read"),
    [
        (["RECORD_CREATED"], (Kind.RECORD_CREATED,)),
        ([1], (Kind.RECORD_CREATED,)),
        ([3, "RECORD_DELETED", 3, 2], (Kind.RECORD_DELETED, Kind.RECORD_UPDATED)),
        (list(range(1, 10)), tuple(Kind)),
    ],
)
def test_kinds_go_by_name_or_number_and_each_counts_once(kinds: Any, read: Any) -> None:
    assert read_webhook_wish(parse_message(wished(kinds=kinds))).kinds == read


@pytest.mark.parametrize(
    "kinds",
    [
        *[["RECORD_MOVED"], ["record_created"], [0], [10], [1.5], [True], [None], [[]], ["1"], []],
        *["RECORD_CREATED", {"0": 1}, 1],
    ],
)
def test_kinds_that_could_never_fire_are_refused_by_name(kinds: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_webhook_wish(parse_message(wished(kinds=kinds)))
    assert refused.value.argument == "webhook.kinds"


@pytest.mark.parametrize(
    ("wanted", "read"),
    [
        ({"solution": {}}, SolutionFilter()),
        ({"solution": {}, "application": None}, SolutionFilter()),
        ({"applications": {"application_ids": ["b", "a", "b"]}}, ApplicationsFilter(("b", "a"))),
        ({"application": {"application_id": "a"}}, ApplicationFilter("a")),
        ({"application": {"application_id": "a", "field_ids": []}}, ApplicationFilter("a")),
    ],
)
def test_a_filter_is_read(wanted: Any, read: Any) -> None:
    assert read_webhook_wish(parse_message(wished(filter=wanted))).filter == read


IN_APPLICATIONS = "webhook.filter.applications.application_ids"
IN_APPLICATION = "webhook.filter.application.application_id"
IN_FIELDS = "webhook.filter.application.field_ids"


@pytest.mark.parametrize(
    ("wanted", "argument"),
    [
        ({}, "webhook.filter"),
        ({"everything": {}}, "webhook.filter"),
        ({"solution": {}, "application": {"application_id": "a"}}, "webhook.filter"),
        ("solution", "webhook.filter"),
        ({"solution": True}, "webhook.filter.solution"),
        ({"applications": {}}, IN_APPLICATIONS),
        ({"applications": {"application_ids": []}}, IN_APPLICATIONS),
        ({"applications": {"application_ids": "a"}}, IN_APPLICATIONS),
        ({"applications": {"application_ids": [1]}}, IN_APPLICATIONS),
        ({"applications": {"application_ids": [" "]}}, IN_APPLICATIONS),
        ({"applications": {"application_ids": ["x" * 256]}}, IN_APPLICATIONS),
        ({"applications": {"application_ids": [str(n) for n in range(101)]}}, IN_APPLICATIONS),
        ({"application": {}}, IN_APPLICATION),
        ({"application": {"application_id": "a\x00b"}}, IN_APPLICATION),
        ({"application": {"application_id": "a", "field_ids": {}}}, IN_FIELDS),
        (
            {"application": {"application_id": "a", "field_ids": [str(n) for n in range(501)]}},
            IN_FIELDS,
        ),
    ],
)
def test_a_wrong_filter_is_refused_by_name(wanted: Any, argument: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_webhook_wish(parse_message(wished(filter=wanted)))
    assert refused.value.argument == argument


def test_notification_status_as_it_is_printed_can_be_sent_back() -> None:
    failed = {"disabled": {"url": "https://e.test", "reason": "DELIVERY_FAILED"}}
    for status, read in (
        ({"enabled": {"url": "https://e.test"}}, NotificationWish(True, "https://e.test")),
        ({"enabled": {}}, NotificationWish(True, None)),
        ({"enabled": {"url": ""}}, NotificationWish(True, None)),
        ({"disabled": {}}, NotificationWish(False)),
        (failed, NotificationWish(False)),
    ):
        wish = read_webhook_wish(parse_message(wished(notification_status=status)))
        assert wish.notifications == read


@pytest.mark.parametrize(
    ("status", "argument"),
    [
        ({}, ""),
        ({"enabled": {}, "disabled": {}}, ""),
        ("enabled", ""),
        ({"enabled": True}, ".enabled"),
        ({"enabled": {"url": 7}}, ".enabled.url"),
        ({"enabled": {"url": "https://e.test/" + "x" * 2_048}}, ".enabled.url"),
    ],
)
def test_a_wrong_notification_status_is_refused_by_name(status: Any, argument: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_webhook_wish(parse_message(wished(notification_status=status)))
    assert refused.value.argument == "webhook.notification_status" + argument


@pytest.mark.parametrize(
    "start_at", ["yesterday", "2023-06-20", "2023-06-20T14:00:00", 5, "0" * 300]
)
def test_a_start_at_that_is_no_instant_is_refused_by_name(start_at: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        read_webhook_wish(parse_message(wished(start_at=start_at)))
    assert refused.value.argument == "webhook.start_at"


def stored(**fields: Any) -> Webhook:
    webhook = Webhook(
        bucket=0x3C,
        webhook_id=WEBHOOK_ID,
        account="WORKSPACE_ID",
        solution="641b70cb0d94c969a49983aa",
        filter=SolutionFilter(),
        kinds=(Kind.RECORD_CREATED,),
        notifications=Notifications(enabled=True, url="https://example.test/hook"),
        secret="whsec_c2VjcmV0",
        created=BY_JANE,
        updated=BY_JANE,
    )
    return msgspec.structs.replace(webhook, **fields)


def test_a_webhook_is_printed_as_in_the_contract_member_by_member() -> None:
    assert msgspec.json.encode(print_webhook(stored())).decode() == (
        f'{{"webhook_id":"{WEBHOOK_ID}",'
        '"locator":{"account_id":"WORKSPACE_ID","solution_id":"641b70cb0d94c969a49983aa"},'
        '"filter":{"solution":{}},"kinds":["RECORD_CREATED"],'
        '"created_at":{"by":"Jane Doe","at":"2023-06-20T14:26:47.192Z"},'
        '"updated_at":{"by":"Jane Doe","at":"2023-06-20T14:26:47.192Z"},'
        '"notification_status":{"enabled":{"url":"https://example.test/hook"}},'
        '"system_status":{"enabled":{"expires_at":"2023-06-27T14:26:47Z"}}}'
    )


def test_the_expiry_counts_from_the_last_listing() -> None:
    listed = stored(extended_at=datetime(2023, 7, 1, 12, 30, tzinfo=UTC))
    status = print_webhook(listed)["system_status"]
    assert status == {"enabled": {"expires_at": "2023-07-08T12:30:00Z"}}


def test_notifications_that_failed_tell_why_and_since_when() -> None:
    failed = Notifications(
        enabled=False,
        url="https://example.test/hook",
        reason=DisabledReason.DELIVERY_FAILED,
        disabled_at=BY_JANE.at,
        last_error="connection refused",
    )
    assert print_webhook(stored(notifications=failed))["notification_status"] == {
        "disabled": {
            "url": "https://example.test/hook",
            "reason": "DELIVERY_FAILED",
            "disabled_at": "2023-06-20T14:26:47.192Z",
            "last_error": "connection refused",
        }
    }


def test_notifications_that_the_owner_turned_off_tell_nothing_more() -> None:
    off = Notifications(enabled=False, url="https://e.test", reason=DisabledReason.BY_OWNER)
    assert print_webhook(stored(notifications=off))["notification_status"] == {"disabled": {}}


@pytest.mark.parametrize(
    "wanted",
    [
        {"solution": {}},
        {"applications": {"application_ids": ["a", "b"]}},
        {"application": {"application_id": "a", "field_ids": ["f", "g"]}},
    ],
)
def test_a_filter_is_printed_as_it_is_read(wanted: Any) -> None:
    read = read_webhook_wish(parse_message(wished(filter=wanted))).filter
    printed = print_webhook(stored(filter=read))["filter"]
    assert json.loads(msgspec.json.encode(printed)) == wanted


NAMES = st.sampled_from(
    [
        "webhook",
        "webhook_id",
        "webhookId",
        "locator",
        "account_id",
        "solution_id",
        "filter",
        "solution",
        "applications",
        "application",
        "application_ids",
        "application_id",
        "field_ids",
        "kinds",
        "notification_status",
        "enabled",
        "disabled",
        "url",
        "start_at",
        "page_size",
        "page_token",
        "wait_seconds",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["50", "RECORD_CREATED", "https://e.test", "2023-06-20T14:26:47Z"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(NAMES, ANYTHING, max_size=6))
def test_whatever_json_comes_is_read_or_refused_as_the_callers_fault(message: Any) -> None:
    raw = json.dumps(message).encode()
    for read in (
        read_webhook_wish,
        read_webhook_id,
        read_webhook_list_wish,
        read_event_list_wish,
    ):
        try:
            read(parse_message(raw))
        except RequestError as refused:
            assert refused.message  # noqa: PT017 - a refusal is one of two right outcomes


@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_read_or_refused_as_the_callers_fault(raw: bytes) -> None:
    try:
        parse_message(raw)
    except RequestError as refused:
        assert refused.message  # noqa: PT017 - a refusal is one of two right outcomes


@pytest.mark.parametrize("sign", ["\x00", "\n", "\x1f", "\x7f"])
def test_an_id_that_no_publish_may_hold_is_refused_since_it_would_never_fire(sign: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_text(f"crm{sign}", "webhook.locator.solution_id", 255)
    assert caught.value.argument == "webhook.locator.solution_id"
