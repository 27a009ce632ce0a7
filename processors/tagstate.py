"""The state machine of a tag: out, in or on a level; with dwell, cooldown and a term.

A tag without timing has an entry of one word while it is in; one with timing (or with its own `leave`) has six, kept
while anything is pending.

*Out*: once `when` has held since s at every evaluation, enter at max(s + dwell, left_at + cooldown). *In*: leave at
once when `leave` holds, or at the end of the term. A tier moves between levels by the same rule, s being since when the
candidate has been the same; to no level it moves at once. One evaluation changes a tag at most once.
"""

from __future__ import annotations

from processors import layout as L
from processors import waits
from processors.arena import wide
from processors.entries import add_entry, drop_entry, find_entry
from processors.interpret import holds
from processors.jit import hot, inline, jit, stay_apart
from processors.marks import mark
from processors.rules import program as G
from processors.rules.program import look

NO_PROGRAM = -1
MANY_TAG_WORDS = 96
"""Size of a tag block from which on every pane that leaves is looked at."""


@jit
def _add_entry(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """A new entry, out and with nothing pending. Returns its first word; the caller has made sure of room."""
    at = add_entry(m, m32, g, row, tag)
    if look(g, G.TAG_WORDS, tag) == L.TIMED_TAG_WORDS:
        m[at + L.TAG_SINCE] = L.NEVER
        m[at + L.TAG_LEFT_AT] = L.NEVER
        m[at + L.TAG_EXPIRES_AT] = L.FAR
        m[at + L.TAG_DUE] = L.FAR
        m32[row * 2 + L.ROW_TIMED32] += 1
    return at


@jit
def _drop_entry(m, m32, g, row, at):  # type: ignore[no-untyped-def]
    """Take an entry out."""
    if look(g, G.TAG_WORDS, m32[at * 2 + L.TAG_INDEX32]) == L.TIMED_TAG_WORDS:
        m32[row * 2 + L.ROW_TIMED32] -= 1
    drop_entry(m, m32, g, row, at)


@hot
def _candidate(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """1 + the first level whose condition holds, 0 if none does; a plain tag has one level."""
    for i in range(look(g, G.TAG_LEVELS, tag), look(g, G.TAG_LEVELS, tag + 1)):
        if holds(m, m32, g, look(g, G.LEVEL_START, i), look(g, G.LEVEL_END, i), row):
            return wide(i - look(g, G.TAG_LEVELS, tag) + 1)
    return wide(0)


@inline
def _leaves(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """Whether the tag's own `leave` holds."""
    return holds(m, m32, g, look(g, G.LEAVE_START, tag), look(g, G.LEAVE_END, tag), row)


@hot
def _evaluate_plain(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """A tag without timing. Returns (value before, value after)."""
    at = find_entry(m, m32, g, row, tag)
    before = wide(0)
    if at != 0:
        before = wide(m32[at * 2 + L.TAG_VALUE32])
    after = _candidate(m, m32, g, row, tag)
    if after != before:
        if after == 0:
            _drop_entry(m, m32, g, row, at)
        else:
            if at == 0:
                at = _add_entry(m, m32, g, row, tag)
            m32[at * 2 + L.TAG_VALUE32] = after
    return before, after


@inline
def _ready_at(m, m32, g, at, tag):  # type: ignore[no-untyped-def]
    """When a candidate that stays the same is taken: max(s + dwell, left_at + cooldown)."""
    ready = m[at + L.TAG_SINCE] + look(g, G.TAG_DWELL_MS, tag)
    if m[at + L.TAG_LEFT_AT] != L.NEVER:
        ready = max(ready, m[at + L.TAG_LEFT_AT] + look(g, G.TAG_COOLDOWN_MS, tag))
    return ready


@jit
def _set_value(m, m32, g, at, tag, value, now):  # type: ignore[no-untyped-def]
    """Change a timed tag's value at `now`; what was pending is over."""
    if m32[at * 2 + L.TAG_VALUE32] != 0:
        m[at + L.TAG_LEFT_AT] = now
    m32[at * 2 + L.TAG_VALUE32] = value
    m32[at * 2 + L.TAG_CANDIDATE32] = 0
    m[at + L.TAG_SINCE] = L.NEVER
    m[at + L.TAG_EXPIRES_AT] = L.FAR
    if value != 0 and look(g, G.TAG_TERM_MS, tag) != 0:
        m[at + L.TAG_EXPIRES_AT] = now + look(g, G.TAG_TERM_MS, tag)


@jit
def _move(m, m32, g, at, tag, candidate, now):  # type: ignore[no-untyped-def]
    """Towards `candidate` (not 0, not the present value): start its time, or take it if that is over."""
    if m32[at * 2 + L.TAG_CANDIDATE32] != candidate or m[at + L.TAG_SINCE] == L.NEVER:
        m32[at * 2 + L.TAG_CANDIDATE32] = candidate
        m[at + L.TAG_SINCE] = now
    if _ready_at(m, m32, g, at, tag) <= now:
        _set_value(m, m32, g, at, tag, candidate, now)


@jit
def _transition(m, m32, g, row, at, tag, now):  # type: ignore[no-untyped-def]
    """One evaluation of a timed tag's state machine at `now`."""
    value = wide(m32[at * 2 + L.TAG_VALUE32])
    candidate = _candidate(m, m32, g, row, tag)
    own_leave = look(g, G.LEAVE_START, tag) != NO_PROGRAM
    flags = wide(m32[at * 2 + L.TAG_FLAGS32]) & ~L.FLAG_RESTLESS
    if candidate == 0:
        flags &= ~L.FLAG_BLOCKED
    if value != 0 and m[at + L.TAG_EXPIRES_AT] <= now:
        if candidate != 0:
            flags |= L.FLAG_BLOCKED
        _set_value(m, m32, g, at, tag, 0, now)
    elif value != 0 and own_leave:
        if _leaves(m, m32, g, row, tag):
            _set_value(m, m32, g, at, tag, 0, now)
            if candidate != 0:
                flags |= L.FLAG_RESTLESS
    elif candidate == value or (flags & L.FLAG_BLOCKED) != 0:
        m32[at * 2 + L.TAG_CANDIDATE32] = 0
        m[at + L.TAG_SINCE] = L.NEVER
    elif candidate == 0:
        _set_value(m, m32, g, at, tag, 0, now)
    else:
        _move(m, m32, g, at, tag, candidate, now)
        if own_leave and m32[at * 2 + L.TAG_VALUE32] != 0 and _leaves(m, m32, g, row, tag):
            flags |= L.FLAG_RESTLESS
    m32[at * 2 + L.TAG_FLAGS32] = flags


@jit
def _set_due(m, m32, g, at, tag, now):  # type: ignore[no-untyped-def]
    """When the entry must be looked at next. Returns whether it is still needed."""
    due = m[at + L.TAG_EXPIRES_AT]
    if m[at + L.TAG_SINCE] != L.NEVER:
        due = min(due, _ready_at(m, m32, g, at, tag))
    needed = m32[at * 2 + L.TAG_VALUE32] != 0 or m[at + L.TAG_SINCE] != L.NEVER
    needed = needed or m32[at * 2 + L.TAG_FLAGS32] != 0
    if m32[at * 2 + L.TAG_VALUE32] == 0 and m[at + L.TAG_LEFT_AT] != L.NEVER:
        cooled = m[at + L.TAG_LEFT_AT] + look(g, G.TAG_COOLDOWN_MS, tag)
        if cooled > now:
            due = min(due, cooled)
            needed = True
    m[at + L.TAG_DUE] = due
    return needed


@jit
def _evaluate_timed(m, m32, g, row, tag, now):  # type: ignore[no-untyped-def]
    """A tag with timing or with its own `leave`. Returns (value before, value after)."""
    stay_apart()
    at = find_entry(m, m32, g, row, tag)
    if at == 0:
        if _candidate(m, m32, g, row, tag) == 0:
            return wide(0), wide(0)
        at = _add_entry(m, m32, g, row, tag)
    before = wide(m32[at * 2 + L.TAG_VALUE32])
    _transition(m, m32, g, row, at, tag, now)
    after = wide(m32[at * 2 + L.TAG_VALUE32])
    if not _set_due(m, m32, g, at, tag, now):
        _drop_entry(m, m32, g, row, at)
    return before, after


@hot
def evaluate_tag(m, m32, g, row, tag, now):  # type: ignore[no-untyped-def]
    """Evaluate one tag of one customer at `now`. Returns (value before, value after)."""
    if look(g, G.TAG_WORDS, tag) == L.PLAIN_TAG_WORDS:
        return _evaluate_plain(m, m32, g, row, tag)
    return _evaluate_timed(m, m32, g, row, tag, now)


@jit
def _due_of(m, g, at, index):  # type: ignore[no-untyped-def]
    """When the timing of an entry says that it is to be looked at, FAR if it has none."""
    if index >= g[G.TAG_COUNT]:
        return m[at + L.ASSIGNED_UNTIL]
    if look(g, G.TAG_WORDS, index) == L.TIMED_TAG_WORDS:
        return m[at + L.TAG_DUE]
    return L.FAR


@jit
def _any_due(m, m32, g, row, now):  # type: ignore[no-untyped-def]
    """Whether the timing of one of the customer's tags says that it is to be looked at by `now`."""
    at = wide(m32[row * 2 + L.ROW_TAGS32])
    end = at + m32[row * 2 + L.ROW_TAGS_USED32]
    while at < end:
        index = m32[at * 2 + L.TAG_INDEX32]
        if _due_of(m, g, at, index) <= now:
            return True
        at += look(g, G.TAG_WORDS, index)
    return False


@jit
def mark_pending(m, m32, g, row, now, happened):  # type: ignore[no-untyped-def]
    """Set in the bitmap of what is to do the customer's tags that are due by `now`, and, if anything happened by which
    the rules are looked at, the restless ones."""
    happened = happened or _any_due(m, m32, g, row, now)
    at = wide(m32[row * 2 + L.ROW_TAGS32])
    end = at + m32[row * 2 + L.ROW_TAGS_USED32]
    while at < end:
        index = wide(m32[at * 2 + L.TAG_INDEX32])
        words = look(g, G.TAG_WORDS, index)
        timed = words == L.TIMED_TAG_WORDS
        restless = happened and timed and (m32[at * 2 + L.TAG_FLAGS32] & L.FLAG_RESTLESS) != 0
        if restless or _due_of(m, g, at, index) <= now:
            mark(m, look(g, G.TAG_RANK, index % g[G.TAG_COUNT]))
        at += words


@jit
def least_due(m, m32, g, row, least):  # type: ignore[no-untyped-def]
    """Lower bound of the time at which one of the customer's tags that are not simply out changes by itself, if that is
    before `least`, which is returned otherwise.

    That is when its own timing says so, or when what it reads has fallen far enough.
    """
    at = wide(m32[row * 2 + L.ROW_TAGS32])
    end = at + m32[row * 2 + L.ROW_TAGS_USED32]
    while at < end:
        index = wide(m32[at * 2 + L.TAG_INDEX32])
        least = min(least, _due_of(m, g, at, index))
        if index < g[G.TAG_COUNT]:
            least = waits.least_read(m, m32, g, row, index, least)
        at += look(g, G.TAG_WORDS, index)
    return least


@jit
def needs_every(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Whether the customer is to be looked at whenever a pane leaves.

    So it is with a restless tag, which waits for the next evaluation whatever that is for; and with very many tags, for
    which finding out what matters would cost more than it saves.
    """
    used = m32[row * 2 + L.ROW_TAGS_USED32]
    if used > MANY_TAG_WORDS:
        return True
    if m32[row * 2 + L.ROW_TIMED32] == 0:
        return False
    at = wide(m32[row * 2 + L.ROW_TAGS32])
    end = at + used
    while at < end:
        words = look(g, G.TAG_WORDS, m32[at * 2 + L.TAG_INDEX32])
        if words == L.TIMED_TAG_WORDS and m32[at * 2 + L.TAG_FLAGS32] & L.FLAG_RESTLESS != 0:
            return True
        at += words
    return False
