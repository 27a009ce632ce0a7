"""`tagstream projector`: keep Redis as tags.current says."""

from __future__ import annotations


def command() -> None:
    """Put the tags into Redis, until SIGTERM or ^C. Start more of it to share the partitions."""
    from streams import logs
    from streams.clock import SystemClock
    from streams.projector.main import run
    from streams.settings import load

    settings = load().settings
    logs.setup(settings.log)
    run(settings, SystemClock())
