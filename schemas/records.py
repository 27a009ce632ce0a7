"""The records that tagstream itself writes and reads back: a change, a customer's tags, a request and its answer, a
command, the rules in force, the journal.

Each is a frozen dataclass whose fields have the names and units of its Avro file (times are milliseconds since the
epoch). `to_avro` gives a topic's value, in single-object encoding, or in Confluent framing if the schema's id is given;
`from_avro` reads either; `to_json` and `from_json` are the same fields as JSON; `from_value` tells them apart by the
first byte. Reading raises EventError and nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal, Self

import orjson
from fastavro.validation import validate

from schemas.errors import EventError
from schemas.framing import frame_confluent, frame_single, read_framed
from schemas.outcomes import Dead, Outcome
from schemas.registry import OWN_WRITERS, SCHEMAS, WriterSchemas

Value = bool | str | float | tuple[str, ...]
"""What a tag can be: true for a plain one, a level, a number, or a set of keys."""

Op = Literal["entered", "changed", "left"]
Origin = Literal["live", "timer", "backfill", "manual", "model", "erasure"]
CommandKind = Literal["assign", "remove", "score", "erase"]
RequestKind = Literal["assign", "absent", "remove", "erase"]
AnswerStatus = Literal["accepted", "refused"]
Group = Literal["treatment", "control"]
NextFlip = int | Literal["never", "unknown"]
"""A time in milliseconds since the epoch; or that nothing but an event changes it; or that it is too far off."""
JournalKind = Literal["claim", "step", "changeover", "snapshot"]

SPECVERSION: Final = "1.0"
"""The version of CloudEvents whose attributes a change has."""

SOURCE: Final = "tagstream"
"""CloudEvents' `source` where the user sets none."""

CLOCK_KEY: Final = "@clock"
"""The key in `tags.current` under which a partition says how far it has come."""

CURRENT_KEY: Final = "@current"
"""The key in `tags.definitions` that says which rule set is in force."""

CLAIM_EPOCH: Final = -1
"""The epoch within a claim: it is the claim's own offset, which is not known before it is written."""


