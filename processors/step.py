"""One step of one partition: events in their order, timers on time, changes out. The heart of the engine.

For each event: the clock moves to its arrival; timers due by then fire, oldest first; the event gets its outcome; the
customer's own timers fire if the others' budget ran out before theirs; it is counted; the rules that it can change are
evaluated once. The result depends on the order of the events alone, not on how they were cut into steps.

Throughout, `m`, `m32`, `m8` are the partition's memory (layout.py), `g` the compiled rules (rules/program.py), `texts`
and `consts` their constants, `changes`, `touched` and `evidence` the step's output.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from processors import (
    assigned,
    attributes,
    customers,
    dedupe,
    distinct,
    erased,
    forecast,
    groups,
    places,
    series,
    sets,
    timers,
)  # fmt: skip
from processors import evidence as why
from processors import layout as L
from processors.attributes import TEXT_SEED
from processors.decode import varint
from processors.erase import erase
from processors.evaluate import evaluate_noted, fire, let_panes_leave, settle
from processors.hashing import U, hash_bytes, mix64, partition_of
from processors.interpret import EVENT_TIME, is_text, passes
from processors.jit import hot, inline, jit, stay_apart
from processors.marks import mark, mark_readers
from processors.room import has_room
from processors.rules import program as G
from processors.rules.program import look
from schemas.events import (
    AHEAD_IS_DEAD_MS,
    AHEAD_IS_NOW_MS,
    EARLIEST_EVENT_MS,
    EVENT_TYPES,
    FIELDS,
    KINDS,
)
from schemas.outcomes import Dead, Outcome

_SKIPPED: Final = int(Outcome.SKIPPED)
_DEAD: Final = int(Outcome.DEAD)
_REKEYED: Final = int(Outcome.REKEYED)
_ERASED: Final = int(Outcome.ERASED)
_DUPLICATE: Final = int(Outcome.DUPLICATE)
_LATE: Final = int(Outcome.LATE)
_APPLIED: Final = int(Outcome.APPLIED)
_TOO_OLD: Final = int(Dead.TIME_TOO_OLD)
_AHEAD: Final = int(Dead.TIME_AHEAD)
_MOVED_TWICE: Final = int(Dead.MOVED_TWICE)

COMMAND: Final = len(EVENT_TYPES)
"""Type of a decoded command; what it says stands in the row's fields (decoder.py)."""
COMMAND_TAG: Final = 0
COMMAND_KIND: Final = 1
COMMAND_VALUE: Final = 2
COMMAND_NUMBER: Final = 3
COMMAND_UNTIL: Final = 4

_PROFILE: Final = EVENT_TYPES.index("profile")
_PURCHASE: Final = EVENT_TYPES.index("purchase")
_PURCHASE_FIELDS: Final = [f.name for f in FIELDS["purchase"]]
_FIELD_CURRENCY: Final = _PURCHASE_FIELDS.index("currency")
_FIELD_KIND: Final = _PURCHASE_FIELDS.index("kind")
_FIELD_AMOUNT: Final = _PURCHASE_FIELDS.index("amount_cents")
_FIELD_QUANTITY: Final = _PURCHASE_FIELDS.index("quantity")
_FIELD_ORDER_TIME: Final = _PURCHASE_FIELDS.index("order_time")
_ORDER: Final = KINDS["purchase"].index("order")
_REFUND: Final = KINDS["purchase"].index("refund")
_CANCEL: Final = KINDS["purchase"].index("cancel")

MEASURE_NONE: Final = -1
UNIT_REAL: Final = 1_000_000_000
"""Reals are summed as whole billionths, so that sums are exact and do not depend on the order of adding."""
UNIT_TEXT: Final = -2
"""A text is kept as a 64-bit hash: it is only ever compared."""


@jit
def fire_due(m, m32, m8, g, changes, touched, evidence, budget):  # type: ignore[no-untyped-def]
    """Fire timers due by the clock, oldest first, until `budget` have fired in this step.

    Returns False for lack of room.
    """
    clock = m[L.R_CLOCK]
    if not forecast.make(m, m32, g, changes, touched, evidence):
        return False
    while m[L.R_TIMERS_FIRED] < budget:
        if not has_room(m, g, changes, touched, evidence):
            return False
        row = timers.next_due(m, m32, m8, clock)
        if row == timers.NO_ROOM:
            return False
        if row == timers.NONE_DUE:
            return True
        m[L.R_TIMERS_FIRED] += 1
        fire(m, m32, m8, g, changes, touched, evidence, row)
        if not forecast.make(m, m32, g, changes, touched, evidence):
            return False
    return True


