"""A gap: events were dropped before they were read, and somebody has to hear of it.

Every test is played twice: by the follower for threads, and by that for event loops.
"""

from __future__ import annotations

import pytest

from tests.receiver.following import Broken, Follow, Following, breaking_at, stopping_after
from tests.receiver.log_server import LogServer, refused
from tidings.errors import EventsExpired
from tidings.receiver.follower import Gap


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
