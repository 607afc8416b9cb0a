"""What one tenant's endpoints do to the pings of others: nothing (mechanics D7), in virtual time.

"As before" means the same here in every test: the same publishes are made once in a world at peace
and once under the attack, and each ping to the healthy endpoints starts at the same virtual
millisecond in both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from tests.simulation.endpoints import OK, ScriptedSender
from tests.simulation.world import World
from tidings.domain.limits import (
    ACCOUNT_SHARE,
    FAILURES_A_TURN,
    HOST_SENDS,
    SEND_SECONDS,
    SENDS,
    SLOW_SHARE,
)
from tidings.engine.sending import Sending
from tidings.engine.subscriptions import Subscription
from tidings.ports import SendOutcome, SendRequest, Storage
from tidings.testing.clock import ManualClock

pytestmark = pytest.mark.anyio

ATTACKER = "attacker"
HEALTHY = ["one", "two", "three", "four", "five"]
TURNS, TURN_SECONDS = 15, 4
"""A minute: two rounds of attempts that take 25 s, and a part of a third."""

DRIPPED = SendOutcome(status=None, error="too slow", elapsed_seconds=SEND_SECONDS)
DEAD = SendOutcome(
    status=None, error="no connection", unreachable=True, elapsed_seconds=SEND_SECONDS
)
NO_PLACE = SendOutcome(status=None, error="too many names wait for DNS", elapsed_seconds=12.5)
LATE = SendOutcome(status=200, elapsed_seconds=24.9)

Attack = Callable[["Besieged"], Awaitable[None]]


class SlowSender(ScriptedSender):
    """What is sent for the attacker takes as long as its outcome says; the rest, no time."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock.monotonic)
        self.outcome = OK
        self.attempts: dict[str, list[float]] = {}
        """When the attacker's endpoints were tried."""
        self.under_way = 0
        self.most_under_way = 0
        self.most_later = 0
        """Of those under way at a time after the first SEND_SECONDS."""
        self._clock = clock

    async def send(self, request: SendRequest) -> SendOutcome:
        """Answer by the outcome, after its time."""
        if request.account != ATTACKER:
            return await super().send(request)
        now = self._clock.monotonic()
        self.attempts.setdefault(request.url, []).append(now)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        if now > 2 * SEND_SECONDS:
            self.most_later = max(self.most_later, self.under_way)
        try:
            await self._clock.sleep(self.outcome.elapsed_seconds)
            return self.outcome
        finally:
            self.under_way -= 1


class Besieged(World):
    """A world with one attacker."""

    sender: SlowSender

    def __init__(self, path: Path, storage: Storage, clock: ManualClock) -> None:
        super().__init__(path, storage, clock)
        self.sender = SlowSender(clock)

    async def attack_with(self, urls: list[str], outcome: SendOutcome) -> None:
        """Let the attacker have a webhook for each URL, all for one solution."""
        self.sender.outcome = outcome
        await asyncio.gather(*(self.register(url, account=ATTACKER) for url in urls))


async def healthy_pings(
    folder: Path, name: str, attack: Attack | None
) -> tuple[list[tuple[str, float]], SlowSender]:
    """Return the pings of the healthy accounts by URL and time, and what the attacker did.

    Everybody publishes each turn, the attacker first, and only in every fifth.
    """
    world = await Besieged.open(folder / f"{name}.db")
    assert isinstance(world, Besieged)
    for account in HEALTHY:
        await world.register(f"https://{account}.example/", account=account)
    if attack is not None:
        await attack(world)
    await world.run(0)
    for turn in range(TURNS):
        if attack is not None and turn % 5 == 0:
            await world.publish(account=ATTACKER)
        for account in HEALTHY:
            await world.publish(account=account)
        await world.run(TURN_SECONDS)
    await world.crash()  # an end in order waits, by the real clock, for attempts to land
    await world.close()
    return [(sent.url, sent.at) for sent in world.sender.sent], world.sender


@pytest.fixture(scope="module")
async def peace(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, float]]:
    """The pings of the healthy accounts where nobody attacks: each publish is pinged at once."""
    pings, _ = await healthy_pings(tmp_path_factory.mktemp("peace"), "peace", None)
    assert sorted({at for _, at in pings}) == [TURN_SECONDS * turn for turn in range(TURNS)]
    assert len(pings) == len(HEALTHY) * TURNS
    return pings


async def test_256_host_names_that_drip(tmp_path: Path, peace: list[tuple[str, float]]) -> None:
    urls = [f"https://h{number}.attacker.example/" for number in range(256)]
    pings, attacker = await healthy_pings(
        tmp_path, "war", lambda world: world.attack_with(urls, DRIPPED)
    )
    assert pings == peace
    assert attacker.most_under_way == SENDS // ACCOUNT_SHARE
    assert attacker.most_later <= SENDS // ACCOUNT_SHARE
    assert len(attacker.attempts) > 60, "and yet its names are tried in turn"


async def test_10_000_webhooks_on_one_dead_host(
    tmp_path: Path, peace: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the host costs some attempts a round, not one a webhook: its failure counts for all.

    They fail some in a turn of the event loop, which virtual time would not show to be held up.
    """
    failed_at_once: list[int] = []
    fail = Sending._failed

    def noted(self: Sending, failed: Sequence[Subscription], outcome: SendOutcome) -> None:
        failed_at_once.append(len(failed))
        fail(self, failed, outcome)

    monkeypatch.setattr(Sending, "_failed", noted)
    urls = [f"https://dead.example/{number}" for number in range(10_000)]
    pings, attacker = await healthy_pings(
        tmp_path, "war", lambda world: world.attack_with(urls, DEAD)
    )
    assert pings == peace
    assert attacker.most_under_way <= HOST_SENDS
    assert sum(map(len, attacker.attempts.values())) < 200
    assert sum(failed_at_once) >= 10_000
    assert max(failed_at_once) <= FAILURES_A_TURN


async def test_a_dns_that_never_answers(tmp_path: Path, peace: list[tuple[str, float]]) -> None:
    """Its sends end without a place among the account's look-ups, which holds their slots too."""
    urls = [f"https://h{number}.tarpit.example/" for number in range(300)]
    pings, attacker = await healthy_pings(
        tmp_path, "war", lambda world: world.attack_with(urls, NO_PLACE)
    )
    assert pings == peace
    assert attacker.most_later <= SENDS // ACCOUNT_SHARE


async def test_endpoints_that_answer_after_24_9_s_each_time(
    tmp_path: Path, peace: list[tuple[str, float]]
) -> None:
    """They are acknowledged, one by one; once known to be slow they share a part of a quarter."""
    urls = [f"https://h{number}.attacker.example/" for number in range(64)]
    pings, attacker = await healthy_pings(
        tmp_path, "war", lambda world: world.attack_with(urls, LATE)
    )
    assert pings == peace
    assert attacker.most_under_way == SENDS // ACCOUNT_SHARE
    assert attacker.most_later <= SENDS // SLOW_SHARE // ACCOUNT_SHARE


async def test_one_endpoint_that_answers_after_24_9_s_is_pinged_again_as_soon_as_it_has(
    tmp_path: Path,
) -> None:
    """A late 200 is a 200: no debt, no retry schedule, and the next ping covers what came."""
    url = "https://late.attacker.example/"
    _, attacker = await healthy_pings(tmp_path, "war", lambda world: world.attack_with([url], LATE))
    began = attacker.attempts[url]
    assert began == pytest.approx([24.9 * number for number in range(len(began))])
    assert len(began) == 3