class _Record(ABC):
    """What the records have in common: from and to bytes by way of a dictionary of plain values."""

    __slots__ = ()
    schema_name: ClassVar[str]

    @abstractmethod
    def to_record(self) -> dict[str, Any]:
        """Plain values by the names of the Avro file."""

    @classmethod
    @abstractmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """The reverse of `to_record`, of values known to fit the Avro file. Raises EventError."""

    def to_avro(self, schema_id: int | None = None) -> bytes:
        """A topic's value; `schema_id` is the schema's id in the schema registry if there is one."""
        if schema_id is None:
            return frame_single(self.schema_name, self.to_record())
        return frame_confluent(schema_id, self.schema_name, self.to_record())

    @classmethod
    def from_avro(cls, value: bytes, writers: WriterSchemas = OWN_WRITERS) -> Self:
        """Read a value in either framing. Raises EventError as `framing.read_framed`."""
        return cls.from_record(read_framed(cls.schema_name, value, writers))

    def to_json(self) -> bytes:
        """A JSON object on one line, without a line break."""
        return orjson.dumps(self.to_record())

    @classmethod
    def from_json(cls, value: bytes) -> Self:
        """Read a JSON object; unknown fields are ignored. Raises EventError: BAD_JSON, MISSING_FIELD, WRONG_TYPE."""
        try:
            given = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise EventError(Dead.BAD_JSON, str(error)) from error
        if not isinstance(given, dict):
            raise EventError(Dead.BAD_JSON, f"a {type(given).__name__} where an object belongs")
        record: dict[str, Any] = {}
        for field in SCHEMAS[cls.schema_name].raw["fields"]:
            name = field["name"]
            if name not in given and "default" not in field:
                raise EventError(Dead.MISSING_FIELD, name)
            record[name] = given.get(name, field.get("default"))
        for field in SCHEMAS[cls.schema_name].parsed["fields"]:
            if not validate(record[field["name"]], field["type"], raise_errors=False):
                raise EventError(Dead.WRONG_TYPE, f"{field['name']} of a {cls.schema_name}")
        return cls.from_record(record)

    @classmethod
    def from_value(cls, value: bytes, writers: WriterSchemas = OWN_WRITERS) -> Self:
        """Read a topic's value, JSON or Avro by its first byte. Raises EventError as the two do."""
        return cls.from_json(value) if value.startswith(b"{") else cls.from_avro(value, writers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One condition that decided a change, with what it saw."""

    condition: int
    """Its number in the rule version (rules/clauses.py)."""
    key: str | None = None
    """The key that came or went, of a tag with `for_each`."""
    value: Value | None
    threshold: Value | None
    window_start: int | None = None
    """Start of the oldest pane that its window may hold."""
    window_end: int | None = None

    def to_record(self) -> dict[str, Any]:
        return {
            "condition": self.condition,
            "key": self.key,
            "value": _plain(self.value),
            "threshold": _plain(self.threshold),
            "window_start": self.window_start,
            "window_end": self.window_end,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        return cls(**record | {"value": _frozen(record["value"]), "threshold": _frozen(record["threshold"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(_Record):
    """One change of one tag of one customer; a value of `tags.changes`."""

    schema_name: ClassVar[str] = "change"

    id: str
    """`change_id(partition, seq)`."""
    customer_id: str
    tag: str
    op: Op
    before: Value | None
    """The value until now; None: the customer did not have the tag."""
    after: Value | None
    effective_at: int
    emitted_at: int
    seq: int
    prev_seq: int
    """Number of this customer's previous change; 0: none known."""
    rule_version: str
    epoch: int
    origin: Origin
    run_id: str | None = None
    cause: str | int | None = None
    """What brought it about: the event_id of an event, or a time in milliseconds since the epoch."""
    group: Group | None = None
    """On which side of the tag's holdout the customer is, if it has one."""
    evidence: tuple[Evidence, ...] = ()
    next_flip_at: NextFlip | None = None
    """As of this change; None if the tag's rule does not ask for it."""
    source: str = SOURCE

    @property
    def type(self) -> str:
        """CloudEvents' `type`."""
        return f"tagstream.tag.{self.op}"

    def to_record(self) -> dict[str, Any]:
        return {
            "specversion": SPECVERSION,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "customer_id": self.customer_id,
            "tag": self.tag,
            "op": self.op,
            "before": _plain(self.before),
            "after": _plain(self.after),
            "effective_at": self.effective_at,
            "emitted_at": self.emitted_at,
            "seq": self.seq,
            "prev_seq": self.prev_seq,
            "rule_version": self.rule_version,
            "epoch": self.epoch,
            "origin": self.origin,
            "run_id": self.run_id,
            "cause": self.cause,
            "group": self.group,
            "evidence": [each.to_record() for each in self.evidence],
            "next_flip_at": self.next_flip_at,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        given = {name: value for name, value in record.items() if name not in ("specversion", "type")}
        nested = {
            "before": _frozen(record["before"]),
            "after": _frozen(record["after"]),
            "evidence": tuple(map(Evidence.from_record, record["evidence"])),
        }
        return cls(**given | nested)


def change_id(partition: int, seq: int) -> str:
    """The id of a change: the same after any crash, so a reader can drop repeats by it."""
    return f"{partition}-{seq}"


@dataclass(frozen=True, slots=True)
class TagValue:
    """One tag that a customer has."""

    tag: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Current(_Record):
    """All tags of one customer, or how far a partition has come (`customer_id` is CLOCK_KEY, no tags)."""

    schema_name: ClassVar[str] = "current"

    customer_id: str
    partition: int
    epoch: int
    seq: int
    clock: int
    """The partition's clock in milliseconds since the epoch when this was written."""
    rule_version: str
    tags: tuple[TagValue, ...] = ()

    @property
    def is_clock(self) -> bool:
        """Whether this is the partition's clock and not a customer."""
        return self.customer_id == CLOCK_KEY

    def to_record(self) -> dict[str, Any]:
        return {
            "customer_id": self.customer_id,
            "partition": self.partition,
            "epoch": self.epoch,
            "seq": self.seq,
            "clock": self.clock,
            "rule_version": self.rule_version,
            "tags": [{"tag": tag.tag, "value": _plain(tag.value)} for tag in self.tags],
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        tags = tuple(TagValue(tag["tag"], _present(tag["value"])) for tag in record["tags"])
        return cls(**record | {"tags": tags})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(_Record):
    """What a person or a model says about a customer; a value of `tags.commands`."""

    schema_name: ClassVar[str] = "command"

    command_id: str
    customer_id: str
    kind: CommandKind
    tag: str | None
    """None for an erasure."""
    value: Value | None
    """The value assigned; None: the customer is to be without the tag."""
    reason: str | None
    actor: str
    until: int | None
    """End of the assignment's term; None: it has none."""
    issued_at: int

    def to_record(self) -> dict[str, Any]:
        return {
            "command_id": self.command_id,
            "customer_id": self.customer_id,
            "kind": self.kind,
            "tag": self.tag,
            "value": _plain(self.value),
            "reason": self.reason,
            "actor": self.actor,
            "until": self.until,
            "issued_at": self.issued_at,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        return cls(**record | {"value": _frozen(record["value"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(_Record):
    """What a person or a system asks of a customer or one of their tags; a value of `tags.requests`."""

    schema_name: ClassVar[str] = "request"

    request_id: str
    customer_id: str
    kind: RequestKind
    tag: str | None = None
    """None for an erasure."""
    value: Value | None = None
    actor: str
    reason: str | None = None
    term_ms: int | None = None
    """How long the assignment holds, from the request's arrival; None: until it is taken back."""

    def to_record(self) -> dict[str, Any]:
        return {
            "request_id": self.request_id,
            "customer_id": self.customer_id,
            "kind": self.kind,
            "tag": self.tag,
            "value": _plain(self.value),
            "actor": self.actor,
            "reason": self.reason,
            "term_ms": self.term_ms,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        return cls(**record | {"value": _frozen(record["value"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(_Record):
    """What became of a request; a value of `tags.requests.results`."""

    schema_name: ClassVar[str] = "answer"

    request_id: str
    customer_id: str
    status: AnswerStatus
    code: str | None = None
    """The error's number, if it is refused; so are message and cure."""
    message: str | None = None
    cure: str | None = None
    until: int | None = None
    """End of the assignment's term; None: it has none."""
    arrived_at: int
    """When the request came that was decided."""

    def to_record(self) -> dict[str, Any]:
        return {
            "request_id": self.request_id,
            "customer_id": self.customer_id,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "cure": self.cure,
            "until": self.until,
            "arrived_at": self.arrived_at,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        return cls(**record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition(_Record):
    """A rule set, or which one is in force; a value of `tags.definitions`."""

    schema_name: ClassVar[str] = "definition"

    version: str
    text_hash: str
    time_zone: str
    default_currency: str
    author: str
    published_at: int
    files: bytes | None = None
    """Of a rule set its files: a JSON object of path to text, compressed by zlib. None under CURRENT_KEY."""

    def to_record(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        return cls(**record)


@dataclass(frozen=True, slots=True)
class SourceRange:
    """Offsets [first, next) of one merged topic of the partition."""

    topic: str
    first: int
    next: int
    """The next record to apply."""


@dataclass(frozen=True, slots=True)
class DeadCount:
    """How many records of a step were dead for one reason; `code` is the value of a `Dead`."""

    code: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Where a snapshot lies, and how to know that it is whole."""

    format: int
    program: int
    """Hash of the compiled rules: the state's words mean what these say."""
    words: int
    checksums: tuple[int, ...]
    """CRC-32 of each chunk, in order."""
    first: int
    """Offsets [first, next) of the chunks in the partition of tags.snapshots."""
    next: int
    journal_next: int
    """Offset in the journal from which on it is to be applied."""
    arrivals: tuple[int, ...]
    """Greatest arrival (ms) applied of each source, in their order; -1: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRecord(_Record):
    """One record of a partition's journal."""

    schema_name: ClassVar[str] = "journal"

    kind: JournalKind
    epoch: int
    """Offset of the writer's claim; CLAIM_EPOCH in the claim itself."""
    step: int
    partition: int
    sources: tuple[SourceRange, ...]
    clock_before: int
    clock_after: int
    rule_version: str
    engine_version: int
    timers_fired: int
    outcomes: tuple[int, ...]
    """Counts by `Outcome`."""
    last_seq: int
    digest: int
    """Sum of the changes' hashes modulo 2^64, as a signed number of 64 bits."""
    dead: tuple[DeadCount, ...] = ()
    found_schemas: tuple[str, ...] = ()
    """Writers' schemas that were looked up and found in the step: `id 7`, or a fingerprint in hexadecimal digits."""
    note: str | None = None
    dedupe_max_ids: int = 0
    """In a claim: event ids that are remembered from then on; 0: not told."""
    erasure_term_ms: int = 0
    """In a claim: how long erasures are remembered that come from then on; 0: not told."""
    manifest: Manifest | None = None
    """In a snapshot; the other fields say what is true behind its step."""

    def __post_init__(self) -> None:
        assert len(self.outcomes) == len(Outcome), f"{len(self.outcomes)} outcomes"

    def to_record(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "epoch": self.epoch,
            "step": self.step,
            "partition": self.partition,
            "sources": [{"topic": s.topic, "first": s.first, "next": s.next} for s in self.sources],
            "clock_before": self.clock_before,
            "clock_after": self.clock_after,
            "rule_version": self.rule_version,
            "engine_version": self.engine_version,
            "timers_fired": self.timers_fired,
            "outcomes": list(self.outcomes),
            "last_seq": self.last_seq,
            "digest": self.digest,
            "dead": [{"code": d.code, "count": d.count} for d in self.dead],
            "found_schemas": list(self.found_schemas),
            "note": self.note,
            "dedupe_max_ids": self.dedupe_max_ids,
            "erasure_term_ms": self.erasure_term_ms,
            "manifest": None if self.manifest is None else asdict(self.manifest),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        manifest = record["manifest"]
        outcomes = tuple(record["outcomes"])
        if len(outcomes) > len(Outcome):
            raise EventError(Dead.WRONG_TYPE, f"{len(outcomes)} outcomes, written by a later version")
        nested = {
            # Outcomes are only ever added at the end: an earlier version counted none of those it did not know.
            "outcomes": outcomes + (0,) * (len(Outcome) - len(outcomes)),
            "sources": tuple(SourceRange(s["topic"], s["first"], s["next"]) for s in record["sources"]),
            "dead": tuple(DeadCount(d["code"], d["count"]) for d in record["dead"]),
            "found_schemas": tuple(record["found_schemas"]),
            "manifest": None if manifest is None else _manifest(manifest),
        }
        return cls(**record | nested)


def _manifest(record: dict[str, Any]) -> Manifest:
    return Manifest(**record | {name: tuple(record[name]) for name in ("checksums", "arrivals")})


def _plain(value: Value | None) -> Any:
    """A value as Avro and JSON have it."""
    return list(value) if isinstance(value, tuple) else value


def _frozen(value: Any) -> Value | None:
    return None if value is None else _present(value)


def _present(value: Any) -> Value:
    """A value read back; a number is a float however JSON wrote it."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    assert isinstance(value, bool | str | float)
    return value
