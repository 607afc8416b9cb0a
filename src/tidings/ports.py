"""Every seam between the engine and the outside, in one file.

The engine knows these protocols and the domain, never an adapter. Each port's promises are held by
a conformance suite that ships with the package (`tidings.testing`) and runs over every adapter.
Differences between adapters are declared in `Capabilities`; nobody asks for an adapter's name.

All methods raise only errors of `tidings.errors`: `StorageUnavailable` where it passes,
`StorageFault` where it doesn't.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from tidings.domain.caps import Caps
from tidings.domain.count_note import CountNote, HeardCounts
from tidings.domain.dispatch import (
    Attempt,
    BucketSettlement,
    BucketState,
    CallbackCursor,
    ReadNote,
    Tracked,
)
from tidings.domain.filter import Revision
from tidings.domain.key import ApiKey
from tidings.domain.lifecycle import Step
from tidings.domain.log_entry import (
    Append,
    Appended,
    CallbackEntries,
    CallbackQuery,
    Header,
    Page,
    PageQuery,
    Receipt,
)
from tidings.domain.sweep import MoveBatch, SweepTime
from tidings.domain.webhook import PartOfList, Placed, Webhook


class Clock(Protocol):
    """Time and dice, so that tests can own both."""

    def now(self) -> datetime:
        """Return the present: aware, UTC, whole milliseconds."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""

    async def wait(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        """Return True once `event` is set, or False after `timeout_seconds`."""

    def entropy(self, size: int) -> bytes:
        """Return `size` bytes that nobody can guess."""

    def draw(self) -> float:
        """Return a number in [0, 1)."""


class ChangeLog(Protocol):
    """Append-only, ordered by position within a bucket (mechanics L1 to L7, P1)."""

    async def append(self, append: Append) -> Receipt:
        """Append all entries of one publish, durably, or none; return its receipt.

        Positions ascend in commit order within the bucket. The same key within 24 h in the same
        solution appends once and returns the first receipt, also while the first is under way.
        What `append.sheets` names is known to the `ApplicationStore` once it is durable.

        Raises IdempotencyKeyReused (same key, other body_hash), LogOverloaded (its queue is full;
        nothing was queued).
        """

    async def read_page(self, query: PageQuery) -> Page:
        """Read one page from one snapshot (P1), filtered by the revision that holds at each place.

        A long scan goes in slices of bounded time, each bounded by the first one's end.
        """

    async def read_callback(self, query: CallbackQuery) -> CallbackEntries:
        """Read what one callback is made of, from one snapshot and in one bounded read.

        The same query finds the same entries for as long as retention leaves them: a callback's
        bytes hang on it (mechanics D5).
        """

    async def read_tail(self, tails: Mapping[int, int], limit: int) -> Sequence[Header]:
        """Read entries behind each bucket's tail, control entries too: at most `limit` in all.

        `tails` maps buckets to positions. Ascending by position within a bucket; a bucket's
        entries come without a gap from its tail on, however the limit cuts.
        """

    def watch(self, watcher: Callable[[Appended], None]) -> Callable[[], None]:
        """Call `watcher` in the event loop after each commit of this process; return the undo.

        It is called before the append is answered. A hint only, and only where the adapter
        declares it (`Capabilities.hints`).
        """


class WebhookStore(Protocol):
    """Webhooks, their revisions, and their control entries in the log (mechanics L7)."""

    async def create(
        self, webhook: Webhook, *, start_at: datetime | None, caps: Caps | None = None
    ) -> Webhook:
        """Store a webhook with its first revision and control entry; return it with positions.

        It starts at its control entry's position, or where `start_at` says (P4), which is computed
        under the head lock. Raises FailedPrecondition where `caps` leave no room for it (D8):
        judged in the transaction, so that no number of creations at once gets past them.
        """

    async def get(self, bucket: int, webhook_id: str) -> Webhook | None:
        """Return a webhook by its id, or None."""

    async def current(self, wanted: Mapping[int, Sequence[str]]) -> Mapping[str, Webhook]:
        """Return those of some buckets' webhooks that exist now, by id.

        The dispatcher asks before it sends: once for all that a round of it starts.
        """

    async def list_of_account(
        self, account: str, *, solution: str | None, after: int, limit: int
    ) -> Sequence[Placed]:
        """Return an account's webhooks that are pinged, as they were created, after a place.

        A place is gone on from also when its webhook is deleted meanwhile; 0: from the start.
        """

    async def sheets_of_account(self, account: str, *, skip: int, limit: int) -> PartOfList:
        """Return an account's callback webhooks, newest first, without the first `skip`."""

    async def revisions(self, bucket: int, webhook_id: str) -> tuple[Revision, ...]:
        """Return a webhook's revisions, ascending by position."""

    async def update(
        self, webhook: Webhook, *, caps: Caps | None = None, epoch: int | None = None
    ) -> Webhook:
        """Replace a webhook's row, with a control entry, and a revision if what it covers changed.

        `webhook.revision` is the one that was read; the stored one is one higher. Where the status
        of a callback webhook changes, and not its `scope_position`, that becomes the control
        entry's: what the log says of the sheet before counts no more.
        Raises RevisionConflict if the row has moved on, NotFound if it is gone,
        FailedPrecondition where `caps` leave no room for one more revision, and LeaseLost where
        `epoch` is given and the lease of its bucket has another by now: a dispatcher's update is
        fenced inside its transaction, as all that it writes is (mechanics D6).
        """

    async def delete(self, webhook: Webhook) -> None:
        """Delete a webhook with its revisions, state, cursor and debts; append a control entry.

        Raises NotFound if it is gone.
        """

    async def tracked(self, bucket: int, webhook_id: str) -> Tracked | None:
        """Return a webhook as the dispatcher holds it, or None if it is gone."""


class DispatchStore(Protocol):
    """Leases and what dispatch must remember (mechanics D1, D2, D6)."""

    async def take(
        self, buckets: Sequence[int], holder: str, seconds: float, *, predecessor_gone: bool = False
    ) -> Mapping[int, int]:
        """Take the leases that are free, ended, or one's own; return bucket → new epoch.

        A take always raises the epoch. `predecessor_gone` takes also what another still holds:
        only for a caller that has proof, such as the file's lock (Q1).
        """

    async def renew(self, holder: str, epochs: Mapping[int, int], seconds: float) -> frozenset[int]:
        """Lengthen leases that are still held at these epochs; return the buckets that are."""

    async def release(self, holder: str, epochs: Mapping[int, int]) -> None:
        """End leases that are still held at these epochs."""

    async def held(self) -> Mapping[int, str]:
        """Return who holds which bucket (bucket → holder), of the leases that haven't ended."""

    async def load(self, bucket: int) -> BucketState:
        """Read all that the holder of a bucket needs, from one snapshot."""

    async def settle(self, settlements: Sequence[BucketSettlement]) -> frozenset[int]:
        """Write settlements in one transaction; return the buckets left out: their epoch is over.

        Rows of webhooks that are gone are left out silently.
        """

    async def cursors(
        self, bucket: int, webhook_ids: Sequence[str]
    ) -> Mapping[str, CallbackCursor]:
        """Return those of the callback webhooks' cursors that exist (mechanics D5)."""

    async def note_reads(self, notes: Sequence[ReadNote]) -> Sequence[str]:
        """Store when and how far webhooks were listed. Never moves either back.

        Those that had left their first stage are led back to it, each with a control entry; their
        ids are returned (contract 1.7).
        """

    async def tell_reads(self, notes: Sequence[ReadNote]) -> None:
        """Leave notes for the dispatcher of another process; of one webhook the last is kept.

        Hints: a crash of the database may lose them. An adapter with one server a database
        (`Capabilities.sole_server`) keeps none: all are heard of in its own process.
        """

    async def take_told(self, buckets: Sequence[int]) -> Sequence[ReadNote]:
        """Return the notes that were left for these buckets, and keep them no more."""

    async def add_attempts(self, attempts: Sequence[Attempt]) -> None:
        """Add to the log of attempts, in one batch."""

    async def attempts_of(self, bucket: int, webhook_id: str, limit: int) -> Sequence[Attempt]:
        """Return a webhook's newest attempts, newest first."""


class RosterStore(Protocol):
    """Which processes are there, in which role (mechanics D6). All times are the database's."""

    async def attend(self, role: str, holder: str, seconds: float) -> Sequence[str]:
        """Say that a process is there for `seconds`; return who is, the first to come first.

        One whose time was over stands last again: it was away.
        """

    async def present(self, role: str) -> Sequence[str]:
        """Return who is there, the first to come first."""

    async def leave(self, role: str, holder: str) -> None:
        """Say that a process is there no more."""


class CountStore(Protocol):
    """What API processes tell each other of the requests that they counted (contract 1.8).

    Hints: a crash of the database may lose them. An adapter with one server a database
    (`Capabilities.sole_server`) keeps none: that one counts all.
    """

    async def tell(self, note: CountNote) -> None:
        """Leave a note for at least COUNT_NOTES_KEPT_SECONDS.

        What lies for longer is dropped with a teller's first note, and with some of the later ones.
        """

    async def hear(self, listener: str, since_ms: int) -> HeardCounts:
        """Return the notes that others left at `since_ms` or later; one may be there twice.

        A note can be read a while after it was left only, where the database is slow.
        """


class LifecycleStore(Protocol):
    """The time that sweeps keep, and what it does to webhooks (contract 1.7; mechanics L8, P7)."""

    async def time(self) -> SweepTime:
        """Return the time that the last sweep stored, and the database's clock now."""

    async def keep_time(self, last: SweepTime, paused: timedelta) -> bool:
        """Store `last.now` as this sweep's time, and the pauses in all; durable when it returns.

        False where another sweep has stored its time since `last` was read. From here on nothing
        is appended by a clock that is CLOCK_AHEAD_SECONDS ahead of this time and what has passed
        since (monotonic): such an append raises ClockAhead.
        """

    async def next_due(self) -> datetime | None:
        """Return when a webhook may be due for its next step, at the earliest; None without any."""

    async def step(self, step: Step, limit: int) -> MoveBatch:
        """Let webhooks take a step that is due by the database's clock: look at `limit` at most.

        Each is moved with a control entry and a revision of its own, or deleted with all its rows,
        only if it is still in that stage and wasn't listed meanwhile.
        """

    async def extend(self, bucket: int, webhook_id: str, listed_by: str) -> bool:
        """Let a webhook's limits count from now on; durable when it returns (mechanics P7).

        Whether that led it back to its first stage. Raises NotFound if it is gone, or past its
        end by the database's clock: then the sweep that deletes it wins.
        """


class RetentionStore(Protocol):
    """Dropping what is over its time (mechanics L2, L7), in batches.

    Each call is one transaction that is so short that appends go in between; it returns how many
    rows it deleted, 0 where nothing is left to do. An adapter that drops whole days
    (`Capabilities.whole_days`) counts days, and keeps the day in which the border lies.
    """

    async def prepare_days(self) -> None:
        """Make room for the coming days, where the adapter keeps each day apart."""

    async def raise_floor(self, before: datetime) -> None:
        """Let the log begin at `before` in all buckets. Never moves it back.

        What lies behind the floor isn't listed any more from then on, though its rows are still
        there. It goes by time alone, the same in all buckets: how far another tenant's entries
        reach is told to nobody.
        """

    async def drop_entries(self) -> int:
        """Delete a batch of log entries behind the floor."""

    async def drop_revisions(self) -> int:
        """Delete a batch of revisions whose successor holds from the floor or before it on."""

    async def drop_attempts(self, before: datetime) -> int:
        """Delete a batch of attempts that were made before an instant."""

    async def drop_idempotency_keys(self, before: datetime) -> int:
        """Delete a batch of keys, and their receipts, that were first used before an instant."""


class KeyStore(Protocol):
    """API keys, by hash (contract 3.1)."""

    async def create(self, key: ApiKey) -> None:
        """Store a key. Raises AlreadyExists if the account has a living key of this name."""

    async def find(self, key_hash: bytes) -> ApiKey | None:
        """Return the living key with this hash, or None: also where it was revoked just now."""

    async def list(self, account: str | None) -> Sequence[ApiKey]:
        """Return keys, also revoked ones, of one account or of all, oldest first."""

    async def revoke(self, key_id: str, now: datetime) -> bool:
        """Revoke a key; False if there is no living one of this id."""

    async def touch(self, used_at: Mapping[str, datetime]) -> None:
        """Store when keys were last used (key_id → instant)."""


class ApplicationStore(Protocol):
    """Which solution an application belongs to (contract 3.2)."""

    async def register(
        self,
        account: str,
        solution: str,
        application: str,
        name: str | None,
        *,
        caps: Caps | None = None,
    ) -> None:
        """Register an application; the same again changes its name if one is given.

        Its callback webhooks that stand disabled because it was deleted are enabled again, each
        with a control entry (contract 2.6): what the log says of it so far counts no more.

        Raises FailedPrecondition where `caps` leave no room for one that is new (D8), and
        AlreadyExists if it belongs to another solution of the account.
        """

    async def solution_of(self, account: str, application: str) -> str | None:
        """Return the solution that an application belongs to; None where it isn't known."""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """How adapters differ, said aloud."""

    lanes: int
    hints: bool
    """`ChangeLog.watch` is called for every append of the whole installation."""
    sole_server: bool
    """One server a database, by a lock that dies with its process: it takes all leases at once."""
    whole_days: bool
    """Retention drops whole days: rows stay, unseen, until all of their day is over its time."""


class SchemaState(msgspec.Struct, frozen=True):
    """The schema's version in the database, and the one this code needs (migration numbers)."""

    found: int
    needed: int


class Storage(Protocol):
    """One database, opened; its ports share it."""

    log: ChangeLog
    webhooks: WebhookStore
    dispatch: DispatchStore
    roster: RosterStore
    counts: CountStore
    lifecycle: LifecycleStore
    retention: RetentionStore
    keys: KeyStore
    applications: ApplicationStore
    capabilities: Capabilities

    async def probe(self) -> None:
        """Return if the database can be read and written now; raise what hinders it otherwise."""

    async def close(self) -> None:
        """Finish what is queued and close. A second call does nothing."""


class SendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One POST to an endpoint."""

    account: str
    """Whose DNS share it takes (mechanics D7)."""
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    deadline_seconds: float
    """One deadline over DNS, connect, TLS, headers and body."""


class SendOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `status` is None where no whole answer's headers came."""

    status: int | None
    headers: Mapping[str, str] = {}
    """The answer's headers, names in lower case, the last of each; bounded."""
    body: bytes = b""
    """At most RESPONSE_BYTES of it."""
    error: str | None = None
    """None exactly where the endpoint acknowledged: a 2xx, within the deadline. Otherwise a
    sentence for the webhook's owner; never an internal address or a trace."""
    unreachable: bool = False
    """No connection could be made: true for everyone who is due there (mechanics D7)."""
    elapsed_seconds: float = 0.0


class Sender(Protocol):
    """HTTP(S) out, guarded (mechanics S1 to S3). Never raises for what an endpoint does."""

    async def send(self, request: SendRequest) -> SendOutcome:
        """POST once, without redirects, within the deadline. Cancelling it hangs up."""

    async def close(self) -> None:
        """Hang up everything that is under way and free what is held. Twice is fine."""


class NotificationHints(Protocol):
    """What the API tells a dispatcher of the same process; correctness never hangs on it."""

    def note_read(self, note: ReadNote) -> None:
        """A page was listed."""
