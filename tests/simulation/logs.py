"""What a simulated world's log says: each line is shown to a judge, and goes nowhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog


class _Judged(logging.Handler):
    """Shows the lines of the consumers' half to a judge, which go by the standard library."""

    def __init__(self, judge: Callable[[str], None]) -> None:
        super().__init__()
        self._judge = judge

    def emit(self, record: logging.LogRecord) -> None:
        """Show a line."""
        self._judge(record.getMessage())


@contextmanager
def watched(judge: Callable[[str], None]) -> Iterator[None]:
    """Let `judge` see each line that is logged meanwhile, of every level."""

    def look(logger: object, method: str, line: MutableMapping[str, Any]) -> Any:
        judge(repr(line))
        raise structlog.DropEvent

    before = structlog.get_config()
    everything = structlog.make_filtering_bound_logger(logging.DEBUG)
    structlog.configure(processors=[look], wrapper_class=everything)
    consumers, judged = logging.getLogger("tidings"), _Judged(judge)
    consumers.addHandler(judged)
    consumers.propagate = False
    try:
        yield
    finally:
        consumers.removeHandler(judged)
        consumers.propagate = True
        structlog.configure(**before)
