"""`tagstream erase CUSTOMER`: have everything forgotten that is known of a customer."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    reason: Annotated[
        str,
        typer.Option(help="Why, such as the number of the case. It is kept: nothing about the customer belongs here."),
    ],
    actor: Annotated[str | None, typer.Option(help="Who asks; default: your login name.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds to wait for the answer.")] = 10.0,
) -> None:
    """Have a customer forgotten: all their tags are left, and nothing of them stays but what docs/privacy.md tells.

    It cannot be taken back. Exit code 0: accepted, 2: refused, or no answer in time.
    """
    from streams.control.ask import ask
    from streams.settings import load

    ask(load().settings.kafka, "erase", customer, None, reason=reason, actor=actor, timeout_s=timeout)
