"""What must be true of a world, by a second account of it: a model, and a check an invariant.

The model keeps what platforms, owners and clients did, in the order in which they did it; it knows
nothing of how the engine works. Numbers in docstrings are the invariants of `docs`.
"""

from __future__ import annotations

from tests.simulation.endpoints import Sent
from tidings.domain.filter import ApplicationFilter, Filter, Revision
from tidings.domain.webhook import Webhook


class Change:
    """One change as it was published and answered."""

    def __init__(self, position: int, application: str, changed: tuple[str, ...] | None) -> None:
        self.position = position
        self.application = application
        self.changed = changed


class Subscriber:
    """A webhook as its owner and its client see it."""

    def __init__(self, webhook: Webhook, url: str) -> None:
        self.webhook = webhook
        self.url = url
        self.enabled: bool | None = webhook.notifications.enabled
        """None while it is being switched: it may be either."""
        self.revisions: tuple[Revision, ...] = (
            Revision(webhook.start_position, webhook.filter, webhook.kinds),
        )
        self.pings: list[tuple[int, Sent]] = []
        """What its endpoint got, with the published changes' count at that moment."""
        self.in_flight: list[tuple[int, Sent]] = []
        """The requests that are under way, with the life of the dispatch that sent each."""
        self.switched_on = 0
        """The published changes' count when it was last switched on."""
        self.token: int | None = None
        self.seen: list[int] = []
        """What its client listed by its tokens, from the last time on when it had none."""
        self.read_through = 0
        self.pinged = False
        self.reading = False

    def filter_at(self, position: int) -> Filter:
        """Return what it covered at a place."""
        holds = [revision for revision in self.revisions if revision.from_position < position]
        return (holds or [self.revisions[0]])[-1].filter

    def covers(self, change: Change) -> bool:
        """Whether a change is one of its events (contract 1.3)."""
        if change.position <= self.webhook.start_position:
            return False
        wanted = self.filter_at(change.position)
        if not isinstance(wanted, ApplicationFilter):
            return True
        if wanted.application_id != change.application:
            return False
        fields = wanted.field_ids
        return not fields or change.changed is None or bool({*fields} & {*change.changed})


class Model:
    """All that happened."""

    def __init__(self) -> None:
        self.changes: dict[tuple[str, str], list[Change]] = {}
        self.subscribers: dict[str, Subscriber] = {}
        self.last_position: dict[int, int] = {}
        self.under_way = 0
        """Writes that may be in the log by now and aren't answered yet."""

    def events_of(self, subscriber: Subscriber) -> list[int]:
        """Return the positions of a webhook's events, in order."""
        key = (subscriber.webhook.account, subscriber.webhook.solution)
        return [c.position for c in self.changes.get(key, ()) if subscriber.covers(c)]

    def published(self, subscriber: Subscriber) -> int:
        """Return how many changes of a webhook's solution were published so far."""
        key = (subscriber.webhook.account, subscriber.webhook.solution)
        return len(self.changes.get(key, ()))


# --- at each request --------------------------------------------------------------------------


def listable_first(model: Model, subscriber: Subscriber, sent: Sent) -> None:
    """5: no notification is sent before its events can be listed."""
    last = model.last_position.get(subscriber.webhook.bucket, 0)
    assert model.under_way or sent.covered <= last, "5: pinged before it could be listed"


def nothing_sent_while_disabled(subscriber: Subscriber) -> None:
    """4: nothing is sent to a webhook that is not enabled at that moment."""
    assert subscriber.enabled is not False, "4: pinged while disabled"


def one_in_flight(subscriber: Subscriber, life: int) -> None:
    """6: one in flight for a webhook by one lease epoch."""
    assert life not in [of for of, _ in subscriber.in_flight], "6: two pings in flight"


# --- at each page -----------------------------------------------------------------------------


def no_skip_no_repeat(model: Model, subscriber: Subscriber) -> None:
    """2 and 3: a walk of page tokens sees each covered event once, in order, so far."""
    events = model.events_of(subscriber)
    assert subscriber.seen == events[: len(subscriber.seen)], "2: skipped, repeated or disordered"


# --- at the end, when all is healed and quiet ---------------------------------------------------


def nothing_lost(model: Model, subscriber: Subscriber) -> None:
    """1: every change whose publish was answered is listed by every webhook that covered it."""
    assert subscriber.seen == model.events_of(subscriber), "1: lost"


def notified(model: Model, subscriber: Subscriber) -> None:
    """4: after its last covered event an enabled webhook got an acknowledged notification.

    By a ping that says so, or by one that was built when the event could be listed already. One
    that was switched on after the event is owed nothing if its client has read it.
    """
    events = model.events_of(subscriber)
    if not subscriber.enabled or not events:
        return
    key = (subscriber.webhook.account, subscriber.webhook.solution)
    ordinal = [change.position for change in model.changes[key]].index(events[-1])
    if subscriber.switched_on > ordinal and subscriber.read_through >= events[-1]:
        return
    assert any(
        sent.covered >= events[-1] or known > ordinal
        for known, sent in subscriber.pings
        if sent.outcome is not None and sent.outcome.status == 200
    ), f"4: never told of {events[-1]}"
