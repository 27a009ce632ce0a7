"""Whether a run has ended as it must, whatever went wrong in it.

The journal is the definition of the order in which records were applied; everything else follows from it: the oracle's
changes and tags, the numbers, the dead letters, the offsets. Nothing here asks the taggers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from processors.hashing import partition_of_key
from processors.oracle import judge as oracle
from processors.oracle.event import Command
from processors.oracle.event import Record as Meant
from processors.oracle.judge import Result
from processors.oracle.tagstate import fits
from processors.rules.clauses import clauses_of
from processors.rules.tree import RuleSet
from schemas.events import AHEAD_IS_DEAD_MS, AHEAD_IS_NOW_MS, EARLIEST_EVENT_MS
from schemas.outcomes import Outcome
from schemas.records import Change, Current, JournalRecord
from streams import topics as catalogue
from streams.log import TopicPartition
from streams.verify.told import oracle_change
from tests.oracle.difference import diff
from tests.oracle.other_rules import unsteady_tags
from tests.properties.engine_run import seen_of
from tests.simulation.chronicle import Applied
from tests.simulation.kinds import Kind
from tests.simulation.plan import KEEP_ALL
from tests.simulation.record import Record
from tests.simulation.sender import home_of
from tests.simulation.world import World

__all__ = ["Wrong", "judge"]

UNBOUNDED = 50_000
"""Timers in a step: more than any run has."""
Tags = dict[str, dict[str, oracle.TagValue]]
"""By customer and tag; customers without tags are left out."""


class Wrong(AssertionError):
    """The run has ended otherwise than it must."""


def check(holds: object, what: object) -> None:
    if not holds:
        raise Wrong(str(what))


@dataclass(slots=True)
class Found:
    """What the topics of one partition hold in the end."""

    number: int
    steps: list[JournalRecord]
    """Steps and changeovers that count."""
    ignored: int
    """Journal records that do not."""
    sources: dict[TopicPartition, list[Record]]
    changes: list[Change]
    tags: Tags
    """Of tags.current."""
    published: set[str]
    """Who stands there, with a tag or without."""
    applied: list[Applied] = field(default_factory=list)
    ends: dict[TopicPartition, int] = field(default_factory=dict)
    """Per source the next offset, by the journal."""


def judge(world: World) -> None:
    """Raise Wrong."""
    found = [read(world, number) for number in range(world.plan.partitions)]
    moved, dead = Counter[bytes](), Counter[tuple[str, int, int]]()
    for each in found:
        check_steps(each)
        check_everything_is_read_once(each)
        check_numbers(world, each)
        outcomes = check_against_the_oracle(world, each)
        moved.update(a.record.given_value or b"" for a, o in outcomes if o is Outcome.REKEYED)
        dead.update((*a.place, a.record.at_offset) for a, o in outcomes if o is Outcome.DEAD)
        check_offsets(world, each)
        if world.plan.strict:
            check_order(each)
    check_set_aside(world, moved, dead)
    check(sum(each.ignored for each in found) == world.meddler.strays, "a zombie's record has come into a journal")


# ------------------------------------------------------------------------------------------------------ reading


def read(world: World, number: int) -> Found:
    topics, broker = world.topics, world.broker
    place = TopicPartition(topics.journal, number)
    records = world.archive.of(place, broker.partition(place).records)
    counted = world.chronicle.counted(number, records)
    claims = world.chronicle.claims(number, records)
    check_claims(claims)
    sources = {p: list(broker.partition(p).records) for p in topics.sources_of(number)}
    steps = [r for r in counted if r.kind in ("step", "changeover")]
    changes = broker.partition(TopicPartition(topics.changes, number)).records
    current = tags_of(broker.partition(TopicPartition(topics.current, number)).records)
    found = Found(
        number,
        steps,
        ignored=len(records) - len(claims) - len(counted),
        sources=sources,
        changes=[Change.from_value(r.given_value or b"") for r in changes],
        tags={customer: tags for customer, tags in current.items() if tags},
        published=set(current),
        ends={p: steps[-1].sources[i].next if steps else 0 for i, p in enumerate(sources)},
    )
    for change, record in zip(found.changes, changes, strict=True):
        check(record.given_key == change.customer_id.encode(), f"{change.id} has the key {record.given_key!r}")
    found.applied = list(world.chronicle.applied(number, [s for s in steps if s.kind == "step"], sources))
    return found


def tags_of(current: Iterable[Record]) -> Tags:
    """What tags.current comes to, also of customers without tags."""
    found: Tags = {}
    for record in current:
        if record.given_value is None:
            found.pop((record.given_key or b"").decode(), None)
            continue
        customer = Current.from_value(record.given_value)
        if not customer.is_clock:
            found[customer.customer_id] = {t.tag: t.value for t in customer.tags}
    return found


def tags_after(changes: Iterable[Change]) -> Tags:
    """What these changes, in order, come to. Raises Wrong if one does not follow the last of its tag."""
    tags: Tags = defaultdict(dict)
    for change in changes:
        held = tags[change.customer_id]
        before = held.get(change.tag)
        check(before == change.before, f"{change.id}: {change.tag} was {before!r} and not {change.before!r}")
        check(change.before != change.after, f"{change.id} changes nothing")
        if change.after is None:
            del held[change.tag]
        else:
            held[change.tag] = change.after
    return {customer: held for customer, held in tags.items() if held}


# -------------------------------------------------------------------------------------------- journal and numbers


def check_steps(found: Found) -> None:
    numbers = [step.step for step in found.steps]
    check(numbers == list(range(1, len(numbers) + 1)), f"partition {found.number} has the steps {numbers}")
    epochs = [step.epoch for step in found.steps]
    check(epochs == sorted(epochs), f"partition {found.number} has the epochs {epochs}")


def check_claims(claims: Iterable[tuple[JournalRecord, JournalRecord | None]]) -> None:
    """Whoever takes a partition finds the group's offsets where the journal ends: a claim says what it found."""
    for claim, last in claims:
        found = {s.topic: s.next for s in claim.sources}
        wanted = dict.fromkeys(found, 0) if last is None else {s.topic: s.next for s in last.sources}
        check(found == wanted, f"a claim found the group at {found}, the journal at {wanted}")


