"""Attributes: merged by the time of who says them, and read as numbers and dates; a dictionary and Python judge."""

from __future__ import annotations

import random
import re
from datetime import date
from fractions import Fraction

import numpy as np
import pytest

from processors import attributes, customers, texts
from processors import layout as L
from processors.rules import program as G
from processors.state import make_room
from tests.unit.processors.world import START_MS, key_of, raw_state

NUMBER = re.compile(r"-?(?P<whole>[0-9]+)(?:\.(?P<behind>[0-9]{1,9}))?")
"""As docs/rules.md has it; of all digits there are 15 at most."""


class Customer:
    """A customer, and rules that ask for two of their attributes."""

    def __init__(self) -> None:
        self.st, self.g = raw_state(1 << 19, t='profile.a == "x" or profile.b == "x"', u="age(profile.a) > 1")
        hashed, buf = key_of(b"c")
        self.row = int(customers.create(self.st.m, self.st.m32, self.st.m8, hashed, buf, 0, 1))
        self.first = int(self.g[G.FIRST_ATTRIBUTE])

    def put(self, which: int, time_ms: int, text: bytes | None) -> bool:
        self.st = make_room(self.st, self.g)
        buf, n = np.frombuffer(text or b"\0", np.uint8), -1 if text is None else len(text)
        m, m32 = self.st.m, self.st.m32
        return bool(attributes.put(m, m32, self.g, self.row, self.first + which, np.int64(time_ms), buf, 0, n))

    def text(self, which: int) -> str | None:
        m = self.st.m
        at = int(attributes.text_of_cell(m, self.st.m32, self.g, self.row, self.first + which))
        return texts.text_of(m, at) if at else None

    def place(self, text: str) -> int:
        """Of the attribute, once it is this text."""
        self.put(0, START_MS, text.encode())
        return int(attributes.text_of_cell(self.st.m, self.st.m32, self.g, self.row, self.first))


@pytest.mark.parametrize("seed", range(4))
def test_each_attribute_is_what_its_newest_event_says(seed: int) -> None:
    rng = random.Random(seed)
    customer = Customer()
    said: dict[int, tuple[int, bytes | None]] = {}
    values = (b"", b"x", b"north", b"north ", None, b"a" * texts.MAX_BYTES, b"a" * (texts.MAX_BYTES + 1))
    for _ in range(300):
        which, time_ms, value = rng.randrange(2), START_MS + rng.randrange(30), rng.choice(values)
        before = said.get(which, (0, None))
        # what is too long to be held is none; of one time the one that comes later is the newer
        known = None if value is not None and len(value) > texts.MAX_BYTES else value
        if time_ms >= before[0]:
            said[which] = (time_ms, known)
        assert customer.put(which, time_ms, value) == (said.get(which, (0, None))[1] != before[1])
        for each in (0, 1):
            expected = said.get(each, (0, None))[1]
            assert customer.text(each) == (None if expected is None else expected.decode())
        held = {text for _, text in said.values() if text is not None}
        assert customer.st.m[L.R_TEXTS_LIVE] == len(held)


def some_numbers(rng: random.Random) -> list[str]:
    """Numbers, what is nearly one, and anything."""
    drawn = ["0", "-0", "007", "5.", ".5", "-", "", "--1", "1e3", "+1", "1 ", " 1", "1.2.3", "٣", "1,5", "0x1"]
    drawn += ["999999999999999", "1000000000000000", "0.123456789", "0.1234567890", "123456.123456789", "-0.5"]
    drawn += ["1234567.123456789", "000000000000001", "0000000000000001"]
    for _ in range(400):
        whole, behind = rng.randrange(1, 17), rng.randrange(11)
        digits = "".join(rng.choice("0123456789") for _ in range(whole + behind))
        text = rng.choice(("", "", "-")) + digits[:whole] + ("." if behind else "") + digits[whole:]
        if rng.random() < 0.2:
            place = rng.randrange(len(text) + 1)
            text = text[:place] + rng.choice("-. 0a٣") + text[place:]
        drawn.append(text)
    return drawn


def test_a_text_is_a_number_as_a_whole_or_not_at_all() -> None:
    customer = Customer()
    numbers = 0
    for text in some_numbers(random.Random(1)):
        match = NUMBER.fullmatch(text)
        digits = len((match["whole"] + (match["behind"] or "")) if match else "")
        is_number, value = attributes.number_of(customer.st.m, customer.place(text))
        assert bool(is_number) == (match is not None and digits <= 15), text
        if is_number:
            # a Fraction's float is the nearest double; a double has one with every 15 digits
            assert value == float(Fraction(text)), text
            numbers += 1
    assert 150 < numbers < 350


def date_in(text: str) -> date | None:
    """The date with which a text begins, by Python."""
    match = re.match(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ].*)?\Z", text, re.DOTALL)
    if match is None or not 1800 <= int(match[1]) <= 2200:
        return None
    try:
        return date(*map(int, match.groups()))
    except ValueError:
        return None


def years_between(born: date, day: date) -> int:
    """Birthdays since, of 29 February on 1 March in short years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def test_ages_and_birthdays_are_those_of_a_calendar() -> None:
    rng = random.Random(2)
    customer = Customer()
    m, g = customer.st.m, customer.g
    known = 0
    for _ in range(400):
        year, month, day = rng.choice((1799, 1800, 1960, 1999, 2000, 2023, 2024, 2200, 2201)), *rng.choice(
            ((2, 28), (2, 29), (3, 1), (12, 31), (1, 1), (6, 31), (13, 1), (0, 1), (5, 0), (5, 17))
        )  # fmt: skip
        text = f"{year}-{month:02}-{day:02}" + rng.choice(("", "", "", "T", " 10:00", "x", "T1", "Z"))
        now = date(2024, 1, 1).toordinal() + rng.randrange(-9000, 9000)
        now_ms = np.int64((now - date(1970, 1, 1).toordinal()) * 86_400_000 + rng.choice((0, 86_399_999)))
        born, place = date_in(text), customer.place(text)
        if born is None or born.toordinal() > now:
            assert attributes.age_of(m, g, place, now_ms) == -1, text
        else:
            assert attributes.age_of(m, g, place, now_ms) == years_between(born, date.fromordinal(now)), text
            known += 1
        due = int(attributes.next_birthday(m, g, place, now_ms))
        if born is None:
            assert due == L.FAR, text
        else:
            # the first day on which the age is another, or there is one
            day_due = date.fromordinal(date(1970, 1, 1).toordinal() + due // 86_400_000)
            assert due % 86_400_000 == 0
            assert due > now_ms
            age_before = years_between(born, date.fromordinal(day_due.toordinal() - 1))
            assert years_between(born, day_due) == age_before + 1 >= 0, text
            assert due - int(now_ms) <= 366 * 86_400_000 or born.toordinal() > now
    assert known > 80
