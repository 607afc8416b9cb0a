"""The follower: each event once and in order, whatever the server and handlers do.

Every test is played twice: by the follower for threads, and by that for event loops.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.receiver.following import (
    Broken,
    Follow,
    Following,
    Times,
    breaking_at,
    running_for,
    stopping_after,
)
from tests.receiver.log_server import WEBHOOK, LogServer, event_at, refused
from tidings.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    RateLimited,
    RevisionConflict,
    ServerFault,
    Unavailable,
)
from tidings.receiver.follower import BEGINNING, Follower, Gap, SqlitePlaces

DAY = 86_400.0


@pytest.mark.parametrize("singly", [False, True])
def test_it_hands_over_all_there_is_in_order_and_goes_on_from_there(
    follow: Follow, singly: bool
) -> None:
    server = LogServer(7)
    following = follow(server, singly=singly, page_size=3)
    turn = following.run_once()
    assert (turn.pages, turn.events) == (3, 7)
    assert [request["page_token"] for request in server.requests] == [None, "30", "60"]
    server.append(2)
    following.close()
    again = follow(server, singly=singly, page_size=3)
    assert again.run_once().events == 2
    assert again.done == server.kept
    assert server.requests[-1]["page_token"] == "70"


def test_a_page_whose_handler_raises_was_never_worked_on_and_comes_again(follow: Follow) -> None:
    following = follow(LogServer(5), page_size=3)
    following.raising = breaking_at(50)
    with pytest.raises(Broken):
        following.run_once()
    assert following.done == [10, 20, 30]
    following.raising = breaking_at(0)
    following.run_once()
    assert following.done == [10, 20, 30, 40, 50]


def test_an_event_that_raises_undoes_itself_alone_where_events_come_singly(follow: Follow) -> None:
    server = LogServer(5)
    following = follow(server, singly=True, page_size=3)
    following.raising = breaking_at(20)
    with pytest.raises(Broken):
        following.run_once()
    assert following.done == [10]
    again = follow(server, singly=True, page_size=2)
    again.run_once()
    assert again.done == server.kept


def test_the_middle_of_a_page_is_gone_on_from_by_pages_too(follow: Follow) -> None:
    server = LogServer(5)
    following = follow(server, singly=True, page_size=5)
    following.raising = breaking_at(30)
    with pytest.raises(Broken):
        following.run_once()
    by_pages = follow(server, page_size=2)
    by_pages.run_once()
    assert by_pages.done == server.kept


@pytest.mark.parametrize(
    ("refusal", "wait"),
    [
        (refused(429, **{"Retry-After": "30"}), 30),
        (refused(503, **{"Retry-After": "7"}), 7),
        (refused(500), 1),
        (refused(502), 1),
        (httpx.Response(200, text="<html>Welcome</html>"), 1),
        (httpx.Response(200, text='{"events":[', headers={"Content-Type": "application/json"}), 1),
        (httpx.ConnectError("away"), 1),
        (httpx.RemoteProtocolError("cut off"), 1),
    ],
)
def test_it_waits_as_told_or_a_little_and_then_goes_on_where_it_was(
    follow: Follow, refusal: httpx.Response | Exception, wait: float
) -> None:
    server = LogServer(5)
    server.faults = [lambda _: None, refusal]
    following = running_for(follow, wait + 60, server, page_size=2)
    assert following.done == server.kept
    assert following.clock.waits == [wait, 60]
    assert [wait_seconds for _, wait_seconds in following.failures] == [wait]


def test_waits_of_its_own_double_up_to_a_minute_and_begin_anew_after_a_success(
    follow: Follow,
) -> None:
    server = LogServer(1)
    server.faults = [refused(500) for _ in range(8)]
    following = running_for(follow, 500, server)
    server.faults = [refused(500)]
    assert following.clock.waits[:9] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_waits_are_spread_and_never_shorter_than_told(follow: Follow) -> None:
    server = LogServer()
    server.faults = [refused(429, **{"Retry-After": "30"})]
    made: list[Following] = []
    made.append(follow(server, meanwhile=stopping_after(40, made)))
    made[0].clock.dice = 0.5
    made[0].run()
    assert made[0].clock.waits == [31.5, 57.0]


def test_a_ping_that_comes_while_it_was_told_to_wait_doesn_t_shorten_the_wait(
    follow: Follow,
) -> None:
    server = LogServer(1)
    server.faults = [refused(429, **{"Retry-After": "30"})]
    made: list[Following] = []

    def meanwhile(waited: float) -> None:
        made[0].follower.wake()
        if len(made[0].clock.waits) > 2:
            made[0].follower.stop()

    made.append(follow(server, meanwhile=meanwhile))
    made[0].run()
    assert made[0].clock.waits[0] == 30
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("refusal", "error"),
    [(404, NotFound), (403, PermissionDenied), (400, InvalidArgument)],
)
def test_what_no_other_try_mends_ends_it_and_it_makes_no_webhook_anew(
    follow: Follow, refusal: int, error: type[Exception]
) -> None:
    body = {"code": "not_found", "msg": "m"} if refusal == 404 else {"code": "x", "msg": "m"}
    meta = {"meta": {"argument": "page_token"}} if refusal == 400 else {}
    server = LogServer(1)
    server.faults = [httpx.Response(refusal, json=body | meta)]
    following = follow(server)
    with pytest.raises(error):
        following.run()
    assert {path.rpartition("/")[2] for path in server.paths} == {"ListEvents"}
    assert following.done == []


def test_a_handler_s_error_is_tried_again_also_where_it_looks_like_the_server_s(
    follow: Follow,
) -> None:
    raised = iter(
        [NotFound("no such contact"), RateLimited("slow", retry_after_seconds=9), Broken()]
    )
    server = LogServer(2)
    made: list[Following] = []
    made.append(follow(server, meanwhile=stopping_after(60, made)))

    def raising(_: int | Gap) -> None:
        if (error := next(raised, None)) is not None:
            raise error

    made[0].raising = raising
    made[0].run()
    assert made[0].done == server.kept
    assert made[0].clock.waits == [1, 9, 4, 60]


def test_run_once_raises_what_kept_it_and_keeps_what_was_done_before(follow: Follow) -> None:
    server = LogServer(5)
    server.faults = [lambda _: None, refused(429, **{"Retry-After": "30"})]
    following = follow(server, page_size=2)
    with pytest.raises(RateLimited) as raised:
        following.run_once()
    assert raised.value.retry_after_seconds == 30
    assert following.done == [10, 20]


def test_a_webhook_without_news_is_listed_each_day_at_least(follow: Follow) -> None:
    server = LogServer()
    following = running_for(follow, 14 * DAY, server, every_seconds=DAY)
    assert len(server.requests) == 14
    assert max(following.clock.waits) <= DAY


def test_a_failure_to_list_leaves_a_webhook_far_from_its_seven_days(follow: Follow) -> None:
    server = LogServer()
    server.faults = [refused(503) for _ in range(300)]
    running_for(follow, DAY, server, every_seconds=DAY)
    assert server.faults == []


def test_it_waits_at_the_server_where_it_is_told_to_and_never_in_a_hot_loop(
    follow: Follow,
) -> None:
    server = LogServer(1)
    following = running_for(follow, 10, server, wait_seconds=30)
    assert {request["wait_seconds"] for request in server.requests} == {30}
    assert len(server.requests) <= 5 * sum(following.clock.waits)


# --- answers that are none ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        {"events": [event_at(10)], "next_page_token": "20"},
        {"events": [event_at(40), event_at(30)], "next_page_token": "40"},
        {"events": [event_at(30), event_at(30)], "next_page_token": "30"},
        {"events": [event_at(30, "another")], "next_page_token": "30"},
        {"events": [event_at(30)], "next_page_token": "20"},
        {"events": [], "next_page_token": "10"},
        {"events": [event_at(30) | {"event_id": "w"}], "next_page_token": "30"},
        {"events": [event_at(30) | {"event_id": "w.-3"}], "next_page_token": "30"},
    ],
    ids=["old", "mixed", "twice", "another's", "token back", "back", "no position", "negative"],
)
def test_a_page_that_doesn_t_follow_its_token_is_not_handed_over(
    follow: Follow, page: dict[str, object]
) -> None:
    server = LogServer(2)
    following = follow(server)
    following.run_once()
    server.append(2)
    server.faults = [httpx.Response(200, json=page)]
    with pytest.raises(ServerFault):
        following.run_once()
    following.run_once()
    assert following.done == server.kept


def test_a_server_that_says_there_is_more_and_gives_none_is_left_in_peace(follow: Follow) -> None:
    server = LogServer()
    server.faults = [
        httpx.Response(200, json={"events": [], "next_page_token": "5", "has_more": True}),
        httpx.Response(200, json={"events": [], "next_page_token": "5", "has_more": True}),
    ]
    assert follow(server).run_once().pages == 2
    assert len(server.requests) == 2


# --- what it is given ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wishes", "argument"),
    [
        ({"every_seconds": 0}, "every_seconds"),
        ({"every_seconds": 2 * DAY}, "every_seconds"),
        ({"wait_seconds": 31}, "wait_seconds"),
        ({"page_size": 1_001}, "page_size"),
        ({"on_event": print}, "on_page"),
    ],
)
def test_what_can_not_be_followed_is_refused_when_it_is_said(
    follow: Follow, wishes: dict[str, Any], argument: str
) -> None:
    with pytest.raises(InvalidArgument) as raised:
        follow(LogServer(), **wishes)
    assert raised.value.argument == argument


def test_a_handler_that_ends_the_transaction_is_told_and_nothing_is_lost(follow: Follow) -> None:
    server = LogServer(2)
    following = follow(server)
    following.raising = lambda _: following._connection.commit()
    with pytest.raises(FailedPrecondition, match="neither commit nor roll back"):
        following.run_once()
    following.raising = breaking_at(0)
    following.run_once()
    assert following.done[-2:] == server.kept, "repeated, as it said, and never skipped"


def test_a_rival_that_moved_the_place_is_followed_not_repeated(follow: Follow) -> None:
    server = LogServer(4)
    first = follow(server, page_size=2)
    second = follow(server, page_size=2)

    def between(_: httpx.Request) -> None:
        second.run_once()

    server.faults = [between]
    if Following.asynchronous:
        pytest.skip("one loop runs at a time; the rival of the other colour shows it")
    first.run_once()
    assert first.done == server.kept


def test_a_handler_of_the_wrong_colour_is_refused_before_anything_is_lost(tmp_path: Path) -> None:
    async def apply(*_: object) -> None:
        """Do nothing."""

    server = LogServer(1)
    with closing(SqlitePlaces(tmp_path / "place.db")) as places:
        clock = Times(lambda _: None)
        follower = Follower(server.client(), WEBHOOK, places, clock=clock, on_page=apply)
        with pytest.raises(FailedPrecondition, match="AsyncFollower"):
            follower.run_once()
        assert places.load(WEBHOOK) == BEGINNING


def test_what_fails_is_logged_without_a_word_of_the_handler_s(
    follow: Follow, caplog: pytest.LogCaptureFixture
) -> None:
    server = LogServer(1)
    made: list[Following] = []
    made.append(follow(server, meanwhile=stopping_after(2, made), on_failure=None))

    def raising(_: int | Gap) -> None:
        raise ValueError("the salary of Ann")

    made[0].raising = raising
    made[0].run()
    assert "ValueError" in caplog.text
    assert "Ann" not in caplog.text


def test_a_file_of_its_own_keeps_the_place_and_a_broken_one_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"no database" * 100)
    with pytest.raises(Unavailable, match="place can't be kept"):
        SqlitePlaces(tmp_path / "broken.db")


def test_places_that_moved_meanwhile_are_no_one_s_to_move(tmp_path: Path) -> None:
    with closing(SqlitePlaces(tmp_path / "place.db")) as places:
        with places.moving(WEBHOOK, BEGINNING, "10"):
            pass
        with pytest.raises(RevisionConflict), places.moving(WEBHOOK, BEGINNING, "10"):
            pytest.fail("there was work")
        assert places.load(WEBHOOK) == "10"
