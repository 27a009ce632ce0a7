"""`tagstream config`: every setting, its value, where that came from, and what it does."""

from __future__ import annotations

import typer


def command() -> None:
    """Show every setting: its value, where that comes from, its type and what it does."""
    from streams.settings import DEFAULT_ORIGIN, load

    for row in load().rows():
        typer.secho(row.path, bold=True, nl=False)
        typer.secho(f" = {row.value}", nl=False)
        typer.secho(f"   [{row.origin}]", fg=None if row.origin == DEFAULT_ORIGIN else typer.colors.GREEN)
        typer.echo(f"    {row.doc} ({row.type})")
