"""Webhooks and revisions as rows, and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from tidings.domain.dispatch import EXPIRES_SOON, Notice, Tracked
from tidings.domain.filter import Filter, Revision
from tidings.domain.instants import from_milliseconds, to_milliseconds
from tidings.domain.kinds import Kind
from tidings.domain.lifecycle import NOTIFIED, Stage, limit_ahead, step_out_of
from tidings.domain.webhook import DisabledReason, Notifications, Stamp, Webhook
from tidings.storage.rows.callbacks import Row, read_sheet
from tidings.storage.rows.instants import loaded, stored

NEVER_MS = (1 << 62) - 1
"""When a webhook is due that no sweep ever looks at."""

_FILTER: msgspec.json.Decoder[Filter] = msgspec.json.Decoder(Filter)
_KINDS = msgspec.json.Decoder(tuple[Kind, ...])
_STAGES = {stage.value: stage for stage in Stage}
"""A row is read for each ping; to call Stage costs as much as half of its instants."""


def json_text(value: object) -> str:
    """Return a value as the JSON text that a column holds."""
    return msgspec.json.encode(value).decode()


def changeable(webhook: Webhook) -> Row:
    """Return the columns that an update replaces, in the order of both statements."""
    notifications = webhook.notifications
    return (
        json_text(webhook.filter),
        json_text(webhook.kinds),
        notifications.enabled,
        notifications.url,
        None if notifications.reason is None else notifications.reason.value,
        stored(notifications.disabled_at),
        notifications.last_error,
        webhook.secret,
        webhook.previous_secret,
        stored(webhook.previous_secret_expires_at),
    )


def updated(webhook: Webhook) -> Row:
    """Return the columns of the stamp of the last change."""
    return (webhook.updated.by, to_milliseconds(webhook.updated.at))


def webhook_row(webhook: Webhook, lag_ms: int) -> Row:
    """Return a whole row for `insert_webhook`; lifecycle time lies `lag_ms` behind the clock.

    A callback webhook is due for nothing, ever (contract 2.6).
    """
    extended_at = to_milliseconds(webhook.created.at) - lag_ms
    due_at = extended_at + step_out_of(webhook.stage).after // timedelta(milliseconds=1)
    if webhook.sheet is not None:
        due_at = NEVER_MS
    return (
        webhook.bucket,
        webhook.webhook_id,
        webhook.account,
        webhook.solution,
        *changeable(webhook),
        webhook.created.by,
        to_milliseconds(webhook.created.at),
        *updated(webhook),
        webhook.revision,
        webhook.start_position,
        webhook.created_position,
        extended_at,
        due_at,
    )


def read_webhook(row: Sequence[Any]) -> Webhook:
    """Return the webhook of a row of `find_webhooks`."""
    bucket, webhook_id, account, solution, wanted, kinds = row[:6]
    enabled, url, reason, disabled_at, last_error = row[6:11]
    secret, previous_secret, previous_expires_at = row[11:14]
    created_by, created_at, updated_by, updated_at = row[14:18]
    revision, start_position, created_position, last_listed_at = row[18:22]
    stage_name, staged_at, noticed, extended_ms = row[22:26]
    stage, extended_at = _STAGES[stage_name], from_milliseconds(extended_ms)
    return Webhook(
        bucket=bucket,
        webhook_id=webhook_id,
        account=account,
        solution=solution,
        filter=_FILTER.decode(wanted),
        kinds=_KINDS.decode(kinds),
        notifications=Notifications(
            enabled=bool(enabled),
            url=url,
            reason=None if reason is None else DisabledReason(reason),
            disabled_at=loaded(disabled_at),
            last_error=last_error,
        ),
        secret=secret,
        previous_secret=previous_secret,
        previous_secret_expires_at=loaded(previous_expires_at),
        created=Stamp(created_by, from_milliseconds(created_at)),
        updated=Stamp(updated_by, from_milliseconds(updated_at)),
        revision=revision,
        start_position=start_position,
        created_position=created_position,
        last_listed_at=loaded(last_listed_at),
        stage=stage,
        staged_at=loaded(staged_at),
        extended_at=extended_at,
        notice=_notice(stage, noticed, extended_at),
        sheet=read_sheet(row[26:]),
    )


def read_revision(from_position: int, wanted: str, kinds: str) -> Revision:
    """Return a revision of its columns."""
    return Revision(from_position, _FILTER.decode(wanted), _KINDS.decode(kinds))


def read_tracked(row: Sequence[Any], revisions: tuple[Revision, ...]) -> Tracked:
    """Return the webhook of a row of `tracked_one` or `tracked_of_bucket`."""
    bucket, webhook_id, account, solution, enabled, url, revision, *rest = row
    start_position, created_position, read_position, listed_by, stage_name, *rest = rest
    noticed, extended_ms, *columns = rest
    stage, extended_at = Stage(stage_name), from_milliseconds(extended_ms)
    sheet = read_sheet(columns)
    revoked = sheet is not None and sheet.key_revoked
    wanted = bool(enabled) and url is not None and not revoked
    return Tracked(
        bucket=bucket,
        webhook_id=webhook_id,
        account=account,
        solution=solution,
        enabled=wanted and stage in NOTIFIED,
        url=url,
        revision=revision,
        revisions=revisions,
        start_position=start_position,
        created_position=created_position,
        read_position=read_position,
        listed_by=listed_by,
        stage=stage,
        extended_at=extended_at,
        notice=_notice(stage, noticed, extended_at) if wanted else None,
        sheet=sheet,
    )


def _notice(stage: Stage, noticed: int | None, extended_at: datetime) -> Notice | None:
    """Return the notice that stands: raised at revision `noticed`, of the limit ahead."""
    if noticed is None:
        return None
    return Notice(EXPIRES_SOON, limit_ahead(stage, extended_at), noticed)
