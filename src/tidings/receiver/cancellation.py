"""Whose cancellation it is: ours, or an affair of the code that we call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class WorkCancelled(Exception):
    """What was called let a cancellation out that nobody had asked it for: it has failed."""


async def unless_cancelled(running: Awaitable[T]) -> T:
    """Await what a consumer's code returned.

    Raises WorkCancelled where a task of its own was cancelled and it let that out: taken for ours,
    it would end whoever called it, without a word.
    """
    try:
        return await running
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise WorkCancelled("a task that it waited for was cancelled") from None
