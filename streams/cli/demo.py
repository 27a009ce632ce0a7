"""`tagstream demo`: a real Kafka, a real Redis, real purchases, a busy shop; and tags that come and go."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import Annotated, NoReturn

import typer

RATE_AT_MOST = 20_000


def command(
    seconds: Annotated[
        int | None, typer.Option(min=1, help="End this long after the live stream began; default: at Ctrl-C.")
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Directory of the rules; default: those in examples/starter.")
    ] = None,
    kafka: Annotated[str | None, typer.Option(help="Use this broker (host:port) instead of starting one.")] = None,
    redis: Annotated[str | None, typer.Option(help="Use this Redis (its URL) instead of starting one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Allow a broker that is not on this machine.")] = False,
    rate: Annotated[float, typer.Option(min=1, max=RATE_AT_MOST, help="Live events a second, on average.")] = 200.0,
) -> None:
    """Start Kafka, Redis and the whole pipeline, load a history, and watch tags come and go."""
    from rich.console import Console

    from streams.clock import SystemClock
    from streams.demo.show import Wishes, show
    from streams.settings import load

    # Whoever ends the demo politely wants all that it started to end as well.
    signal.signal(signal.SIGTERM, _interrupt)
    wishes = Wishes(seconds=seconds, rules=rules, kafka=kafka, redis=redis, yes=yes, rate=rate)
    with contextlib.suppress(KeyboardInterrupt):
        show(wishes, load().settings, Console(highlight=False), SystemClock())


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