def check_everything_is_read_once(found: Found) -> None:
    """Each record is in one step, and each step has as many outcomes as records."""
    read_by_step: Counter[int] = Counter()
    for number, (place, records) in enumerate(found.sources.items()):
        at = 0
        offsets = [record.at_offset for record in records]
        for step in found.steps:
            source = step.sources[number]
            between = [o for o in offsets if at <= o < source.first]
            check(source.first >= at and not between, f"{place}: step {step.step} begins at {source.first}, not {at}")
            at = source.next
            read_by_step[step.step] += sum(source.first <= o < source.next for o in offsets)
        check(not [o for o in offsets if o >= at], f"{place}: nothing is read from {at} on")
    for step in found.steps:
        read, said = read_by_step[step.step], sum(step.outcomes)
        check(read == said, f"step {step.step} has read {read} records and counts {said}")


def check_numbers(world: World, found: Found) -> None:
    """No gap and no repeat in a partition, and each change names its customer's last.

    Nothing is remembered of a customer without tags for whom no window holds anything: there the last is unknown.
    """
    last_of: dict[str, int] = defaultdict(int)
    held: dict[str, set[str]] = defaultdict(set)
    epoch = -1
    for number, change in enumerate(found.changes, 1):
        customer = change.customer_id
        check(change.seq == number, f"{change.id} is the change number {number}")
        check(change.id == f"{found.number}-{number}", f"{change.id} is of partition {found.number}")
        check(change.epoch >= epoch, f"{change.id} is of an epoch before the last one")
        epoch = change.epoch
        known = last_of[customer] if held[customer] or change.prev_seq else 0
        check(change.prev_seq == known, f"{change.id} of {customer}: prev_seq {change.prev_seq} for {known}")
        home = partition_of_key(customer.encode(), world.plan.partitions)
        check(home == found.number, f"{change.id} of {customer} belongs to partition {home}")
        last_of[customer] = change.seq
        (held[customer].discard if change.after is None else held[customer].add)(change.tag)
    told = found.steps[-1].last_seq if found.steps else 0
    check(told == len(found.changes), f"the journal ends at number {told}, tags.changes at {len(found.changes)}")


def check_offsets(world: World, found: Found) -> None:
    committed = world.broker.group("tagger").committed(found.sources)
    for place, end in found.ends.items():
        check(committed[place] == end, f"{place}: the group is at {committed[place]}, the journal at {end}")


