"""`tagstream control`: requests to set or remove tags by hand in, commands and answers out."""

from __future__ import annotations


def command() -> None:
    """Answer requests to set or remove tags by hand, until SIGTERM or ^C. Start more of it to share the partitions."""
    from streams import logs
    from streams.clock import SystemClock
    from streams.control.main import run
    from streams.settings import load

    settings = load().settings
    logs.setup(settings.log)
    run(settings, SystemClock())
