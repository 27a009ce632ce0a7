"""`tagstream rebuild-redis`: fill Redis anew from tags.current, while everything goes on."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    partition: Annotated[int | None, typer.Option(min=0, help="Only this one; default: all of them.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only ask for it.")] = False,
) -> None:
    """Have the projectors fill Redis anew from tags.current, and wait until they have.

    Nothing stops meanwhile: the tagger and the projectors go on, and apps read the tags that are there. For the time of
    the rebuild a partition has no clock, or an old one. Exit code 2: no projector is at work; it is noted for the next.
    """
    from streams import topics
    from streams.cli.progress import progress
    from streams.clock import SystemClock
    from streams.projector.asking import asking, chosen_partitions
    from streams.settings import load

    settings = load().settings
    partitions = chosen_partitions(settings, partition)
    ends = topics.ends(topics.admin_client(settings.kafka), settings.kafka, topics.CURRENT, partitions)
    with asking(settings, SystemClock(), partitions) as ask, progress("Records") as on_progress:
        ask.rebuild(wait=not no_wait, ends=ends, on_progress=on_progress)
    typer.echo(f"{'asked for a rebuild of' if no_wait else 'rebuilt'} {len(partitions)} partitions")
