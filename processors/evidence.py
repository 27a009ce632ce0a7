"""Why a tag changed: the clauses that decided, with their values, as words beside the step's changes.

A clause is the smallest part of a condition that is true or false by itself (rules/clauses.py). When a tag enters, or a
tier moves, the clauses are those of the levels down to the new one, for that is what was asked; when it leaves, those
of its own `leave`, or else of all its levels; of a set, those of each key that came or went, MOST_KEYS at most. Where
people or models decide, there are none.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from processors import assigned, attributes, sets, texts
from processors import layout as L
from processors.arena import wide
from processors.interpret import OP_ATTRIBUTE, holds, push_value, real_value, waiting_since
from processors.jit import jit, stay_apart
from processors.rules import program as G
from processors.rules.program import look
from processors.series import find_group
from processors.top import top_of_group

# --- sorts of a side of a clause: what a word of evidence is ----------------------------------------------------------
NONE: Final = 0
"""A constant, or nothing: the word is 0."""
NUMBER: Final = 1
"""The bits of a double; NO_NUMBER if it is missing."""
TRUTH: Final = 2
"""Whether the clause holds: of a sequence `a then b`, and of a tag that stands alone."""
LEVEL: Final = 3
"""The code of another tag's value, which has levels."""
HELD: Final = 4
"""A text (texts.py) that the customer has, an attribute or a `top`; 0 if it is missing."""
NAMED: Final = 5
"""Of a text of which only a hash is kept: 1 + its place among the clause's constants, OTHER, or 0 if it is missing."""
WAITS: Final = 6
"""As NUMBER: days since the event that waits for another; missing if none waits."""

OTHER: Final = -1
NO_NUMBER: Final = 0x7FF8 << 48

# --- words of evidence: how many items, then the items ----------------------------------------------------------------
ITEM_CLAUSE: Final = 0
"""Number of the clause in the rule set."""
ITEM_KEY: Final = 1
"""The key of a set (a text) of which it is, else 0."""
ITEM_VALUE: Final = 2
ITEM_THRESHOLD: Final = 3
ITEM_WORDS: Final = 4
FIRST: Final = 1
"""Place of the first evidence; 0 means none."""

MOST_KEYS: Final = 16
"""Keys of a set of which one change gives the evidence."""
NO_PROGRAM: Final = -1


@jit
def _number(there, value):  # type: ignore[no-untyped-def]
    """The word of a number."""
    return np.float64(value).view(np.int64) if there else np.int64(NO_NUMBER)


@jit
def _text_held(m, m32, g, row, i):  # type: ignore[no-untyped-def]
    """The attribute or `top` of the instruction at `i`, 0 if it is missing. It is held until it is forgotten."""
    if g[i] == OP_ATTRIBUTE:
        text = attributes.text_of_cell(m, m32, g, row, g[i + 1])
    else:
        group = find_group(m, m32, g, row, g[i + 1])
        text = top_of_group(m, m32, g, group, g[i + 2] >> 1, g[i + 2] & 1 != 0) if group != 0 else wide(0)
    if text != 0:
        texts.hold(m, text)
    return text


@jit
def _named(m, g, clause):  # type: ignore[no-untyped-def]
    """The word of the text whose hash is at the bottom of the stack."""
    if m[L.R_STACK + 1] < 0:
        return wide(0)
    first = look(g, G.CLAUSE_CONSTANTS, clause)
    for i in range(first, look(g, G.CLAUSE_CONSTANTS, clause + 1)):
        if look(g, G.CONSTANT_HASHES, i) == m[L.R_STACK]:
            return wide(1 + i - first)
    return wide(OTHER)


