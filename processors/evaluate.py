"""One look at one customer: what has ended leaves, rules are evaluated once, changes go out, the next look is set.

Throughout, `m`, `m32`, `m8` are the partition's memory (layout.py), `g` the compiled rules (rules/program.py), and
`changes`, `touched` and `evidence` the step's output.
"""

from __future__ import annotations

import numpy as np

from processors import (
    assigned,
    customers,
    groups,
    places,
    scores,
    series,
    sets,
    tagstate,
    timers,
    waits,
)  # fmt: skip
from processors import evidence as why
from processors import layout as L
from processors.arena import wide
from processors.hashing import U, mix64
from processors.jit import hot, inline, jit, stay_apart
from processors.marks import mark, mark_readers, take_first
from processors.rules import program as G
from processors.rules.program import look


@jit
def touch(m, m32, row, touched):  # type: ignore[no-untyped-def]
    """Place of the customer in the step's list of those with changes, made if need be."""
    at = wide(m32[row * 2 + L.ROW_TOUCHED32])
    if at == 0:
        at = m[L.R_OUT_TOUCHED]
        words = customers.id_words(m[row + L.ROW_ID_BYTES])
        touched[at + L.TO_ROW] = row
        touched[at + L.TO_ID_BYTES] = m[row + L.ROW_ID_BYTES]
        for i in range(words):
            touched[at + L.TO_ID + i] = m[row + L.ROW_WORDS + i]
        m[L.R_OUT_TOUCHED] = at + L.TO_ID + words
        m32[row * 2 + L.ROW_TOUCHED32] = at
    return at


@jit
def _hash_of_value(m, g, tag, code):  # type: ignore[no-untyped-def]
    """What a value is in the digest: its code, or a hash of a set's keys."""
    if look(g, G.TAG_KIND, tag) != assigned.SET or code == 0:
        return U(code)
    h = U(m[code + sets.SET_COUNT])
    for i in range(m[code + sets.SET_COUNT]):
        h = mix64(h ^ U(m[m[code + sets.SET_KEYS + i] + L.TEXT_HASH]))
    return h


@inline
def _group_of(m, g, row, tag):  # type: ignore[no-untyped-def]
    """On which side of a holdout the customer is: always on the same one, whatever happens."""
    share = look(g, G.TAG_HOLDOUT, tag)
    group = 0
    if share >= 0:
        drawn = np.int64(mix64(U(m[row + L.ROW_HASH]) ^ U(look(g, G.TAG_SALT, tag))) >> U(11))
        group = L.CONTROL if drawn < share else L.TREATMENT
    return group


@jit
def emit(m, m32, g, changes, touched, row, tag, before, after, now, event):  # type: ignore[no-untyped-def]
    """Write a change without a reason, remember the customer as touched, and add to the digest. Returns its place."""
    at = touch(m, m32, row, touched)
    seq = m[L.R_SEQ] + 1
    m[L.R_SEQ] = seq
    c = m[L.R_OUT_CHANGES]
    changes[c, L.CH_CUSTOMER] = at
    changes[c, L.CH_TAG] = tag
    changes[c, L.CH_BEFORE] = before
    changes[c, L.CH_AFTER] = after
    changes[c, L.CH_AT] = now
    changes[c, L.CH_SEQ] = seq
    changes[c, L.CH_PREV] = m[row + L.ROW_SEQ]
    changes[c, L.CH_EVENT] = event
    changes[c, L.CH_CLOCK] = m[L.R_CLOCK]
    changes[c, L.CH_EVIDENCE] = 0
    changes[c, L.CH_GROUP] = _group_of(m, g, row, tag)
    changes[c, L.CH_FLIP] = 0
    m[L.R_OUT_CHANGES] = c + 1
    m[row + L.ROW_SEQ] = seq
    touched[at + L.TO_SEQ] = seq
    h = mix64(U(m[row + L.ROW_HASH]) ^ (U(now) * U(0x9E3779B97F4A7C15)))
    h = mix64(h ^ (U(tag) << U(32)) ^ (U(1 if event < 0 else 0) << U(63)))
    h = mix64(h ^ _hash_of_value(m, g, tag, before))
    h = mix64(h ^ _hash_of_value(m, g, tag, after))
    m[L.R_DIGEST] = np.int64(U(m[L.R_DIGEST]) + h)
    return c


