"""One installation in one process: a SQLite file, keys, and the webhook service over ASGI."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.simulation.endpoints import ScriptedSender
from tidings.api.auth import Authenticator
from tidings.api.metering import Meter, Rates
from tidings.api.smartsuite import PREFIX, SmartSuite
from tidings.domain.address import AddressPolicy
from tidings.domain.buckets import bucket_of
from tidings.domain.dispatch import ReadNote
from tidings.domain.filter import EVERY_FIELD, field_mask
from tidings.domain.key import (
    KEY_BYTES,
    KEY_ID_BYTES,
    ApiKey,
    Role,
    hash_key,
    new_key_id,
    new_key_text,
)
from tidings.domain.kinds import Kind
from tidings.domain.log_entry import Append, NewEntry, Receipt
from tidings.engine.arrivals import Arrivals
from tidings.engine.listing import Listing
from tidings.engine.sheets import Sheets
from tidings.engine.verifier import Verifier
from tidings.engine.webhooks import Webhooks
from tidings.ports import Clock, Sender, Storage
from tidings.storage.migrate import migrate
from tidings.storage.open import open_storage

ACCOUNT, SOLUTION = "acme", "63b87cad645b3949631b55bf"


class Notes(list[ReadNote]):
    """NotificationHints that keep what they are told."""

    def note_read(self, note: ReadNote) -> None:
        self.append(note)


@dataclass
class Installation:
    """The parts of an engine that the API needs, and short ways to use them."""

    storage: Storage
    clock: Clock
    arrivals: Arrivals
    authenticator: Authenticator
    listing: Listing
    app: SmartSuite
    notes: Notes
    key: str = ""
    _published: int = field(default=0)

    async def new_key(
        self, account: str = ACCOUNT, role: Role = Role.SUBSCRIBER, name: str = "Jane Doe"
    ) -> str:
        """Create a key; return its text."""
        text = new_key_text(self.clock.entropy(KEY_BYTES))
        key = ApiKey(
            key_id=new_key_id(self.clock.entropy(KEY_ID_BYTES)),
            account=account,
            name=name,
            role=role,
            key_hash=hash_key(text),
            created_at=self.clock.now(),
        )
        await self.storage.keys.create(key)
        return text

    async def post(
        self,
        method: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    ) -> httpx.Response:
        """Call a method of the service as the vendor's examples do; `body` may be bytes.

        `headers` as a mapping stand in for the usual ones, as pairs they come beside them.
        """
        usual = {
            "Authorization": f"Token {self.key if key is None else key}",
            "Content-Type": "application/json",
        }
        if isinstance(headers, Mapping):
            sent = [*(usual | dict(headers)).items()]
        else:
            sent = [*usual.items(), *headers]
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://tidings.test") as client:
            return await client.post(PREFIX + method, content=content, headers=sent)

    async def call(self, method: str, body: Any = None, *, key: str | None = None) -> Any:
        """Call a method that succeeds; return its answer."""
        answer = await self.post(method, body, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def new_webhook(self, *, key: str | None = None, **fields: Any) -> Any:
        """Create a webhook for everything of the solution, or as `fields` say."""
        wish = {
            "locator": {"solution_id": SOLUTION},
            "filter": {"solution": {}},
            "kinds": ["RECORD_CREATED", "RECORD_UPDATED", "RECORD_DELETED"],
            **fields,
        }
        return (await self.call("CreateWebhook", {"webhook": wish}, key=key))["webhook"]

    async def publish(
        self,
        count: int = 1,
        *,
        account: str = ACCOUNT,
        solution: str = SOLUTION,
        application: str = "app-1",
        kind: Kind = Kind.RECORD_CREATED,
        changed: Sequence[str] | None = None,
    ) -> Receipt:
        """Append `count` changes in one batch."""
        self._published += 1
        entries = tuple(
            NewEntry(
                kind=kind,
                application=application,
                subject=f"r{number}",
                mask=EVERY_FIELD if changed is None else field_mask(changed),
                changed=None if changed is None else tuple(changed),
                body=b',"kind":"%b","record_event_data":{"record_id":"r%d"}}'
                % (kind.name.encode(), number),
            )
            for number in range(count)
        )
        batch = f"batch-{self._published}"
        return await self.storage.log.append(
            Append(
                bucket=bucket_of(account, solution),
                account=account,
                solution=solution,
                key=batch,
                body_hash=batch.encode(),
                entries=entries,
                suppressed=0,
                batch_id=batch,
            )
        )


def sheets_of(storage: Storage, clock: Clock, sender: Sender | None = None) -> Sheets:
    """Return the Smartsheet contract's use cases; `sender` None: every endpoint answers 200."""
    verifier = Verifier(sender or ScriptedSender(clock.monotonic), storage.dispatch, clock)
    return Sheets(storage, verifier, clock, AddressPolicy())


@asynccontextmanager
async def installed(
    folder: Path, clock: Clock, *, requests_per_second: int = 1_000
) -> AsyncIterator[Installation]:
    """Open an installation on a new database, with one subscriber's key of ACCOUNT.

    A key may ask more often than by contract, since most tests ask in no time at all.
    """
    database = f"sqlite:///{folder / 'tidings.db'}"
    await migrate(database)
    storage = await open_storage(database, clock, serve=True)
    arrivals = Arrivals(hints=storage.capabilities.hints)
    unwatch = storage.log.watch(arrivals.appended)
    notes = Notes()
    authenticator = Authenticator(storage.keys, clock)
    listing = Listing(storage, clock, arrivals, notes)
    app = SmartSuite(
        webhooks=Webhooks(storage.webhooks, clock, AddressPolicy()),
        listing=listing,
        authenticator=authenticator,
        clock=clock,
        meter=Meter(Rates(requests_per_second=requests_per_second).webhooks, clock),
    )
    installation = Installation(storage, clock, arrivals, authenticator, listing, app, notes)
    installation.key = await installation.new_key()
    try:
        yield installation
    finally:
        unwatch()
        await storage.close()