@jit
def _word(m, m32, g, row, side):  # type: ignore[no-untyped-def]
    """What stands on a side of a clause, for the customer as they are at R_NOW."""
    stay_apart()
    sort = look(g, G.SIDE_SORT, side)
    start = look(g, G.SIDE_START, side)
    end = look(g, G.SIDE_END, side)
    if sort == NONE:
        return wide(0)
    if sort == TRUTH:
        return wide(1 if holds(m, m32, g, start, end, row) else 0)
    if sort == LEVEL:
        return assigned.code_of(m, m32, g, assigned.deciding(m, m32, g, row, g[start + 1]), g[start + 1])
    if sort == HELD:
        return _text_held(m, m32, g, row, start)
    if sort == WAITS:
        since = waiting_since(m, m32, g, row, start)
        return _number(since != 0, np.float64(m[L.R_NOW] - since) / L.DAY_MS)
    push_value(m, m32, g, start, end, row)
    if sort == NAMED:
        return _named(m, g, side >> 1)
    there, value = real_value(m)
    return _number(there, value)


@jit
def _add_clauses(m, m32, g, evidence, row, first, end, key, p):  # type: ignore[no-untyped-def]
    """Write the items of the clauses [first, end). Returns the place behind them."""
    for clause in range(first, end):
        evidence[p + ITEM_CLAUSE] = clause
        evidence[p + ITEM_KEY] = key
        evidence[p + ITEM_VALUE] = _word(m, m32, g, row, 2 * clause)
        evidence[p + ITEM_THRESHOLD] = _word(m, m32, g, row, 2 * clause + 1)
        if key != 0:
            texts.hold(m, key)
        p += ITEM_WORDS
    return p


@jit
def _range(g, tag, after):  # type: ignore[no-untyped-def]
    """The clauses [first, end) that decide when a tag, or a key of a set, gets the value of code `after`."""
    if after == 0 and look(g, G.LEAVE_START, tag) != NO_PROGRAM:
        return look(g, G.LEAVE_CLAUSES, tag), look(g, G.LEAVE_CLAUSES, tag + 1)
    first = look(g, G.TAG_LEVELS, tag)
    end = look(g, G.TAG_LEVELS, tag + 1)
    if after != 0 and look(g, G.TAG_KIND, tag) == assigned.PLAIN:
        end = first + after
    return look(g, G.LEVEL_CLAUSES, first), look(g, G.LEVEL_CLAUSES, end)


@jit
def _add_keys(m, m32, g, evidence, row, tag, before, after, p):  # type: ignore[no-untyped-def]
    """Write the items of the keys that came or went, both sets being sorted. Returns the place behind them."""
    i = 0
    j = 0
    shown = 0
    while shown < MOST_KEYS:
        old = m[before + sets.SET_KEYS + i] if before != 0 and i < m[before + sets.SET_COUNT] else wide(0)
        new = m[after + sets.SET_KEYS + j] if after != 0 and j < m[after + sets.SET_COUNT] else wide(0)
        if old == 0 and new == 0:
            break
        if old == new:
            i += 1
            j += 1
            continue
        went = new == 0 or (old != 0 and texts.is_less(m, old, new))
        key = old if went else new
        m[L.R_KEY] = key
        first, end = _range(g, tag, 0 if went else 1)
        p = _add_clauses(m, m32, g, evidence, row, first, end, key, p)
        shown += 1
        if went:
            i += 1
        else:
            j += 1
    return p


@jit
def note(m, m32, g, evidence, row, tag, before, after):  # type: ignore[no-untyped-def]
    """Write why a tag changed between the values of these codes. Returns the place of the evidence, 0 for none."""
    stay_apart()
    if m[L.R_LOOKING_AHEAD] != 0 or assigned.is_masked(m, m32, g, row, tag):
        return wide(0)
    at = m[L.R_OUT_EVIDENCE]
    if look(g, G.TAG_KIND, tag) == assigned.SET:
        end = _add_keys(m, m32, g, evidence, row, tag, before, after, at + 1)
    else:
        first_clause, end_clause = _range(g, tag, after)
        end = _add_clauses(m, m32, g, evidence, row, first_clause, end_clause, wide(0), at + 1)
    evidence[at] = (end - at - 1) // ITEM_WORDS
    if evidence[at] == 0:
        return wide(0)
    m[L.R_OUT_EVIDENCE] = end
    return at