@jit
def evaluate(m, m32, g, changes, touched, evidence, row, now, event, happened):  # type: ignore[no-untyped-def]
    """Evaluate the marked tags, and those pending, once each, in the order of ranks; clear the marks.

    `happened`: there was an event, or time changed something; a timer may also have been too early.
    """
    evaluate_noted(m, m32, g, changes, touched, evidence, row, now, event, happened)
    places.forget(m, m32, g, row)


@jit
def evaluate_noted(m, m32, g, changes, touched, evidence, row, now, event, happened):  # type: ignore[no-untyped-def]
    """As `evaluate`; the customer's places stay noted (places.py) for what follows."""
    stay_apart()
    if m32[row * 2 + L.ROW_TIMED32] + m32[row * 2 + L.ROW_ASSIGNED32] > 0:
        tagstate.mark_pending(m, m32, g, row, now, happened)
    m[L.R_NOW] = now
    places.note(m, m32, g, row)
    rank = take_first(m)
    while rank >= 0:
        # it may mark tags of greater ranks
        _evaluate_one(m, m32, g, changes, touched, evidence, row, look(g, G.RANKED_TAGS, rank), now, event)
        rank = take_first(m)


@jit
def _evaluate_other(m, m32, g, row, tag, now, kind):  # type: ignore[no-untyped-def]
    """Evaluate a score or a set, or any tag of a customer of whom people or models say something."""
    stay_apart()
    if m[L.R_COMMANDED] == tag + 1:
        before = m[L.R_BEFORE_COMMAND]
        m[L.R_COMMANDED] = 0
    else:
        before = assigned.code_of(m, m32, g, assigned.deciding(m, m32, g, row, tag), tag)
    if m32[row * 2 + L.ROW_ASSIGNED32] > 0:
        assigned.expire(m, m32, g, row, tag, now)
    if kind == assigned.SCORE:
        scores.evaluate(m, m32, g, row, tag)
    elif kind == assigned.SET:
        sets.evaluate(m, m32, g, row, tag)
    else:
        tagstate.evaluate_tag(m, m32, g, row, tag, now)
    return before, assigned.code_of(m, m32, g, assigned.deciding(m, m32, g, row, tag), tag)


@jit
def _evaluate_one(m, m32, g, changes, touched, evidence, row, tag, now, event):  # type: ignore[no-untyped-def]
    """Evaluate one tag; mark those that refer to it if it changed."""
    kind = look(g, G.TAG_KIND, tag)
    if kind == assigned.PLAIN and m32[row * 2 + L.ROW_ASSIGNED32] == 0 and m[L.R_COMMANDED] == 0:
        before, after = tagstate.evaluate_tag(m, m32, g, row, tag, now)
    else:
        before, after = _evaluate_other(m, m32, g, row, tag, now, kind)
    if before != after:
        c = emit(m, m32, g, changes, touched, row, tag, before, after, now, event)
        changes[c, L.CH_EVIDENCE] = why.note(m, m32, g, evidence, row, tag, before, after)
        if look(g, G.TAG_FORECAST, tag) != 0 and m[L.R_FORECAST] == 0:
            m[L.R_FORECAST] = c + 1
            m[L.R_FORECAST_ROW] = row
        for i in range(look(g, G.TAG_DEPENDENTS, tag), look(g, G.TAG_DEPENDENTS, tag + 1)):
            mark(m, look(g, G.DEPENDENTS, i))


