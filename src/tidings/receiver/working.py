"""The worker: takes notifications apart and calls handlers, after the sender had its answer.

At least once for a plain handler; exactly once for what a handler does in the inbox's transaction.
Events of one object are handled in order: the next waits until the one before is handled or given
up.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec

from tidings.domain import limits
from tidings.domain.instants import to_milliseconds
from tidings.errors import TidingsError
from tidings.receiver.clock import Clock
from tidings.receiver.hooks import Called, GiveUp, Hooks
from tidings.receiver.inbox import Claim, ClaimLost, EffectsRefused, Inbox, Opened, Turn
from tidings.receiver.notification import Item, Part, ReceivedEvent
from tidings.receiver.reading import Contents, names_agent

LOG: Final = logging.getLogger("tidings.receiver")
"""Lines name events by their numbers and errors by their types: nothing that a sender wrote."""
_JITTER: Final = 0.1
_LEASE_MS: Final = round(limits.HANDLER_LEASE_SECONDS * 1000)
_RENEW_MS: Final = _LEASE_MS // 3
_HOLDER_BYTES: Final = 8


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """How handlers are called."""

    tries: int = limits.HANDLER_TRIES
    """Calls for one event; then it is given up."""
    at_once: int = 1
    """Handlers that run side by side, each for another object."""
    skip_change_agents: frozenset[str] = frozenset()
    """Whose changes are passed over: one's own (contract 2.5)."""


def wait_before(tries: int, draw: float) -> float:
    """Return the seconds before the next call, `tries` calls having failed; `draw` is in [0, 1)."""
    wait = limits.HANDLER_FIRST_WAIT_SECONDS * 2.0 ** min(tries - 1, 62)
    return min(wait, limits.HANDLER_LONGEST_WAIT_SECONDS) * (1 + _JITTER * (2 * draw - 1))


