"""`tagstream tagger`: events in, tag changes out."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    leave: Annotated[
        bool, typer.Option("--leave", help="When asked to end, leave the group at once: for running fewer taggers.")
    ] = False,
) -> None:
    """Tag the events, until SIGTERM or ^C. Start more of it to share the partitions."""
    from streams import logs
    from streams.clock import SystemClock
    from streams.settings import load
    from streams.tagger.main import run

    settings = load().settings
    logs.setup(settings.log)
    run(settings, SystemClock(), leave)