@jit
def ask(m, m32, g, evidence, truths, row, tag, key, now):  # type: ignore[no-untyped-def]
    """Write all conditions of a tag, those of its levels and then those of its `leave`, for a customer at `now`.

    `key`: of a set the key (a text) that is asked for, else 0. Which conditions hold stands in `truths`, 1 or 0 each.
    Returns the place of the evidence.
    """
    m[L.R_NOW] = now
    m[L.R_KEY] = key
    at = m[L.R_OUT_EVIDENCE]
    first = look(g, G.LEVEL_CLAUSES, look(g, G.TAG_LEVELS, tag))
    end = look(g, G.LEVEL_CLAUSES, look(g, G.TAG_LEVELS, tag + 1))
    p = _add_clauses(m, m32, g, evidence, row, first, end, key, at + 1)
    first = look(g, G.LEAVE_CLAUSES, tag)
    end = look(g, G.LEAVE_CLAUSES, tag + 1)
    p = _add_clauses(m, m32, g, evidence, row, first, end, key, p)
    evidence[at] = (p - at - 1) // ITEM_WORDS
    for i in range(evidence[at]):
        clause = evidence[at + 1 + i * ITEM_WORDS + ITEM_CLAUSE]
        start = look(g, G.CLAUSE_START, clause)
        end = look(g, G.CLAUSE_END, clause)
        truths[i] = 1 if start < end and holds(m, m32, g, start, end, row) else 0
    m[L.R_OUT_EVIDENCE] = p
    return at


@jit
def forget(m, g, evidence):  # type: ignore[no-untyped-def]
    """Forget the last step's evidence, and let go of its texts."""
    at = wide(FIRST)
    while at < m[L.R_OUT_EVIDENCE]:
        first = at + 1
        at = first + evidence[at] * ITEM_WORDS
        for p in range(first, at, ITEM_WORDS):
            if evidence[p + ITEM_KEY] != 0:
                texts.let_go(m, evidence[p + ITEM_KEY])
            for side in range(2):
                text = evidence[p + ITEM_VALUE + side]
                if text != 0 and look(g, G.SIDE_SORT, 2 * evidence[p + ITEM_CLAUSE] + side) == HELD:
                    texts.let_go(m, text)
    for i in range(FIRST, at):
        evidence[i] = 0
    m[L.R_OUT_EVIDENCE] = FIRST


def number_of(word: int) -> float | None:
    """The number that a word is, None if it is missing."""
    return None if word == NO_NUMBER else float(np.int64(word).view(np.float64))


def texts_in(evidence: NDArray[np.int64], g: NDArray[np.int64]) -> set[int]:
    """The texts that a step's evidence names."""
    items = items_in(evidence)
    sorts = g[g[G.SIDE_SORT] :]
    clauses = items[:, ITEM_CLAUSE]
    held = [items[:, ITEM_KEY]]
    held += [items[sorts[2 * clauses + side] == HELD, ITEM_VALUE + side] for side in range(2)]
    return set(np.concatenate(held).tolist()) - {0}


def items_in(evidence: NDArray[np.int64], at: int | None = None) -> NDArray[np.int64]:
    """Items x ITEM_WORDS of the evidence at a place, or of all of a step's."""
    if at is not None:
        return evidence[at + 1 : at + 1 + evidence[at] * ITEM_WORDS].reshape(-1, ITEM_WORDS)
    rows = []
    at = FIRST
    while at < evidence.size:
        rows.append(items_in(evidence, at))
        at += 1 + int(evidence[at]) * ITEM_WORDS
    return np.concatenate(rows) if rows else np.zeros((0, ITEM_WORDS), np.int64)
