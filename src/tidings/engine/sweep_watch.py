"""Whether anybody sweeps: asked by processes that leave it to another one (mechanics L8)."""

from __future__ import annotations

from datetime import timedelta

from tidings.domain import limits
from tidings.ports import LifecycleStore


class SweepWatch:
    """Looks at the time that sweeps keep.

    A process that sweeps itself does so before it accepts requests. One that doesn't is not ready
    until another one has swept lately: without that, nothing bounds the clock that positions are
    taken from, and nothing expires or is dropped.
    """

    def __init__(self, store: LifecycleStore) -> None:
        self._store = store

    async def hindrance(self) -> str | None:
        """Return a sentence where nobody has swept lately; None where all is well."""
        time = await self._store.time()
        late = timedelta(seconds=limits.DOWNTIME_SECONDS)
        if time.swept_at is not None and time.now - time.swept_at <= late:
            return None
        minutes = limits.DOWNTIME_SECONDS / 60
        return f"nobody has swept for {minutes:g} minutes: is a process with the role sweeper up?"
