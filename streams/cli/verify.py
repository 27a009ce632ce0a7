"""`tagstream verify`: compute tags anew from the events, and compare them with what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.verify.recompute import OnProgress
    from streams.verify.run import Report

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

    The pipeline may run meanwhile. Exit code 0: all is right, 1: something differs, and is listed, 2: it could not be
    done, or not in full.
    """
    import orjson

    from streams.cli.progress import progress
    from streams.control.check import check_id
    from streams.settings import load
    from streams.verify.show import as_record, lines

    if sample is not None and customer:
        raise typer.BadParameter("--sample draws customers, --customer names them: give one of the two")
    settings = load().settings
    for name in customer or []:
        check_id("customer_id", name)
    with progress("Records") as on_progress:
        report = _verify(settings, sample, customer or None, partition, on_progress)
    typer.echo(orjson.dumps(as_record(report)) if json else "\n".join(lines(report)))
    if not report.found.is_right:
        raise typer.Exit(EXIT_DIFFERENCES)
    if not report.is_whole:
        raise typer.Exit(EXIT_NOT_DONE)


def _verify(
    settings: Settings, most: int | None, customers: list[str] | None, partition: int | None, on_progress: OnProgress
) -> Report:
    from processors.oracle.event import DAY_MS
    from processors.oracle.place import partition_of
    from streams import topics as catalogue
    from streams.clock import SystemClock
    from streams.definitions import rules_in_force
    from streams.projector.asking import chosen_partitions
    from streams.projector.store import connect
    from streams.redis_layout import Layout
    from streams.registry import writers_of
    from streams.tagger.topics import Topics
    from streams.verify.recompute import Recomputing
    from streams.verify.redis_side import RedisSide
    from streams.verify.run import MOST_OF_ONE, Verifier

    kafka, clock = settings.kafka, SystemClock()
    topics = Topics.of(kafka, catalogue.check(catalogue.inspect(catalogue.admin_client(kafka), kafka)))
    partitions = chosen_partitions(settings, partition)
    if customers is not None:
        theirs = {name: partition_of(name, topics.partitions) for name in customers}
        elsewhere = [f"{name} is in {place}" for name, place in theirs.items() if place not in partitions]
        if elsewhere:
            raise typer.BadParameter(f"not in partition {partition}: {', '.join(elsewhere)}")
        partitions = sorted(set(theirs.values()))
    recomputing = Recomputing(
        config={"log_level": 0, **kafka.client_config()},
        topics=topics,
        rule_set=rules_in_force(kafka, settings.rules, clock),
        writers=writers_of(settings, clock, lambda: True),
        dedupe_max_ids=settings.tagger.dedupe_max_ids,
        erasure_term_ms=settings.tagger.erasure_term_days * DAY_MS,
        most_of_one=MOST_OF_ONE if customers is None else None,
    )
    with connect(settings.redis) as client:
        redis = RedisSide(client, Layout(settings.redis.key_prefix), clock)
        verifier = Verifier(recomputing, redis, clock, on_progress)
        return verifier.run(partitions, None if most is None else -(-most // len(partitions)), customers)
