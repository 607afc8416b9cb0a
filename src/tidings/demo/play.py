"""The demo from start to end: who is started, killed and asked, and when."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from tidings.client import Client, Patience
from tidings.clock import SystemClock
from tidings.demo import source
from tidings.demo.databases import Databases
from tidings.demo.ledger import Ledger
from tidings.demo.processes import (
    ReceiverProcess,
    ServerProcess,
    free_port,
    run_tidings,
    wait_until,
)
from tidings.demo.publisher import (
    BURST_SECONDS,
    FatalTransport,
    Published,
    bursts,
    doomed_revision,
    publish_revision,
)
from tidings.demo.receiver import Orders
from tidings.demo.report import Outage, Outcome, outage
from tidings.demo.source import Revision
from tidings.domain.buckets import bucket_of
from tidings.domain.dispatch import Attempt
from tidings.storage.open import open_storage

RECEIVER_DIES = 0.35
"""After this share of the bursts; and two bursts later it lives again, well within 8 s."""
RECEIVER_DOWN_BURSTS = 2
CATCH_UP_SECONDS = 25.0
_ATTEMPTS = 1_000
"""More than a minute's pings to one webhook."""
PATIENCE = Patience(total_seconds=20.0, longest_seconds=0.5)


class Play:
    """One run of the demo in a folder and a database of its own."""

    def __init__(self, folder: Path, database: str, say: Callable[[str], None]) -> None:
        self._clock = SystemClock()
        self._began_at = self._clock.monotonic()
        self._folder = folder
        self._say = say
        self._database = database
        self._server = ServerProcess(self._database, folder, self._clock)
        self._receiver = ReceiverProcess(free_port(), folder, self._clock)
        self._kills: list[tuple[float, float]] = []
        """When something was killed, and when it was started again."""

    def run(self, revisions: Sequence[Revision]) -> Outcome:
        """Play; whatever happens, everything that was started is stopped."""
        with ExitStack() as stack:
            stack.callback(self._receiver.stop)
            stack.callback(self._server.stop)
            self._open()
            published = self._publish(revisions)
            ledger = Ledger(self._folder / "receiver.db")
            stack.callback(ledger.close)
            self._catch_up(ledger, published)
            self._receiver.stop()
            server_exit = self._server.stop()
            return self._outcome(revisions, published, ledger, server_exit)

    def _open(self) -> None:
        self._server.start()
        self._server.wait_until_ready()
        self._tell(f"a server listens at {self._server.url}")
        self._publisher_key = self._make_key("publisher")
        key = self._make_key("subscriber")
        with self._client(key) as client:
            webhook = client.create_webhook(
                source.SOLUTION,
                ["RECORD_CREATED", "RECORD_UPDATED", "RECORD_DELETED"],
                url=f"http://127.0.0.1:{self._receiver.port}/pings",
            )
        self._webhook_id = webhook.webhook_id
        orders = Orders(
            port=self._receiver.port,
            ledger=str(self._folder / "receiver.db"),
            url=self._server.url,
            key=key,
            webhook_id=webhook.webhook_id,
            secret=webhook.signing_secret or "",
        )
        self._receiver.give_orders(msgspec.json.encode(orders))
        self._receiver.start()
        self._receiver.wait_until_ready()
        self._tell(f"a receiver waits for pings of webhook {webhook.webhook_id}")

    def _publish(self, revisions: Sequence[Revision]) -> list[Published]:
        planned = list(bursts(revisions))
        receiver_dies = int(len(planned) * RECEIVER_DIES)
        doomed = doomed_revision(revisions)
        transport = FatalTransport(self._kill_server, self._clock)
        published: list[Published] = []
        began_at = self._clock.monotonic()
        with Client(
            self._server.url,
            self._publisher_key,
            pause=self._clock.pause,
            patience=PATIENCE,
            transport=transport,
        ) as client:
            for number, burst in enumerate(planned):
                if number == receiver_dies:
                    self._kill_receiver()
                elif number == receiver_dies + RECEIVER_DOWN_BURSTS:
                    self._revive_receiver()
                for revision in burst:
                    transport.armed = transport.armed or revision is doomed
                    published.append(publish_revision(client, revision, self._clock))
                due_at = began_at + (number + 1) * BURST_SECONDS
                self._clock.pause(max(0.0, due_at - self._clock.monotonic()))
        if len(planned) <= receiver_dies + RECEIVER_DOWN_BURSTS:
            self._revive_receiver()
        self._tell(f"{len(published)} batches are published")
        return published

    def _kill_receiver(self) -> None:
        self._receiver.kill()
        self._receiver_killed_at = self._clock.monotonic()
        self._tell("the receiver is killed (SIGKILL); publishing goes on")

    def _revive_receiver(self) -> None:
        self._receiver.start()
        self._receiver.wait_until_ready()
        self._kills.append((self._receiver_killed_at, self._clock.monotonic()))
        self._tell(
            "the receiver is started again; the engine's retry is due 10 s after its failure"
        )

    def _kill_server(self) -> None:
        killed_at = self._clock.monotonic()
        self._server.kill()
        self._server.start()
        self._kills.append((killed_at, self._clock.monotonic()))
        self._tell(
            "the server is killed (SIGKILL) while a publish is in flight, and started again; "
            "the publisher goes on with the same Idempotency-Key"
        )

    def _catch_up(self, ledger: Ledger, published: Sequence[Published]) -> None:
        last = max((one.last_position or 0 for one in published), default=0)
        wait_until(
            lambda: int(ledger.progress().token or 0) >= last,
            CATCH_UP_SECONDS,
            self._clock,
            f"The receiver hasn't caught up {CATCH_UP_SECONDS:g} s after the last publish.",
        )
        self._tell("the receiver has read everything")

    def _outcome(
        self,
        revisions: Sequence[Revision],
        published: Sequence[Published],
        ledger: Ledger,
        server_exit: int | None,
    ) -> Outcome:
        table = source.table_after(revisions)
        pings = ledger.pings()
        outages: list[Outage] = [outage(*kill, pings) for kill in self._kills]
        return Outcome(
            published=tuple(published),
            pings=pings,
            outages=tuple(outages),
            progress=ledger.progress(),
            differences=tuple(source.differences(table, ledger.table())),
            records=len(table),
            receiver_restarts=self._receiver.starts - 1,
            attempts=asyncio.run(self._attempts()),
            server_restarts=self._server.starts - 1,
            server_exit=server_exit,
            seconds=self._clock.monotonic() - self._began_at,
        )

    async def _attempts(self) -> tuple[Attempt, ...]:
        """Read the server's log of attempts, now that the server has ended."""
        bucket = bucket_of(source.ACCOUNT, source.SOLUTION)
        storage = await open_storage(self._database, self._clock, serve=False)
        try:
            return tuple(await storage.dispatch.attempts_of(bucket, self._webhook_id, _ATTEMPTS))
        finally:
            await storage.close()

    def _make_key(self, role: str) -> str:
        return run_tidings(
            *("keys", "create", "--account", source.ACCOUNT, "--name", role, "--role", role),
            *("--database", self._database),
            folder=self._folder,
        )

    def _client(self, key: str) -> Client:
        return Client(self._server.url, key, pause=self._clock.pause, patience=PATIENCE)

    def _tell(self, sentence: str) -> None:
        self._say(f"{self._clock.monotonic() - self._began_at:5.1f} s  {sentence}")


def play(
    revisions: Sequence[Revision], databases: Databases, say: Callable[[str], None]
) -> Outcome:
    """Run the demo in a temporary folder and return what was seen.

    Raises FailedPrecondition if a process doesn't start, or the receiver doesn't catch up.
    """
    with tempfile.TemporaryDirectory(prefix="tidings-demo-") as name:
        folder = Path(name)
        with databases.fresh(folder) as database:
            return Play(folder, database, say).run(revisions)
