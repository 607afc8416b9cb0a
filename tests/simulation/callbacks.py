"""What callback webhooks are promised, judged from outside: a second account of what they got.

The numbers are the invariants'; each checker raises Violation where one is broken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from tests.simulation.endpoints import Sent
from tests.simulation.invariants import must
from tidings.domain import limits
from tidings.domain.signing import verify_callback
from tidings.errors import SignatureMismatchError

BACKOFFS, RETRIES = 7, 14
FIRST_WAIT_SECONDS, STEADY_WAIT_SECONDS, JITTER = 10.0, 3 * 3_600.0, 0.1
"""The schedule, as contract 2.6 has it."""
ACKNOWLEDGED_BETWEEN = 100
"""Callbacks between two challenges (contract 2.4)."""
_TURN_SECONDS, _ROUNDING_SECONDS = 3.0, 0.002
_Happened = tuple[int, int]
"""An event, by its row and its column; 0 for the row's own."""
_KEPT = timedelta(days=limits.LOG_DAYS) - timedelta(hours=1)


class Told(msgspec.Struct):
    """One request that a callback webhook's endpoint got."""

    sent: Sent
    life: int
    trouble: float
    wanted: bool | None
    """Whether its owner wanted it then; None while that was being changed."""
    began: float
    ended: float | None = None

    @property
    def took(self) -> bool:
        """Whether the endpoint acknowledged it: by 200 and nothing else (contract 2.6)."""
        return self.sent.outcome is not None and self.sent.outcome.status == 200

    @property
    def events(self) -> list[dict[str, Any]] | None:
        """Return the events in it; None for a challenge, or a change of status."""
        events: list[dict[str, Any]] | None = self.sent.json.get("events")
        return events


class Row(msgspec.Struct, frozen=True):
    """A row that was deleted, or made with some cells: an event each, the row's first."""

    number: int
    position: int
    answered_at: datetime
    cells: tuple[int, ...] = ()


def signed(told: Told, secret: str) -> None:
    """9: whoever calls knows the secret."""
    try:
        verify_callback([secret], told.sent.headers, told.sent.body)
    except SignatureMismatchError:
        must(False, "9: a request that isn't signed")


def called_while_wanted(told: Told) -> None:
    """4: no event is sent to a webhook that its owner has disabled."""
    must(told.wanted is not False or told.events is None, "4: called while it was not enabled")


def one_in_flight(flying: Sequence[Told]) -> None:
    """6: one in flight for a webhook by one lease epoch."""
    lives = [told.life for told in flying if told.events is not None]
    must(len(lives) == len(set(lives)), "6: two callbacks in flight for one webhook")


def one_nonce_one_body(got: Sequence[Told]) -> None:
    """3: a nonce stands for the same bytes each time that it is tried (mechanics D5)."""
    bodies: dict[str, bytes] = {}
    for told in got:
        if told.events is not None:
            nonce = told.sent.json["nonce"]
            first = bodies.setdefault(nonce, told.sent.body)
            must(first == told.sent.body, f"3: the nonce {nonce} stands for two callbacks")


def handled_once_in_order(got: Sequence[Told], rows: Mapping[int, Row]) -> list[_Happened]:
    """2 and 3: by its nonce each callback is handled once; so is each event, in the log's order."""
    seen: set[str] = set()
    handled: list[_Happened] = []
    for told in got:
        if told.events is not None and told.sent.json["nonce"] not in seen:
            seen.add(told.sent.json["nonce"])
            handled += [(e.get("id") or e["rowId"], e.get("columnId", 0)) for e in told.events]
    must(len(handled) == len(set(handled)), "2: an event is told twice, by two nonces")
    places = [(rows[row].position, cell) for row, cell in handled if row in rows]
    must(places == sorted(places), "3: events are told out of order")
    return handled


def all_handled(handled: Sequence[_Happened], rows: Mapping[int, Row], now: datetime) -> None:
    """1 and 7: every event is told, also of the time in which it was disabled, until retention."""
    kept = [row for row in rows.values() if row.answered_at > now - _KEPT]
    owed = {(row.number, cell) for row in kept for cell in (0, *row.cells)}
    lost = sorted(owed.difference(handled))
    must(not lost, f"1: {len(lost)} events were never told, from {lost[:1]} on")


def retried_on_time(got: Sequence[Told]) -> None:
    """8: 10 s x 2^n within 10 % seven times, then every 3 h; with one nonce, undisturbed."""
    failures, last = 0, None
    for told in got:
        if told.events is None or told.ended is None or told.sent.outcome is None:
            failures, last = 0, None
            continue
        same = last is not None and last.sent.json["nonce"] == told.sent.json["nonce"]
        if last is None or not same or last.trouble != told.trouble or last.life != told.life:
            failures = 0
        elif failures:
            _waited(failures, told.began - (last.ended or 0.0))
        # Only from a first failure on: what went before a disturbance isn't known here.
        begins = last is not None and not same and last.took
        failures = 0 if told.took else failures + 1 if failures or begins else 0
        last = told


def _waited(failures: int, waited: float) -> None:
    wait, jitter = FIRST_WAIT_SECONDS * 2.0 ** (failures - 1), JITTER
    if failures > BACKOFFS:
        wait, jitter = STEADY_WAIT_SECONDS, 0.0
    least, most = wait * (1 - jitter) - _ROUNDING_SECONDS, wait * (1 + jitter) + _TURN_SECONDS
    must(failures <= RETRIES, "8: tried again after the end of the schedule")
    must(least <= waited <= most, f"8: callback's retry {failures} came after {waited} s")


def challenged_between(got: Sequence[Told]) -> None:
    """8: no more than a hundred callbacks are acknowledged without a challenge in between."""
    since: set[str] = set()
    for told in got:
        if "challenge" in told.sent.json:
            since.clear()
        elif told.took and told.events is not None:
            since.add(told.sent.json["nonce"])
            must(len(since) <= ACKNOWLEDGED_BETWEEN, "8: a callback without its challenge")
