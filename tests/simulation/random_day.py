"""A day in a small world, by the dice: everybody acts, much fails, and in the end all heals.

The same seed makes the same choices; how far each write has come when another is made is left to
the threads, so a failing seed may need a few tries. What happens is told to the model, whose checks
are asked at each request, at each page, and at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from tests.simulation import model as checks
from tests.simulation.dice import Dice
from tests.simulation.endpoints import ERROR, OK, UNREACHABLE, Sent
from tests.simulation.model import Change, Model, Subscriber
from tests.simulation.world import RECORD_KINDS, World
from tidings.domain.buckets import bucket_of
from tidings.domain.filter import ApplicationFilter, Filter, SolutionFilter
from tidings.domain.log_entry import Appended
from tidings.domain.webhook import Webhook
from tidings.domain.webhook_messages import EventListWish
from tidings.engine.arrivals import Arrivals
from tidings.engine.listing import Listing
from tidings.errors import StorageUnavailable
from tidings.ports import SendOutcome

T = TypeVar("T")

ACCOUNTS = ("acme", "globex")
APPLICATIONS = ("people", "orders")
FIELDS = ("name", "mail", "city")
HOURS = 4
"""Each ends with quiet, in which all heals: what was lost isn't covered up by what comes later."""
STEPS = 30
"""What happens in an hour."""
HEALING_SECONDS = 45.0
"""More than the wait after as many failures as fit into an hour, and a clock that was set back."""
ASTRAY = 0.2
"""So many hints of commits are late, lost or doubled."""
OUTCOMES = (OK, OK, OK, ERROR, UNREACHABLE, SendOutcome(status=429, headers={"retry-after": "7"}))


