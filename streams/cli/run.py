"""`tagstream run`: everything on one machine."""

from __future__ import annotations

import typer


def command() -> None:
    """Run tagger, projector and control, and start again what falls over, until SIGTERM or ^C."""
    import signal
    import threading

    from streams import logs
    from streams.clock import SystemClock
    from streams.settings import load
    from streams.supervisor import Supervisor

    settings = load().settings
    logs.setup(settings.log)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    code = Supervisor(SystemClock(), settings.metrics).run(stop.is_set)
    if code:
        raise typer.Exit(code)