@hot
def _dead_or_rekeyed(events, e, buf, clock, partition, partitions, moved_source):  # type: ignore[no-untyped-def]
    """Outcome of an event as far as it is decided without state: SKIPPED, DEAD, REKEYED, or -1."""
    code = events[e, L.EV_CODE]
    if code == L.CODE_TOMBSTONE:
        return _SKIPPED
    if code != L.CODE_OK:
        return _DEAD
    if events[e, L.EV_TIME] < EARLIEST_EVENT_MS:
        events[e, L.EV_CODE] = _TOO_OLD
        return _DEAD
    ahead = events[e, L.EV_TIME] - clock
    if ahead > AHEAD_IS_DEAD_MS:
        events[e, L.EV_CODE] = _AHEAD
        return _DEAD
    if ahead > AHEAD_IS_NOW_MS:
        events[e, L.EV_TIME] = clock
    ref = events[e, L.EV_CUSTOMER]
    if partitions > 1 and partition_of(buf, ref >> 32, ref & 0xFFFFFFFF, partitions) != partition:
        if events[e, L.EV_SOURCE] == moved_source:
            events[e, L.EV_CODE] = _MOVED_TWICE
            return _DEAD
        return _REKEYED
    return -1


@inline
def _is_late(g, event_type, event_time, clock):  # type: ignore[no-untyped-def]
    """Whether an event is older than every window on its type (of which there is at least one)."""
    minute = look(g, G.TYPE_MINUTE_WINDOW, event_type)
    hour = look(g, G.TYPE_HOUR_WINDOW, event_type)
    late = minute != 0 or hour != 0
    if minute != 0 and (event_time // L.MINUTE_MS + 1) * L.MINUTE_MS + minute > clock:
        late = False
    if hour != 0 and (event_time // L.HOUR_MS + 1) * L.HOUR_MS + hour > clock:
        late = False
    return late


@inline
def _of_an_order(events, e):  # type: ignore[no-untyped-def]
    """Whether the event takes something back from an order whose time it gives: a refund or a cancellation."""
    kind = events[e, L.EV_FIELDS + _FIELD_KIND]
    takes_back = events[e, L.EV_TYPE] == _PURCHASE and (kind == _REFUND or kind == _CANCEL)
    return takes_back and (events[e, L.EV_PRESENT] >> _FIELD_ORDER_TIME) & 1 != 0


@hot
def _measure(g, texts, sid, events, reals, e, buf):  # type: ignore[no-untyped-def]
    """(whether the event has the series' measure, the measure in the series' unit, 0 if not)."""
    slot = look(g, G.SERIES_MEASURE, sid)
    if slot == EVENT_TIME:
        return True, events[e, L.EV_TIME]
    unit = look(g, G.SERIES_UNIT, sid)
    currency = look(g, G.SERIES_CURRENCY, sid)
    if slot == MEASURE_NONE or (events[e, L.EV_PRESENT] >> slot) & 1 == 0:
        if unit == UNIT_TEXT and currency >= 0:
            # the currency itself: a missing one is the default one
            at = look(g, G.TEXT_AT, currency)
            size = look(g, G.TEXT_AT, currency + 1) - at
            return True, np.int64(hash_bytes(texts, at, size, TEXT_SEED))
        return False, np.int64(0)
    if unit == UNIT_REAL:
        return True, np.int64(np.rint(reals[e, L.EV_FIELDS + slot] * UNIT_REAL))
    value = events[e, L.EV_FIELDS + slot]
    if unit == UNIT_TEXT:
        return True, np.int64(hash_bytes(buf, value >> 32, value & 0xFFFFFFFF, TEXT_SEED))
    if currency >= 0 and (events[e, L.EV_PRESENT] >> _FIELD_CURRENCY) & 1:
        if not is_text(g, texts, currency, buf, events[e, L.EV_FIELDS + _FIELD_CURRENCY]):
            return False, np.int64(0)
    return True, value


@inline
def _within(g, sid, event_time, clock):  # type: ignore[no-untyped-def]
    """Whether the longest window of the series still holds the event's pane."""
    longest = look(g, G.WINDOW_MS, look(g, G.SERIES_WINDOWS, sid + 1) - 1)
    pane_ms = look(g, G.SERIES_PANE_MS, sid)
    return longest == series.EVER or (event_time // pane_ms + 1) * pane_ms + longest > clock


@inline
def _has_key(g, sid, events, e):  # type: ignore[no-untyped-def]
    """Whether the event has the field by which the series is grouped, a short enough text or a kind."""
    slot = look(g, G.SERIES_GROUP, sid)
    has = (events[e, L.EV_PRESENT] >> slot) & 1 != 0
    if not has:
        return look(g, G.SERIES_GROUP_DEFAULT, sid) >= 0
    if look(g, G.SERIES_GROUP_KINDS, sid) < 0:
        has = events[e, L.EV_FIELDS + slot] & 0xFFFFFFFF <= groups.MAX_KEY_BYTES
    return has


@jit
def _cell_of_event(m, m32, g, texts, group, sid, events, e, buf):  # type: ignore[no-untyped-def]
    """The cell of the event's key in a group, made if need be; 0 where the group is full."""
    slot = look(g, G.SERIES_GROUP, sid)
    value = events[e, L.EV_FIELDS + slot]
    constant = look(g, G.SERIES_GROUP_KINDS, sid)
    if constant >= 0:
        constant += value
    elif (events[e, L.EV_PRESENT] >> slot) & 1 == 0:
        constant = look(g, G.SERIES_GROUP_DEFAULT, sid)
    if constant >= 0:
        at = look(g, G.TEXT_AT, constant)
        size = look(g, G.TEXT_AT, constant + 1) - at
        return groups.cell_for(m, m32, g, group, look(g, G.TEXT_HASHES, constant), texts, at, size)
    hash64 = np.int64(hash_bytes(buf, value >> 32, value & 0xFFFFFFFF, TEXT_SEED))
    return groups.cell_for(m, m32, g, group, hash64, buf, value >> 32, value & 0xFFFFFFFF)


@jit
def _feed(m, m32, g, texts, row, sid, events, reals, e, buf, sign):  # type: ignore[no-untyped-def]
    """Count the event in a series whose filter it passes (`sign` -1: take it back); mark the tags that read it."""
    stay_apart()
    event_time = events[e, L.EV_TIME]
    clock = m[L.R_CLOCK]
    kind = look(g, G.SERIES_KIND, sid)
    timed = kind >= series.FIRST or look(g, G.SERIES_MEASURE, sid) == EVENT_TIME
    grouped = look(g, G.SERIES_KEY_WORDS, sid) != 0
    if not timed and _of_an_order(events, e):
        # it counts where its order does; when something happened is told by its own time
        event_time = min(event_time, events[e, L.EV_FIELDS + _FIELD_ORDER_TIME])
    if not _within(g, sid, event_time, clock) or (sign < 0 and (timed or kind > series.MEASURED)):
        return
    there, value = _measure(g, texts, sid, events, reals, e, buf)
    if not there and kind != series.SUM and kind != series.MATCH:
        return
    if grouped and not _has_key(g, sid, events, e):
        return
    at = series.find_group(m, m32, g, row, sid)
    if at == 0:
        at = series.add_cell(m, m32, g, row, sid)
    group = at
    if grouped:
        at = _cell_of_event(m, m32, g, texts, group, sid, events, e, buf)
        if at == 0:
            return
    if kind <= series.MEASURED:
        series.add(m, m32, g, row, at, event_time, clock, sign, sign * value)
    elif kind == series.DISTINCT:
        if look(g, G.SERIES_UNIT, sid) != UNIT_TEXT:
            value = np.int64(mix64(U(value)))
        distinct.see(m, m32, g, row, at, event_time, clock, value)
    elif kind == series.MATCH:
        series.match(m, m32, g, row, at, event_time)
    else:
        series.put(m, m32, g, row, at, event_time, clock, value)
    if grouped:
        m[group + L.CELL_LEAVES] = min(m[group + L.CELL_LEAVES], m[at + L.CELL_LEAVES])
        m32[row * 2 + L.ROW_CALM32] = 0
    mark_readers(m, g, sid)


@hot
def _candidates(g, index, events, e, buf):  # type: ignore[no-untyped-def]
    """The filters [first, end) in CANDIDATES that may pass the event, by an indexed field of its type."""
    field = look(g, G.INDEX_FIELD, index)
    if (events[e, L.EV_PRESENT] >> field) & 1 == 0:
        return np.int64(0), np.int64(0)
    value = events[e, L.EV_FIELDS + field]
    if look(g, G.INDEX_IS_TEXT, index) != 0:
        value = np.int64(hash_bytes(buf, value >> 32, value & 0xFFFFFFFF, TEXT_SEED))
    slots = look(g, G.INDEX_SLOTS, index)
    mask = look(g, G.INDEX_SLOTS, index + 1) - slots - 1
    s = value & mask
    while True:
        slot = g[G.SLOTS] + (slots + s) * G.SLOT_WORDS
        if g[slot + 2] == 0 or g[slot] == value:
            return g[slot + 1], g[slot + 2]
        s = (s + 1) & mask


@hot
def _count(m, m32, g, texts, consts, row, events, reals, e, buf, sign, matches):  # type: ignore[no-untyped-def]
    """Feed the event to every series whose filter it passes: with `matches` to the matches, without to all others."""
    event_type = events[e, L.EV_TYPE]
    first = look(g, G.TYPE_OPEN, event_type)
    end = look(g, G.TYPE_OPEN, event_type + 1)
    index = look(g, G.TYPE_INDEXES, event_type)
    while True:
        for i in range(first, end):
            f = look(g, G.CANDIDATES, i)
            start = look(g, G.FILTER_START, f)
            if matches and look(g, G.FILTER_MATCHES, f) == 0:
                continue
            if not passes(m, m32, g, texts, consts, start, look(g, G.FILTER_END, f), events, reals, e, buf, row):
                continue
            for sid in range(look(g, G.FILTER_SERIES, f), look(g, G.FILTER_SERIES, f + 1)):
                kind = look(g, G.SERIES_KIND, sid)
                if kind == series.MATCH if matches else kind < series.MATCH:
                    _feed(m, m32, g, texts, row, sid, events, reals, e, buf, sign)
        if index == look(g, G.TYPE_INDEXES, event_type + 1):
            break
        first, end = _candidates(g, index, events, e, buf)
        index += 1


@jit
def _match(m, m32, g, texts, consts, row, events, reals, e, buf):  # type: ignore[no-untyped-def]
    """As the second event of sequences, before it can be the first of any: it does not follow itself."""
    stay_apart()
    _count(m, m32, g, texts, consts, row, events, reals, e, buf, 1, True)


@jit
def _take_back(m, m32, g, texts, consts, row, events, reals, e, buf):  # type: ignore[no-untyped-def]
    """A cancellation of an order whose time it gives: it is matched as that order, and subtracted where that counts."""
    stay_apart()
    happened = events[e, L.EV_TIME]
    amount = events[e, L.EV_FIELDS + _FIELD_AMOUNT]
    quantity = events[e, L.EV_FIELDS + _FIELD_QUANTITY]
    events[e, L.EV_TIME] = min(happened, events[e, L.EV_FIELDS + _FIELD_ORDER_TIME])
    events[e, L.EV_FIELDS + _FIELD_KIND] = _ORDER
    events[e, L.EV_FIELDS + _FIELD_AMOUNT] = abs(amount)
    events[e, L.EV_FIELDS + _FIELD_QUANTITY] = abs(quantity)
    _count(m, m32, g, texts, consts, row, events, reals, e, buf, -1, False)
    events[e, L.EV_TIME] = happened
    events[e, L.EV_FIELDS + _FIELD_KIND] = _CANCEL
    events[e, L.EV_FIELDS + _FIELD_AMOUNT] = amount
    events[e, L.EV_FIELDS + _FIELD_QUANTITY] = quantity


@jit
def _set_attribute(m, m32, g, texts, row, event_time, buf, name, name_bytes, p, n):  # type: ignore[no-untyped-def]
    """Set the attribute of this name, if rules read it; mark the tags that do."""
    for sid in range(g[G.FIRST_ATTRIBUTE], g[G.FIRST_ATTRIBUTE] + g[G.ATTRIBUTES]):
        if is_text(g, texts, look(g, G.SERIES_MEASURE, sid), buf, name << 32 | name_bytes):
            if attributes.put(m, m32, g, row, sid, event_time, buf, p, n):
                mark_readers(m, g, sid)


@jit
def _merge_profile(m, m32, g, texts, row, events, e, buf):  # type: ignore[no-untyped-def]
    """Set what a profile event says of the customer: an Avro map, which was found well formed when it was decoded."""
    stay_apart()
    ref = events[e, L.EV_FIELDS]
    null_branch = events[e, L.EV_FIELDS + 1]
    p = ref >> 32
    end = p + (ref & 0xFFFFFFFF)
    while p < end:
        count, p, _ = varint(buf, p, end)
        if count < 0:
            count = -count
            _, p, _ = varint(buf, p, end)
        for _ in range(count):
            name_bytes, p, _ = varint(buf, p, end)
            name = p
            p += name_bytes
            n = np.int64(-1)
            branch = np.int64(-1)
            if null_branch >= 0:
                branch, p, _ = varint(buf, p, end)
            if branch < 0 or branch != null_branch:
                n, p, _ = varint(buf, p, end)
            _set_attribute(m, m32, g, texts, row, events[e, L.EV_TIME], buf, name, name_bytes, p, n)
            p += max(n, np.int64(0))


@jit
def _obey(m, m32, g, row, events, e):  # type: ignore[no-untyped-def]
    """A command about one tag."""
    tag = events[e, L.EV_FIELDS + COMMAND_TAG]
    kind = events[e, L.EV_FIELDS + COMMAND_KIND]
    value = events[e, L.EV_FIELDS + COMMAND_VALUE]
    number = events[e, L.EV_FIELDS + COMMAND_NUMBER]
    until = events[e, L.EV_FIELDS + COMMAND_UNTIL]
    m[L.R_COMMANDED] = tag + 1
    m[L.R_BEFORE_COMMAND] = assigned.code_of(m, m32, g, assigned.deciding(m, m32, g, row, tag), tag)
    assigned.command(m, m32, g, row, tag, kind, value, number, until, m[L.R_CLOCK])


@inline
def _is_erasure(events, e):  # type: ignore[no-untyped-def]
    return events[e, L.EV_TYPE] == COMMAND and events[e, L.EV_FIELDS + COMMAND_KIND] == assigned.ERASE


@jit
def _is_erased(m, key, events, e, buf):  # type: ignore[no-untyped-def]
    """Whether the event is of a customer who was erased and of before that; an erasure itself always holds."""
    stay_apart()
    happened = events[e, L.EV_TIME]
    if events[e, L.EV_TYPE] == COMMAND:
        # it has no other time than that at which it is obeyed
        happened = m[L.R_CLOCK]
    ref = events[e, L.EV_CUSTOMER]
    return not _is_erasure(events, e) and erased.is_suppressed(m, key, buf, ref >> 32, ref & 0xFFFFFFFF, happened)


@jit
def _apply(m, m32, m8, g, texts, consts, changes, touched, evidence, events, reals, e, buf, key):  # type: ignore[no-untyped-def]
    """Dedupe, count and evaluate one readable event of this partition. Returns its outcome."""
    clock = m[L.R_CLOCK]
    if m[L.R_ERASED_COUNT] != 0 and _is_erased(m, key, events, e, buf):
        return _ERASED
    if dedupe.is_duplicate(m, events[e, L.EV_ID_HASH], clock):
        return _DUPLICATE
    ref = events[e, L.EV_CUSTOMER]
    hash64 = events[e, L.EV_CUSTOMER_HASH]
    row = customers.find(m, m8, hash64, buf, ref >> 32, ref & 0xFFFFFFFF)
    is_new = row == 0
    if is_new:
        row = customers.create(m, m32, m8, hash64, buf, ref >> 32, ref & 0xFFFFFFFF)
    if _is_erasure(events, e):
        erase(m, m32, m8, g, changes, touched, key, row, e, buf, ref >> 32, ref & 0xFFFFFFFF)
        return _APPLIED
    if is_new:
        for i in range(g[G.DEFAULT_COUNT]):
            mark(m, look(g, G.DEFAULT_TAGS, i))
    else:
        # no tag was to flip by what has left since the last look, or a timer would have fired
        places.note(m, m32, g, row)
        let_panes_leave(m, m32, g, row, clock)
    event_type = events[e, L.EV_TYPE]
    m[L.R_NOW] = clock
    if event_type == COMMAND:
        _obey(m, m32, g, row, events, e)
    elif _of_an_order(events, e) and events[e, L.EV_FIELDS + _FIELD_KIND] == _CANCEL:
        _take_back(m, m32, g, texts, consts, row, events, reals, e, buf)
    else:
        if event_type == _PROFILE and g[G.ATTRIBUTES] != 0 and events[e, L.EV_PRESENT] != 0:
            _merge_profile(m, m32, g, texts, row, events, e, buf)
        if look(g, G.TYPE_SPECIAL, event_type) != 0:
            _match(m, m32, g, texts, consts, row, events, reals, e, buf)
        _count(m, m32, g, texts, consts, row, events, reals, e, buf, 1, False)
    made = m[L.R_OUT_CHANGES]
    evaluate_noted(m, m32, g, changes, touched, evidence, row, clock, np.int64(e), True)
    timed = m32[row * 2 + L.ROW_TIMED32] + m32[row * 2 + L.ROW_ASSIGNED32] > 0 or event_type == COMMAND
    if timed or m[L.R_OUT_CHANGES] != made or m32[row * 2 + L.ROW_CALM32] == 0:
        settle(m, m32, m8, g, touched, row, clock)
    else:
        places.forget(m, m32, g, row)
    if event_type != COMMAND and _is_late(g, event_type, events[e, L.EV_TIME], clock):
        return _LATE
    return _APPLIED


@jit
def _fire_own(m, m32, m8, g, changes, touched, evidence, events, e, buf):  # type: ignore[no-untyped-def]
    """Fire what the event's own customer has due, for when the budget left it over. Returns False for lack of room."""
    ref = events[e, L.EV_CUSTOMER]
    while True:
        if not forecast.make(m, m32, g, changes, touched, evidence):
            return False
        row = customers.find(m, m8, events[e, L.EV_CUSTOMER_HASH], buf, ref >> 32, ref & 0xFFFFFFFF)
        if row == 0 or m[row + L.ROW_DUE] > m[L.R_CLOCK]:
            return True
        if not has_room(m, g, changes, touched, evidence):
            return False
        m[L.R_LATE_TIMERS] += 1
        fire(m, m32, m8, g, changes, touched, evidence, row)


@hot
def move_clock(m, clock):  # type: ignore[no-untyped-def]
    """The clock never goes back; before its first value nothing can be due."""
    if m[L.R_CLOCK] == 0:
        m[L.R_WHEEL_MINUTE] = clock // L.MINUTE_MS
        m[L.R_SEEN_GENERATION] = clock // dedupe.GENERATION_MS
        m[L.R_SEEN_SINCE] = clock
        m[L.R_BEFORE_SINCE] = clock
    if clock > m[L.R_CLOCK]:
        m[L.R_CLOCK] = clock


@jit
def apply_events(  # type: ignore[no-untyped-def]
    m,
    m32,
    m8,
    g,
    texts,
    consts,
    changes,
    touched,
    evidence,
    events,
    reals,
    buf,
    order,
    k,
    budget,
    partition,
    partitions,
    moved,
    key,
):
    """Apply the events `order[k:]` (rows of `events`), one after the other.

    `buf` holds the payloads, `reals` is `events` seen as doubles, `moved` the source that is events.moved, `key` that
    of erased ids (erased.key_of). Stops early when room is short and returns the position in `order` that it reached:
    the caller makes room and calls again, with the same result.
    """
    while k < order.size:
        e = order[k]
        move_clock(m, events[e, L.EV_ARRIVAL])
        if not fire_due(m, m32, m8, g, changes, touched, evidence, budget):
            return k
        outcome = _dead_or_rekeyed(events, e, buf, m[L.R_CLOCK], partition, partitions, moved)
        if outcome < 0:
            if not _fire_own(m, m32, m8, g, changes, touched, evidence, events, e, buf):
                return k
            if not has_room(m, g, changes, touched, evidence):
                return k
            outcome = _apply(m, m32, m8, g, texts, consts, changes, touched, evidence, events, reals, e, buf, key)
        events[e, L.EV_OUTCOME] = outcome
        m[L.R_COUNTS + outcome] += 1
        k += 1
    return k


@jit
def begin_step(m, m32, g, touched, evidence):  # type: ignore[no-untyped-def]
    """Forget the last step's output and counts."""
    sets.forget_old(m)
    why.forget(m, g, evidence)
    at = L.TO_FIRST
    while at < m[L.R_OUT_TOUCHED]:
        row = touched[at + L.TO_ROW]
        if row > 0:
            m32[row * 2 + L.ROW_TOUCHED32] = 0
        at += L.TO_ID + customers.id_words(touched[at + L.TO_ID_BYTES])
    for i in range(L.TO_FIRST, at):
        touched[i] = 0
    m[L.R_OUT_CHANGES] = 0
    m[L.R_OUT_TOUCHED] = L.TO_FIRST
    m[L.R_TIMERS_FIRED] = 0
    m[L.R_LATE_TIMERS] = 0
    m[L.R_DIGEST] = 0
    for i in range(8):
        m[L.R_COUNTS + i] = 0
