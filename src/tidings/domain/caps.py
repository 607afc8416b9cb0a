"""How much an account may have of what is kept until it is deleted (mechanics D8). Pure.

Past a cap nothing helps but deleting something, so it is a FailedPrecondition: told as a 429, it
would send clients into waiting and trying again.
"""

from __future__ import annotations

import msgspec

from tidings.domain import limits
from tidings.errors import FailedPrecondition


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that may not be exceeded; what is there beyond them stays."""

    account_webhooks: int = limits.ACCOUNT_WEBHOOKS
    solution_webhooks: int = limits.SOLUTION_WEBHOOKS
    account_solutions: int = limits.ACCOUNT_SOLUTIONS
    webhook_revisions: int = limits.WEBHOOK_REVISIONS
    account_applications: int = limits.ACCOUNT_APPLICATIONS


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has of webhooks, seen from one of its solutions."""

    account_webhooks: int
    account_solutions: int
    """Solutions with a webhook."""
    solution_webhooks: int


def check_room_for_webhook(kept: Kept, caps: Caps) -> None:
    """Return if one more webhook may be created in that solution; raises FailedPrecondition."""
    if kept.solution_webhooks >= caps.solution_webhooks:
        raise _full(f"a solution may have {caps.solution_webhooks} webhooks, and this one has them")
    if kept.account_webhooks >= caps.account_webhooks:
        raise _full(f"an account may have {caps.account_webhooks} webhooks, and this one has them")
    if kept.solution_webhooks == 0 and kept.account_solutions >= caps.account_solutions:
        raise _full(
            f"an account may have webhooks in {caps.account_solutions} solutions, and has them"
        )


def check_room_for_revision(revisions: int, caps: Caps) -> None:
    """Return if a webhook with so many may have one more; raises FailedPrecondition."""
    if revisions >= caps.webhook_revisions:
        raise FailedPrecondition(
            f"the filter or the kinds of this webhook were changed {revisions - 1} times within "
            "what the log keeps, which is as often as they may be; create another webhook"
        )


def check_room_for_application(applications: int, caps: Caps) -> None:
    """Return if an account with so many may register one more; raises FailedPrecondition."""
    if applications >= caps.account_applications:
        raise FailedPrecondition(
            f"an account may register {caps.account_applications} applications, and has them"
        )


def _full(reason: str) -> FailedPrecondition:
    return FailedPrecondition(f"{reason}; delete one first")
