"""How a webhook lives: one transition table of its stages (contract 1.7).

Its limits count from the creation, then from each ListEvents. A day before each of both limits it
is warned; at the first, notifications go off; at the second it is deleted, with its view of the
log. ListEvents leads back from every stage. What holds of the table, in words:

- Every living webhook can be deleted, by its owner at any time and by time alone in the end.
- Each limit is warned of, a day before.
- Reading in the second week revives, and gives all of the first week anew.
- Only ListEvents extends: no other arrow leads back.
- Collection never stops: no stage but the last, in which nothing is left, touches the log.

The times are those of a clock that stands still while no sweeper runs: see `domain/sweep.py`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from tidings.domain import limits

_WARNED_AFTER = timedelta(days=limits.EXPIRY_DAYS) - timedelta(hours=limits.EXPIRY_WARNING_HOURS)
_EXPIRES_AFTER = timedelta(days=limits.EXPIRY_DAYS)
_DELETED_AFTER = timedelta(days=limits.DELETION_DAYS)
_LAST_WARNED_AFTER = _DELETED_AFTER - timedelta(hours=limits.EXPIRY_WARNING_HOURS)


class Stage(StrEnum):
    """How far a webhook is from its end. Deleting one removes its row: it has no stage."""

    ACTIVE = "ACTIVE"
    WARNED = "WARNED"
    EXPIRED = "EXPIRED"
    LAST_WARNED = "LAST_WARNED"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What time alone does to a webhook that nobody lists."""

    leaves: Stage
    after: timedelta
    """Since its limits began to count."""
    enters: Stage | None
    """None: it is deleted."""
    warns: bool = False
    """Whether it raises a notice."""


STEPS = (
    Step(leaves=Stage.ACTIVE, after=_WARNED_AFTER, enters=Stage.WARNED, warns=True),
    Step(leaves=Stage.WARNED, after=_EXPIRES_AFTER, enters=Stage.EXPIRED),
    Step(leaves=Stage.EXPIRED, after=_LAST_WARNED_AFTER, enters=Stage.LAST_WARNED, warns=True),
    Step(leaves=Stage.LAST_WARNED, after=_DELETED_AFTER, enters=None),
)
"""By time: one step out of each stage."""

LISTED = dict.fromkeys(Stage, Stage.ACTIVE)
"""By ListEvents: the stage that each becomes, with limits that count from now on."""

NOTIFIED = frozenset({Stage.ACTIVE, Stage.WARNED})
"""Stages in which notifications are on, if the owner wants them."""

_STEP_OUT_OF = {step.leaves: step for step in STEPS}


def step_out_of(stage: Stage) -> Step:
    """Return what time will do next to a webhook in this stage."""
    return _STEP_OUT_OF[stage]


def expires_at(extended_at: datetime) -> datetime:
    """Return when notifications go off, for limits that count from `extended_at`."""
    return extended_at + _EXPIRES_AFTER


def deletes_at(extended_at: datetime) -> datetime:
    """Return when the webhook is deleted, for limits that count from `extended_at`."""
    return extended_at + _DELETED_AFTER


def limit_ahead(stage: Stage, extended_at: datetime) -> datetime:
    """Return the limit that comes next: what a warning tells of."""
    return expires_at(extended_at) if stage in NOTIFIED else deletes_at(extended_at)


def writes_first(stage: Stage, extended_at: datetime, now: datetime) -> bool:
    """Whether a ListEvents must be durable before it is answered (mechanics P7).

    So it is within a day of a limit and in the second week, whether or not a sweep has come by.
    """
    return stage is not Stage.ACTIVE or now >= extended_at + _WARNED_AFTER
