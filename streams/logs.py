"""What the processes write to standard error: structlog, one line an event, for people or for collectors.

Log lines of libraries that use the standard library's `logging` take the same form.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

from streams.settings import LogSettings

__all__ = ["keep_off_stdout", "setup"]


def keep_off_stdout() -> None:
    """Until `setup`, and where a command never calls it, lines go to standard error as well."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def setup(log: LogSettings, *, stream: TextIO | None = None) -> None:
    """Configures logging for this process. To be called once, before the first line is written.

    `stream` is standard error if not given; standard output belongs to what a command prints.
    """
    stream = sys.stderr if stream is None else stream
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(log.level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(log)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log.level.upper())


def _rendering(log: LogSettings) -> list[Any]:
    """The last processors: from an event's fields to its line."""
    if log.format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
    ]
