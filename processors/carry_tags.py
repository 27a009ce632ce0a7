"""From old entries to new ones: what people, models and rules said of a customer's tags, where both rule sets decide
alike.

Throughout, `o`, `o32`, `o8` and `og` are memory and rules of the old state, as `m`, `m32`, `m8` and `g` are of the new
one.
"""

from __future__ import annotations

from processors import arena, assigned, sets, texts
from processors import layout as L
from processors.arena import wide
from processors.entries import add_entry, drop_entry
from processors.jit import inline, jit
from processors.rules import program as G
from processors.rules.program import look


@inline
def _owner_of(g, index):  # type: ignore[no-untyped-def]
    """Whose an entry is: 0 of the rule, 1 of people, 2 of models; and the tag."""
    return index // g[G.TAG_COUNT], index % g[G.TAG_COUNT]


@jit
def _count_entry(m, m32, g, row, index, by):  # type: ignore[no-untyped-def]
    """The customer has an entry more (`by` 1) or less (-1)."""
    if index >= g[G.TAG_COUNT]:
        m32[row * 2 + L.ROW_ASSIGNED32] += by
    elif look(g, G.TAG_WORDS, index) == L.TIMED_TAG_WORDS:
        m32[row * 2 + L.ROW_TIMED32] += by


@jit
def drop_entries(m, m32, g, row, old_tags):  # type: ignore[no-untyped-def]
    """Without the new entries of tags that the old state knows better."""
    at = wide(m32[row * 2 + L.ROW_TAGS32])
    while at < wide(m32[row * 2 + L.ROW_TAGS32]) + m32[row * 2 + L.ROW_TAGS_USED32]:
        index = wide(m32[at * 2 + L.TAG_INDEX32])
        owner, tag = _owner_of(g, index)
        if old_tags[tag] < 0:
            at += look(g, G.TAG_WORDS, index)
            continue
        if owner == 0 and look(g, G.TAG_KIND, tag) == assigned.SET:
            sets.give_up(m, wide(m32[at * 2 + L.TAG_SET32]))
        _count_entry(m, m32, g, row, index, -1)
        drop_entry(m, m32, g, row, at)


@jit
def _copy_set(o, o8, block, m, m32, g, at, tag):  # type: ignore[no-untyped-def]
    """The keys of an old set, as the value of a new entry."""
    cls = arena.class_for(sets.SET_KEYS + look(g, G.TAG_LIMIT, tag))
    new = arena.allocate(m, cls)
    m[new + sets.SET_CLASS] = cls
    m[new + sets.SET_COUNT] = o[block + sets.SET_COUNT]
    for i in range(o[block + sets.SET_COUNT]):
        text = o[block + sets.SET_KEYS + i]
        first, size = (text + L.TEXT_WORDS) << 3, o[text + L.TEXT_BYTES]
        key = texts.find(m, o[text + L.TEXT_HASH], o8, first, size)
        if key == 0:
            key = texts.make(m, o[text + L.TEXT_HASH], o8, first, size)
        texts.hold(m, key)
        m[new + sets.SET_KEYS + i] = key
    m32[at * 2 + L.TAG_SET32] = new


@jit
def carry_entries(o, o32, o8, og, tags, old_row, m, m32, g, row):  # type: ignore[no-untyped-def]
    """The old entries of tags that decide alike."""
    from_ = wide(o32[old_row * 2 + L.ROW_TAGS32])
    end = from_ + o32[old_row * 2 + L.ROW_TAGS_USED32]
    while from_ < end:
        old_index = wide(o32[from_ * 2 + L.TAG_INDEX32])
        words = look(og, G.TAG_WORDS, old_index)
        owner, old_tag = _owner_of(og, old_index)
        tag = tags[old_tag]
        if tag >= 0:
            index = owner * g[G.TAG_COUNT] + tag
            at = add_entry(m, m32, g, row, index)
            for i in range(words):
                m[at + i] = o[from_ + i]
            m32[at * 2 + L.TAG_INDEX32] = index
            if owner == 0 and look(g, G.TAG_KIND, tag) == assigned.SET:
                _copy_set(o, o8, wide(o32[from_ * 2 + L.TAG_SET32]), m, m32, g, at, tag)
            _count_entry(m, m32, g, row, index, 1)
        from_ += words
