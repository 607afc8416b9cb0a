"""The receiver: an endpoint for callbacks, pings and Standard Webhooks that loses nothing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import groupby
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec

from tidings.clock import SystemClock
from tidings.domain import limits, signing
from tidings.domain.instants import from_milliseconds, to_milliseconds
from tidings.errors import ConfigurationError, TidingsError
from tidings.receiver import asgi, wsgi
from tidings.receiver.background import Background
from tidings.receiver.clock import Clock
from tidings.receiver.decision import ACKNOWLEDGED, UNAVAILABLE, Rules, decide
from tidings.receiver.hooks import ANY, F, Hooks
from tidings.receiver.inbox import DeadItem, Inbox
from tidings.receiver.notification import DeadLetter, ItemKind, Notification, ReceivedEvent
from tidings.receiver.opening import inbox_at
from tidings.receiver.own_transaction import OwnTransaction
from tidings.receiver.reading import Contents
from tidings.receiver.request import Answer, Request
from tidings.receiver.secrets import sorted_secrets
from tidings.receiver.sitting import Sitting
from tidings.receiver.working import LOG, Manners, Worker

if TYPE_CHECKING:
    import flask
    from starlette.routing import Route


class TakesPings(Protocol):
    """A follower, or what else wants to hear of pings."""

    def take_ping(self, ping: Mapping[str, Any], /) -> bool:
        """Take a verified ping's body; return whether there was reason to look."""


DEFAULT_INBOX = "sqlite:///tidings-inbox.db"


