"""What a consumer wants to be called for, and how each of its functions is called."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec

from tidings.errors import ConfigurationError, TidingsError
from tidings.receiver.cancellation import unless_cancelled
from tidings.receiver.notification import ItemKind, ReceivedEvent

ANY: Final = "*"
"""Stands for every object type, or every event type."""

Hook = Callable[..., Any]
"""`hook(event)` or `hook(event, transaction)`; async or plain."""
F = TypeVar("F", bound=Hook)


class GiveUp(TidingsError):
    """Raised by a handler for an event that no further try would help: it is a dead letter now."""


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """A function of the consumer's."""

    function: Hook
    is_async: bool
    in_transaction: bool
    """Whether it takes the inbox's transaction as its second argument."""

    async def __call__(self, *given: object) -> None:
        """Call it, a plain function in a thread; return when it has ended, even if cancelled."""
        if self.is_async:
            await _contained(self.function(*given))
            return
        running = asyncio.ensure_future(asyncio.to_thread(self._call_plainly, *given))
        try:
            returned = await asyncio.shield(running)
        except asyncio.CancelledError:
            # A thread can't be stopped, and it may have a transaction in its hands.
            await asyncio.wait([running])
            raise
        if inspect.isawaitable(returned):  # a plain function that calls an async one
            await _contained(returned)

    def _call_plainly(self, *given: object) -> object:
        try:
            return self.function(*given)
        except (SystemExit, KeyboardInterrupt, asyncio.CancelledError) as error:
            raise _way_out(error) from None


async def _contained(running: Awaitable[object]) -> None:
    try:
        await unless_cancelled(running)
    except SystemExit as error:
        raise _way_out(error) from None


def _way_out(error: BaseException) -> RuntimeError:
    """Return the failure that a script's way out is: it must not take the server with it."""
    return RuntimeError(f"the handler raised {type(error).__name__}")


class Hooks:
    """The functions of one receiver. For each event there is one at most: the most specific."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, str], Called] = {}
        self._others: dict[ItemKind, Called] = {}

    def __bool__(self) -> bool:
        return bool(self._events or self._others)

    @property
    def all(self) -> list[Called]:
        """Every function."""
        return [*self._events.values(), *self._others.values()]

    def add(self, object_type: str, event_type: str, function: Hook) -> None:
        """Add a function for events. Raises ConfigurationError for a second of the same pattern."""
        if (object_type, event_type) in self._events:
            raise ConfigurationError(
                "on", f"there is a handler for ({object_type!r}, {event_type!r}) already"
            )
        self._events[object_type, event_type] = _hook(function)

    def add_other(self, kind: ItemKind, function: Hook) -> None:
        """Add a function for what is no event of a pattern."""
        if kind in self._others:
            raise ConfigurationError("on", f"there is a handler for each {kind.name} already")
        self._others[kind] = _hook(function)

    def find(self, event: ReceivedEvent) -> Called | None:
        """Return the function to call for an event; None where nobody wants it."""
        if event.kind is not ItemKind.EVENT:
            return self._others.get(event.kind)
        for object_type in (event.object_type, ANY):
            for event_type in (event.event_type, ANY):
                found = self._events.get((object_type, event_type))
                if found is not None:
                    return found
        return self._others.get(ItemKind.UNKNOWN)


def _hook(function: Hook) -> Called:
    count = _wanted(function)
    if count not in (1, 2):
        raise ConfigurationError("on", "a handler takes the event, and the transaction if it likes")
    return called(function, in_transaction=count == 2)


def called(function: Hook, *, in_transaction: bool = False) -> Called:
    """Return a function of either colour as one that is awaited, and can end nothing else."""
    call = getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
    return Called(function=function, is_async=is_async, in_transaction=in_transaction)


def _wanted(function: Hook) -> int:
    """Return how many arguments a function can't do without."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except TypeError:
        return 0
    except ValueError:  # a builtin, which doesn't tell
        return 1
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    wanted = sum(1 for one in parameters if one.kind in by_place and one.default is one.empty)
    takes_any = any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters)
    return 1 if takes_any and not wanted else wanted
