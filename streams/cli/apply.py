"""`tagstream apply`: bring rules in force, while everything goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from processors.rules.tree import RuleSet
    from schemas.records import Definition
    from streams.settings import Settings

EXIT_NOT_YET = 1


def command(
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="DIR", help="Directory of the rules; default: rules.dir.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return when the rules are published.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the taggers.")] = 600.0,
    author: Annotated[str | None, typer.Option(help="Who brings them in force; default: your login name.")] = None,
) -> None:
    """Publish a rule set, and wait until every partition works by it; `tagstream plan` shows beforehand what changes.

    The rules in force go on deciding until the new ones are ready. Exit code 1: not all partitions have changed in
    time, and they will when a tagger has them; 2: the rules cannot be used, or Kafka cannot.
    """
    from processors.rules.load import load_rules
    from streams.clock import SystemClock
    from streams.definitions import Definitions, definition_of
    from streams.rules_dir import read_rules_dir
    from streams.settings import load

    settings, clock = load().settings, SystemClock()
    given = settings.rules
    files = read_rules_dir(rules or given.dir)
    rule_set = load_rules(files, time_zone=given.time_zone, default_currency=given.default_currency)
    definitions = Definitions(settings.kafka, clock)
    try:
        definitions.read()
        now = definitions.current
        before = None if now is None else definitions.in_force()
    finally:
        definitions.close()
    if now is not None and (now.version, now.text_hash) == (rule_set.version, rule_set.text_hash):
        typer.echo(f"rules {rule_set.version} are in force already, since {_when(now.published_at)}, by {now.author}")
        return
    _tell(before, rule_set)
    if not yes:
        typer.confirm("Bring these rules in force?", abort=True)
    definition = definition_of(files, given, rule_set, author or _login(), clock.wall_ms())
    is_same = now is not None and now.version == rule_set.version
    _publish(settings, definition, 0.0 if no_wait or is_same else timeout)


def _publish(settings: Settings, definition: Definition, timeout_s: float) -> None:
    """Publish, and wait for as long as that."""
    from streams import topics
    from streams.changeovers import Changeovers
    from streams.cli.progress import progress
    from streams.clock import SystemClock
    from streams.definitions import publish

    kafka, clock = settings.kafka, SystemClock()
    partitions = topics.check(topics.inspect(topics.admin_client(kafka), kafka))
    changeovers = Changeovers(kafka, partitions)
    try:
        publish(kafka, definition)
        typer.echo(f"rules {definition.version} are published")
        if timeout_s == 0:
            return
        with progress("Partitions") as on_progress:
            left = changeovers.wait(definition.version, clock, timeout_s, on_progress)
    finally:
        changeovers.close()
    for partition, note in sorted(changeovers.notes.items()):
        typer.echo(f"  partition {partition}: {note or 'works by them'}")
    if left:
        listed = ", ".join(map(str, sorted(left)))
        typer.echo(f"not yet in force in partitions {listed}: is a tagger running?", err=True)
        raise typer.Exit(EXIT_NOT_YET)
    typer.echo(f"in force in all {partitions} partitions")


def _tell(before: RuleSet | None, after: RuleSet) -> None:
    """Which tags come, go, and decide otherwise."""
    from processors.rules.kept import tags_alike

    old = {} if before is None else {tag.id: tag for tag in before.tags}
    new = {tag.id: tag for tag in after.tags}
    alike = set() if before is None else tags_alike(before, after)
    for what, ids in (
        ("added", new.keys() - old.keys()),
        ("removed", old.keys() - new.keys()),
        ("decide otherwise", (new.keys() & old.keys()) - alike),
        ("decide as before", alike),
    ):
        shown = f": {', '.join(sorted(ids))}" if ids and what != "decide as before" else ""
        typer.echo(f"{len(ids):6} {what}{shown}")


def _login() -> str:
    import getpass

    return getpass.getuser()


def _when(time_ms: int) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(time_ms / 1_000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
