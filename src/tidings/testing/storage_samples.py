"""What the storage contract stores: small entries, publishes, webhooks and keys, made by name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from typing import Protocol

from tidings.domain.buckets import bucket_of, new_webhook_id, new_webhook_number
from tidings.domain.dispatch import Attempt, Debt, ReadNote
from tidings.domain.filter import (
    EVERY_FIELD,
    ApplicationFilter,
    Filter,
    Revision,
    SolutionFilter,
    field_mask,
)
from tidings.domain.key import ApiKey, Role, hash_key
from tidings.domain.kinds import Kind
from tidings.domain.log_entry import Append, NewEntry, Page, PageQuery
from tidings.domain.sheet_webhook import SheetPart
from tidings.domain.webhook import Notifications, Stamp, Webhook
from tidings.ports import ChangeLog, Clock, Storage

ACCOUNT = "acme"
SOLUTION = "crm"
ALL_KINDS = tuple(Kind)
EVERYTHING = (Revision(0, SolutionFilter(), ALL_KINDS),)

_numbers = count(1)


class Database(Protocol):
    """A fresh database with this code's schema: what an adapter's tests give to the contract."""

    async def open(self, clock: Clock, *, serve: bool = True) -> Storage:
        """Open it: as the server, or without `serve` as another process. The contract closes it."""


def fresh(prefix: str) -> str:
    """Return a name that nobody in this process has used."""
    return f"{prefix}-{next(_numbers)}"


def entry(
    subject: str = "row",
    *,
    kind: int = Kind.RECORD_CREATED,
    application: str = "table",
    changed: tuple[str, ...] | None = None,
    body: bytes | None = None,
) -> NewEntry:
    """Return one entry; `changed` makes it an update of these fields."""
    return NewEntry(
        kind=kind,
        application=application,
        subject=subject,
        mask=EVERY_FIELD if changed is None else field_mask(changed),
        changed=changed,
        body=subject.encode() if body is None else body,
    )


def publish(
    *entries: NewEntry,
    account: str = ACCOUNT,
    solution: str = SOLUTION,
    key: str | None = None,
    key_is_new: bool = False,
    sent: bytes = b"sent",
    suppressed: int = 0,
) -> Append:
    """Return one publish; `sent` is what its body hash is taken of."""
    return Append(
        bucket=bucket_of(account, solution),
        account=account,
        solution=solution,
        key=fresh("key") if key is None else key,
        key_is_new=key_is_new,
        body_hash=hashlib.sha256(sent).digest(),
        entries=entries,
        suppressed=suppressed,
        batch_id="batch",
    )


def page_query(
    *,
    account: str = ACCOUNT,
    solution: str = SOLUTION,
    after: int = 0,
    revisions: tuple[Revision, ...] = EVERYTHING,
    limit: int = 50,
    budget_seconds: float = 60.0,
    max_bytes: int = 1 << 20,
    webhook_id: str | None = None,
) -> PageQuery:
    """Return a query for a page of one solution."""
    return PageQuery(
        bucket=bucket_of(account, solution),
        account=account,
        solution=solution,
        after=after,
        revisions=revisions,
        limit=limit,
        budget_seconds=budget_seconds,
        max_bytes=max_bytes,
        webhook_id=webhook_id,
    )


def bodies(page: Page) -> list[bytes]:
    """Return what the entries of a page hold."""
    return [entry.body for entry in page.entries]


async def whole_log(log: ChangeLog, bucket: int, *, step: int = 500) -> list[tuple[int, str]]:
    """Read a bucket from its beginning: (position, subject) of every entry."""
    found: list[tuple[int, str]] = []
    tail = 0
    while headers := await log.read_tail({bucket: tail}, step):
        found.extend((header.position, header.subject) for header in headers)
        tail = headers[-1].position
    return found


def webhook(
    clock: Clock,
    *,
    account: str = ACCOUNT,
    solution: str = SOLUTION,
    wanted: Filter | None = None,
    kinds: Sequence[Kind] = ALL_KINDS,
) -> Webhook:
    """Return a webhook that isn't stored yet."""
    bucket = bucket_of(account, solution)
    stamp = Stamp("tester", clock.now())
    return Webhook(
        bucket=bucket,
        webhook_id=new_webhook_id(bucket, clock.entropy(15)),
        account=account,
        solution=solution,
        filter=SolutionFilter() if wanted is None else wanted,
        kinds=tuple(kinds),
        notifications=Notifications(enabled=True, url="https://example.test/hook"),
        secret="whsec_c2VjcmV0",  # noqa: S106 - of no real endpoint
        created=stamp,
        updated=stamp,
    )


def sheet_webhook(
    clock: Clock,
    *,
    account: str = ACCOUNT,
    solution: str = SOLUTION,
    sheet: int = 4509506114742148,
    columns: tuple[int, ...] = (),
    key_id: str = "key_none",
) -> Webhook:
    """Return a callback webhook that isn't stored yet, as it is created: not verified."""
    bucket = bucket_of(account, solution)
    stamp = Stamp("tester", clock.now())
    return Webhook(
        bucket=bucket,
        webhook_id=str(new_webhook_number(bucket, clock.entropy(6))),
        account=account,
        solution=solution,
        filter=ApplicationFilter(str(sheet), tuple(map(str, columns))),
        kinds=ALL_KINDS,
        notifications=Notifications(enabled=False, url="https://example.test/callback"),
        secret="3qo29mvjou6xt5fujukjtwzhj0",  # noqa: S106 - of no real endpoint
        created=stamp,
        updated=stamp,
        sheet=SheetPart(
            name="a webhook", sheet=sheet, columns=columns, key_id=key_id, status_at=stamp.at
        ),
    )


def api_key(clock: Clock, *, account: str = ACCOUNT, name: str | None = None) -> ApiKey:
    """Return a key that isn't stored yet."""
    key_id = fresh("key")
    return ApiKey(
        key_id=key_id,
        account=account,
        name=name or key_id,
        role=Role.SUBSCRIBER,
        key_hash=hash_key(key_id),
        created_at=clock.now(),
    )


def debt(of: Webhook, at: datetime, *, owed_through: int = 1, failures: int = 1) -> Debt:
    """Return what a webhook is owed since `at`."""
    return Debt(
        bucket=of.bucket,
        webhook_id=of.webhook_id,
        owed_through=owed_through,
        failures=failures,
        next_attempt_at=at,
        since_at=at,
        last_error="connection refused",
    )


def read_note(of: Webhook, at: datetime, position: int, *, key_id: str = "key_one") -> ReadNote:
    """Return that a webhook was listed at `at`, up to `position`."""
    return ReadNote(
        bucket=of.bucket,
        webhook_id=of.webhook_id,
        account=of.account,
        key_id=key_id,
        listed_at=at,
        read_position=position,
        has_more=False,
        asked=None,
    )


def attempt(of: Webhook, at: datetime, *, covered: int = 1) -> Attempt:
    """Return an attempt to notify a webhook."""
    return Attempt(
        bucket=of.bucket,
        webhook_id=of.webhook_id,
        attempted_at=at,
        notification_id=f"{of.webhook_id}.{covered}",
        covered=covered,
        status=200,
        error=None,
        elapsed_ms=12,
    )
