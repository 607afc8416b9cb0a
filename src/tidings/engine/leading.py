"""Work that one process of many does (mechanics D6, L8)."""

from __future__ import annotations

from tidings.domain import limits
from tidings.engine.attendance import Attendance
from tidings.engine.worker import Worker


class Led:
    """Runs a worker's rounds while this process leads, and none otherwise. A Worker.

    Two may lead for a moment, where one was paused: what is led has to bear that.
    """

    def __init__(self, worker: Worker, attendance: Attendance) -> None:
        self.name = worker.name
        self.wake = worker.wake
        self._worker = worker
        self._attendance = attendance

    async def run_once(self) -> float:
        """Run a round, or look again soon whether this process leads by then."""
        if not self._attendance.leads:
            return limits.CLAIM_SECONDS
        return await self._worker.run_once()
