"""A platform that publishes: the endpoints over ASGI, on a real SQLite file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from tidings.api.applications import ApplicationsEndpoint
from tidings.api.auth import Authenticator
from tidings.api.changes import ChangesEndpoint
from tidings.domain.buckets import bucket_of
from tidings.domain.event import splice_event
from tidings.domain.filter import Revision, SolutionFilter
from tidings.domain.key import ApiKey, Role, hash_key
from tidings.domain.kinds import Kind
from tidings.domain.log_entry import Append, PageQuery, Receipt
from tidings.engine.publish import Publisher
from tidings.errors import TidingsError
from tidings.ports import ChangeLog, Storage
from tidings.storage.migrate import migrate
from tidings.storage.open import open_storage
from tidings.testing.clock import ManualClock

ACCOUNT, SOLUTION = "acme", "sales"
HANG = object()
"""As a piece of a body: the client sends nothing more, and doesn't go away."""
GONE = object()
"""As a piece of a body: the client goes away."""


def created(record: object = "r", **members: Any) -> dict[str, Any]:
    """Return a change that creates a record."""
    return {
        "kind": "RECORD_CREATED",
        "application_id": "deals",
        "record_id": str(record),
        "data": {"n": record},
        **members,
    }


def updated(record: object = "r", **members: Any) -> dict[str, Any]:
    """Return a change that updates a record."""
    return {**created(record), "kind": "RECORD_UPDATED", **members}


def ndjson(changes: Iterable[Mapping[str, Any] | str]) -> bytes:
    """Return lines, each of a change or of the text given."""
    return b"".join(
        (change if isinstance(change, str) else json.dumps(change)).encode() + b"\n"
        for change in changes
    )


class Answer(msgspec.Struct):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FaultyLog:
    """A ChangeLog whose next appends fail, in the order given, before or after they are done."""

    def __init__(self, log: ChangeLog) -> None:
        self._log = log
        self.fail_before: list[TidingsError | None] = []
        self.fail_after: list[TidingsError | None] = []
        self.appended: list[int] = []
        """How many entries each append that was done had."""

    async def append(self, append: Append) -> Receipt:
        if self.fail_before and (error := self.fail_before.pop(0)):
            raise error
        receipt = await self._log.append(append)
        self.appended.append(len(append.entries))
        if self.fail_after and (error := self.fail_after.pop(0)):
            raise error
        return receipt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


@dataclass
class Platform:
    """The endpoints, the log beneath them, and short ways to use both."""

    storage: Storage
    clock: ManualClock
    log: FaultyLog
    changes: ChangesEndpoint
    applications: ApplicationsEndpoint
    key: str = ""

    async def new_key(self, role: Role, account: str = ACCOUNT) -> str:
        """Create a key; return its text."""
        text = f"tdg_{role}_{account}"
        await self.storage.keys.create(
            ApiKey(
                key_id=f"key_{role}_{account}",
                account=account,
                name=role,
                role=role,
                key_hash=hash_key(text),
                created_at=self.clock.now(),
            )
        )
        return text

    async def send(
        self,
        pieces: Iterable[Any],
        *,
        content_type: str | None = "application/json",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        path: str = "/v1/changes",
        key: str | None = None,
    ) -> Answer:
        """Send a request whose body comes in `pieces`."""
        sent = {"authorization": f"Token {self.key if key is None else key}", **(headers or {})}
        if content_type is not None:
            sent["content-type"] = content_type
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": urlencode(query or {}).encode(),
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in sent.items()],
        }
        came: list[Any] = []

        async def send(message: Any) -> None:
            came.append(message)

        endpoint = self.changes if path == "/v1/changes" else self.applications
        await endpoint(scope, _receiver(pieces, self.clock), send)
        start, *rest = came
        return Answer(
            start["status"],
            {name.decode(): value.decode() for name, value in start["headers"]},
            b"".join(message["body"] for message in rest),
        )

    async def publish(self, *changes: Any, key: str | None = None, **members: Any) -> Answer:
        """Publish as JSON; `key` is the Idempotency-Key."""
        body = json.dumps({"solution_id": SOLUTION, "changes": changes, **members}).encode()
        return await self.send([body], headers=_idempotent(key))

    async def stream(
        self, pieces: Iterable[Any], *, key: str | None = None, **query: Any
    ) -> Answer:
        """Publish as NDJSON; `key` is the Idempotency-Key."""
        return await self.send(
            pieces,
            content_type="application/x-ndjson",
            headers=_idempotent(key),
            query={"solution_id": SOLUTION, **query},
        )

    async def events(self, solution: str = SOLUTION, account: str = ACCOUNT) -> list[Any]:
        """Return every event of a solution, in order."""
        page = await self.storage.log.read_page(
            PageQuery(
                bucket=bucket_of(account, solution),
                account=account,
                solution=solution,
                after=0,
                revisions=(Revision(0, SolutionFilter(), tuple(Kind)),),
                limit=1_000_000,
                budget_seconds=10.0,
                max_bytes=1 << 30,
            )
        )
        return [json.loads(splice_event(b'{"event_id":"W.', entry)) for entry in page.entries]

    async def records(self) -> list[str]:
        """Return the ids of the records whose events are in the log, in order."""
        return [event["record_event_data"]["record_id"] for event in await self.events()]


def _idempotent(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}


def _receiver(pieces: Iterable[Any], clock: ManualClock) -> Any:
    left = iter([*pieces] if isinstance(pieces, list) else pieces)
    following = next(left, b"")

    async def receive() -> Any:
        nonlocal following
        piece, following = following, next(left, None)
        if piece is HANG:
            await clock.sleep(1e9)
        if piece is GONE:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": following is not None}

    return receive


@asynccontextmanager
async def opened_platform(folder: Path, clock: ManualClock) -> AsyncIterator[Platform]:
    """Open a platform on a new database, with a publisher's key of ACCOUNT."""
    database = f"sqlite:///{folder / 'tidings.db'}"
    await migrate(database)
    storage = await open_storage(database, clock, serve=True)
    log = FaultyLog(storage.log)
    publisher = Publisher(log, storage.applications, clock)
    authenticator = Authenticator(storage.keys, clock)
    platform = Platform(
        storage,
        clock,
        log,
        ChangesEndpoint(publisher, authenticator, clock),
        ApplicationsEndpoint(publisher, authenticator, clock),
    )
    platform.key = await platform.new_key(Role.PUBLISHER)
    try:
        yield platform
    finally:
        await storage.close()