class Faults:
    """A storage that fails now and then, before or after its commit, and hints that go astray."""

    def __init__(self, world: World, dice: Dice) -> None:
        self.share = 0.0
        self._dice = dice
        self._late: list[tuple[Callable[[Appended], None], Appended]] = []
        storage = world.storage
        for owner, name in (
            (storage.dispatch, "settle"),
            (storage.dispatch, "renew"),
            (storage.dispatch, "note_reads"),
            (storage.dispatch, "add_attempts"),
            (storage.webhooks, "current"),
            (storage.webhooks, "tracked"),
            (storage.log, "read_tail"),
        ):
            setattr(owner, name, self._failing(getattr(owner, name)))
        watch = storage.log.watch
        vars(storage.log)["watch"] = lambda watcher: watch(self._astray(watcher))

    def _failing(self, call: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
        async def failing(*given: Any, **named: Any) -> T:
            if not self._dice.chance(self.share):
                return await call(*given, **named)
            if self._dice.chance(0.5):
                await call(*given, **named)
            raise StorageUnavailable("struck")

        return failing

    def _astray(self, watcher: Callable[[Appended], None]) -> Callable[[Appended], None]:
        def hear(hint: Appended) -> None:
            if self._dice.chance(ASTRAY):
                self._late.append((watcher, hint))
                return
            watcher(hint)
            if self._dice.chance(ASTRAY):
                watcher(hint)

        return hear

    def deliver_late_hints(self) -> None:
        """Let out what was held back, in no order; half of it is lost for good."""
        late, self._late = self._late, []
        for watcher, hint in reversed(late):
            if self._dice.chance(0.5):
                watcher(hint)


class RandomDay:
    """The actors of one day, and how each acts."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.model = Model()
        self.dice = Dice(seed)
        self._read_tail = world.storage.log.read_tail
        self.faults = Faults(world, self.dice)
        self._violations: list[AssertionError] = []
        """Of checks at a request: raised there they would pass for a fault of the sender."""
        self._holds: dict[str, tuple[asyncio.Event, float]] = {}
        self._listing_of_life: tuple[int, Listing] | None = None
        world.patient = True
        world.sender.began = self._began
        world.sender.ended = self._ended

    async def play(self) -> None:
        """Play the day hour by hour; after each all heals and is checked."""
        for _ in range(4):
            await self.register()
        for _ in range(HOURS):
            try:
                await self._hour()
            finally:
                self.faults.share = 0.0
            await self._heal()
            self._check()
        for subscriber in self.living():
            subscriber.token, subscriber.seen = None, []
            while await self._page(subscriber, 50):
                pass
            checks.nothing_lost(self.model, subscriber)

    async def _hour(self) -> None:
        actions = (
            *(self.publish,) * 8,
            *(self.client_reads,) * 4,
            *(self.switch,) * 5,
            *(self.endpoint_changes,) * 4,
            self.register,
            self.change_filter,
            self.move,
            self.delete,
            self.crash,
            self.crash,
            self.set_clock,
            self.storage_changes,
        )
        for _ in range(STEPS):
            seconds = self.dice.one_of((0.0, 0.0, 0.0, 0.1, 0.5, 1.0))
            action = self.dice.one_of(actions)
            if action == self.crash:
                await self.crash()
            else:  # beside a round, so that it may fall between any two of its steps
                await asyncio.gather(self.world.run(seconds), action())
            await self._tick()

    async def _heal(self) -> None:
        """Mend all, and wait as long as the longest wait that can be left."""
        for subscriber in self.living():
            self.world.sender.behave(subscriber.url, OK)
        for answer, _ in self._holds.values():
            answer.set()
        self._holds.clear()
        if not self.world.running:
            await self.world.start()
        await self.world.run(HEALING_SECONDS)

    def _raise_violation(self) -> None:
        if self._violations:
            raise self._violations[0]

    def _check(self) -> None:
        self._raise_violation()
        for subscriber in self.living():
            checks.notified(self.model, subscriber)

    async def _tick(self) -> None:
        """Let out late hints, answers that were held for long, and start what crashed."""
        self._raise_violation()
        self.faults.deliver_late_hints()
        for url, (answer, since) in list(self._holds.items()):
            if self.dice.chance(0.2) or self.world.clock.monotonic() - since > 20:
                answer.set()
                del self._holds[url]
        if not self.world.running and self.dice.chance(0.6):
            share, self.faults.share = self.faults.share, 0.0
            await self.world.start()
            self.faults.share = share

    def living(self) -> list[Subscriber]:
        """Return the webhooks that weren't deleted."""
        return list(self.model.subscribers.values())

    # --- what the world tells -----------------------------------------------------------------

    def _began(self, sent: Sent) -> None:
        try:
            self._check_request(sent)
        except AssertionError as violation:
            self._violations.append(violation)

    def _check_request(self, sent: Sent) -> None:
        subscriber = self.model.subscribers.get(sent.json["webhookId"])
        if subscriber is None:
            assert self.model.under_way, "pinged after it was deleted"
            return
        checks.listable_first(self.model, subscriber, sent)
        checks.nothing_sent_while_disabled(subscriber)
        checks.one_in_flight(subscriber, self.world.life)
        subscriber.in_flight.append((self.world.life, sent))
        subscriber.pings.append((self.model.published(subscriber), sent))

    def _ended(self, sent: Sent) -> None:
        subscriber = self.model.subscribers.get(sent.json["webhookId"])
        if subscriber is not None:
            subscriber.in_flight = [one for one in subscriber.in_flight if one[1] is not sent]
            subscriber.pinged = True

    # --- platforms ----------------------------------------------------------------------------

    async def publish(self) -> None:
        """Publish a few changes; now and then a loud platform publishes many."""
        account, application = self.dice.one_of(ACCOUNTS), self.dice.one_of(APPLICATIONS)
        changed = (self.dice.one_of(FIELDS),) if self.dice.chance(0.7) else None
        count = 300 if self.dice.chance(0.05) else 1 + self.dice.below(4)
        self.model.under_way += 1
        receipt = await self.world.publish(
            count, account=account, application=application, changed=changed
        )
        assert receipt.first_position is not None
        changes = self.model.changes.setdefault((account, "crm"), [])
        changes += [Change(receipt.first_position + n, application, changed) for n in range(count)]
        await self._appended(bucket_of(account, "crm"))
        self.model.under_way -= 1

    async def _appended(self, bucket: int) -> None:
        last = self.model.last_position.get(bucket, 0)
        for header in await self._read_tail({bucket: last}, 1_000):
            self.model.last_position[bucket] = header.position

    # --- owners -------------------------------------------------------------------------------

    def _filter(self) -> Filter:
        if self.dice.chance(0.5):
            return SolutionFilter()
        fields = (self.dice.one_of(FIELDS),) if self.dice.chance(0.5) else ()
        return ApplicationFilter(self.dice.one_of(APPLICATIONS), fields)

    async def register(self) -> None:
        """Create a webhook, enabled or not, from now on or from a while ago."""
        clock, number = self.world.clock, len(self.model.subscribers)
        url = f"https://host-{self.dice.below(3)}.example/{number}-{clock.draw()}"
        past = clock.now() - timedelta(seconds=self.dice.below(20))
        self.model.under_way += 1
        webhook = await self.world.register(
            url,
            account=self.dice.one_of(ACCOUNTS),
            wanted=self._filter(),
            enabled=self.dice.chance(0.8),
            start_at=past if self.dice.chance(0.3) else None,
        )
        subscriber = Subscriber(webhook, url)
        self.model.subscribers[webhook.webhook_id] = subscriber
        await self._appended(webhook.bucket)
        self.model.under_way -= 1
        if self.dice.chance(0.3):
            self.world.sender.visits[url] = lambda: self._page(subscriber, 50)

    async def _change(self, alter: Callable[[Webhook, Subscriber], Webhook]) -> None:
        subscribers = self.living()
        if not subscribers:
            return
        subscriber = self.dice.one_of(subscribers)
        store, webhook = self.world.storage.webhooks, subscriber.webhook
        row = await store.get(webhook.bucket, webhook.webhook_id)
        assert row is not None
        subscriber.enabled = None
        self.model.under_way += 1
        changed = await store.update(alter(row, subscriber))
        if changed.notifications.enabled and not row.notifications.enabled:
            subscriber.switched_on = self.model.published(subscriber)
        subscriber.enabled = changed.notifications.enabled
        subscriber.revisions = await store.revisions(webhook.bucket, webhook.webhook_id)
        await self._appended(webhook.bucket)
        self.model.under_way -= 1

    async def switch(self) -> None:
        """Switch notifications, now and then twice without a pause."""

        def switched(row: Webhook, _: Subscriber) -> Webhook:
            on = not row.notifications.enabled
            notifications = msgspec.structs.replace(row.notifications, enabled=on)
            return msgspec.structs.replace(row, notifications=notifications)

        await self._change(switched)
        if self.dice.chance(0.5):
            await self._change(switched)

    async def move(self) -> None:
        """Let a webhook notify another URL."""
        fresh = f"https://host-{self.dice.below(3)}.example/{self.world.clock.draw()}"

        def moved(row: Webhook, subscriber: Subscriber) -> Webhook:
            subscriber.url = fresh
            notifications = msgspec.structs.replace(row.notifications, url=fresh)
            return msgspec.structs.replace(row, notifications=notifications)

        await self._change(moved)

    async def change_filter(self) -> None:
        """Let a webhook cover something else from now on."""
        wanted = self._filter()
        await self._change(
            lambda row, _: msgspec.structs.replace(row, filter=wanted, kinds=RECORD_KINDS)
        )

    async def delete(self) -> None:
        """Delete a webhook; a few are left."""
        subscribers = self.living()
        if len(subscribers) < 4:
            return
        webhook = self.dice.one_of(subscribers).webhook
        self.model.under_way += 1
        await self.world.storage.webhooks.delete(webhook)
        del self.model.subscribers[webhook.webhook_id]
        await self._appended(webhook.bucket)
        self.model.under_way -= 1

    # --- subscribers --------------------------------------------------------------------------

    async def endpoint_changes(self) -> None:
        """Let an endpoint fail, recover, or take its time."""
        subscribers = self.living()
        if not subscribers:
            return
        url = self.dice.one_of(subscribers).url
        if self.dice.chance(0.3):
            if url not in self._holds:
                self._holds[url] = (self.world.sender.hold(url), self.world.clock.monotonic())
            return
        self.world.sender.behave(url, self.dice.one_of(OUTCOMES))

    async def client_reads(self) -> None:
        """Let those who were pinged read a page, or all of them."""
        for subscriber in self.living():
            if subscriber.pinged or self.dice.chance(0.1):
                subscriber.pinged = False
                loops = self.dice.chance(0.5)
                while await self._page(subscriber, self.dice.one_of((1, 7, 50))) and loops:
                    pass

    async def _page(self, subscriber: Subscriber, size: int) -> bool:
        """List one page by the client's token; return whether it had events."""
        webhook = subscriber.webhook
        if webhook.webhook_id not in self.model.subscribers or self.model.under_way:
            return False  # the model can't say yet what must be there
        if subscriber.reading:
            return False
        subscriber.reading = True
        try:
            return await self._read(subscriber, size)
        except StorageUnavailable:
            return False  # answered 503: it reads another time
        finally:
            subscriber.reading = False

    async def _read(self, subscriber: Subscriber, size: int) -> bool:
        webhook = subscriber.webhook
        wish = EventListWish(
            webhook_id=webhook.webhook_id, token=subscriber.token, page_size=size, wait_seconds=0
        )
        listing = self._listing()
        listed = await listing.list(webhook.account, f"key of {webhook.account}", wish)
        listing.written(listed)
        answer = msgspec.json.decode(listed.body)
        subscriber.token = int(answer["next_page_token"])
        subscriber.read_through = max(subscriber.read_through, subscriber.token)
        subscriber.seen += [
            int(event["event_id"].removeprefix(f"{webhook.webhook_id}."))
            for event in answer["events"]
        ]
        if not self.model.under_way:
            checks.no_skip_no_repeat(self.model, subscriber)
        return bool(answer["events"])

    def _listing(self) -> Listing:
        """Return the server's listing: a new one for each life."""
        world = self.world
        if self._listing_of_life is None or self._listing_of_life[0] != world.life:
            listing = Listing(world.storage, world.clock, Arrivals(hints=True), world.reads)
            self._listing_of_life = (world.life, listing)
        return self._listing_of_life[1]

    # --- the machine --------------------------------------------------------------------------

    async def crash(self) -> None:
        """Lose the dispatch's memory, in the midst of a round of one of its workers."""
        if not self.world.running:
            return
        worker = self.dice.one_of([*self.world.dispatch.workers, self.world.reads])
        amid = asyncio.create_task(worker.run_once())
        for _ in range(self.dice.below(6)):
            await asyncio.sleep(0)
        amid.cancel()
        with contextlib.suppress(asyncio.CancelledError, StorageUnavailable):
            await amid
        await self.world.crash()

    async def set_clock(self) -> None:
        """Let the time of day step back or ahead."""
        self.world.clock.shift(self.dice.below(20) - 10)

    async def storage_changes(self) -> None:
        """Let the storage fail more or less often."""
        self.faults.share = self.dice.one_of((0.0, 0.05, 0.3))
