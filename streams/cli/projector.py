"""`tagstream projector`: keep Redis as tags.current says."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    leave: Annotated[
        bool, typer.Option("--leave", help="When asked to end, leave the group at once: for running fewer projectors.")
    ] = False,
) -> None:
    """Put the tags into Redis, until SIGTERM or ^C. Start more of it to share the partitions."""
    from streams import logs
    from streams.clock import SystemClock
    from streams.projector.main import run
    from streams.settings import load

    settings = load().settings
    logs.setup(settings.log)
    run(settings, SystemClock(), leave)
