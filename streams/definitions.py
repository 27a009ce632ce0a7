"""The rules in force, as `tags.definitions` has them: what `apply` publishes and every role takes up while it runs.

A rule set is published whole, under its version, and then named under `@current`; both in one partition, so whoever
sees the name has seen the rules. Names and texts may change under one version. What cannot be read is passed over, and
the rules of before stay in force.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Final

import confluent_kafka as ck
import structlog

from processors.rules.load import load_rules
from processors.rules.problems import RuleErrors
from processors.rules.tree import RuleSet
from schemas.errors import EventError, KafkaError, RuleError
from schemas.records import CURRENT_KEY, Definition
from streams import metrics
from streams.clock import Clock
from streams.kafka_log import FROM_THE_BEGINNING, KafkaReader
from streams.log import Message, TopicPartition
from streams.rules_dir import read_rules_dir
from streams.settings import KafkaSettings, RulesSettings
from streams.topics import DEFINITIONS

__all__ = ["Definitions", "definition_of", "files_of", "follow_rules", "publish", "rules_in_force"]

_LOG = structlog.get_logger(__name__)

MOST_BYTES: Final = 900_000
"""Of a compressed rule set: below the usual limit of a record, 1 MiB."""
READ_MOST: Final = 100
READ_WAIT_S: Final = 0.2
LOOK_EVERY_S: Final = 0.5
"""How late a change may be noticed."""
PUBLISH_WITHIN_S: Final = 30.0
FIRST_START: Final = "first start"
"""Who brought the rules in force with which everything began."""


def definition_of(
    files: Mapping[str, str], rules: RulesSettings, rule_set: RuleSet, author: str, now_ms: int
) -> Definition:
    """The record of a rule set that was loaded from `files` (path to text). Raises RuleErrors TS-R512: too large."""
    packed = zlib.compress(json.dumps(dict(files), ensure_ascii=False).encode("utf-8", "surrogatepass"), 9)
    if len(packed) > MOST_BYTES:
        message = f"The rules have {len(packed)} bytes when compressed; {MOST_BYTES} is the most"
        raise RuleErrors([RuleError("TS-R512", message)])
    return Definition(
        version=rule_set.version,
        text_hash=rule_set.text_hash,
        time_zone=rules.time_zone,
        default_currency=rules.default_currency,
        author=author,
        published_at=now_ms,
        files=packed,
    )


def publish(kafka: KafkaSettings, definition: Definition) -> None:
    """Bring a rule set in force. Returns when the broker has it. Raises KafkaError TS-K101."""
    producer = ck.Producer({"log_level": 0, "enable.idempotence": True, **kafka.client_config()})
    failed: list[str] = []

    def delivered(error: ck.KafkaError | None, _: ck.Message) -> None:
        if error is not None:
            failed.append(error.str())

    named = Definition(**definition.to_record() | {"files": None})
    for key, value in ((definition.version, definition), (CURRENT_KEY, named)):
        producer.produce(DEFINITIONS.named(kafka), value.to_avro(), key.encode(), partition=0, on_delivery=delivered)
    left = producer.flush(PUBLISH_WITHIN_S)
    if left or failed:
        why = failed[0] if failed else f"no answer within {PUBLISH_WITHIN_S:.0f} s"
        raise KafkaError("TS-K101", f"Kafka at {kafka.bootstrap} cannot be used: {why}")


class Definitions:
    """What is in force, followed as it changes. For one thread; to be closed.

    `read` is to be called before anything is asked; then `in_force` looks by itself, now and then, for what is new.
    """

    def __init__(self, kafka: KafkaSettings, clock: Clock) -> None:
        place = TopicPartition(DEFINITIONS.named(kafka), 0)
        self._reader = KafkaReader({"log_level": 0, **kafka.client_config()}, place, FROM_THE_BEGINNING)
        self._clock = clock
        self._looked_s = clock.monotonic_s()
        self._known: dict[str, Definition] = {}
        self._loaded: dict[str, RuleSet] = {}
        self.current: Definition | None = None
        """What is in force; None: nothing was published yet, or nothing that can be used."""

    def read(self) -> None:
        """Up to the present end. Raises KafkaError TS-K101."""
        while not self._reader.at_end:
            self.read_more()

    def read_more(self) -> None:
        """What comes within a moment."""
        self._take(self._reader.read(READ_MOST, READ_WAIT_S))

    def look(self) -> None:
        """Take up what is new, if it is time to look; never waits."""
        if self._clock.monotonic_s() - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = self._clock.monotonic_s()
            self._take(self._reader.read(READ_MOST, 0.0))

    def in_force(self) -> RuleSet:
        """The rules that every role is to work with; there must be some."""
        self.look()
        assert self.current is not None
        return self._loaded[self.current.version]

    def of(self, version: str) -> RuleSet | None:
        """The rules of a version; None if they are not there, or cannot be used."""
        known = self._known.get(version)
        return None if known is None else self._load(known)

    def close(self) -> None:
        self._reader.close()

    def _take(self, messages: list[Message]) -> None:
        for message in messages:
            key, value = (message.key() or b"").decode(errors="replace"), message.value()
            try:
                if value is None:
                    self._known.pop(key, None)
                elif key != CURRENT_KEY:
                    definition = Definition.from_avro(value)
                    self._known[definition.version] = definition
                else:
                    self._bring_in_force(Definition.from_avro(value))
            except EventError as error:
                metrics.DEFINITIONS_UNUSABLE.inc()
                _LOG.error("definitions.unreadable", key=key, offset=message.offset(), error=str(error))

    def _bring_in_force(self, named: Definition) -> None:
        known = self._known.get(named.version)
        before = self._loaded.pop(named.version, None)
        # names and texts may be others under the same version
        if known is None or self._load(known) is None:
            metrics.DEFINITIONS_UNUSABLE.inc()
            _LOG.error("definitions.unusable", version=named.version)
            self._loaded |= {} if before is None else {named.version: before}
            return
        self.current = known
        self._loaded = {named.version: self._loaded[named.version]}
        _LOG.info("definitions.in_force", version=named.version, author=named.author)

    def _load(self, definition: Definition) -> RuleSet | None:
        if definition.version not in self._loaded:
            try:
                rule_set = load_rules(
                    files_of(definition),
                    time_zone=definition.time_zone,
                    default_currency=definition.default_currency,
                )
            except (RuleErrors, ValueError, zlib.error) as error:
                _LOG.error("definitions.not_loaded", version=definition.version, error=str(error))
                return None
            if rule_set.version != definition.version:
                _LOG.error("definitions.other_version", version=definition.version, found=rule_set.version)
                return None
            self._loaded[definition.version] = rule_set
        return self._loaded[definition.version]


def files_of(definition: Definition) -> dict[str, str]:
    """Path to text of a rule set's files. Raises ValueError, zlib.error."""
    files: dict[str, str] = json.loads(zlib.decompress(definition.files or b""))
    return files


