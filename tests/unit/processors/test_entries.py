"""A customer's entries of tags, and what people and models said of them: dictionaries judge."""

from __future__ import annotations

import random

import numpy as np
import pytest

from processors import assigned, customers, places
from processors import layout as L
from processors.entries import add_entry, drop_entry, find_entry
from processors.rules import program as G
from processors.state import make_room
from tests.unit.processors.world import START_MS, key_of, raw_state

TAGS = 70
"""More than one word of a bitmap has bits."""


class Customer:
    """A customer of rules with entries of all sizes: plain, timed, and with numbers."""

    def __init__(self) -> None:
        kinds = (
            "count(browse, 1h) >= 1",
            "count(browse, 1h) >= 1\ndwell: 1m",
            "\nscore: count(browse, 1h)\nmodel: true",
        )
        self.st, self.g = raw_state(1 << 19, **{f"t{n:02}": kinds[n % 3] for n in range(TAGS)})
        hashed, buf = key_of(b"c")
        self.row = int(customers.create(self.st.m, self.st.m32, self.st.m8, hashed, buf, 0, 1))

    def words(self, index: int) -> int:
        return int(self.g[self.g[G.TAG_WORDS] + index])

    def find(self, index: int) -> int:
        return int(find_entry(self.st.m, self.st.m32, self.g, self.row, index))

    def note(self) -> None:
        places.note(self.st.m, self.st.m32, self.g, self.row)

    def forget(self) -> None:
        places.forget(self.st.m, self.st.m32, self.g, self.row)


@pytest.mark.parametrize("noted", [False, True], ids=["looked for", "noted"])
def test_entries_of_all_sizes_equal_a_dictionary(noted: bool) -> None:
    rng = random.Random(11)
    customer = Customer()
    content: dict[int, list[int]] = {}
    for turn in range(1500):
        customer.st = make_room(customer.st, customer.g)
        if noted and turn % 7 == 0:
            customer.note()
        index = rng.randrange(3 * TAGS)
        at = customer.find(index)
        assert (at != 0) == (index in content)
        m, m32 = customer.st.m, customer.st.m32
        if at == 0 and len(content) < 3 * TAGS // 2:
            at = int(add_entry(m, m32, customer.g, customer.row, index))
            assert m[at : at + customer.words(index)].tolist() == [index] + [0] * (customer.words(index) - 1)
            content[index] = [turn] * (customer.words(index) - 1)
            m[at + 1 : at + customer.words(index)] = turn
        elif at != 0:
            assert m[at + 1 : at + customer.words(index)].tolist() == content.pop(index)
            drop_entry(m, m32, customer.g, customer.row, at)
        if noted and turn % 7 == 6:
            customer.forget()
            assert not m[int(m[L.R_ENTRY_PLACES]) : int(m[L.R_ENTRY_PLACES]) + 3 * TAGS].any()
    assert len({customer.find(index) for index in content}) == len(content) > 20
    assert int(customer.st.m32[customer.row * 2 + L.ROW_TAGS_USED32]) == sum(map(customer.words, content))
    for index in content:
        drop_entry(customer.st.m, customer.st.m32, customer.g, customer.row, customer.find(index))
    assert customer.st.m32[customer.row * 2 + L.ROW_TAGS32] == 0


# ------------------------------------------------------------------------------------------------------------- assigned

Said = dict[tuple[str, int], tuple[int, int, int]]
"""By (who, tag): (value, number, until)."""

WHO = {assigned.ASSIGN: "people", assigned.REMOVE: "people", assigned.BY_MODEL: "model"}


def whose_word(said: Said, rule: dict[int, int], tag: int) -> tuple[str | None, int]:
    """(who decides a tag, the value), 0 for none: people before models, models before the rule."""
    for who in ("people", "model"):
        if (who, tag) in said:
            return who, said[who, tag][0]
    return None, rule.get(tag, 0)


@pytest.mark.parametrize("seed", range(3))
def test_people_come_before_models_and_models_before_rules(seed: int) -> None:
    rng = random.Random(seed)
    customer = Customer()
    said: Said = {}
    rule: dict[int, int] = {}
    now = START_MS
    for _ in range(700):
        customer.st = make_room(customer.st, customer.g)
        m, m32, g, row = customer.st.m, customer.st.m32, customer.g, customer.row
        tag = rng.randrange(0, TAGS, 9)
        draw = rng.random()
        if draw < 0.3:
            at = customer.find(tag)
            if at == 0:
                at = int(add_entry(m, m32, g, row, tag))
                rule[tag] = m32[at * 2 + L.TAG_VALUE32] = rng.randrange(2)
            else:
                drop_entry(m, m32, g, row, at)
                del rule[tag]
        elif draw < 0.8:
            kind, value = rng.choice(tuple(WHO)), rng.randrange(3)
            until = rng.choice((L.FAR, now, now + 1, now + rng.randrange(40), now - 1))
            number = int(np.float64(rng.choice((0.0, 0.25, -1.0))).view(np.int64))
            assigned.command(m, m32, g, row, tag, kind, value, number, until, now)
            said.pop((WHO[kind], tag), None)
            if kind != assigned.REMOVE and until > now:
                said[WHO[kind], tag] = (value, number, until)
        else:
            now += rng.randrange(20)
            for each in range(TAGS):
                assigned.expire(m, m32, g, row, each, now)
            said = {key: held for key, held in said.items() if held[2] > now}
        assert m32[row * 2 + L.ROW_ASSIGNED32] == len(said)
        for each in range(0, TAGS, 9):
            who, value = whose_word(said, rule, each)
            at = int(assigned.deciding(m, m32, g, row, each))
            assert bool(assigned.is_masked(m, m32, g, row, each)) == (who is not None)
            assert (at != 0) == (value != 0)
            if at != 0:
                assert m32[at * 2 + L.TAG_VALUE32] == value
                if who is not None:
                    assert m[at + L.ASSIGNED_NUMBER] == said[who, each][1]


def test_a_number_that_is_nothing_has_a_code_of_its_own() -> None:
    """The code 0 is that of no value, so 0 is written as -0."""
    customer = Customer()
    m, m32, g, row = customer.st.m, customer.st.m32, customer.g, customer.row
    for number in (0.0, -0.0, 0.5, -3.25):
        bits = int(np.float64(number).view(np.int64))
        assigned.command(m, m32, g, row, 2, assigned.BY_MODEL, 1, bits, L.FAR, START_MS)
        code = np.int64(assigned.code_of(m, m32, g, int(assigned.deciding(m, m32, g, row, 2)), 2))
        assert code != 0
        assert float(code.view(np.float64)) == number
    assert assigned.code_of(m, m32, g, 0, 2) == 0