class Worker:
    """Works off one receiver's part of an inbox. All its state lies in the inbox."""

    def __init__(
        self, receiver: str, inbox: Inbox, hooks: Hooks, clock: Clock, manners: Manners
    ) -> None:
        self.wake = asyncio.Event()
        self._receiver = receiver
        self._inbox = inbox
        self._hooks = hooks
        self._clock = clock
        self._manners = manners
        self._holder = clock.entropy(_HOLDER_BYTES).hex()
        self._turn = asyncio.Lock()
        self._claim: Claim | None = None
        self._renew_at_ms = 0
        self._forget_at_ms = 0
        self._contents: dict[int, Contents] = {}

    async def run_once(self) -> float:
        """Do what is due; return the seconds until there may be more to do.

        Rounds of one worker never overlap, whoever asks for them.
        """
        async with self._turn:
            return await self._work_round()

    async def _work_round(self) -> float:
        try:
            claim = await self._claimed()
            if claim is None:
                return limits.INBOX_POLL_SECONDS
            opened = await self._open_some(claim)
            items = await self._inbox.due(claim, self._now_ms(), limits.DUE_ITEMS)
            if items:
                async with self._renewing():
                    await self._handle_all(claim, items)
            await self._forget()
            return 0.0 if opened or items else await self._pause(claim)
        except ClaimLost:
            self._claim = None
            return 0.0

    async def run(self) -> None:
        """Work until cancelled; then let others take over at once."""
        try:
            while True:
                self.wake.clear()
                pause = await self._round()
                if pause > 0:
                    await self._clock.wait(self.wake, pause)
                else:
                    await asyncio.sleep(0)
        finally:
            if self._claim is not None:
                with suppress(TidingsError):
                    await self._inbox.release(self._claim)

    async def _round(self) -> float:
        try:
            return await self.run_once()
        except TidingsError as error:
            LOG.warning("inbox can't be worked off: %s", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the worker outlives everything
            if threading.main_thread().is_alive():  # else the interpreter is on its way out
                LOG.error("worker failed: %s", type(error).__name__)
        return limits.INBOX_POLL_SECONDS

    def _now_ms(self) -> int:
        return to_milliseconds(self._clock.now())

    async def _claimed(self) -> Claim | None:
        now_ms = self._now_ms()
        if self._claim is None or now_ms >= self._renew_at_ms:
            self._claim = await self._inbox.claim(
                self._receiver, self._holder, now_ms, now_ms + _LEASE_MS
            )
            self._renew_at_ms = now_ms + _RENEW_MS
        return self._claim

    @asynccontextmanager
    async def _renewing(self) -> AsyncIterator[None]:
        """Keep the claim while handlers run, however long they take."""
        done = asyncio.Event()

        async def renew() -> None:
            while not await self._clock.wait(done, _RENEW_MS / 1000):
                with suppress(TidingsError):  # whoever lost it hears of it at the next write
                    await self._claimed()

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            done.set()
            await renewing

    async def _pause(self, claim: Claim) -> float:
        due_ms = await self._inbox.next_due_ms(claim)
        if due_ms is None:
            return limits.INBOX_POLL_SECONDS
        return min(max(0.0, (due_ms - self._now_ms()) / 1000), limits.INBOX_POLL_SECONDS)

    async def _open_some(self, claim: Claim) -> int:
        """Take notifications apart, several in one commit; return how many they were."""
        found = await self._inbox.unopened(claim, limits.OPEN_NOTIFICATIONS, limits.HANDLED_BYTES)
        opened: list[Opened] = []
        size = 0
        for kept in found:
            contents = self._contents[kept.number] = Contents(kept)
            parts = [part for part in contents.parts() if self._is_wanted(contents, part)]
            dead = sum(1 for part in parts if part.dead is not None)
            if dead:
                LOG.error("events given up: %d of notification %d", dead, kept.number)
            opened.append(Opened(kept.number, parts))
            size += len(parts)
            if size >= limits.UNPACKED_ITEMS or kept is found[-1]:
                await self._inbox.unpack(claim, opened, self._now_ms())
                opened, size = [], 0
        self._bound_contents()
        return len(found)

    def _is_wanted(self, contents: Contents, part: Part) -> bool:
        if part.dead is not None:
            return True
        event = contents.event(part)
        if names_agent(event.change_agent, self._manners.skip_change_agents):
            return False
        return self._hooks.find(event) is not None

    async def _handle_all(self, claim: Claim, items: Sequence[Item]) -> None:
        """Handle items of as many objects, `at_once` of them side by side."""
        if self._manners.at_once == 1:
            await self._handle(claim, items)
            return
        free = asyncio.Semaphore(self._manners.at_once)

        async def handle(item: Item) -> None:
            async with free:
                await self._handle(claim, [item])

        running = [asyncio.create_task(handle(item)) for item in items]
        try:
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _handle(self, claim: Claim, items: Sequence[Item]) -> None:
        """Handle items one after the other, neighbours of one sort in one commit."""
        done = 0
        while done < len(items):
            calls = await self._next_calls(items[done:])
            if calls[0].in_transaction:
                done += await self._call_in_transaction(claim, calls)
            else:
                await self._call_plainly(claim, calls)
                done += len(calls)

    async def _next_calls(self, items: Sequence[Item]) -> list[_Call]:
        """Return the calls for the first items, as many as are of one sort and fit into memory."""
        calls: list[_Call] = []
        held: dict[int, int] = {}
        for item in items:
            contents = await self._contents_of(item)
            event = contents.event(item, item.tries)
            call = _Call(item, event, self._hooks.find(event))
            held[item.notification] = len(contents.kept.body)
            if calls and (
                call.in_transaction != calls[0].in_transaction
                or sum(held.values()) > limits.HANDLED_BYTES
            ):
                break
            calls.append(call)
        return calls

    async def _call_plainly(self, claim: Claim, calls: Sequence[_Call]) -> None:
        """Call handlers, and settle what they have done now and then."""
        done: list[Item] = []
        settle_at = self._clock.monotonic() + limits.HANDLED_SECONDS
        try:
            for call in calls:
                failure = await call.made()
                if failure is None:
                    done.append(call.item)
                else:
                    await self._failed(claim, call.item, failure)
                if self._clock.monotonic() >= settle_at:
                    settled, done = done, []
                    await self._inbox.settle(claim, settled, self._now_ms())
                    settle_at = self._clock.monotonic() + limits.HANDLED_SECONDS
        finally:  # also where the worker is being stopped
            if done:
                await self._inbox.settle(claim, done, self._now_ms())

    async def _call_in_transaction(self, claim: Claim, calls: Sequence[_Call]) -> int:
        """Call handlers in one transaction, for as long as it may take; return how many."""
        failures: list[tuple[Item, Exception]] = []
        begun = 0
        try:
            async with self._inbox.together(claim) as turn:
                ends_at = self._clock.monotonic() + limits.HANDLED_SECONDS
                for call in calls:
                    begun += 1
                    failure = await self._attempted(turn, call)
                    if failure is not None:
                        failures.append((call.item, failure))
                    if self._clock.monotonic() >= ends_at:
                        break
        except EffectsRefused as error:
            if begun > 1:  # whose effects they were shows when each is alone
                for call in calls[:begun]:
                    await self._call_in_transaction(claim, [call])
                return begun
            failures = [(calls[0].item, error)]
        for item, failure in failures:
            await self._failed(claim, item, failure)
        return max(begun, 1)

    async def _attempted(self, turn: Turn, call: _Call) -> Exception | None:
        try:
            async with turn.attempt(call.item, self._now_ms()):
                failure = await call.made(turn.connection)
                if failure is not None:
                    raise _Failed(failure)
        except _Failed as failed:
            return failed.error
        return None

    async def _failed(self, claim: Claim, item: Item, failure: Exception) -> None:
        """Say when an item is tried again, or give it up."""
        tries, kind = item.tries + 1, type(failure).__name__
        LOG.warning("handler failed: item %d, try %d, %s", item.number, tries, kind)
        if isinstance(failure, GiveUp) or tries >= self._manners.tries:
            LOG.error("event given up: item %d", item.number)
            await self._inbox.bury(claim, item, self._now_ms(), _told(failure))
        else:
            wait_ms = round(wait_before(tries, self._clock.draw()) * 1000)
            await self._inbox.postpone(claim, item, self._now_ms() + wait_ms)

    async def _contents_of(self, item: Item) -> Contents:
        found = self._contents.get(item.notification)
        if found is None:
            kept = await self._inbox.contents(item.notification)
            if kept is None:
                raise ClaimLost("another process has handled this event")
            found = self._contents[item.notification] = Contents(kept)
            self._bound_contents()
        return found

    def _bound_contents(self) -> None:
        """Forget what was read first, where too much is held."""
        held = sum(len(contents.kept.body) for contents in self._contents.values())
        while held > limits.HANDLED_BYTES and len(self._contents) > 1:
            held -= len(self._contents.pop(next(iter(self._contents))).kept.body)

    async def _forget(self) -> None:
        now_ms = self._now_ms()
        if now_ms < self._forget_at_ms:
            return
        forgotten = await self._inbox.forget(now_ms, limits.FORGET_ROWS)
        if forgotten < limits.FORGET_ROWS:
            self._forget_at_ms = now_ms + round(limits.FORGET_SECONDS * 1000)


class _Call(msgspec.Struct, frozen=True):
    """An item with the event that it is, and the handler that wants it, if one still does."""

    item: Item
    event: ReceivedEvent
    hook: Called | None

    @property
    def in_transaction(self) -> bool:
        """Whether its handler takes the transaction."""
        return self.hook is not None and self.hook.in_transaction

    async def made(self, *more: object) -> Exception | None:
        """Call the handler; return what it raised."""
        if self.hook is None:
            return None
        try:
            await self.hook(self.event, *more)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            return error
        return None


class _Failed(Exception):
    """Carries what a handler raised past the inbox's transaction, which it undoes."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _told(failure: Exception) -> str:
    """Return an error for the dead letter; text that a database refuses is left out."""
    text = f"{type(failure).__name__}: {failure}"[: limits.ERROR_LENGTH].replace("\0", "")
    return text.encode(errors="replace").decode()