def check_order(found: Found) -> None:
    """All of it was there before: then the order is that of (arrival, topic, offset), and no other."""
    order = [(a.arrival_ms, a.place.topic, a.record.at_offset) for a in found.applied]
    for one, other in zip(order, sorted(order), strict=True):
        check(one == other, f"partition {found.number}: {one} was applied where {other} belongs")


# ------------------------------------------------------------------------------------------------------ the oracle


def check_against_the_oracle(world: World, found: Found) -> list[tuple[Applied, Outcome | None]]:
    """Returns the outcomes, as far as they are decided without the rules' state (None: by the oracle)."""
    outcomes = [(a, outcome_of(world, found.number, a)) for a in found.applied]
    events = [replace(meaning(world, a), arrival_ms=a.clock_ms) for a, outcome in outcomes if outcome is None]
    until_ms = found.steps[-1].clock_after if found.steps else None
    wanted = oracle.run(world.final_rules, events, until_ms)
    published = tags_after(found.changes)
    check(published == found.tags, f"tags.changes come to {published}, tags.current says {found.tags}")
    check_erased(world, found, outcomes)
    count_led(world, found, wanted)
    if has_late_timers_rebuilt(world) or world.plan.changes_rules:
        if world.plan.may_rebuild:
            check_tags_at_the_end(world, found, wanted.tags, published)
        if not world.plan.forgets_rules and not has_late_timers_rebuilt(world):
            check_unchanged_tags(world, found, wanted, events)
        return outcomes
    for _, outcome in outcomes:
        if outcome is not None:
            wanted.outcomes[outcome] += 1
    clauses = clauses_of(world.final_rules)
    reasons = [tuple(seen_of(clauses, each) for each in c.evidence) for c in found.changes]
    told = sum_of_outcomes(found.steps)
    got = Result([oracle_change(c) for c in found.changes], told, published, reasons)
    difference = diff(wanted, got, events)
    check(difference is None, f"partition {found.number}: {difference}")
    return outcomes


def check_tags_at_the_end(world: World, found: Found, wanted: Tags, published: Tags) -> None:
    """After other rules, what each customer has is what the last ones make of all that was sent."""
    # where something was carried over, they were looked at once more
    left_out = set() if world.plan.snapshots_kept >= KEEP_ALL else unsteady_tags(world.final_rules)
    pair = [
        {
            customer: some
            for customer, tags in all_tags.items()
            if (some := {t: tags[t] for t in tags.keys() - left_out})
        }
        for all_tags in (wanted, published)
    ]
    check(pair[0] == pair[1], f"partition {found.number}: the tags should be {pair[0]}, are {pair[1]}")


def check_unchanged_tags(world: World, found: Found, wanted: Result, events: list[Meant]) -> None:
    """What no rule set changes goes on as if the rules had never been touched."""
    told = [world.sender.meanings.get(a.record.given_value or b"") for a in found.applied]
    commands = [one for one in told if isinstance(one, Command) and one.kind != "erase"]
    if any(len({is_about_nothing(rules, c) for rules in world.plan.rule_sets}) > 1 for c in commands):
        # one that is dead by some rules is by others the one of which a later one is a duplicate
        return
    same = world.plan.unchanged_tags
    got = Result([oracle_change(c) for c in found.changes if c.tag in same], wanted.outcomes)
    should = Result([c for c in wanted.changes if c.tag in same], wanted.outcomes)
    world.trace.count(Kind.UNTOUCHED, len(got.changes))
    difference = diff(should, got, events)
    check(difference is None, f"partition {found.number}, tags that no rule set changes: {difference}")


def check_erased(world: World, found: Found, outcomes: Iterable[tuple[Applied, Outcome | None]]) -> None:
    """Of one of whom nothing came behind an erasure tags.current has nothing, not even that they have no tag."""
    gone: set[str] = set()
    met: set[str] = set()
    for applied, outcome in outcomes:
        # what is dead by the rules at the end may have been none by those of its time
        record = world.sender.meanings.get(applied.record.given_value or b"")
        if record is None:
            continue
        is_erasure = outcome is None and isinstance(record, Command) and record.kind == "erase"
        if is_erasure and record.event_id not in met:
            gone.add(record.customer_id)
        elif not is_erasure:
            gone.discard(record.customer_id)
        if isinstance(record, Command):
            met.add(record.event_id)
    check(not gone & found.published, f"{gone & found.published} are erased and in tags.current")


