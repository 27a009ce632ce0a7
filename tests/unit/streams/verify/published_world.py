"""What a partition might have published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from processors.oracle.event import TagValue
from processors.oracle.judge import OracleChange
from schemas.outcomes import Outcome
from schemas.records import Change, Current, JournalRecord, SourceRange, Value, change_id
from streams.log import Message
from streams.tagger.journal import Entry
from streams.verify.point import Point
from streams.verify.published import Published, Version
from streams.verify.recompute import Recomputed
from streams.verify.sample import Sample
from streams.verify.told import ToldChanges

VERSION = "v"


class Sent:
    """A message with nothing but a value."""

    def __init__(self, value: bytes | None, offset: int = 0) -> None:
        self._value, self._offset = value, offset

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return self._value

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


def change(seq: int, tag: str, before: Value | None, after: Value | None, **given: object) -> Change:
    """By an event at its number, of the customer `c`."""
    values: dict[str, object] = {
        "customer_id": "c",
        "op": "entered" if before is None else "left" if after is None else "changed",
        "effective_at": seq,
        "prev_seq": 0,
        "rule_version": VERSION,
        "epoch": 1,
        "origin": "live",
        "cause": f"e{seq}",
    }
    return Change(
        id=change_id(0, seq), seq=seq, tag=tag, before=before, after=after, emitted_at=0, **(values | given)  # type: ignore[arg-type]
    )  # fmt: skip


def oracle_says(seq: int, tag: str, before: TagValue, after: TagValue) -> OracleChange:
    """What `change` of the same arguments is to the oracle."""
    op = "entered" if before is None else "left" if after is None else "changed"
    return OracleChange("c", tag, op, before, after, seq, "live", f"e{seq}", None)  # type: ignore[arg-type]


def told(changes: Sequence[Change], *, whole: bool = True) -> ToldChanges:
    found = ToldChanges(Sample(), VERSION, whole)
    messages: list[Message] = [Sent(each.to_avro(), n + (not whole)) for n, each in enumerate(changes)]
    found.take(messages)
    return found


def published(
    seq: int,
    changes: Sequence[Change],
    current: Version | None = None,
    *,
    whole: bool = True,
    journal: Sequence[JournalRecord] = (),
) -> Published:
    """As of a point at which `seq` was the last number."""
    point = Point(step=1, seq=seq, clock=seq, rule_version=VERSION, next={}, position=9)
    entries = [Entry(offset, record) for offset, record in enumerate(journal)]
    found = Published(point, entries, journal_is_cut=False, told=told(changes, whole=whole))
    if current is not None:
        found.versions["c"] = current
    return found


def oracle(tags: dict[str, TagValue], changes: Sequence[OracleChange], *, before_the_cut: bool = False) -> Recomputed:
    cut = frozenset({"c"} if before_the_cut else ())
    return Recomputed({"c": tags}, {"c": list(changes)}, cut, frozenset(), Counter(), 0)


def step(
    number: int, *, kind: str = "step", seq: int = 0, version: str = VERSION, note: str | None = None
) -> JournalRecord:
    """Its clock is its number."""
    return JournalRecord(
        kind=kind,  # type: ignore[arg-type]
        epoch=-1 if kind == "claim" else 0,
        step=number,
        partition=0,
        sources=(SourceRange("s", 0, number),),
        clock_before=number - 1,
        clock_after=number,
        rule_version=version,
        engine_version=1,
        timers_fired=0,
        outcomes=(0,) * len(Outcome),
        last_seq=seq,
        digest=0,
        note=note,
    )


def clock_of(record: JournalRecord) -> Current:
    """The `@clock` that is written when the step is done with."""
    return Current(
        customer_id="@clock", partition=0, epoch=record.epoch, seq=record.last_seq, clock=record.clock_after,
        rule_version=record.rule_version,
    )  # fmt: skip
