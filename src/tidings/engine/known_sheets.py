"""Noting which sheets there are, as their changes are published (contract 2.2).

A sheet that the Smartsheet contract may name is an application whose id is a number. The log notes
each with its first append; this process remembers which were noted, so that no other append costs
anything.
"""

from __future__ import annotations

from msgspec.structs import replace

from tidings.domain.limits import KNOWN_SHEETS
from tidings.domain.log_entry import Append, Receipt
from tidings.domain.sheet_webhook import sheet_number
from tidings.ports import ChangeLog


class KnownSheets:
    """Appends, and has the log note the sheets that this process hasn't seen yet.

    It remembers KNOWN_SHEETS of them and forgets the oldest: a sheet is then noted once more,
    which changes nothing.
    """

    def __init__(self, log: ChangeLog, *, remembers: int = KNOWN_SHEETS) -> None:
        self._log = log
        self._remembers = remembers
        self._known: dict[tuple[str, str], None] = {}

    async def append(self, append: Append) -> Receipt:
        """Append as `ChangeLog.append` does; what was new is known once it is durable."""
        sheets = self._unknown(append)
        if not sheets:
            return await self._log.append(append)
        receipt = await self._log.append(replace(append, sheets=sheets))
        for sheet in sheets:
            self._learn(append.account, sheet)
        return receipt

    def _unknown(self, append: Append) -> tuple[str, ...]:
        account, known = append.account, self._known
        return tuple(
            application
            for application in {entry.application for entry in append.entries}
            if (account, application) not in known and sheet_number(application) is not None
        )

    def _learn(self, account: str, sheet: str) -> None:
        self._known[account, sheet] = None
        if len(self._known) > self._remembers:
            del self._known[next(iter(self._known))]
