"""`tagstream explain CUSTOMER [TAG]`: why a customer has a tag, or why not."""

from __future__ import annotations

from typing import Annotated

import typer

FILE_COLUMNS = 240
"""Where the answer goes into a file or a pipe: conditions are long, and nobody wants them broken there."""


def command(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    tag: Annotated[str | None, typer.Argument(help="The tag; default: all that the customer has.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, with all there is.")] = False,
) -> None:
    """Say what a customer's tags are and why: conditions, next flips, last changes.

    Reads the customer's partition of all topics from the beginning, as it is now, and what Redis says.
    """
    import orjson
    from rich.console import Console
    from rich.progress import Progress

    from processors.layout import DAY_MS
    from streams import topics as catalogue
    from streams.clock import SystemClock
    from streams.control.check import check_id
    from streams.definitions import rules_in_force
    from streams.explain.answer import add_redis, explain, find_tag
    from streams.explain.part import read_part
    from streams.explain.show import as_record, show
    from streams.projector.store import connect
    from streams.reader import TagReader
    from streams.registry import writers_of
    from streams.sealing import Keyring
    from streams.settings import load
    from streams.tagger.topics import Topics

    settings = load().settings
    check_id("customer_id", customer)
    kafka = settings.kafka
    topics = Topics.of(kafka, catalogue.check(catalogue.inspect(catalogue.admin_client(kafka), kafka)))
    rule_set = rules_in_force(kafka, settings.rules, SystemClock())
    number = None if tag is None else find_tag(rule_set, tag)
    schemas = writers_of(settings, SystemClock(), lambda: True)
    keyring, errors = Keyring.by(settings.encryption), Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        bar = progress.add_task("Reading", total=None)
        part = read_part(kafka, topics, customer, lambda records: progress.advance(bar, records), keyring)
    erasure_term_ms = settings.tagger.erasure_term_days * DAY_MS
    answer = explain(part, rule_set, number, topics, schemas, erasure_term_ms)
    with connect(settings.redis) as client:
        add_redis(answer, TagReader(client, key_prefix=settings.redis.key_prefix))
    if json:
        typer.echo(orjson.dumps(as_record(answer)))
    else:
        is_terminal = Console().is_terminal
        show(Console(highlight=False, width=None if is_terminal else FILE_COLUMNS), answer)
