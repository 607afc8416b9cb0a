"""What dispatch remembers as rows, and back."""

from __future__ import annotations

from tidings.domain.dispatch import Attempt, Debt, DispatchState, ReadNote
from tidings.domain.instants import from_milliseconds, to_milliseconds
from tidings.storage.rows.callbacks import Row
from tidings.storage.rows.instants import loaded, stored


def state_row(state: DispatchState) -> Row:
    """Return a state's whole row."""
    return (
        state.bucket,
        state.webhook_id,
        state.matched,
        state.notified,
        state.reminders,
        stored(state.remind_at),
        state.noticed,
    )


def read_state(
    bucket: int,
    webhook_id: str,
    matched: int,
    notified: int,
    reminders: int,
    remind_at: int | None,
    noticed: int,
) -> DispatchState:
    """Return the state of its row."""
    return DispatchState(
        bucket=bucket,
        webhook_id=webhook_id,
        matched=matched,
        notified=notified,
        reminders=reminders,
        remind_at=loaded(remind_at),
        noticed=noticed,
    )


def debt_row(debt: Debt) -> Row:
    """Return a debt's whole row."""
    return (
        debt.bucket,
        debt.webhook_id,
        debt.owed_through,
        debt.failures,
        to_milliseconds(debt.next_attempt_at),
        to_milliseconds(debt.since_at),
        debt.last_error,
        debt.revision,
        stored(debt.ended_at),
    )


def read_debt(
    bucket: int,
    webhook_id: str,
    owed_through: int,
    failures: int,
    next_attempt_at: int,
    since_at: int,
    last_error: str,
    revision: int,
    ended_at: int | None,
) -> Debt:
    """Return the debt of its row."""
    return Debt(
        bucket=bucket,
        webhook_id=webhook_id,
        owed_through=owed_through,
        failures=failures,
        next_attempt_at=from_milliseconds(next_attempt_at),
        since_at=from_milliseconds(since_at),
        last_error=last_error,
        revision=revision,
        ended_at=loaded(ended_at),
    )


def attempt_row(attempt: Attempt) -> Row:
    """Return an attempt's whole row."""
    return (
        attempt.bucket,
        attempt.webhook_id,
        to_milliseconds(attempt.attempted_at),
        attempt.notification_id,
        attempt.covered,
        attempt.status,
        attempt.error,
        attempt.elapsed_ms,
    )


def read_attempt(
    bucket: int,
    webhook_id: str,
    attempted_at: int,
    notification_id: str,
    covered: int,
    status: int | None,
    error: str | None,
    elapsed_ms: int,
) -> Attempt:
    """Return the attempt of its row."""
    return Attempt(
        bucket=bucket,
        webhook_id=webhook_id,
        attempted_at=from_milliseconds(attempted_at),
        notification_id=notification_id,
        covered=covered,
        status=status,
        error=error,
        elapsed_ms=elapsed_ms,
    )


def told_row(note: ReadNote) -> Row:
    """Return a read note's whole row."""
    return (
        note.bucket,
        note.webhook_id,
        note.account,
        note.key_id,
        to_milliseconds(note.listed_at),
        note.read_position,
        note.has_more,
        note.asked,
    )


def read_told(
    bucket: int,
    webhook_id: str,
    account: str,
    key_id: str,
    listed_at: int,
    read_position: int,
    has_more: bool,
    asked: int | None,
) -> ReadNote:
    """Return the read note of its row."""
    return ReadNote(
        bucket=bucket,
        webhook_id=webhook_id,
        account=account,
        key_id=key_id,
        listed_at=from_milliseconds(listed_at),
        read_position=read_position,
        has_more=has_more,
        asked=asked,
    )
