"""Puts an explanation together: the customer's state from the topics, what Redis says, the last changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import redis

from processors.explain import Explainer, Standing
from processors.rules.clauses import clauses_of
from processors.rules.suggest import nearest
from processors.rules.tree import RuleSet
from schemas.errors import RequestError
from schemas.records import Change, Value
from schemas.registry import WriterSchemas
from streams.change_line import shown_value
from streams.explain.fold import fold
from streams.explain.part import Part
from streams.reader import TagReader, Tags
from streams.tagger.topics import Topics

__all__ = ["Answer", "add_redis", "explain", "find_tag"]

MOST_CHANGES = 10
"""Of the newest that are shown."""


@dataclass(slots=True)
class Answer:
    """What there is to say of a customer, or of one tag of theirs."""

    customer_id: str
    partition: int
    at: int
    """The clock (ms) of the last step of the partition."""
    rule_version: str
    conditions: dict[int, str]
    """How the conditions of these rules read, by number."""
    standings: list[Standing]
    """The tag asked for, or all that the customer has."""
    one: Standing | None
    """The tag asked for."""
    changes: list[Change]
    """The newest published ones, oldest first."""
    values: dict[str, Value | None]
    """Of all tags that were looked at, by id; None: absent."""
    redis: str | None = None
    """What Redis says of the one tag."""
    notes: list[str] = field(default_factory=list)
    """What may be otherwise than it looks."""


def find_tag(rule_set: RuleSet, name: str) -> int:
    """The number of a tag. Raises RequestError TS-Q102."""
    numbers = {tag.id: number for number, tag in enumerate(rule_set.tags)}
    if name not in numbers:
        near = nearest(name, numbers)
        raise RequestError("TS-Q102", f"There is no tag {name[:64]!r}{f'; did you mean {near}?' if near else ''}")
    return numbers[name]


def explain(
    part: Part, rule_set: RuleSet, number: int | None, topics: Topics, schemas: WriterSchemas, erasure_term_ms: int
) -> Answer:
    """Of the tag of this number, or of all (None). `erasure_term_ms`: how long erasures are remembered."""
    partition = fold(part, rule_set, topics, schemas, erasure_term_ms)
    explainer = Explainer(partition)
    numbers = range(len(rule_set.tags)) if number is None else [number]
    standings = [explainer.standing(part.customer_id, each) for each in numbers]
    one = standings[0] if number is not None else None
    changes = [change for change in part.changes if one is None or change.tag == one.tag.id]
    return Answer(
        customer_id=part.customer_id,
        partition=part.partition,
        at=partition.clock,
        rule_version=rule_set.version,
        conditions={at: clause.text for at, clause in enumerate(clauses_of(rule_set))},
        standings=[standing for standing in standings if one is not None or standing.value is not None],
        one=one,
        changes=changes[-MOST_CHANGES:],
        values={standing.tag.id: standing.value for standing in standings},
        notes=[*_erasure(partition.erased_at(part.customer_id)), *_doubts(part, rule_set)],
    )


def _erasure(at: int | None) -> list[str]:
    """That the customer was erased, if that is still remembered."""
    if at is None:
        return []
    return [f"the customer was erased at {datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC: what happened"
            " until then does not count"]  # fmt: skip


def _doubts(part: Part, rule_set: RuleSet) -> list[str]:
    """What the topics do not tell."""
    notes = [
        f"the first {count} records that were applied of {topic} are gone: values may be too small"
        for topic, count in part.lost.items()
    ]
    if not part.steps:
        notes.append("no tagger has applied anything in this partition yet")
    elif part.steps[-1].rule_version != rule_set.version:
        theirs = part.steps[-1].rule_version
        notes.append(f"the taggers run rule version {theirs}, these rules are {rule_set.version}: what they would say")
    return notes


def add_redis(answer: Answer, reader: TagReader) -> None:
    """Add what Redis says, and note where it differs."""
    try:
        tags = reader.tags(answer.customer_id)
    except redis.RedisError as error:
        answer.notes.append(f"Redis does not answer: {error}")
        return
    if answer.one is not None:
        answer.redis = shown_value(tags.values.get(answer.one.tag.id))
    different = [tag for tag, value in answer.values.items() if _text(tags.values.get(tag)) != _text(value)]
    if different:
        answer.notes.append(f"Redis differs in {', '.join(different)}{_why_behind(tags, answer.at)}")


def _text(value: Value | None) -> str:
    """As Redis holds it: of a level that looks like a number only the definition knows that it is none."""
    return "" if value is None else shown_value(value)


def _why_behind(tags: Tags, at: int) -> str:
    if tags.fresh_as_of_ms is None or tags.fresh_as_of_ms < at:
        return ": it is behind"
    return ": it is ahead" if tags.fresh_as_of_ms > at else " though it is not behind"
