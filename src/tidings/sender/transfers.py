"""libcurl's multi interface on the running event loop: sockets and one timer, no threads.

The sockets are watched in one epoll, which the loop sees as one descriptor: a transfer begins and
ends to watch its socket, and to tell the loop of it each time is a tenth of what a send costs.
"""

from __future__ import annotations

import asyncio
import select
from typing import Any, Protocol

import pycurl

from tidings.domain.limits import SENDS

_EVENTS = {
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
    pycurl.POLL_NONE: 0,
    pycurl.POLL_REMOVE: 0,
}

Ended = tuple[int, str]
"""How a transfer ended: libcurl's code (0: well) and its words."""


class Libcurl(Protocol):
    """What makes handles and runs them. A seam, so that tests can be the network."""

    def handle(self) -> Any:
        """Return a fresh handle, a `pycurl.Curl`."""

    async def run(self, easy: Any) -> Ended:
        """Run one prepared handle to its end. Cancelling it hangs up."""

    def close(self) -> None:
        """Hang up all. Twice is fine."""


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
        self._sockets = select.epoll()
        self._watched: set[int] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.Handle | None = None
        self._timer_rings_at = 0.0
        self._closed = False

    def handle(self) -> Any:
        """Return a fresh handle."""
        return pycurl.Curl()

    async def run(self, easy: Any) -> Ended:
        """Run one prepared handle to its end. Cancelling it hangs up."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            loop.add_reader(self._sockets.fileno(), self._on_events)
        ended: asyncio.Future[Ended] = loop.create_future()
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
        if self._loop is not None:
            self._loop.remove_reader(self._sockets.fileno())
        self._sockets.close()
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, easy: Any, ended: asyncio.Future[Ended], how: Ended) -> None:
        self._under_way.pop(easy, None)
        self._multi.remove_handle(easy)
        if not ended.done():
            ended.set_result(how)

    def _on_socket(self, wish: int, fd: int, _multi: object, _data: object) -> None:
        """Watch a descriptor for what is wanted now, and no longer for what was.

        libcurl says REMOVE before it closes one, so a number that comes again starts clean.
        """
        wanted, is_watched = _EVENTS[wish], fd in self._watched
        if wanted and is_watched:
            self._sockets.modify(fd, wanted)
        elif wanted:
            self._sockets.register(fd, wanted)
            self._watched.add(fd)
        elif is_watched:
            self._watched.remove(fd)
            self._sockets.unregister(fd)

    def _on_events(self) -> None:
        """Tell libcurl of all sockets on which something happened."""
        if self._closed:
            return
        running = len(self._under_way)
        for fd, events in self._sockets.poll(0, SENDS):
            happened = pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0
            if events & ~select.EPOLLOUT:  # to read, or an end or error that reading will tell
                happened |= pycurl.CSELECT_IN
            _, running = self._multi.socket_action(fd, happened)
        self._take_out(running)

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
        if not self._closed:
            _, running = self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            self._take_out(running)

    def _take_out(self, running: int) -> None:
        """Take out what has ended, where fewer than all are `running`."""
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
