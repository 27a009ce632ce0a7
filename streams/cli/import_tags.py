"""`tagstream import-tags FILE.csv`: many tags set by hand at once."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from schemas.errors import TagstreamError
    from streams.control.importing import Report
    from streams.control.tag_file import TagFile
    from streams.settings import Settings

EXIT_BAD_LINES: Final = 3
SHOWN_BAD_LINES: Final = 50
"""A wrong file has a million bad lines, of which the first few say it all."""


def command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV: customer_id, tag, and perhaps kind, value, reason, term.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check the lines, against the rules in rules.dir; send nothing.")
    ] = False,
    actor: Annotated[str | None, typer.Option(help="Who asks; default: your login name.")] = None,
    rate: Annotated[float, typer.Option(min=1, max=10_000, help="Requests a second at most.")] = 500.0,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds to wait for an answer.")] = 30.0,
) -> None:
    """Set the tags of a file by hand, and report each line that was no request or was refused.

    The same file may be imported again after an interruption: what was done is not done twice. Exit code 0: all lines
    were accepted, 2: the file cannot be read, or no answer came in time, 3: some lines were not accepted.
    """
    from streams.control.ask import actor_or_login
    from streams.control.importing import Report
    from streams.control.tag_file import TagFile
    from streams.settings import load

    settings = load().settings
    source = TagFile(file, actor_or_login(actor))
    report = Report(on_bad=_Shown().show)
    try:
        if dry_run:
            _check(source, settings, report)
        else:
            _send(source, settings, report, rate, timeout)
    finally:
        told = "would be sent" if dry_run else "accepted"
        typer.echo(f"{report.accepted} lines {told}, {report.bad} not")
    if report.bad:
        raise typer.Exit(EXIT_BAD_LINES)


class _Shown:
    """Shows the first bad lines on standard error."""

    def __init__(self) -> None:
        self._count = 0

    def show(self, line: int, error: TagstreamError) -> None:
        self._count += 1
        if self._count <= SHOWN_BAD_LINES:
            typer.echo(f"line {line}: {error.code} {error.message}", err=True)
        elif self._count == SHOWN_BAD_LINES + 1:
            typer.echo("more lines like these are counted and not shown", err=True)


def _check(source: TagFile, settings: Settings, report: Report) -> None:
    """As the control role would, with the rules that lie here."""
    from processors.rules.load import load_rules
    from schemas.errors import RequestError
    from streams.control.check import check_tag
    from streams.rules_dir import read_rules_dir

    rules = settings.rules
    rule_set = load_rules(read_rules_dir(rules.dir), time_zone=rules.time_zone, default_currency=rules.default_currency)
    tags = {tag.id: tag for tag in rule_set.tags}
    for line in source.lines():
        try:
            if isinstance(line.asked, RequestError):
                raise line.asked
            check_tag(line.asked, tags)
            report.accepted += 1
        except RequestError as error:
            report.is_bad(line.number, error)


def _send(source: TagFile, settings: Settings, report: Report, rate: float, timeout_s: float) -> None:
    from streams.cli.progress import progress
    from streams.clock import SystemClock
    from streams.control.client import RequestClient
    from streams.control.importing import send_all

    clock = SystemClock()
    total = sum(1 for _ in source.lines())
    done = itertools.count(1)
    with progress("Requests") as on_progress, RequestClient(settings.kafka, clock) as client:
        send_all(
            source.lines(),
            client,
            clock,
            report,
            per_second=rate,
            timeout_s=timeout_s,
            on_line=lambda: on_progress(next(done), total),
        )
