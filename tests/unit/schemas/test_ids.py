"""What an id may be: 1 to 256 bytes of UTF-8 that do not begin with @, as docs/topics.md says."""

from __future__ import annotations

import pytest

from schemas.ids import fault_of_id
from schemas.outcomes import Dead


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", Dead.EMPTY_ID),
        ("a", None),
        (" ", None),
        ("\0", None),
        ("a@", None),
        ("@", Dead.RESERVED_ID),
        ("@clock", Dead.RESERVED_ID),
        ("x" * 256, None),
        ("x" * 257, Dead.LONG_ID),
        # bytes count, not characters
        ("é" * 128, None),
        ("é" * 128 + "x", Dead.LONG_ID),
        ("é" * 129, Dead.LONG_ID),
        ("🛒" * 64, None),
        ("🛒" * 65, Dead.LONG_ID),
        ("\ud83d", Dead.NOT_UTF8),
        ("x" * 300 + "\udc00", Dead.NOT_UTF8),
    ],
)
def test_an_id_is_good_or_has_one_fault(text: str, fault: Dead | None) -> None:
    assert fault_of_id(text) == fault


@pytest.mark.parametrize("size", [256, 257])
def test_a_reserved_id_is_refused_whatever_its_length(size: int) -> None:
    assert fault_of_id("@" + "x" * (size - 1)) in (Dead.RESERVED_ID, Dead.LONG_ID)
