"""What goes into the change log, and what comes out of it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tidings.domain.filter import Revision
from tidings.domain.lifecycle import Stage
from tidings.domain.limits import ACCOUNT_APPLICATIONS


class NewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A change on its way into the log; its position is given by the append.

    `body` is the event's JSON without what differs between webhooks: from `,"kind":` to the
    closing brace, holding the publisher's own bytes (see `domain/event.py`).
    """

    kind: int
    application: str
    subject: str
    """The record's or field's id; empty for a change of the application itself."""
    mask: int
    """Hashed changed fields (`domain/filter.py`); EVERY_FIELD where each filter passes it."""
    changed: tuple[str, ...] | None
    """The changed fields by name; None where the mask is EVERY_FIELD."""
    body: bytes
    by: str | None = None
    change_agent: str | None = None


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """One publish: its entries are appended together or not at all (mechanics L3, L4)."""

    bucket: int
    account: str
    solution: str
    key: str
    """The idempotency key: the client's, or one we made."""
    key_is_new: bool = False
    """Whether we made it for this very publish: until its first try nothing stands under it."""
    body_hash: bytes
    """SHA-256 of what was sent under the key: another one with the same key is refused."""
    entries: tuple[NewEntry, ...]
    suppressed: int
    batch_id: str
    sheets: tuple[str, ...] = ()
    """Numeric applications that may be new: they are noted with the append, each as the solution's
    unless it is another one's already, and as far as the account has room (`sheets_at_most`)."""
    sheets_at_most: int = ACCOUNT_APPLICATIONS


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an append, stored under its key: a repeat gets this very one."""

    accepted: int
    suppressed: int
    batch_id: str
    first_position: int | None
    last_position: int | None


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Of an entry what matching needs. A control entry (kind 0) names a webhook as `subject`."""

    bucket: int
    position: int
    account: str
    solution: str
    kind: int
    application: str
    subject: str
    changed: tuple[str, ...] | None


class Appended(msgspec.Struct, frozen=True):
    """A hint to watchers in the same process: these headers follow `previous` in their bucket.

    It joins on to a tail only where the tail is `previous`; anything else is read from the log
    (mechanics L7).
    """

    bucket: int
    previous: int
    headers: tuple[Header, ...]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What one page reads: the events of one solution after a position, by its revisions."""

    bucket: int
    account: str
    solution: str
    after: int
    """Exclusive: the greater of the token and the webhook's start."""
    revisions: tuple[Revision, ...]
    """Ascending, at least one."""
    limit: int
    budget_seconds: float
    max_bytes: int
    webhook_id: str | None = None
    """Whose page it is; its standing comes with the page."""


class Standing(msgspec.Struct, frozen=True):
    """What a webhook's pages hang on, so that one can be told to be right by it."""

    stage: Stage
    revised_at: tuple[int, ...]
    """From where on each of its revisions holds, ascending: a revision never changes."""


class PageEntry(msgspec.Struct, frozen=True):
    """One event of a page: its place and its stored bytes (`NewEntry.body`)."""

    position: int
    body: bytes


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page and its end, from one snapshot (mechanics P1)."""

    entries: tuple[PageEntry, ...]
    end: int
    """The last position of this solution that was scanned, or `after` if that is later."""
    has_more: bool
    """Whether something that matches lies behind `end`, or the scan ran out of its budget."""
    floor: int
    """Retention has dropped everything up to this position; 0 where nothing was dropped."""
    bucket_last: int
    """The bucket's last position, to judge tokens by; never shown to a client (P2). Of a page that
    is full it may be the last one that was seen."""
    read_at: datetime
    """The database's clock at the read."""
    standing: Standing | None = None
    """How the query's webhook stood at the page's snapshot; None where it was gone."""


class CallbackQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What one callback is made of: a sheet's changes within (after, until] that it covers."""

    bucket: int
    account: str
    solution: str
    after: int
    until: int
    revision: Revision
    """What the webhook covers: its sheet and subscope never change."""
    limit: int
    max_bytes: int


class CallbackEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Of an entry what a callback's events are made of.

    `body` is all of it where the events hang on the data (a record that was created, or updated
    without a word of which fields), and otherwise at least as far as `event_at`.
    """

    position: int
    kind: int
    subject: str
    changed: tuple[str, ...] | None
    by: str | None
    change_agent: str | None
    body: bytes


class CallbackEntries(msgspec.Struct, frozen=True, kw_only=True):
    """What such a read found, from one snapshot."""

    entries: tuple[CallbackEntry, ...]
    end: int
    """Up to where nothing was left out: `until`, or less where a limit came first."""
    floor: int
    """Retention has dropped everything up to this position."""
