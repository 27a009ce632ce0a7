"""`tagstream plan`: what other rules would change, before anything happens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FILE_COLUMNS = 200
"""Width of what goes to a file or another program."""


def command(
    rules: Annotated[
        Path | None, typer.Option("--rules", metavar="DIR", help="Directory of the new rules; default: rules.dir.")
    ] = None,
    partition: Annotated[
        list[int] | None, typer.Option(min=0, help="Only these partitions, as a sample; default: all of them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show tags that change for nobody, too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Apply the retained events by the rules in force and by new ones, and show the difference. Nothing is written.

    Exit code 0, whatever the difference is; 2: the rules cannot be used, or Kafka cannot.
    """
    import orjson
    from rich.console import Console
    from rich.progress import Progress

    from processors.rules.compile import compile_rules
    from processors.rules.load import load_rules
    from streams import topics as catalogue
    from streams.clock import SystemClock
    from streams.definitions import rules_in_force
    from streams.plan.compare import Difference, compare_partition
    from streams.plan.show import as_record, show
    from streams.plan.sources import ends_of
    from streams.registry import writers_of
    from streams.rules_dir import read_rules_dir
    from streams.settings import load
    from streams.tagger.rules import Compiled
    from streams.tagger.topics import Topics
    from streams.tagger.work import Erasures

    settings, clock = load().settings, SystemClock()
    kafka, given = settings.kafka, settings.rules
    files = read_rules_dir(rules or given.dir)
    new = load_rules(files, time_zone=given.time_zone, default_currency=given.default_currency)
    old = rules_in_force(kafka, given, clock)
    admin = catalogue.admin_client(kafka)
    topics = Topics.of(kafka, catalogue.check(catalogue.inspect(admin, kafka)))
    chosen = sorted(set(partition)) if partition else range(topics.partitions)
    if max(chosen) >= topics.partitions:
        raise typer.BadParameter(f"there are {topics.partitions} partitions, from 0", param_hint="--partition")
    config = {"log_level": 0, **kafka.client_config()}
    ends = ends_of(admin, kafka, topics, chosen)
    difference = Difference()
    for place, (low, _) in ends.items():
        if low > 0:
            difference.cut[place.topic] = difference.cut.get(place.topic, 0) + low
    compiled = Compiled(old, compile_rules(old)), Compiled(new, compile_rules(new))
    schemas = writers_of(settings, clock, lambda: True)
    erasures = Erasures.by(settings.tagger)
    until_ms = clock.wall_ms() if settings.clock.follow_wall else 0
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bars:
        bar = bars.add_task("Records", total=2 * sum(end - low for low, end in ends.values()))
        for number in chosen:
            compare_partition(
                config, topics, number, ends, compiled, schemas, erasures, clock, until_ms, difference,
                lambda records: bars.advance(bar, records),
            )  # fmt: skip
    if json:
        typer.echo(orjson.dumps(as_record(difference, old, new), option=orjson.OPT_INDENT_2))
        return
    is_terminal = Console().is_terminal
    show(Console(highlight=False, width=None if is_terminal else FILE_COLUMNS), difference, old, new, everything)
