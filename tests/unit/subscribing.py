"""Subscriptions and headers, made with as few words as a test needs."""

from __future__ import annotations

from itertools import count

from tidings.domain.buckets import bucket_of
from tidings.domain.dispatch import Tracked
from tidings.domain.filter import Filter, Revision, SolutionFilter
from tidings.domain.kinds import Kind
from tidings.domain.log_entry import Header
from tidings.engine.subscriptions import Subscription
from tidings.testing.clock import DEFAULT_START

_numbers = count(1)


def tracked(
    *,
    account: str = "acme",
    solution: str = "crm",
    url: str | None = "https://endpoint.example/hook",
    enabled: bool = True,
    revisions: tuple[Revision, ...] | None = None,
    start_position: int = 0,
    webhook_id: str | None = None,
) -> Tracked:
    """Return a webhook as the store would give it to a dispatcher."""
    return Tracked(
        bucket=bucket_of(account, solution),
        webhook_id=webhook_id or f"webhook-{next(_numbers)}",
        account=account,
        solution=solution,
        enabled=enabled,
        url=url,
        revision=1,
        revisions=revisions or (revision(),),
        start_position=start_position,
        created_position=start_position,
        read_position=0,
        listed_by=None,
        extended_at=DEFAULT_START,
    )


def revision(
    from_position: int = 0,
    wanted: Filter | None = None,
    kinds: tuple[Kind, ...] = (Kind.RECORD_CREATED, Kind.RECORD_UPDATED, Kind.RECORD_DELETED),
) -> Revision:
    """Return a revision that covers records, everywhere unless told otherwise."""
    return Revision(from_position, wanted or SolutionFilter(), kinds)


def subscription(
    *, account: str = "acme", url: str = "https://endpoint.example/hook"
) -> Subscription:
    """Return a webhook as the dispatcher holds it."""
    return Subscription(tracked(account=account, url=url))


def header(
    position: int,
    *,
    kind: int = Kind.RECORD_UPDATED,
    application: str = "people",
    changed: tuple[str, ...] | None = ("name",),
    account: str = "acme",
    solution: str = "crm",
    subject: str = "r1",
) -> Header:
    """Return the header of a change."""
    return Header(
        bucket=bucket_of(account, solution),
        position=position,
        account=account,
        solution=solution,
        kind=kind,
        application=application,
        subject=subject,
        changed=changed,
    )