def rules_in_force(kafka: KafkaSettings, rules: RulesSettings, clock: Clock) -> RuleSet:
    """What is in force now; the directory's rules if nothing was published yet. Raises KafkaError, RuleErrors."""
    definitions = Definitions(kafka, clock)
    try:
        definitions.read()
        return _directory(rules)[1] if definitions.current is None else definitions.in_force()
    finally:
        definitions.close()


def follow_rules(kafka: KafkaSettings, rules: RulesSettings, clock: Clock) -> Definitions:
    """What is in force, for a role that works with it. If nothing was published yet, the directory's rules are.

    Raises KafkaError; RuleErrors if the directory is to be read and is of no use.
    """
    definitions = Definitions(kafka, clock)
    definitions.read()
    if definitions.current is None:
        files, rule_set = _directory(rules)
        publish(kafka, definition_of(files, rules, rule_set, FIRST_START, clock.wall_ms()))
        while definitions.current is None:
            definitions.read_more()
    elif rules.dir.is_dir():
        _tell_if_other(rules, definitions.in_force())
    return definitions


def _directory(rules: RulesSettings) -> tuple[dict[str, str], RuleSet]:
    files = read_rules_dir(rules.dir)
    return files, load_rules(files, time_zone=rules.time_zone, default_currency=rules.default_currency)


def _tell_if_other(rules: RulesSettings, in_force: RuleSet) -> None:
    """Warn of a directory that says something else than what is in force: somebody may expect it to count."""
    try:
        here = _directory(rules)[1].version
    except RuleErrors as error:
        here = str(error)
    if here != in_force.version:
        cure = "`tagstream plan` shows what would change, `tagstream apply` brings the directory in force"
        _LOG.warning("rules.directory_is_not_in_force", in_force=in_force.version, directory=here, cure=cure)
