"""From payloads to decoded rows: new schemas, JSON, and what only fastavro reads, around the compiled pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from processors import commands
from processors import decode as D
from processors import decode_plan as P
from processors import layout as L
from processors.commands import CommandReader, CommandRow
from processors.decode_plan import Plan, make_plan
from processors.dedupe import event_hash
from processors.hashing import id_hash
from processors.rules.tree import RuleSet
from processors.step import COMMAND, COMMAND_KIND, COMMAND_NUMBER, COMMAND_TAG, COMMAND_UNTIL, COMMAND_VALUE
from schemas.codec import event_from_avro_slow, event_from_json_bytes
from schemas.errors import EventError
from schemas.events import EVENT_TYPES
from schemas.outcomes import Dead
from schemas.registry import SCHEMAS, RawSchema, WriterSchemas, event_type_of
from schemas.resolution import check_readable

I64 = NDArray[np.int64]

SINGLE_OBJECT_HEADER = 10
CONFLUENT_HEADER = 5
COMMANDS = "command"
"""What stands among the types of sources for the topic of commands."""


@dataclass(slots=True)
class Decoded:
    """Decoded rows and what they refer to. `reals` is `events` seen as doubles."""

    events: I64
    reals: NDArray[np.float64]
    buf: NDArray[np.uint8]
    starts: I64
    ends: I64
    details: dict[int, str] = field(default_factory=dict)
    """Row -> what exactly was wrong, for dead events that the compiled pass did not judge."""

    def payload(self, row: int) -> bytes:
        """The row's payload in a framing and schema that names its type: as it came, or ours where it was replaced."""
        return self.buf[self.starts[row] : self.ends[row]].tobytes()


