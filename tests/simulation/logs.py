"""What a simulated world's log says: each line is shown to a judge, and goes nowhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog


@contextmanager
def watched(judge: Callable[[str], None]) -> Iterator[None]:
    """Let `judge` see each line that is logged meanwhile, of every level."""

    def look(logger: object, method: str, line: MutableMapping[str, Any]) -> Any:
        judge(repr(line))
        raise structlog.DropEvent

    before = structlog.get_config()
    everything = structlog.make_filtering_bound_logger(logging.DEBUG)
    structlog.configure(processors=[look], wrapper_class=everything)
    try:
        yield
    finally:
        structlog.configure(**before)
