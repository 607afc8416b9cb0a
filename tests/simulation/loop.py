"""An event loop that can say when everybody waits: then, and only then, virtual time moves on."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Idle(selectors.DefaultSelector):
    """Asks the system only where the loop has nothing else to do: nothing here comes by sockets."""

    def select(self, timeout: float | None = None) -> Any:
        """Return no events while callbacks wait; else wait for threads as usual."""
        return [] if timeout == 0 else super().select(timeout)


class OneByOneLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, looked into: its queue of callbacks tells what is left to do now."""

    def __init__(self) -> None:
        super().__init__(_Idle())

    async def until_all_wait(self) -> None:
        """Give turns to everybody else until all of them wait, for time or for one another."""
        ready = vars(self)["_ready"]
        while ready:
            await asyncio.sleep(0)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a world to its end, in a loop of its own."""
    with asyncio.Runner(loop_factory=OneByOneLoop) as runner:
        return runner.run(main)


async def until_all_wait() -> None:
    """Return once everybody else in the running OneByOneLoop waits."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, OneByOneLoop)
    await loop.until_all_wait()
