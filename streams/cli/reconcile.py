"""`tagstream reconcile`: compare Redis with tags.current now, and repair what differs."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    partition: Annotated[int | None, typer.Option(min=0, help="Only this one; default: all of them.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only ask for it.")] = False,
) -> None:
    """Have the projectors compare Redis with tags.current now, repair what differs, and tell what they found.

    They do so by themselves as well, slowly (the settings projector.reconcile_…). Exit code 2: no projector is at work;
    it is noted for the next.
    """
    from streams.cli.progress import progress
    from streams.clock import SystemClock
    from streams.projector.asking import asking, chosen_partitions
    from streams.settings import load

    settings = load().settings
    partitions = chosen_partitions(settings, partition)
    with asking(settings, SystemClock(), partitions) as ask, progress("Partitions") as on_progress:
        results = ask.reconcile(wait=not no_wait, on_progress=on_progress)
    if no_wait:
        typer.echo(f"asked for a comparison of {len(partitions)} partitions")
    for number, found in results.items():
        typer.echo(
            f"partition {number}: {found['compared']} compared, {found['missing']} missing, {found['extra']} extra, "
            f"{found['different']} different" + ("; too many, so it is being rebuilt" if found["rebuilt"] else "")
        )
