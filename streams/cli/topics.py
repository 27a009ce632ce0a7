"""`tagstream topics`: are the topics there and as they must be; create them if not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streams.topics import State


def command(
    create: Annotated[bool, typer.Option("--create", help="Create the topics that do not exist.")] = False,
    describe: Annotated[
        bool, typer.Option("--describe", help="Say of each topic what it is for and how it is set.")
    ] = False,
) -> None:
    """Check the topics: all are there, and those keyed by customer have the same number of partitions."""
    from streams import topics
    from streams.clock import SystemClock
    from streams.settings import load

    kafka = load().settings.kafka
    admin = topics.admin_client(kafka)
    if create:
        for name in topics.create_missing(admin, kafka, SystemClock()):
            typer.echo(f"created {name}")
    states = topics.inspect(admin, kafka)
    if describe:
        _describe(states)
    partitions = topics.check(states)
    for state in states:
        for difference in state.differences():
            typer.echo(f"note: {state.name}: {difference}", err=True)
    typer.echo(f"{len(states)} topics are there; those keyed by customer have {partitions} partitions each")


def _describe(states: Sequence[State]) -> None:
    for state in states:
        size = "does not exist" if state.partitions is None else f"{state.partitions} partitions"
        typer.secho(f"{state.name}", bold=True, nl=False)
        typer.echo(f"   {size}, keyed by {state.topic.key}")
        typer.echo(f"    {state.topic.purpose}")
        if state.config:
            typer.echo(f"    {' '.join(f'{name}={value}' for name, value in sorted(state.config.items()))}")