class Decoder:
    """Decodes the payloads of a partition's sources. Not for use by two threads at once."""

    def __init__(
        self, source_types: Sequence[str | None], schemas: WriterSchemas, rule_set: RuleSet | None = None
    ) -> None:
        """`source_types`: event type of each source topic, `command` for commands, None for events.moved.

        `rule_set`: those in force, about whose tags commands are; without them there may be no commands.
        """
        self._schemas = schemas
        self._source_types = source_types
        self._commands = None if rule_set is None else CommandReader(rule_set)
        self._may_be_command = np.array([kind in (None, COMMANDS) for kind in source_types])
        self._plans: list[Plan] = []
        self._by_fingerprint: dict[bytes, int] = {}
        self._by_id: dict[int, int] = {}
        self._writers: dict[bytes | int, RawSchema] = {}
        self._limits = D.field_limits()
        self._kinds = D.kind_tables()
        for event in EVENT_TYPES:
            # known from the start, or the first step would have each of its rows wait for them
            self._add(SCHEMAS[event].fingerprint, SCHEMAS[event].raw, event)
        self.tables = self._build_tables()

    def _build_tables(self) -> D.Tables:
        ops = [p.ops for p in self._plans]
        kinds: list[I64] = []
        moved = []
        at = 0
        for p in self._plans:
            o = p.ops.copy()
            o[o[:, 0] == P.OP_ENUM_KIND, 2] += at
            at += p.kinds.size
            moved.append(o)
            kinds.append(p.kinds)
        types = [D.ANY_TYPE if t in (None, COMMANDS) else EVENT_TYPES.index(t) for t in self._source_types]
        fingerprints = np.frombuffer(b"".join(self._by_fingerprint), "<u8").astype(np.uint64)
        return D.Tables(
            fingerprints=fingerprints,
            fingerprint_plan=np.array(list(self._by_fingerprint.values()), np.int64),
            ids=np.array(list(self._by_id), np.int64),
            id_plan=np.array(list(self._by_id.values()), np.int64),
            plan_type=np.array([p.event_type for p in self._plans], np.int64),
            plan_ops=np.cumsum([0, *(len(o) for o in ops)]).astype(np.int64),
            ops=np.concatenate([np.zeros((0, P.PLAN_WORDS), np.int64), *moved]),
            kinds=np.concatenate([np.zeros(0, np.int64), *kinds]),
            source_type=np.array(types, np.int64),
            low=self._limits[0],
            high=self._limits[1],
            kind_texts=self._kinds[0],
            kind_text_at=self._kinds[1],
            kind_first=self._kinds[2],
            kind_field=self._kinds[3],
        )

    def decode(self, payloads: list[bytes | None], arrivals: I64, offsets: I64, sources: I64) -> Decoded:
        """Decode one step's payloads (None: a tombstone). Row i of the result is payload i."""
        n = len(payloads)
        known: list[bytes] = [p or b"" for p in payloads] if None in payloads else payloads  # type: ignore[assignment]
        ends = np.cumsum(np.fromiter(map(len, known), np.int64, n), dtype=np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if n else ends.copy()
        if known is not payloads:
            starts[np.array([p is None for p in payloads])] = -1
        events = np.empty((n, L.EV_WORDS), np.int64)
        events[:, L.EV_ARRIVAL] = arrivals
        events[:, L.EV_OFFSET] = offsets
        events[:, L.EV_SOURCE] = sources
        decoded = Decoded(events, events.view(np.float64), _buffer(b"".join(known)), starts, ends)
        which = self._read_commands(decoded, known, sources)
        while D.decode(self.tables, decoded.buf, starts, ends, which, events, decoded.reals):
            which = self._help(decoded, which)
        return decoded

    def _read_commands(self, decoded: Decoded, payloads: list[bytes], sources: I64) -> I64:
        """Decode the commands among the payloads. Returns the other rows."""
        is_command = self._may_be_command[sources] & (decoded.starts >= 0)
        if self._commands is None or not is_command.any():
            return np.arange(len(payloads), dtype=np.int64)
        extra: list[bytes] = []
        end = decoded.buf.size
        for row in np.flatnonzero(is_command).tolist():
            if self._source_types[sources[row]] != COMMANDS and not commands.is_command(payloads[row]):
                is_command[row] = False
                continue
            decoded.events[row, L.EV_TYPE] = -1
            decoded.events[row, L.EV_TIME] = decoded.events[row, L.EV_ARRIVAL]
            try:
                command = self._commands.read(payloads[row], self._schemas)
            except EventError as error:
                decoded.events[row, L.EV_CODE] = int(error.dead)
                decoded.details[row] = error.detail
                continue
            extra += [command.command_id, command.customer_id]
            _write_command(decoded.events[row], command, end)
            end += len(command.command_id) + len(command.customer_id)
        decoded.buf = _buffer(decoded.buf.tobytes() + b"".join(extra))
        return np.flatnonzero(~is_command)

    def _help(self, decoded: Decoded, which: I64) -> I64:
        """Replace what the compiled pass could not read, or call it dead. Returns the rows to decode again."""
        extra: list[bytes] = []
        end = decoded.buf.size
        again: list[int] = []
        codes = decoded.events[which, L.EV_CODE]
        for row in which[codes < L.CODE_TOMBSTONE].tolist():
            try:
                replaced = self._replacement(row, decoded)
            except EventError as error:
                decoded.events[row, L.EV_CODE] = int(error.dead)
                decoded.details[row] = error.detail
                continue
            again.append(row)
            if replaced is not None:
                extra.append(replaced)
                decoded.starts[row] = end
                end += len(replaced)
                decoded.ends[row] = end
        if extra:
            decoded.buf = _buffer(decoded.buf.tobytes() + b"".join(extra))
        return np.array(again, np.int64)

    def _replacement(self, row: int, decoded: Decoded) -> bytes | None:
        """The row's event in our own schema, or None if its writer's schema has been learnt meanwhile."""
        code = decoded.events[row, L.EV_CODE]
        payload = decoded.payload(row)
        event = self._source_types[decoded.events[row, L.EV_SOURCE]]
        if code == L.NEEDS_JSON:
            if event is None:
                raise EventError(Dead.UNKNOWN_SCHEMA, "events.moved carries Avro only")
            return event_from_json_bytes(event, payload)
        key: bytes | int = payload[2:SINGLE_OBJECT_HEADER]
        header = SINGLE_OBJECT_HEADER
        if payload[0] == 0:
            key = int.from_bytes(payload[1:CONFLUENT_HEADER], "big")
            header = CONFLUENT_HEADER
        if code == L.NEEDS_SCHEMA:
            self._learn(key)
            return None
        return event_from_avro_slow(self._writers[key], payload[header:])

    def _learn(self, key: bytes | int) -> None:
        """Look a writer's schema up and make its plan."""
        if key in self._by_fingerprint or key in self._by_id:
            return
        writer = self._schemas.by_id(key) if isinstance(key, int) else self._schemas.by_fingerprint(key)
        if writer is None:
            shown = str(key) if isinstance(key, int) else key.hex()
            raise EventError(Dead.UNKNOWN_SCHEMA, f"schema {shown} is not known here")
        kind = event_type_of(writer)
        if kind is None:
            shown = str(key) if isinstance(key, int) else key.hex()
            raise EventError(Dead.UNKNOWN_SCHEMA, f"schema {shown} is not one of Browse, Purchase, Service, Profile")
        # a schema that is not valid, or can never be read as ours: each of its events meets the same error
        check_readable(writer)
        self._add(key, writer, kind)
        self.tables = self._build_tables()

    def _add(self, key: bytes | int, writer: RawSchema, event: str) -> None:
        """Make the plan of a writer's schema."""
        plan = make_plan(writer, event)
        index = D.SLOW
        if plan is not None:
            index = len(self._plans)
            self._plans.append(plan)
        self._writers[key] = writer
        if isinstance(key, int):
            self._by_id[key] = index
        else:
            self._by_fingerprint[key] = index


def _write_command(row: I64, command: CommandRow, at: int) -> None:
    """Fill a decoded row; the two ids stand at `at` in the buffer, one behind the other."""
    customer_at = at + len(command.command_id)
    row[L.EV_CODE] = L.CODE_OK
    row[L.EV_TYPE] = COMMAND
    row[L.EV_TIME] = row[L.EV_ARRIVAL]
    row[L.EV_ID] = at << 32 | len(command.command_id)
    row[L.EV_ID_HASH] = event_hash(_buffer(command.command_id), 0, len(command.command_id), COMMAND)
    row[L.EV_CUSTOMER] = customer_at << 32 | len(command.customer_id)
    row[L.EV_CUSTOMER_HASH] = id_hash(command.customer_id)
    row[L.EV_PRESENT] = 0
    row[L.EV_FIELDS + COMMAND_TAG] = command.tag
    row[L.EV_FIELDS + COMMAND_KIND] = command.kind
    row[L.EV_FIELDS + COMMAND_VALUE] = command.value
    row[L.EV_FIELDS + COMMAND_NUMBER] = command.number
    row[L.EV_FIELDS + COMMAND_UNTIL] = command.until


def _buffer(data: bytes) -> NDArray[np.uint8]:
    """Bytes as an array, never empty, so that compiled code sees one type and may form addresses."""
    return np.frombuffer(data or b"\0", np.uint8)
