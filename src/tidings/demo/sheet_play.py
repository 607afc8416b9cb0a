"""The demo's second act: the same changes as callbacks into a `Receiver`, with kills on the way."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec

from tidings.client import Client
from tidings.clock import SystemClock
from tidings.demo.databases import Databases
from tidings.demo.play import PATIENCE
from tidings.demo.processes import (
    ReceiverProcess,
    ServerProcess,
    free_port,
    run_tidings,
    wait_until,
)
from tidings.demo.sheet import as_sheet, implied, load_numbers
from tidings.demo.sheet_ledger import SheetLedger
from tidings.demo.sheet_receiver import SheetOrders
from tidings.demo.sheet_report import SheetOutcome
from tidings.demo.source import (
    ACCOUNT,
    Revision,
    idempotency_key,
    publish_body,
    table_after,
)
from tidings.domain.buckets import bucket_of
from tidings.domain.dispatch import Attempt
from tidings.storage.open import open_storage

SOLUTION = "sp500-sheet"
GATHER_SECONDS = 0.2
"""Less than the default, so that the history comes in many callbacks."""
REVISION_SECONDS = 0.05
"""From one publish to the next: a callback is nearly always on its way."""
RECEIVER_DIES, RECEIVER_LIVES, SERVER_DIES = 0.3, 0.5, 0.75
"""After these shares of the history."""
STALLED_SECONDS = 40.0
"""Without anything handled for so long something is wrong: the longest wait is a third retry's."""
_LOOK_SECONDS = 0.5
_ATTEMPTS = 10_000


class SheetPlay:
    """One run of the act in a folder and a database of its own."""

    def __init__(self, folder: Path, database: str, say: Callable[[str], None]) -> None:
        self._clock = SystemClock()
        self._began_at = self._clock.monotonic()
        self._folder = folder
        self._say = say
        self._numbers = load_numbers()
        self._database = database
        gather = ("--callback-gather-seconds", str(GATHER_SECONDS))
        self._server = ServerProcess(self._database, folder, self._clock, *gather)
        self._receiver = ReceiverProcess(
            free_port(), folder, self._clock, "tidings.demo.sheet_receiver"
        )
        self._ledger = SheetLedger(folder / "inbox.db")

    def run(self, revisions: Sequence[Revision]) -> SheetOutcome:
        """Play; whatever happens, everything that was started is stopped."""
        with ExitStack() as stack:
            stack.callback(self._receiver.stop)
            stack.callback(self._server.stop)
            self._server.start()
            self._server.wait_until_ready()
            key = run_tidings(
                *("keys", "create", "--account", ACCOUNT, "--name", "sheet", "--role", "admin"),
                *("--database", self._database),
                folder=self._folder,
            )
            patient = Client(self._server.url, key, pause=self._clock.pause, patience=PATIENCE)
            client = stack.enter_context(patient)
            webhook_id = self._open(client)
            self._publish(client, revisions)
            expected = tuple(implied(revisions, self._numbers))
            self._catch_up(len(expected))
            status = client.get_sheet_webhook(webhook_id).status
            self._receiver.stop()
            server_exit = self._server.stop()
            attempts = asyncio.run(self._attempts(webhook_id))
            return SheetOutcome(
                expected=expected,
                handled=self._ledger.handled(),
                rows=frozenset(self._numbers.rows[key] for key in table_after(revisions)),
                live=self._ledger.live(),
                status=status,
                attempts=attempts,
                receiver_restarts=self._receiver.starts - 1,
                server_restarts=self._server.starts - 1,
                server_exit=server_exit,
                seconds=self._clock.monotonic() - self._began_at,
            )

    def _open(self, client: Client) -> int:
        """Make the webhook, start its receiver, and enable it by a challenge."""
        client.register_application(SOLUTION, str(self._numbers.sheet))
        url = f"http://127.0.0.1:{self._receiver.port}/callbacks"
        webhook = client.create_sheet_webhook("S&P 500", self._numbers.sheet, url)
        orders = SheetOrders(
            self._receiver.port, str(self._folder / "inbox.db"), webhook.shared_secret or ""
        )
        self._receiver.give_orders(msgspec.json.encode(orders))
        self._receiver.start()
        self._receiver.wait_until_ready()
        client.update_sheet_webhook(webhook.id, enabled=True)
        self._tell(f"a Receiver has passed the challenge of callback webhook {webhook.id}")
        return webhook.id

    def _publish(self, client: Client, revisions: Sequence[Revision]) -> None:
        dies, lives, server_dies = (
            int(len(revisions) * share) for share in (RECEIVER_DIES, RECEIVER_LIVES, SERVER_DIES)
        )
        for number, revision in enumerate(revisions):
            if number == dies:
                self._receiver.kill()
                self._tell("the receiver is killed (SIGKILL); publishing goes on")
            elif number == lives:
                self._receiver.start()
                self._receiver.wait_until_ready()
                self._tell("it is started again; the engine's retry is due 10 s after its failure")
            elif number == server_dies:
                self._server.kill()
                self._server.start()
                self._tell("the server is killed (SIGKILL), and started again")
            body = publish_body(
                as_sheet(revision, self._numbers), SOLUTION, str(self._numbers.sheet)
            )
            client.publish(body, idempotency_key=idempotency_key(revision))
            self._clock.pause(REVISION_SECONDS)
        self._tell(f"{len(revisions)} batches are published")

    def _catch_up(self, expected: int) -> None:
        """Wait until all is handled; raises FailedPrecondition where it doesn't go on."""
        handled = self._ledger.count()
        while handled < expected:
            wait_until(
                partial(self._has_come_on, handled),
                STALLED_SECONDS,
                self._clock,
                f"The receiver has handled nothing for {STALLED_SECONDS:g} s: "
                f"{handled} of {expected} events.",
            )
            self._clock.pause(_LOOK_SECONDS)
            handled = self._ledger.count()
        self._tell("the receiver has handled everything")

    def _has_come_on(self, handled: int) -> bool:
        return self._ledger.count() > handled

    async def _attempts(self, webhook_id: int) -> tuple[Attempt, ...]:
        """Read the server's log of attempts, now that the server has ended."""
        storage = await open_storage(self._database, self._clock, serve=False)
        try:
            bucket = bucket_of(ACCOUNT, SOLUTION)
            return tuple(await storage.dispatch.attempts_of(bucket, str(webhook_id), _ATTEMPTS))
        finally:
            await storage.close()

    def _tell(self, sentence: str) -> None:
        self._say(f"{self._clock.monotonic() - self._began_at:5.1f} s  {sentence}")


def play_sheet(
    revisions: Sequence[Revision], databases: Databases, say: Callable[[str], None]
) -> SheetOutcome:
    """Run the act in a temporary folder and return what was seen.

    Raises FailedPrecondition if a process doesn't start, or the receiver doesn't catch up.
    """
    with tempfile.TemporaryDirectory(prefix="tidings-demo-") as name:
        folder = Path(name)
        with databases.fresh(folder) as database:
            return SheetPlay(folder, database, say).run(revisions)
