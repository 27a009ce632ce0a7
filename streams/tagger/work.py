"""One partition at work: its sources, its engine, and what each of its steps writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from processors import layout as L
from processors.assigned import ERASE
from processors.changes import ChangeWriter
from processors.customers import id_in_row
from processors.decoder import Decoded, Decoder
from processors.encode import AvroEncoder
from processors.hashing import partition_of_key
from processors.partition import ENGINE_VERSION, NO_KEY, Partition, StepOutput
from processors.step import COMMAND, COMMAND_KIND
from schemas.outcomes import Dead, Outcome
from schemas.records import CLOCK_KEY, SOURCE, Change, Current, DeadCount, JournalRecord, SourceRange, Value
from schemas.registry import WriterSchemas
from streams import metrics
from streams.log import Batch, Outgoing, TopicPartition, Transaction
from streams.sealing import NO_KEYS, Keyring
from streams.settings import TaggerSettings
from streams.tagger.dead_letters import dead_letter
from streams.tagger.rules import Compiled
from streams.tagger.sources import Source, Taken, take
from streams.tagger.step_schemas import StepSchemas
from streams.tagger.topics import Topics

__all__ = ["Erasures", "Step", "Work"]

MOST_MOVED_BYTES = 1_000_000
"""A larger event is not moved but set aside: the broker's usual limit is 1,048,588 for the whole batch, and after a
record that it refuses for its size librdkafka may lose count of the transaction's records and be fenced by itself."""


def _range_of(source: Source, first: int) -> SourceRange:
    """What a step applied of a source, which stands behind it by now."""
    return SourceRange(source.place.topic, first, source.next)


@dataclass(frozen=True, slots=True)
class Erasures:
    """How it is known who was erased."""

    key: bytes
    """Under which their ids are hashed."""
    term_ms: int
    """How long it is known."""

    @classmethod
    def by(cls, settings: TaggerSettings) -> Erasures:
        """As the settings say."""
        key = settings.erasure_key
        return cls(
            NO_KEY if key is None else bytes.fromhex(key.get_secret_value()), settings.erasure_term_days * L.DAY_MS
        )


@dataclass(frozen=True, slots=True)
class Step:
    """What one step decided. Arrays of `output` hold until the partition's next step; the records are its own."""

    output: StepOutput
    decoded: Decoded
    journal: JournalRecord
    singles: list[Outgoing]
    """Dead letters and moved events."""
    batches: list[Batch]

    @property
    def erases(self) -> bool:
        """Whether it has made the partition forget somebody."""
        events = self.decoded.events
        commands = events[:, L.EV_TYPE] == COMMAND
        kinds = events[:, L.EV_FIELDS + COMMAND_KIND]
        applied = events[:, L.EV_OUTCOME] == Outcome.APPLIED
        return bool(np.any(commands & (kinds == ERASE) & applied))


