"""Processes that share a port and their roles, and the one that starts them anew (`--workers`).

The parent does no work itself: it has no event loop and no thread, so that it can be forked at any
time. A worker that loses its parent ends as by a SIGTERM: it holds the reading end of a pipe.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from tidings import telemetry
from tidings.cli.exits import exit_code_of
from tidings.clock import SystemClock
from tidings.domain import limits

_ENDING = {signal.SIGTERM, signal.SIGINT}
_WATCHED = _ENDING | {signal.SIGCHLD}


class _Place:
    """One worker: the process that fills its place now, or when the next is started."""

    def __init__(self, now: float) -> None:
        self.pid: int | None = None
        self.started_at = now
        self.start_at = now
        self.lives = 0
        self.pause = limits.WORKER_RESTART_SECONDS


class Workers:
    """Keeps `count` processes running, each of which runs `work` with the pipe's reading end."""

    def __init__(self, count: int, work: Callable[[int], None], clock: SystemClock) -> None:
        self._work = work
        self._clock = clock
        self._places = [_Place(clock.monotonic()) for _ in range(count)]
        self._lifeline, self._held_open = os.pipe()
        self._kill_at: float | None = None
        self._code = 0

    def run(self) -> int:
        """Return the exit code, once SIGTERM or SIGINT came and all have ended.

        Also where one of them refuses its first start: what it said holds for all.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        while self._kill_at is None or any(place.pid is not None for place in self._places):
            if self._kill_at is None:
                self._start_due()
            came = signal.sigtimedwait(_WATCHED, max(0.0, self._wait()))
            if came is not None and came.si_signo in _ENDING:
                self._end(signal.SIGTERM)
            self._bury()
            if self._kill_at is not None and self._clock.monotonic() >= self._kill_at:
                self._end(signal.SIGKILL)
        return self._code

    def _wait(self) -> float:
        now = self._clock.monotonic()
        if self._kill_at is not None:
            return self._kill_at - now
        due = [place.start_at for place in self._places if place.pid is None]
        return min(due, default=now + limits.WORKER_STEADY_SECONDS) - now

    def _start_due(self) -> None:
        now = self._clock.monotonic()
        for place in self._places:
            if place.pid is None and place.start_at <= now:
                place.started_at = now
                place.lives += 1
                place.pid = self._fork()

    def _fork(self) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            os.close(self._held_open)
            os.setpgid(0, 0)  # Ctrl-C is the parent's, which then ends us in order
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
            code = exit_code_of(lambda: self._work(self._lifeline))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def _end(self, how: signal.Signals) -> None:
        if self._kill_at is None or how is signal.SIGKILL:
            self._kill_at = self._clock.monotonic() + limits.WORKER_STOP_SECONDS
        for place in self._places:
            if place.pid is not None:
                os.kill(place.pid, how)

    def _bury(self) -> None:
        """Take note of those who ended: they are started again, unless all are to end."""
        for place in self._places:
            if place.pid is None:
                continue
            pid, status = os.waitpid(place.pid, os.WNOHANG)
            if pid:
                place.pid = None
                self._ended(place, os.waitstatus_to_exitcode(status))

    def _ended(self, place: _Place, code: int) -> None:
        """`code` is negative where a signal ended it."""
        if self._kill_at is not None:
            self._code = self._code or max(code, 0)
            return
        now = self._clock.monotonic()
        if now - place.started_at >= limits.WORKER_STEADY_SECONDS:
            place.pause = limits.WORKER_RESTART_SECONDS
        elif place.lives == 1 and code > 0:
            self._code = code
            self._end(signal.SIGTERM)
            return
        place.start_at = now + place.pause
        telemetry.logger().error(telemetry.PROCESS_ENDED, code=code, again_in_seconds=place.pause)
        place.pause = min(2 * place.pause, limits.WORKER_RESTART_SECONDS_MAX)
