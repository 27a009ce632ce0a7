"""The quick way to read `tags.current` against the general one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import EventError
from schemas.records import Current, TagValue
from streams.projector.decode import CurrentTags, read_current
from streams.redis_layout import text_of, value_of

LONGS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = st.one_of(
    st.just(True), TEXTS, st.floats(allow_nan=False, allow_infinity=False), st.lists(TEXTS, max_size=70).map(tuple)
)
CURRENTS = st.builds(
    Current,
    customer_id=TEXTS,
    partition=st.integers(0, 2**31 - 1),
    epoch=LONGS,
    seq=LONGS,
    clock=LONGS,
    rule_version=TEXTS,
    tags=st.lists(st.builds(TagValue, TEXTS, VALUES), max_size=70).map(tuple),
)


def expected(current: Current) -> CurrentTags:
    fields = [text for tag in current.tags for text in (tag.tag, text_of(tag.value))]
    return CurrentTags(current.epoch, current.seq, current.clock, fields)


@given(CURRENTS)
def test_avro_is_read_as_it_was_written(current: Current) -> None:
    assert read_current(current.to_avro()) == expected(current)


@given(CURRENTS)
def test_json_is_read_as_it_was_written(current: Current) -> None:
    assert read_current(current.to_json()) == expected(current)


@given(CURRENTS)
def test_confluents_framing_is_unknown_without_a_registry(current: Current) -> None:
    with pytest.raises(EventError):
        read_current(current.to_avro(schema_id=7))


@given(CURRENTS, st.data())
def test_a_record_cut_short_is_an_error(current: Current, data: st.DataObject) -> None:
    value = current.to_avro()
    with pytest.raises(EventError):
        read_current(value[: data.draw(st.integers(0, len(value) - 1))])


@given(CURRENTS)
def test_bytes_behind_the_record_are_an_error(current: Current) -> None:
    with pytest.raises(EventError):
        read_current(current.to_avro() + b"\x00")


def test_a_json_number_without_a_point_is_a_number_not_true() -> None:
    value = b'{"epoch":1,"seq":2,"clock":3,"tags":[{"tag":"score","value":1},{"tag":"vip","value":true}]}'
    assert read_current(value).fields == ["score", "1.0", "vip", "1"]


@pytest.mark.parametrize("value", [b"{}", b"{", b'{"epoch":1,"seq":2,"clock":3,"tags":[{"tag":"x"}]}', b'{"tags":7}'])
def test_json_of_another_shape_is_an_error(value: bytes) -> None:
    with pytest.raises(EventError):
        read_current(value)


@given(st.one_of(st.just(True), st.floats(allow_nan=False, allow_infinity=False), st.sets(TEXTS)))
def test_true_numbers_and_sets_read_back_from_their_text(value: bool | float | set[str]) -> None:
    given_value = tuple(value) if isinstance(value, set) else value
    read = value_of(text_of(given_value))
    assert read == (tuple(sorted(value)) if isinstance(value, set) else value)
    assert type(read) is type(given_value)


@pytest.mark.parametrize("level", ["gold", "金牌", "10", "1a", "e+1", "-", "", "[not json", "nan", "inf"])
def test_levels_read_back_as_text(level: str) -> None:
    assert value_of(text_of(level)) == level
