"""Where log lines go and how they look: standard error, for people or as JSON."""

from __future__ import annotations

import logging
import sys

import structlog

from tidings.config import LogFormat, LogLevel


def configure_logs(level: LogLevel, form: LogFormat) -> None:
    """Set up structlog for the process, and bring the HTTP server's own lines into it."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if form is LogFormat.JSON:
        last: list[structlog.typing.Processor] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    else:
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    least = getattr(logging, level.upper())
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    # The HTTP server tells of its start and of each request below this; we say both ourselves.
    logging.basicConfig(handlers=[lines], level=max(least, logging.WARNING), force=True)
