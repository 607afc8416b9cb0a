"""The whole engine behind its HTTP API, in one process, one thread and virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message

from tests.simulation.dice import Dice
from tests.simulation.guarded_sender import GuardedSender
from tests.simulation.loop import until_all_wait
from tests.simulation.one_thread import OneThread
from tests.simulation.world import World
from tidings.api.app import Engine, build_app
from tidings.api.auth import Authenticator
from tidings.api.smartsuite import PREFIX
from tidings.domain.address import AddressPolicy
from tidings.domain.key import ApiKey, Role, hash_key
from tidings.engine.arrivals import Arrivals
from tidings.engine.listing import Listing
from tidings.engine.publish import Publisher
from tidings.engine.sheets import Sheets
from tidings.engine.sweeper import Chore
from tidings.engine.verifier import Verifier
from tidings.engine.webhooks import Webhooks
from tidings.testing.clock import ManualClock

IN_MEMORY = Path("/dev/shm")
"""A file system in memory, so that a commit costs no disk. Without it a temporary file does."""
QUIET_SECONDS = 2.5
"""After so long without anything to do, time is skipped to when something is due."""

SELDOM_SECONDS = 3 * 3_600.0
"""Between two rounds of retention: by a round a sweep they took half of a month's time."""


class Answer(msgspec.Struct, frozen=True):
    """What a request was answered; status 0 where the server is down or died on the way."""

    status: int
    body: bytes = b""
    counted: bool = False
    """Whether it says where the key stands: the request was counted (contract 1.8)."""
    headers: Mapping[str, str] = {}

    @property
    def json(self) -> Any:
        """Return the body's JSON."""
        return msgspec.json.decode(self.body)


class ExactClock(ManualClock):
    """A clock that stands still until all who act have acted, however many turns they take."""

    async def _turns(self) -> None:
        await until_all_wait()


class Seldom:
    """A chore that is done every few hours only, once it has nothing left to do."""

    def __init__(self, chore: Chore) -> None:
        self.name = chore.name
        self._chore = chore

    async def run_once(self, now: datetime) -> float:
        """Do what is due at `now`; return the seconds until it wants to be called again."""
        pause = await self._chore.run_once(now)
        return max(pause, SELDOM_SECONDS) if pause else 0.0


class Server(World):
    """A world with the API in it: requests come in as bytes, as uvicorn would bring them."""

    app: ASGIApp
    sender: GuardedSender
    threads: OneThread
    _requests: set[asyncio.Task[Answer]]
    _quiet_since = 0.0
    _skipping = False

    @classmethod
    async def open_seeded(cls, path: Path, seed: int) -> Server:
        """Open a server on a fresh file, whose threads take turns by the seed."""
        server = await cls.open(path, seed=seed, clock=ExactClock(seed=seed))
        server._requests = set()
        server.threads = OneThread(server.storage, Dice(-1 - seed))
        server.patient = True
        return server

    async def start(self) -> None:
        """Start the engine, and accept requests."""
        self.sender.restart()
        await super().start()
        self.authenticator = Authenticator(self.storage.keys, self.clock)
        arrivals = Arrivals(hints=self.storage.capabilities.hints)
        self.app = build_app(
            Engine(
                publisher=Publisher(self.storage.log, self.storage.applications, self.clock),
                listing=Listing(self.storage, self.clock, arrivals, self.reads),
                webhooks=Webhooks(self.storage.webhooks, self.clock, AddressPolicy()),
                sheets=Sheets(
                    self.storage,
                    Verifier(self.sender, self.storage.dispatch, self.clock),
                    self.clock,
                    AddressPolicy(),
                ),
                authenticator=self.authenticator,
                storage=self.storage,
                clock=self.clock,
            )
        )
        self._due[self.authenticator] = self.clock.monotonic()

    def _new_sender(self) -> GuardedSender:
        return GuardedSender(self.clock)

    def _chores(self) -> Sequence[Chore]:
        return [Seldom(chore) for chore in super()._chores()]

    async def crash(self) -> None:
        """Die with all requests that are under way."""
        requests, self._requests = self._requests, set()
        for request in requests:
            request.cancel()
        await super().crash()

    async def call(self, method: str, body: Any, key: str) -> Answer:
        """Call a method of the webhook service."""
        return await self.post(PREFIX + method, body, key)

    async def post(
        self,
        path: str,
        body: Any,
        key: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
    ) -> Answer:
        """Send one request as an API key's holder."""
        if not self.running:
            return Answer(0)
        given = {
            "authorization": f"Token {key}",
            "content-type": "application/json",
            **(headers or {}),
        }
        request = asyncio.create_task(self._serve(method, path, msgspec.json.encode(body), given))
        self._requests.add(request)
        try:
            return await request
        except asyncio.CancelledError:
            if request.cancelled():
                return Answer(0)
            raise
        finally:
            self._requests.discard(request)

    async def _serve(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        received = False
        status, pieces = 0, [b""]
        said: dict[str, str] = {}

        async def receive() -> Message:
            nonlocal received
            if received:
                await asyncio.Event().wait()
            received = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            said.update({name.decode(): of.decode() for name, of in message.get("headers", ())})
            pieces.append(message.get("body", b""))

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await self.app(scope, receive, send)
        return Answer(status, b"".join(pieces), "ratelimit-limit" in said, said)

    async def new_key(self, account: str, role: Role, text: str) -> str:
        """Make an API key of this text."""
        await self.storage.keys.create(
            ApiKey(
                key_id=f"key_{hash_key(text).hex()[:12]}",
                account=account,
                name=f"key {hash_key(text).hex()[:12]}",
                role=role,
                key_hash=hash_key(text),
                created_at=self.clock.now(),
            )
        )
        return text

    async def land(self) -> None:
        """Let requests and attempts that take no time end before the clock moves on."""
        await until_all_wait()

    # --- time that nothing happens in is skipped ------------------------------------------------

    def _before_step(self, until: float) -> None:
        now = self.clock.monotonic()
        others = [worker for worker in self._due if worker is not self.sweeper]
        if not self._idle():
            self._quiet_since = now
            if self._skipping:  # the leases come first, and are renewed before anything is sent
                self._due.update(dict.fromkeys(others, now))
            self._skipping = False
        elif now - self._quiet_since >= QUIET_SECONDS:
            self._skipping = True
            timers = (self.dispatch.dispatcher.next_ping_due(), self.clock.next_timer())
            wanted = min([until, *(timer for timer in timers if timer is not None)])
            for worker in others:  # their rounds would find nothing to do
                self._due[worker] = max(self._due[worker], wanted)

    def _idle(self) -> bool:
        dispatch = self.dispatch
        return not (
            dispatch.dispatcher.sending
            or dispatch.dispatcher.touched
            or dispatch.dispatcher.holds
            or self.reads._notes
            or any(worker.wake.is_set() for worker in self._due)
        )