class Work:
    """A partition that this process owns. Not for two threads at once."""

    def __init__(
        self,
        *,
        rules: Compiled,
        topics: Topics,
        partition: int,
        positions: dict[TopicPartition, int],
        schemas: WriterSchemas,
        dedupe_max_ids: int,
        erasures: Erasures,
        as_json: bool,
        keyring: Keyring = NO_KEYS,
    ) -> None:
        """`positions`: where each source is read from, in the order of `topics.sources`."""
        rule_set = rules.rule_set
        self.partition = partition
        self.rule_set = rule_set
        self.dedupe_max_ids = dedupe_max_ids
        self.erasures = erasures
        self.keyring = keyring
        self.sources = [Source(place, offset) for place, offset in positions.items()]
        self.engine = Partition(
            rule_set,
            number=partition,
            partitions=topics.partitions,
            moved_source=topics.moved_source,
            dedupe_max_ids=dedupe_max_ids,
            erasure_key=erasures.key,
            erasure_term_ms=erasures.term_ms,
            program=rules.program,
        )
        self.epoch = -1
        self.number = 0
        """Number of the last step."""
        self.digest = 0
        """Of the last step."""
        self.source_types = topics.source_types
        self._topics = topics
        self._writers = schemas
        self._schemas = StepSchemas(schemas)
        self._decoder = Decoder(topics.source_types, self._schemas, rule_set)
        self._as_json = as_json
        self._sensitive = np.array([tag.sensitive and keyring.seals for tag in rule_set.tags], bool)
        """By tag whether its evidence is sealed."""
        self._writer = ChangeWriter(rule_set)
        self._encoder = AvroEncoder(rule_set, partition, SOURCE, None, None)

    def under(self, rules: Compiled) -> Work:
        """The same partition with other rules and an empty state, where this one stands and as the same owner."""
        other = Work(
            rules=rules,
            topics=self._topics,
            partition=self.partition,
            positions=self.offsets(),
            schemas=self._writers,
            dedupe_max_ids=self.dedupe_max_ids,
            erasures=self.erasures,
            as_json=self._as_json,
            keyring=self.keyring,
        )
        other.epoch = self.epoch
        return other

    # ---------------------------------------------------------------------------------------------------- deciding

    def decide(
        self, counts: Sequence[int], most: int, clock: int, budget: int, found_schemas: Iterable[str] | None = None
    ) -> tuple[Taken, Decoded, StepOutput]:
        """Take up to `most` of the first `counts` records of the sources, apply them, then move the clock to `clock`.

        `found_schemas`: those that the journal says the step found, if it is applied again. The only place where state
        moves: live steps and recovery run through it alike.
        """
        self._schemas.begin(found_schemas)
        with metrics.STEP_STAGE_SECONDS.labels("decode").time():
            taken = take(self.sources, counts, most)
            payloads = [m.value() for m in taken.messages]
            offsets = np.fromiter((m.offset() or 0 for m in taken.messages), np.int64, len(payloads))
            decoded = self._decoder.decode(payloads, taken.arrivals, offsets, taken.sources)
        with metrics.STEP_STAGE_SECONDS.labels("engine").time():
            output = self.engine.step(decoded, taken.order, clock, budget)
        self.number += 1
        self.digest = output.digest
        return taken, decoded, output

    def step(self, counts: Sequence[int], most: int, clock: int, budget: int, now_ms: int) -> Step:
        """Decide, and write down what was decided. `now_ms` is stamped on the changes (emitted_at)."""
        taken, decoded, output = self.decide(counts, most, clock, budget)
        assert sum(output.outcomes) == len(taken.messages), "read must be the sum of the outcomes"
        singles: list[Outgoing] = []
        dead: Counter[int] = Counter()
        if output.outcomes[Outcome.DEAD] or output.outcomes[Outcome.REKEYED]:
            singles, dead = self._set_aside(taken, decoded)
        journal = JournalRecord(
            kind="step",
            epoch=self.epoch,
            step=self.number,
            partition=self.partition,
            sources=tuple(map(_range_of, self.sources, taken.first)),
            clock_before=output.clock_before,
            clock_after=output.clock,
            rule_version=self.rule_set.version,
            engine_version=ENGINE_VERSION,
            timers_fired=output.timers_fired,
            outcomes=output.outcomes,
            last_seq=output.seq,
            digest=output.digest,
            dead=tuple(DeadCount(code, n) for code, n in sorted(dead.items())),
            found_schemas=self._schemas.found,
        )
        with metrics.STEP_STAGE_SECONDS.labels("encode").time():
            batches = self._batches(output, decoded, now_ms)
        return Step(output, decoded, journal, singles, batches)

    def _set_aside(self, taken: Taken, decoded: Decoded) -> tuple[list[Outgoing], Counter[int]]:
        """Dead letters and moved events of a step, and how many were dead for which reason."""
        outcomes = decoded.events[:, L.EV_OUTCOME]
        records: list[Outgoing] = []
        dead: Counter[int] = Counter()
        for row in np.flatnonzero((outcomes == Outcome.DEAD) | (outcomes == Outcome.REKEYED)).tolist():
            message = taken.messages[row]
            place = self.sources[int(taken.sources[row])].place
            if outcomes[row] == Outcome.REKEYED:
                refused = dead_letter(self._topics.dead_letters, place, message, Dead.REFUSED_BY_BROKER, None)
                moved = self._moved(decoded, row, refused)
                if len(moved.value or b"") > MOST_MOVED_BYTES:
                    metrics.count_dead(Dead.REFUSED_BY_BROKER)
                    moved = refused
                records.append(moved)
                continue
            reason = Dead(int(decoded.events[row, L.EV_CODE]))
            dead[reason] += 1
            records.append(dead_letter(self._topics.dead_letters, place, message, reason, decoded.details.get(row)))
        return records, dead

    def _moved(self, decoded: Decoded, row: int, refused: Outgoing) -> Outgoing:
        """The event for the partition where it belongs, with the arrival that it had here."""
        ref = int(decoded.events[row, L.EV_CUSTOMER])
        start = ref >> 32
        key = decoded.buf[start : start + (ref & 0xFFFFFFFF)].tobytes()
        return Outgoing(
            self._topics.moved,
            partition_of_key(key, self._topics.partitions),
            key,
            decoded.payload(row),
            timestamp_ms=int(decoded.events[row, L.EV_ARRIVAL]),
            instead=refused,
        )

    def _batches(self, output: StepOutput, decoded: Decoded, now_ms: int) -> list[Batch]:
        """Records of tags.changes and tags.current, the partition's clock last."""
        if self._as_json:
            numbers = {"partition": self.partition, "epoch": self.epoch}
            made = self._writer.changes(output, decoded, emitted_at=now_ms, **numbers)
            changes: list[tuple[bytes, bytes | None]] = [(c.customer_id.encode(), c.to_json()) for c in made]
            current = self._writer.current(output, self.engine.state.m, **numbers)
            tags = [(customer_id.encode(), None if c is None else c.to_json()) for customer_id, c in current]
        else:
            changes = self._encoder.changes(output, decoded, epoch=self.epoch, emitted_at=now_ms).records()
            tags = self._encoder.current(output, self.engine.state.m, epoch=self.epoch, clock=output.clock).records()
        for place in np.flatnonzero(self._sensitive[output.changes[:, L.CH_TAG]]).tolist():
            key, value = changes[place]
            changes[place] = key, self.encode(self.keyring.seal_evidence(Change.from_value(value or b"")))
        batches = [Batch(self._topics.changes, self.partition, changes)] if changes else []
        tags.append((CLOCK_KEY.encode(), self.clock_value()))
        return [*batches, Batch(self._topics.current, self.partition, tags)]

    def customer_of(self, row: int) -> str:
        """Id of the customer in a row of the engine."""
        return id_in_row(self.engine.state.m, self.engine.state.m8, row)

    def tags_of(self, row: int) -> dict[str, Value]:
        """What the customer in a row has, by tag."""
        return {t.tag: t.value for t in self._writer.tags_of(self.engine.state.m, row)}

    def tags_by_customer(self) -> dict[str, dict[str, Value]]:
        """Tags of every customer who has any, by the state as it is."""
        rows = self.engine.rows().tolist()
        return {self.customer_of(row): tags for row in rows if (tags := self.tags_of(row))}

    def encode(self, record: Change | Current) -> bytes:
        """A record's value in the output format."""
        return record.to_json() if self._as_json else record.to_avro()

    def clock_value(self) -> bytes:
        """The partition's `@clock`, for tags.current."""
        record = Current(
            customer_id=CLOCK_KEY,
            partition=self.partition,
            epoch=self.epoch,
            seq=self.engine.seq,
            # not the engine's clock: behind it there may be timers that have yet to fire
            clock=self.engine.settled(),
            rule_version=self.rule_set.version,
        )
        return self.encode(record)

    # --------------------------------------------------------------------------------------------------- delivering

    def offsets(self) -> dict[TopicPartition, int]:
        """Next offsets to apply of every source."""
        return {s.place: s.next for s in self.sources}

    def journal_value(self, record: JournalRecord) -> Outgoing:
        """A journal record of this partition, ready to be written."""
        return Outgoing(self._topics.journal, self.partition, str(self.partition).encode(), record.to_avro())

    def add_to(self, transaction: Transaction, step: Step) -> None:
        """Put a step into a transaction."""
        transaction.offsets |= self.offsets()
        transaction.batches += step.batches
        transaction.singles += step.singles
        transaction.stamped.append(self.journal_value(step.journal))
