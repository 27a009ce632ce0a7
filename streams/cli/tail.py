"""`tagstream tail`: follow the changes of tags as they are committed."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    tag: Annotated[str | None, typer.Option(help="Only changes of this tag.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only changes of this customer.")] = None,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="From the oldest change that is kept, not from now on.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with all fields.")] = False,
    max_changes: Annotated[
        int | None, typer.Option("--max", min=1, metavar="N", help="End after so many changes.")
    ] = None,
) -> None:
    """Follow changes of tags: when, who, which tag came or went, why, and how long it took. ^C ends it."""
    from rich.console import Console

    from streams.change_line import change_line
    from streams.changes_feed import ChangesFeed
    from streams.settings import load

    # Wide lines are cut at the terminal's edge, but whole where they go into a file or a pipe.
    console = Console(highlight=False)
    feed = ChangesFeed(load().settings.kafka, from_beginning=from_beginning)
    left = max_changes
    try:
        while left is None or left > 0:
            for change in feed.poll(timeout_s=0.2):
                if (tag is not None and change.tag != tag) or (customer is not None and change.customer_id != customer):
                    continue
                if json:
                    typer.echo(change.to_json())
                else:
                    console.print(change_line(change), soft_wrap=not console.is_terminal)
                if left is not None:
                    left -= 1
                    if left == 0:
                        break
    except KeyboardInterrupt:
        pass
    finally:
        feed.close()
    if feed.unreadable:
        typer.echo(f"{feed.unreadable} records of the topic are no changes and were passed over", err=True)