@jit
def next_look(m, m32, g, row, now, every):  # type: ignore[no-untyped-def]
    """Lower bound of the time after `now` at which anything of the customer changes by itself."""
    due = L.FAR
    over = wide(m32[row * 2 + L.ROW_OVER32]) * L.MINUTE_MS
    if over > now:
        due = over
    # what is cheap to know first: the rest need not be looked for beyond it
    if every:
        due = min(due, waits.least_leave(m, m32, g, row))
    due = waits.least_eager(m, m32, g, row, due)
    if m32[row * 2 + L.ROW_TAGS_USED32] > 0:
        due = tagstate.least_due(m, m32, g, row, due)
    return due


@jit
def settle(m, m32, m8, g, touched, row, now):  # type: ignore[no-untyped-def]
    """After an evaluation at `now`: set the customer's timer, or give the row back if nothing is left of them.

    Their places are forgotten.
    """
    words = wide(m32[row * 2 + L.ROW_SERIES_USED32]) + wide(m32[row * 2 + L.ROW_TAGS_USED32])
    m[L.R_WIDEST] = max(m[L.R_WIDEST], words)
    every = tagstate.needs_every(m, m32, g, row)
    places.note(m, m32, g, row)
    due = next_look(m, m32, g, row, now, every)
    places.forget(m, m32, g, row)
    m[row + L.ROW_DUE] = due
    timed = m32[row * 2 + L.ROW_TIMED32] + m32[row * 2 + L.ROW_ASSIGNED32] > 0
    calm = not every and not timed and waits.is_calm(m, m32, g, row)
    m32[row * 2 + L.ROW_CALM32] = 1 if calm else 0
    if due < L.FAR:
        timers.arm(m, m32, m8, row, due)
    elif words == 0:
        timers.disarm(m, m32, row)
        at = wide(m32[row * 2 + L.ROW_TOUCHED32])
        if at != 0:
            touched[at + L.TO_ROW] = 0
        if m[L.R_FORECAST_ROW] == row:
            m[L.R_FORECAST_ROW] = 0
        customers.remove(m, row)


@hot
def let_leave(m, m32, g, row, now):  # type: ignore[no-untyped-def]
    """Every pane leaves whose time ended by `now`; mark the tags that read them, and those to which something happens
    at `now` by the time since an event alone. Returns whether anything happened."""
    return _let_leave(m, m32, g, row, now, True)


@hot
def let_panes_leave(m, m32, g, row, now):  # type: ignore[no-untyped-def]
    """As `let_leave`, of a customer who has nothing due by `now`: what happens by time alone would be a timer."""
    return _let_leave(m, m32, g, row, now, False)


@hot
def _let_leave(m, m32, g, row, now, timed):  # type: ignore[no-untyped-def]
    """As `let_leave`; without `timed` only panes leave."""
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    emptied = False
    happened = False
    while at < end:
        sid = wide(m32[at * 2 + L.CELL_SERIES32])
        if m32[at * 2 + L.CELL_FLAGS32] & L.CELL_IS_GROUP != 0:
            if groups.let_leave(m, m32, g, row, at, now, timed):
                mark_readers(m, g, sid)
                happened = True
                emptied = emptied or series.is_empty(m, m32, g, at)
        elif m[at + L.CELL_LEAVES] <= now:
            series.refresh(m, m32, g, at, now)
            # panes may have left long ago: time since an event may have been reached just now
            if waits.reads_times(g, sid):
                mark_readers(m, g, sid)
            happened = True
            emptied = emptied or series.is_empty(m, m32, g, at)
        elif timed and waits.reached(m, m32, g, row, at, sid, now):
            mark_readers(m, g, sid)
            happened = True
        at += look(g, G.SERIES_WORDS, sid)
    if emptied:
        series.drop_empty(m, m32, g, row)
    return happened


@jit
def fire(m, m32, m8, g, changes, touched, evidence, row):  # type: ignore[no-untyped-def]
    """Everything of the customer that is due at ROW_DUE happens, then the rules are evaluated once."""
    now = m[row + L.ROW_DUE]
    places.note(m, m32, g, row)
    happened = let_leave(m, m32, g, row, now)
    evaluate_noted(m, m32, g, changes, touched, evidence, row, now, np.int64(-1), happened)
    settle(m, m32, m8, g, touched, row, now)
