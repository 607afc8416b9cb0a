"""When a webhook is reminded that events stay unread (contract 1.6; mechanics D1)."""

from __future__ import annotations

LADDER_SECONDS = (60.0, 300.0, 1_800.0, 7_200.0, 21_600.0, 86_400.0)
"""1, 5, 30 minutes, 2, 6 hours, then daily: each counted from the last acknowledged ping."""
RUNGS = len(LADDER_SECONDS) - 1


def wait_before_reminder(reminders: int) -> float:
    """Return the seconds from an acknowledged ping to the next reminder.

    `reminders` have been acknowledged since the reader last came on.
    """
    return LADDER_SECONDS[min(reminders, RUNGS)]


def spread_wait(reminders: int, draw: float, most: float) -> float:
    """Return the seconds to a reminder that fell due while nobody dispatched.

    `draw` in [0, 1) spreads such reminders over the time that they would have waited at most, and
    over `most` seconds at most, so that they don't all go at once.
    """
    return draw * min(wait_before_reminder(reminders), most)
