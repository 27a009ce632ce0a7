"""`tagstream verify`: compute tags anew from the events, and compare them with what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from streams.verify.sample import Sample

EXIT_DIFFERENCES: Final = 1
EXIT_NOT_DONE: Final = 2


def command(
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only so many customers, drawn by a hash; default: all.")
    ] = None,
    customer: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this customer; may be given several times.")
    ] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this one; default: all of them.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, with all there is.")] = False,
) -> None:
    """Compute tags anew from the events, by a second implementation, and compare them with tags.changes, tags.current
    and Redis.

    The pipeline may run meanwhile. Exit code 0: no differences, 1: differences, which are listed, 2: it could not be
    done, or not of all partitions.
    """
    import orjson
    from rich.console import Console
    from rich.progress import Progress

    from processors.oracle.place import partition_of
    from processors.rules.load import load_rules
    from streams import topics as catalogue
    from streams.clock import SystemClock
    from streams.control.check import check_id
    from streams.projector.asking import chosen_partitions
    from streams.projector.store import connect
    from streams.redis_layout import Layout
    from streams.registry import writers_of
    from streams.rules_dir import read_rules_dir
    from streams.settings import load
    from streams.tagger.topics import Topics
    from streams.verify.redis_side import RedisSide
    from streams.verify.run import Verifier
    from streams.verify.show import as_record, lines

    settings = load().settings
    for name in customer or []:
        check_id("customer_id", name)
    rules, kafka, clock = settings.rules, settings.kafka, SystemClock()
    rule_set = load_rules(read_rules_dir(rules.dir), time_zone=rules.time_zone, default_currency=rules.default_currency)
    topics = Topics.of(kafka, catalogue.check(catalogue.inspect(catalogue.admin_client(kafka), kafka)))
    partitions = chosen_partitions(settings, partition)
    if customer:
        partitions = sorted({partition_of(name, topics.partitions) for name in customer} & set(partitions))
    errors = Console(stderr=True)
    with (
        connect(settings.redis) as client,
        Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress,
    ):
        bar = progress.add_task("Reading", total=None)
        verifier = Verifier(
            config={"log_level": 0, **kafka.client_config()},
            topics=topics,
            rule_set=rule_set,
            writers=writers_of(settings, clock, lambda: True),
            redis=RedisSide(client, Layout(settings.redis.key_prefix), clock),
            clock=clock,
            dedupe_max_ids=settings.tagger.dedupe_max_ids,
            on_progress=lambda of, more: progress.update(bar, advance=more, description=f"Partition {of}"),
        )
        report = verifier.run(partitions, lambda: _sample(sample, customer, len(partitions)))
    typer.echo(orjson.dumps(as_record(report)) if json else "\n".join(lines(report)))
    if report.found.differences:
        raise typer.Exit(EXIT_DIFFERENCES)
    if report.refused:
        raise typer.Exit(EXIT_NOT_DONE)


def _sample(most: int | None, customers: list[str] | None, partitions: int) -> Sample:
    """One partition's share of those asked for."""
    from streams.verify.sample import Sample

    return Sample(None if most is None else -(-most // partitions), customers or None)