class Receiver:
    """Verifies what is sent to it, keeps it in an inbox, answers, and calls handlers after.

    An instance is an ASGI application; `wsgi`, `blueprint` and `route` mount it elsewhere.

    - `secrets`: one, or several during a rotation: `whsec_…` of Standard Webhooks and pings,
      anything else of callbacks. None has to be said where the senders sign nothing.
    - `inbox`: `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://…`, an Inbox, or
      OwnTransaction. Processes may share one.
    - `name`: of this receiver among those that share an inbox.
    - `skip_change_agents`: events that these agents caused are passed over.
    - `tries`: calls of a handler for one event before it is a dead letter.
    - `at_once`: handlers that run side by side, each for another object.
    - `work`: False where other processes call the handlers.
    - `tolerance`: how far the time of a Standard Webhooks signature may lie from the clock.
    - `remember`: how long a repetition is known as one.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        secrets: str | Sequence[str] | None,
        inbox: str | Inbox | OwnTransaction = DEFAULT_INBOX,
        name: str = "default",
        skip_change_agents: Collection[str] = (),
        tries: int = limits.HANDLER_TRIES,
        at_once: int = 1,
        work: bool = True,
        max_body_bytes: int = limits.RECEIVED_BODY_BYTES,
        tolerance: timedelta = signing.DEFAULT_TOLERANCE,
        remember: timedelta = timedelta(days=limits.RECEIVED_ID_DAYS),
        clock: Clock | None = None,
    ) -> None:
        if isinstance(skip_change_agents, str):
            raise ConfigurationError("skip_change_agents", "it is a set of names, not one name")
        if tries < 1 or at_once < 1 or max_body_bytes < 1:
            raise ConfigurationError("receiver", "tries, at_once and max_body_bytes are at least 1")
        if not timedelta(0) < remember <= timedelta(days=limits.RECEIVED_ID_DAYS_MAX):
            raise ConfigurationError("remember", "it is over 0, and at most a hundred years")
        self.name = name
        self.max_body_bytes = max_body_bytes
        self._rules = Rules(
            secrets=sorted_secrets(secrets), name=name, tolerance=tolerance, remembered=remember
        )
        self._own = inbox if isinstance(inbox, OwnTransaction) else None
        self._inbox = None if isinstance(inbox, OwnTransaction) else inbox_at(inbox)
        self._manners = Manners(
            tries=tries,
            at_once=at_once,
            skip_change_agents=frozenset(skip_change_agents),
        )
        self._works = work
        self._clock: Clock = clock or SystemClock()
        self._hooks = Hooks()
        self._sitting: Sitting | None = None
        # A connection that came over a fork is the parent's: it may not even be closed here.
        self._inherited: list[Sitting] = []
        self._backgrounds: dict[int, Background] = {}
        """By process: a thread doesn't come over a fork."""

    # What to call.

    def on(self, object_type: str = ANY, event_type: str = ANY) -> Callable[[F], F]:
        """Call a function for events: `@receiver.on("row", "created")`; `"*"` is any type.

        It takes the event, and, if it likes, the inbox's transaction: what it does in that happens
        exactly once. Of several patterns that fit, the most specific one's function is called.
        """

        def add(function: F) -> F:
            self._check_hook()
            self._hooks.add(object_type, event_type, function)
            return function

        return add

    def on_ping(self, function: F) -> F:
        """Call a function for each ping: there is something to list."""
        return self._other(ItemKind.PING, function)

    def hand_pings_to(self, follower: TakesPings) -> None:
        """Let each ping wake a follower, of either colour, that lives where this receiver works."""

        async def hand_over(ping: ReceivedEvent) -> None:
            follower.take_ping(ping.raw)

        self.on_ping(hand_over)

    def on_status_change(self, function: F) -> F:
        """Call a function when a webhook's status has changed: see `new_webhook_status`."""
        return self._other(ItemKind.STATUS_CHANGE, function)

    def on_unknown(self, function: F) -> F:
        """Call a function for what no other is for; without it such things are passed over."""
        return self._other(ItemKind.UNKNOWN, function)

    def rotate(self, secrets: str | Sequence[str] | None) -> None:
        """Verify by these secrets from now on. Raises ConfigurationError."""
        self._rules = msgspec.structs.replace(self._rules, secrets=sorted_secrets(secrets))

    # Receiving.

    async def receive(self, request: Request) -> Answer:
        """Judge a request, keep what is to be kept, and return the answer. Never raises."""
        verdict = decide(request, self._rules, self._clock.now())
        if isinstance(verdict, Answer):
            return verdict
        try:
            await self._keep(verdict)
        except TidingsError as error:
            LOG.warning("notification not kept: %s", error.message)
            return UNAVAILABLE
        except Exception as error:  # noqa: BLE001 - the sender must hear that it isn't kept
            LOG.error("notification not kept: %s", type(error).__name__)
            return UNAVAILABLE
        return ACKNOWLEDGED

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Be an ASGI application, alone or behind a route."""
        await asgi.run(self, scope, receive, send)

    def wsgi(self, environ: wsgi.Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        """Be a WSGI application, alone or behind a dispatcher."""
        request = wsgi.request_of(environ, self.max_body_bytes)
        return wsgi.respond(self.receive_blocking(request), start_response)

    def receive_blocking(self, request: Request) -> Answer:
        """Do as `receive`, from a thread without an event loop."""
        return self._loop_thread().call(self.receive(request))

    def blueprint(self, path: str, *, name: str = "tidings") -> flask.Blueprint:
        """Return a Flask blueprint that receives at `path`."""
        from tidings.receiver.flask_blueprint import blueprint_of

        return blueprint_of(self, path, name)

    def route(self, path: str) -> Route:
        """Return a route for Starlette or FastAPI that receives at `path`."""
        from starlette.routing import Route

        return Route(path, self, name=f"tidings-{self.name}")

    # Working.

    async def open(self) -> None:
        """Open the inbox and begin to work it off.

        Raises StorageUnavailable, StorageFault; ConfigurationError where a plain function wants the
        transaction of an inbox that only async ones can use.
        """
        if self._own is None:
            self._begin(await self._sat())

    async def close(self) -> None:
        """Stop working and close the inbox. What is unfinished goes on at the next start."""
        sitting, self._sitting = self._sitting, None
        if sitting is not None and sitting.is_here:
            await sitting.close()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Work for as long as an application lives: `Starlette(lifespan=receiver.lifespan)`."""
        await self.open()
        try:
            yield
        finally:
            await self.close()

    def start(self) -> None:
        """Begin to work in a thread of its own, where there is no event loop (WSGI)."""
        self._loop_thread().call(self.open())

    def stop(self) -> None:
        """End what `start` or the first request began."""
        background = self._backgrounds.pop(os.getpid(), None)
        if background is not None:
            try:
                background.call(self.close())
            finally:
                background.stop()

    async def run_once(self) -> float:
        """Work one round; return the seconds until there may be more to do."""
        return await (await self._sat()).worker.run_once()

    async def __aenter__(self) -> Self:
        """Open the inbox, to look into it; nothing is worked off."""
        await self._sat()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the inbox."""
        await self.close()

    # What was given up.

    async def dead_letters(self, *, after: int = 0, limit: int = 100) -> list[DeadLetter]:
        """Return events that were given up, by number, those behind `after`."""
        inbox = (await self._sat()).inbox
        letters = []
        found = await inbox.dead(self.name, after, limit)
        for notification, group in groupby(found, lambda dead: dead.item.notification):
            kept = await inbox.contents(notification)
            if kept is not None:  # else they were run again, or dropped, since they were listed
                contents = Contents(kept)
                letters += [_letter(dead, contents) for dead in group]
        return letters

    async def run_again(self, numbers: Sequence[int]) -> int:
        """Let dead letters be handled again; return how many of them there were."""
        sitting = await self._sat()
        count = await sitting.inbox.revive(self.name, numbers, to_milliseconds(self._clock.now()))
        sitting.worker.wake.set()
        return count

    async def drop(self, numbers: Sequence[int]) -> int:
        """Drop dead letters for good; return how many of them there were."""
        return await (await self._sat()).inbox.drop(self.name, numbers)

    async def _keep(self, notification: Notification) -> None:
        if self._own is not None:
            await self._own.keep(notification)
            return
        sitting = self._sitting
        if sitting is None or not sitting.is_open:
            sitting = await self._sat()
        if not sitting.is_working:
            self._begin(sitting)
        await sitting.keep(notification)

    def _begin(self, sitting: Sitting) -> None:
        if not (self._works and self._hooks):
            return
        wrong = [one for one in self._hooks.all if one.in_transaction and not one.is_async]
        if wrong and not sitting.inbox.sync_transactions:
            raise ConfigurationError("on", "only an async handler can use this inbox's transaction")
        sitting.start()

    async def _sat(self) -> Sitting:
        """Return this loop's sitting, open."""
        sitting = self._sitting
        if sitting is None or not sitting.is_here:
            if self._inbox is None:
                raise ConfigurationError(
                    "inbox", "the consumer's own inbox is not ours to work off"
                )
            if sitting is not None and sitting.is_elsewhere:
                raise ConfigurationError("receiver", "it works in another event loop already")
            if sitting is not None and sitting.is_inherited:
                self._inherited.append(sitting)
            inbox = self._inbox()
            worker = Worker(self.name, inbox, self._hooks, self._clock, self._manners)
            remembered = self._rules.remembered
            sitting = self._sitting = Sitting(self.name, inbox, worker, self._clock, remembered)
        try:
            await sitting.opened()
        except Exception:
            if self._sitting is sitting:
                self._sitting = None
            raise
        return sitting

    def _loop_thread(self) -> Background:
        process = os.getpid()
        found = self._backgrounds.get(process)
        if found is None:
            # Of threads that come at the same time one wins. No lock: a fork could find it taken.
            made = Background()
            found = self._backgrounds.setdefault(process, made)
            if found is not made:
                made.stop()
        return found

    def _other(self, kind: ItemKind, function: F) -> F:
        self._check_hook()
        self._hooks.add_other(kind, function)
        return function

    def _check_hook(self) -> None:
        if self._own is not None:
            raise ConfigurationError("on", "OwnTransaction's function gets everything itself")


def _letter(dead: DeadItem, contents: Contents) -> DeadLetter:
    return DeadLetter(
        number=dead.item.number,
        event=contents.event(dead.item, dead.item.tries),
        tries=dead.item.tries,
        dead_at=from_milliseconds(dead.dead_at_ms),
        error=dead.error,
    )