def has_late_timers_rebuilt(world: World) -> bool:
    """Timers that the last step before the cut had put off fire when the state is made of the events: what they change
    is published as a backfill."""
    return world.trace.counts[Kind.REBUILT] > 0 and world.plan.max_step_timers < UNBOUNDED


def meaning(world: World, applied: Applied) -> Meant:
    return world.sender.meanings[applied.record.given_value or b""]


def outcome_of(world: World, partition: int, applied: Applied) -> Outcome | None:
    """What becomes of a record that never reaches the rules; None if it does."""
    value = applied.record.given_value
    if value is None:
        return Outcome.SKIPPED
    event = world.sender.meanings.get(value)
    if event is None or applied.place.topic not in (home_of(event).name, catalogue.MOVED.name):
        return Outcome.DEAD
    if is_dead(world, event, applied.clock_ms):
        return Outcome.DEAD
    home = partition_of_key(event.customer_id.encode(), world.plan.partitions)
    return None if home == partition else Outcome.REKEYED


def is_dead(world: World, event: Meant, clock_ms: int) -> bool:
    """By its time, or because no tag can be what it says."""
    if isinstance(event, Command) and event.kind != "erase":
        return is_about_nothing(world.final_rules, event)
    time_ms = event.event_time_ms
    if clock_ms + AHEAD_IS_NOW_MS < time_ms <= clock_ms + AHEAD_IS_DEAD_MS:
        time_ms = clock_ms
    return not EARLIEST_EVENT_MS <= time_ms <= clock_ms + AHEAD_IS_DEAD_MS


def is_about_nothing(rules: RuleSet, command: Command) -> bool:
    """Whether no tag of these rules can be what a command says."""
    tag = next((t for t in rules.tags if t.id == command.tag), None)
    if tag is None or not (tag.model if command.kind == "score" else tag.manual):
        return True
    return command.kind != "remove" and not fits(tag, command.value)


def sum_of_outcomes(steps: Iterable[JournalRecord]) -> dict[Outcome, int]:
    total = dict.fromkeys(Outcome, 0)
    for step in steps:
        for outcome, count in zip(Outcome, step.outcomes, strict=True):
            total[outcome] += count
    return total


def count_led(world: World, found: Found, wanted: Result) -> None:
    """What of the situations shows in the topics alone."""
    trace = world.trace
    trace.count(Kind.DUPLICATE, wanted.outcomes[Outcome.DUPLICATE])
    trace.count(Kind.LATE, wanted.outcomes[Outcome.LATE])
    trace.count(Kind.ERASED, wanted.outcomes[Outcome.ERASED])
    trace.count(Kind.BEHIND_CLOCK, sum(a.arrival_ms < a.clock_ms for a in found.applied))
    trace.count(Kind.BACKFILLED, sum(c.origin == "backfill" for c in found.changes))
    trace.count(Kind.TIMERS_PUT_OFF, sum(s.timers_fired == world.plan.max_step_timers for s in found.steps))


# ------------------------------------------------------------------------------------------------------- set aside


def check_set_aside(world: World, moved: Counter[bytes], dead: Counter[tuple[str, int, int]]) -> None:
    """Dead letters and moved events: each once."""
    broker, topics, partitions = world.broker, world.topics, world.plan.partitions
    letters: Counter[tuple[str, int, int]] = Counter()
    found: Counter[bytes] = Counter()
    for number in range(partitions):
        for record in broker.partition(TopicPartition(topics.dead_letters, number)).records:
            told = dict(record.given_headers)
            topic, partition, offset = (bytes(told[name] or b"").decode() for name in ("topic", "partition", "offset"))  # type: ignore[arg-type]
            letters[topic, int(partition), int(offset)] += 1
        found.update(r.given_value or b"" for r in broker.partition(TopicPartition(topics.moved, number)).records)
    check(found == moved, f"events.moved has {found - moved} too often, {moved - found} too rarely")
    if world.plan.changes_rules:
        # a command may be dead by the rules of its time alone
        commands = {
            (*p, r.at_offset)
            for n in range(partitions)
            for p in topics.sources_of(n)
            for r in broker.partition(p).records
            if isinstance(world.sender.meanings.get(r.given_value or b""), Command)
        }
        letters = Counter({place: n for place, n in letters.items() if place not in commands})
        dead = Counter({place: n for place, n in dead.items() if place not in commands})
    check(letters == dead, f"events.dlq has {letters - dead} too often, {dead - letters} too rarely")
