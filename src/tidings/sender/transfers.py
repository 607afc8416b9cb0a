"""libcurl's multi interface on the running event loop: sockets and one timer, no threads."""

from __future__ import annotations

import asyncio
from typing import Any

import pycurl

from tidings.domain.limits import SENDS

_READ = 1
_WRITE = 2
_WATCHES = {
    pycurl.POLL_IN: _READ,
    pycurl.POLL_OUT: _WRITE,
    pycurl.POLL_INOUT: _READ | _WRITE,
    pycurl.POLL_REMOVE: 0,
    pycurl.POLL_NONE: 0,
}

Ended = tuple[int, str]
"""How a transfer ended: libcurl's code (0: well) and its words."""


class Transfers:
    """Easy handles under way. libcurl says what it waits for; the loop tells it what happened.

    Everything here runs in the loop's thread. libcurl may call back from within any call into it,
    so a callback only notes what to watch and never calls libcurl itself.
    """

    def __init__(self) -> None:
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, SENDS)
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_NOTHING)
        self._under_way: dict[Any, asyncio.Future[Ended]] = {}
        self._watched: dict[int, int] = {}
        self._timer: asyncio.Handle | None = None
        self._timer_rings_at = 0.0
        self._closed = False

    async def run(self, easy: Any) -> Ended:
        """Run one prepared handle to its end. Cancelling it hangs up."""
        ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._under_way[easy] = ended
        try:
            self._multi.add_handle(easy)
            return await ended
        finally:
            if self._under_way.pop(easy, None) is not None:
                self._multi.remove_handle(easy)

    def close(self) -> None:
        """Hang up all, kept connections too; what is under way ends as aborted. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        for easy, ended in list(self._under_way.items()):
            self._end(easy, ended, (pycurl.E_ABORTED_BY_CALLBACK, "closed"))
        self._multi.close()
        for fd in list(self._watched):
            self._watch(fd, 0)
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, easy: Any, ended: asyncio.Future[Ended], how: Ended) -> None:
        self._under_way.pop(easy, None)
        self._multi.remove_handle(easy)
        if not ended.done():
            ended.set_result(how)

    def _on_socket(self, wish: int, fd: int, _multi: object, _data: object) -> None:
        self._watch(fd, _WATCHES[wish])

    def _watch(self, fd: int, wanted: int) -> None:
        """Watch a descriptor for what is wanted now, and no longer for what was.

        libcurl says REMOVE before it closes one, so a number that comes again starts clean.
        """
        loop = asyncio.get_running_loop()
        watched = self._watched.pop(fd, 0)
        if wanted:
            self._watched[fd] = wanted
        if wanted & _READ and not watched & _READ:
            loop.add_reader(fd, self._act, fd, pycurl.CSELECT_IN)
        elif watched & _READ and not wanted & _READ:
            loop.remove_reader(fd)
        if wanted & _WRITE and not watched & _WRITE:
            loop.add_writer(fd, self._act, fd, pycurl.CSELECT_OUT)
        elif watched & _WRITE and not wanted & _WRITE:
            loop.remove_writer(fd)

    def _on_timer(self, milliseconds: int) -> None:
        """Have the timer ring in time: -1 not at all, 0 once this call into libcurl has returned.

        One that rings earlier is left as it is: libcurl then finds nothing to do and says again
        when it wants to be called. Nearly every transfer sets one, and hardly any needs it.
        """
        if self._closed or milliseconds < 0:
            return
        loop = asyncio.get_running_loop()
        rings_at = loop.time() + milliseconds / 1000
        if self._timer is not None:
            if self._timer_rings_at <= rings_at:
                return
            self._timer.cancel()
        self._timer_rings_at = rings_at
        if milliseconds == 0:
            self._timer = loop.call_soon(self._on_time)
        else:
            self._timer = loop.call_at(rings_at, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, fd: int, happened: int) -> None:
        """Let libcurl do what it can, and take out what has ended."""
        if self._closed:
            return
        _, running = self._multi.socket_action(fd, happened)
        if running >= len(self._under_way):
            return
        waiting = 1
        while waiting:
            waiting, well, badly = self._multi.info_read()
            for easy in well:
                self._settle(easy, (pycurl.E_OK, ""))
            for easy, code, words in badly:
                self._settle(easy, (code, words))

    def _settle(self, easy: Any, how: Ended) -> None:
        ended = self._under_way.get(easy)
        if ended is not None:
            self._end(easy, ended, how)
