"""Pings are hints: whatever becomes of them, each event is handed over once.

Every test is played twice: by the follower for threads, and by that for event loops.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.receiver.draws import Draws
from tests.receiver.following import Follow, Following, stopping_after
from tests.receiver.log_server import WEBHOOK, Fault, LogServer, event_at, refused


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
