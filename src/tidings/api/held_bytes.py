"""What a service holds of its clients' bodies at once, so that no crowd of them fills memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tidings.domain.limits import OVERLOADED_RETRY_SECONDS
from tidings.errors import Unavailable

Hold = Callable[[int], None]
"""Counts so many more bytes of one request; raises Unavailable where they are too many in all."""


class HeldBytes:
    """Bytes of bodies that are being read, judged or waiting for the log."""

    def __init__(self, at_most: int) -> None:
        self.held = 0
        self._at_most = at_most

    @contextmanager
    def share(self) -> Iterator[Hold]:
        """Return how to count one request's bytes; behind the `with` they are free again."""
        own = 0

        def hold(size: int) -> None:
            nonlocal own
            if self.held + size > self._at_most:
                raise Unavailable(
                    "too much is being published at once; try again",
                    retry_after_seconds=OVERLOADED_RETRY_SECONDS,
                )
            self.held += size
            own += size

        try:
            yield hold
        finally:
            self.held -= own
