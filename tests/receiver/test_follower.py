"""The follower: each event once and in order, whatever the server, the pings and handlers do.

Every test is played twice: by the follower for threads, and by that for event loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.receiver.draws import Draws
from tests.receiver.following import Following, Times
from tests.receiver.log_server import WEBHOOK, Fault, LogServer, event_at, refused
from tidings.errors import (
    EventsExpired,
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
Follow = Callable[..., Following]


@pytest.fixture(params=["thread", "loop"])
def follow(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Follow]:
    """Make followers of one consumer: one after the other, as after a restart."""
    monkeypatch.setattr(Following, "asynchronous", request.param == "loop")
    made: list[Following] = []

    def one(server: LogServer, **wishes: Any) -> Following:
        made.append(Following(server, tmp_path, **wishes))
        return made[-1]

    yield one
    for following in made:
        following.close()


class Broken(Exception):
    """What a handler raises."""


def breaking_at(position: int) -> Callable[[int | Gap], None]:
    def broken(reached: int | Gap) -> None:
        if reached == position:
            raise Broken

    return broken


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


def stopping_after(seconds: float, wished: list[Following]) -> Callable[[float], None]:
    def meanwhile(waited: float) -> None:
        if waited >= seconds:
            wished[0].follower.stop()

    return meanwhile


def running_for(follow: Follow, seconds: float, server: LogServer, **wishes: Any) -> Following:
    """Run a follower for so long; return it."""
    made: list[Following] = []
    made.append(follow(server, meanwhile=stopping_after(seconds, made), **wishes))
    made[0].run()
    return made[0]


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


def test_pings_lost_doubled_late_or_of_others_cost_no_request_too_many(follow: Follow) -> None:
    server = LogServer(3)
    following = follow(server)
    following.run_once()

    def ping(number: Any, webhook_id: str = WEBHOOK, **more: Any) -> bool:
        body = {"webhookId": webhook_id, "transactionNumber": number}
        return following.follower.take_ping(body | more)

    assert ping(40)
    assert not ping(30), "it was read"
    assert not ping(10), "it is late"
    assert not ping(40, "another"), "it is not ours"
    assert ping(30, notice="EXPIRES_SOON")
    assert ping(None), "SmartSuite's own pings say no number"
    assert not following.follower.take_ping({})


def test_it_looks_once_more_for_a_ping_that_came_while_it_was_looking(follow: Follow) -> None:
    server = LogServer(1)
    made: list[Following] = []

    def late(_: httpx.Request) -> None:
        made[0].follower.take_ping({"webhookId": WEBHOOK, "transactionNumber": 20})

    server.faults = [late]
    made.append(follow(server, meanwhile=stopping_after(0, made)))
    made[0].run()
    assert len(server.requests) == 2
    assert made[0].clock.waits == [60]


class Storm:
    """Events that come while a follower waits, and pings of them that a bad network carries."""

    def __init__(self, seed: int, server: LogServer) -> None:
        self.following: Following | None = None
        self.pings = 0
        self._draws = Draws(seed)
        self._server = server
        self._under_way: list[int] = []

    def blow(self, _: float) -> None:
        """Something happens, or nothing; at the end there is quiet, and the timer."""
        assert self.following is not None
        if self._server.kept and len(self._server.kept) >= 200:
            if self.following.done == self._server.kept:
                self.following.follower.stop()
            return
        self._server.append(self._draws.below(5))
        if self._server.kept:
            copies = self._draws.one_of([0, 0, 1, 2, 3])
            self._under_way += [self._server.kept[-1]] * copies
        if self._draws.chance(0.3):
            self._server.faults.append(self._draws.one_of(WRONG))
        while self._under_way and self._draws.chance(0.6):
            late = self._under_way.pop(self._draws.below(len(self._under_way)))
            self.pings += 1
            ping = {"webhookId": WEBHOOK, "transactionNumber": late}
            self.following.follower.take_ping(ping)


WRONG: list[Fault | httpx.Response | Exception] = [
    refused(429, **{"Retry-After": "30"}),
    refused(500),
    refused(503),
    httpx.Response(200, text="garbage"),
    httpx.Response(200, json={"events": [event_at(10)], "next_page_token": "10"}),
    httpx.ReadError("cut off"),
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("singly", [False, True])
def test_pings_lost_doubled_and_out_of_order_leave_nothing_out_and_repeat_nothing(
    follow: Follow, seed: int, singly: bool
) -> None:
    server = LogServer()
    storm = Storm(seed, server)
    storm.following = follow(server, singly=singly, page_size=3, meanwhile=storm.blow)
    storm.following.run()
    assert storm.following.done == server.kept
    assert storm.pings > 20
    assert len(server.requests) < 4 * (storm.pings + len(storm.following.clock.waits))


# --- a gap --------------------------------------------------------------------------------------


def test_lost_events_stop_a_follower_that_has_no_hook_for_them(follow: Follow) -> None:
    server = LogServer(2)
    follow(server).run_once()
    server.append(4)
    server.floor = 40
    following = follow(server)
    with pytest.raises(EventsExpired):
        following.run()
    assert following.done == [10, 20]


@pytest.mark.parametrize("singly", [False, True])
def test_the_hook_hears_of_lost_events_before_those_that_follow(
    follow: Follow, singly: bool
) -> None:
    server = LogServer(2)
    made = follow(server, singly=singly)
    made.run_once()
    server.append(6)
    server.floor = 40
    following = follow(server, singly=singly, page_size=3)
    hooked = follow(server, singly=singly, page_size=3, on_gap=following.take_gap)
    hooked.run_once()
    assert hooked.done == [10, 20, -1, 50, 60, 70, 80]
    (gap,) = following.gaps
    assert (gap.token, gap.next_page_token) == ("20", "70")


@pytest.mark.parametrize("singly", [False, True])
def test_a_gap_is_told_once_though_the_page_behind_it_breaks(follow: Follow, singly: bool) -> None:
    server = LogServer(2)
    follow(server).run_once()
    server.append(6)
    server.floor = 40
    first = follow(server, singly=singly)
    hooked = follow(server, singly=singly, on_gap=first.take_gap)
    hooked.raising = breaking_at(70)
    with pytest.raises(Broken):
        hooked.run_once()
    hooked.raising = breaking_at(0)
    hooked.run_once()
    assert hooked.done == [10, 20, -1, 50, 60, 70, 80]


def test_a_second_gap_in_the_middle_of_a_page_is_told_too(follow: Follow) -> None:
    server = LogServer(5)
    first = follow(server, singly=True)
    first.raising = breaking_at(30)
    with pytest.raises(Broken):
        first.run_once()
    server.append(5)
    server.floor = 60
    hooked = follow(server, singly=True, on_gap=first.take_gap)
    first.raising = breaking_at(0)
    hooked.run_once()
    assert hooked.done == [10, 20, -1, 70, 80, 90, 100]


def test_from_the_newest_the_rest_is_skipped_before_the_source_is_copied(follow: Follow) -> None:
    server = LogServer(2)
    first = follow(server)
    first.run_once()
    server.append(8)
    server.floor = 40
    hooked = follow(server, page_size=2, on_gap=first.take_gap, resume="newest")
    hooked.run_once()
    server.append(1)
    hooked.run_once()
    assert hooked.done == [10, 20, -1, 110]
    assert first.gaps[0].next_page_token == "100"


def test_a_failure_on_the_way_to_the_newest_does_not_begin_the_way_anew(follow: Follow) -> None:
    server = LogServer(2)
    first = follow(server)
    first.run_once()
    server.append(20)
    server.floor = 40
    made: list[Following] = []
    stopping = stopping_after(60, made)
    hooks = {"on_gap": first.take_gap, "resume": "newest"}
    made.append(follow(server, page_size=1, meanwhile=stopping, **hooks))
    server.requests.clear()
    server.faults = [(lambda _: None) if turn % 4 else refused(503) for turn in range(1, 60)]
    made[0].run()
    assert made[0].done == [10, 20, -1]
    asked = [request["page_token"] for request in server.requests]
    assert len(asked) < 40
    assert {*asked} == {"20", *map(str, server.kept[:-1])}


def test_a_follower_that_is_stopped_on_the_way_to_the_newest_has_moved_nothing(
    follow: Follow,
) -> None:
    server = LogServer(2)
    first = follow(server)
    first.run_once()
    server.append(20)
    server.floor = 40
    hooked = follow(server, page_size=1, on_gap=first.take_gap, resume="newest")
    server.faults = [lambda _: None, lambda _: hooked.follower.stop()]
    hooked.run()
    assert hooked.done == [10, 20]
    again = follow(server, page_size=1, on_gap=first.take_gap, resume="newest")
    again.run_once()
    assert again.done == [10, 20, -1]


def test_a_hook_that_raises_is_called_again(follow: Follow) -> None:
    server = LogServer(1)
    first = follow(server)
    first.run_once()
    server.append(3)
    server.floor = 20
    hooked = follow(server, on_gap=first.take_gap)
    refusing = iter([Broken()])

    def raising(reached: int | Gap) -> None:
        if isinstance(reached, Gap) and (error := next(refusing, None)):
            raise error

    first.raising = raising
    with pytest.raises(Broken):
        hooked.run_once()
    assert hooked.done == [10]
    hooked.run_once()
    assert hooked.done == [10, -1, 30, 40]


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
