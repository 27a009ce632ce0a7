"""`tagstream untag CUSTOMER TAG`: take back what was set by hand."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    tag: Annotated[str, typer.Argument(help="The tag's id.")],
    reason: Annotated[str | None, typer.Option(help="Why, for those who look at the customer later.")] = None,
    actor: Annotated[str | None, typer.Option(help="Who asks; default: your login name.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds to wait for the answer.")] = 10.0,
) -> None:
    """Take back what was set by hand, so that the tag's rule decides again, and wait for the answer.

    Exit code 0: accepted, 2: refused, or no answer in time.
    """
    from streams.control.ask import ask
    from streams.settings import load

    ask(
        load().settings.kafka,
        "remove",
        customer,
        tag,
        reason=reason,
        actor=actor,
        timeout_s=timeout,
    )
