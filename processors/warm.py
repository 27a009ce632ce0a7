"""Compiles the engine and keeps it on disk: `python -m processors.warm`, after each change of the sources.

Compiling takes the better part of a minute, loading what was compiled a fraction of a second. So a small history goes
through everything of the engine that is called from Python, with the types of arguments that it meets later.
"""

from __future__ import annotations

import itertools
import shutil
import time
from pathlib import Path

import numpy as np
from numba.core import config

from processors import customers
from processors.carry import carry_over
from processors.changes import ChangeWriter
from processors.decoder import Decoder
from processors.encode import AvroEncoder
from processors.explain import Explainer
from processors.hashing import partition_of_key
from processors.layout import HOUR_MS
from processors.partition import Partition
from processors.rules.load import load_rules
from schemas.codec import event_from_json
from schemas.events import EARLIEST_EVENT_MS
from schemas.records import SOURCE, Command
from schemas.registry import OWN_WRITERS

RULES = """
- tag: seen
  name: Seen
  class: dynamic
  category: behaviour
  when: count(browse where channel == "app", 1d) > 0
  leave: sum(purchase.amount, 30d) > 5
  dwell: 1m
  forecast: true
- tag: types
  name: Page types
  class: dynamic
  category: behaviour
  for_each: browse.page_type
  when: count(browse, 1d) > 0
"""

FOLDERS = "numba-"
"""How the names of folders with compiled code begin; behind it stands what they were compiled from (see jit.py)."""

CUSTOMERS = 20_000
ERASURES = 40
"""So many that every table of the state grows at least once."""


def run() -> None:
    """Call everything of the engine that is called from Python."""
    rule_set = load_rules({"warm.yaml": RULES}, time_zone="UTC", default_currency="CNY")
    payloads: list[bytes | None] = [_browse(number) for number in range(CUSTOMERS)]
    payloads += [_erasure(number) for number in range(ERASURES)]
    partition = Partition(rule_set)
    writer = ChangeWriter(rule_set)
    encoder = AvroEncoder(rule_set, 0, SOURCE, None, None)
    decoder = Decoder([None], OWN_WRITERS, rule_set)
    zeros = np.zeros(len(payloads), np.int64)
    decoded = decoder.decode(payloads, zeros + EARLIEST_EVENT_MS, zeros, zeros)
    for order, clock in ((np.arange(len(payloads), dtype=np.int64), 0), (zeros[:0], EARLIEST_EVENT_MS + HOUR_MS)):
        output = partition.step(decoded, order, clock)
        list(writer.changes(output, decoded, partition=0, epoch=0))
        list(writer.current(output, partition.state.m, partition=0, epoch=0))
        encoder.changes(output, decoded, epoch=0, emitted_at=0)
        encoder.current(output, partition.state.m, epoch=0, clock=output.clock)
    explainer = Explainer(partition)
    for number, customer in itertools.product(range(len(rule_set.tags)), ("100", "nobody")):
        explainer.standing(customer, number)
    for _ in carry_over(partition, Partition(rule_set)):
        pass
    partition.set_customer_seq("100", 1)
    customers.id_in_row(partition.state.m, partition.state.m8, int(partition.rows()[0]))
    partition_of_key(b"1", 6)
    # The other way in: a tagger's sources have types.
    zero = np.zeros(1, np.int64)
    Decoder(["browse"], OWN_WRITERS).decode(payloads[:1], zero, zero, zero)


def _browse(number: int) -> bytes:
    """One customer looks at an item."""
    event = {"event_id": str(number), "customer_id": str(number), "event_time": EARLIEST_EVENT_MS, "channel": "app"}
    return event_from_json("browse", event | {"page_type": "item"})


def _erasure(number: int) -> bytes:
    """The same customer is to be forgotten."""
    command = Command(
        command_id=str(number),
        customer_id=str(number),
        kind="erase",
        tag=None,
        value=None,
        reason=None,
        actor="warm",
        until=None,
        issued_at=EARLIEST_EVENT_MS,
    )
    return command.to_avro()


def remove_others(kept: Path) -> None:
    """Remove the folders of compiled code beside this one: they are of sources that are no more."""
    for folder in kept.parent.glob(f"{FOLDERS}*"):
        if folder != kept and folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Compile, tidy up, and say in one line how long it took."""
    run()
    kept = Path(str(config.CACHE_DIR))  # type: ignore[attr-defined]
    if kept.name.startswith(FOLDERS):
        remove_others(kept)
    # Processor time, not the clock's: it does not matter how busy the machine is.
    print(f"the engine is compiled ({time.process_time():.1f} s of processor time), in {kept}")


if __name__ == "__main__":
    main()
