"""`tagstream check DIR`: read the rules, check their types, run their examples; show every error with its cure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from processors.rules.examples import Failure, Replay
    from processors.rules.load import Loaded
    from processors.rules.tree import RuleSet

EXIT_ERRORS = 1

SHOWN_UNUSED = 12
"""Tags named of those that nobody is known to use; how many there are says more."""


def command(
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Directory of the rules; default: the setting rules.dir.")
    ] = None,
    conditions: Annotated[
        bool, typer.Option("--conditions", help="List the conditions with the numbers by which changes name them.")
    ] = False,
    config: Annotated[Path | None, typer.Option("--config", help="File of settings.")] = None,
) -> None:
    """Check rules and run their examples. Exit code 0: usable, 1: errors. Warnings change nothing."""
    from rich.console import Console

    from processors.rules.load import read_rules
    from processors.rules.problems import RuleErrors
    from streams import settings
    from streams.rule_problems import show_problems
    from streams.rules_dir import read_rules_dir

    rules = settings.load(config).settings.rules
    # what is piped into a file or another program is not broken at 80 columns
    console = Console(soft_wrap=True, highlight=False)
    try:
        files = read_rules_dir(directory or rules.dir)
    except RuleErrors as found:
        show_problems(console, found.errors, "red")
        raise typer.Exit(EXIT_ERRORS) from None
    loaded = read_rules(
        files, time_zone=rules.time_zone, default_currency=rules.default_currency, today=today(rules.time_zone)
    )
    show_problems(console, loaded.errors, "red")
    show_problems(console, loaded.warnings, "yellow")
    failures = [] if loaded.rule_set is None else _run_examples(loaded.rule_set)
    _show_failures(console, failures)
    if conditions and loaded.rule_set is not None:
        _list_conditions(console, loaded.rule_set)
    _summarise(console, loaded, len(files), failures)
    if loaded.errors or failures:
        raise typer.Exit(EXIT_ERRORS)


def today(time_zone: str) -> datetime.date:
    """The date, in the rules' zone."""
    from zoneinfo import ZoneInfo

    from streams.clock import SystemClock

    return datetime.datetime.fromtimestamp(SystemClock().wall_ms() / 1_000, ZoneInfo(time_zone)).date()


def engine() -> Replay:
    """What examples are run by. The engine is compiled when it is loaded, so only a usable rule set asks for it."""
    from processors.replay import TagReplay

    return TagReplay()


def _run_examples(rule_set: RuleSet) -> list[Failure]:
    """Run all examples, with a bar on standard error where a person looks at it."""
    from rich.console import Console
    from rich.progress import Progress

    from processors.rules.examples import Change, Event, run_examples

    total = sum(len(tag.examples) for tag in rule_set.tags)
    if total == 0:
        return []
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("Examples", total=total)
        replay = engine()

        def counted(rule_set: RuleSet, tag: str, events: list[Event], until_ms: int) -> Sequence[Change]:
            progress.advance(bar)
            return replay(rule_set, tag, events, until_ms)

        return run_examples(rule_set, counted)


def _show_failures(console: Console, failures: Sequence[Failure]) -> None:
    from rich.text import Text

    from schemas.errors import RuleError

    for failure in failures:
        message = f"Example {failure.number} of {failure.tag} does not come out as it says"
        head, *cure = RuleError("TS-R406", message, file=failure.file, line=failure.line).render().split("\n")
        console.print(Text(head, style="bold red"))
        for line in failure.table:
            console.print(Text(f"    {line}", style="red" if line.startswith("!") else ""))
        console.print(Text("\n".join(cure)))
        console.print()


def _list_conditions(console: Console, rule_set: RuleSet) -> None:
    """A line for each: number, tag, where it stands, and how it reads."""
    from processors.rules.clauses import clauses_of

    clauses = clauses_of(rule_set)
    tag = max((len(clause.tag) for clause in clauses), default=0)
    part = max((len(clause.part) for clause in clauses), default=0)
    for number, clause in enumerate(clauses):
        line = f"{number:>{len(str(len(clauses)))}}  {clause.tag:<{tag}}  {clause.part:<{part}}  {clause.text}"
        console.print(line, markup=False)
    console.print()


def _summarise(console: Console, loaded: Loaded, files: int, failures: Sequence[Failure]) -> None:
    """Tags by category if the rules can be used, and one line of what was found."""
    from rich.table import Table

    from processors.rules.tag_reader import CATEGORIES
    from processors.rules.unused import unused

    rule_set = loaded.rule_set
    counts = f"{_number(files, 'file')}, {_number(len(loaded.warnings), 'warning')}"
    if rule_set is None:
        console.print(f"{_number(len(loaded.errors), 'error')} in {counts}. Examples run once there are no errors.")
        return
    table = Table("category", "tags", "tiers", "examples", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for category in CATEGORIES:
        tags = [tag for tag in rule_set.tags if tag.category == category]
        if tags:
            tiers, examples = sum(bool(tag.tiers) for tag in tags), sum(len(tag.examples) for tag in tags)
            table.add_row(category, str(len(tags)), str(tiers), str(examples))
    console.print(table)
    run = sum(len(tag.examples) for tag in rule_set.tags)
    failed = f", {len(failures)} failed" if failures else ""
    console.print(f"{_number(len(rule_set.tags), 'tag')} in {counts}, {_number(run, 'example')} run{failed}.")
    console.print(f"Rule version {rule_set.version}, text {rule_set.text_hash}.")
    alone = unused(rule_set)
    if alone:
        more = f" and {len(alone) - SHOWN_UNUSED} more" if len(alone) > SHOWN_UNUSED else ""
        names = ", ".join(alone[:SHOWN_UNUSED])
        console.print(f"No other tag asks for these, and they have no owner: {names}{more}.", markup=False)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
