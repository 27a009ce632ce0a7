"""`one_ahead`: the same items, made one earlier."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from streams.one_ahead import one_ahead


def test_items_come_unchanged_and_in_order() -> None:
    assert list(one_ahead(iter(range(5)))) == [0, 1, 2, 3, 4]
    assert list(one_ahead(iter(()))) == []


def test_one_item_is_made_while_another_is_used_and_no_more() -> None:
    made: list[int] = []
    second = threading.Event()

    def items() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            if number == 1:
                second.set()
            yield number

    ahead = one_ahead(items())
    assert next(ahead) == 0
    assert second.wait(10), "the second is made though only the first was asked for"
    ahead.close()
    assert made == [0, 1]


def test_how_often_threads_take_turns_is_as_before_in_the_end() -> None:
    before = sys.getswitchinterval()
    ahead = one_ahead(iter(range(9)))
    next(ahead)
    assert sys.getswitchinterval() < before
    ahead.close()
    assert sys.getswitchinterval() == before


def test_what_making_an_item_raises_is_raised_to_who_asks() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="no more"):
        next(ahead)
