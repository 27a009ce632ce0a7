"""`tagstream tag CUSTOMER TAG`: have a tag set by hand, or have a customer be without it."""

from __future__ import annotations

from typing import Annotated

import typer

from schemas.errors import RequestError


def command(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    tag: Annotated[str, typer.Argument(help="The tag's id.")],
    value: Annotated[str | None, typer.Option(help="The level or the number, if the tag has one.")] = None,
    absent: Annotated[bool, typer.Option("--absent", help="The customer is to be without the tag.")] = False,
    term: Annotated[
        str | None, typer.Option(help="How long it holds, such as 30d or 12h; default: until it is taken back.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for those who look at the customer later.")] = None,
    actor: Annotated[str | None, typer.Option(help="Who asks; default: your login name.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds to wait for the answer.")] = 10.0,
) -> None:
    """Set a tag of a customer by hand, whatever its rule says, and wait for the answer of the control role.

    Exit code 0: accepted, 2: refused, or no answer in time.
    """
    from streams.control.ask import ask
    from streams.settings import load

    if absent and value is not None:
        raise RequestError("TS-Q104", "A tag that is to be absent has no value")
    ask(
        load().settings.kafka,
        "absent" if absent else "assign",
        customer,
        tag,
        value=value,
        term=term,
        reason=reason,
        actor=actor,
        timeout_s=timeout,
    )
