"""streams.sealing: what is sealed can be read with its key, in its own place, and not otherwise."""

from __future__ import annotations

import pytest

from schemas.records import Change, Evidence
from streams.sealing import NO_KEYS, SEALED, KeyMissing, Keyring, Unreadable
from streams.settings import EncryptionSettings

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
PLAIN = b"what nobody else should read" * 10


def test_what_is_sealed_opens_and_hides_the_plain_text() -> None:
    keyring = Keyring({"2026": OLD})
    sealed = keyring.seal(PLAIN, b"here")
    assert PLAIN[:12] not in sealed
    assert sealed != keyring.seal(PLAIN, b"here"), "a nonce is never used twice"
    assert keyring.open(sealed, b"here") == PLAIN


def test_after_a_rotation_the_first_key_seals_and_both_open() -> None:
    before = Keyring({"a": OLD}).seal(PLAIN, b"here")
    both = Keyring({"b": NEW, "a": OLD})
    assert both.open(before, b"here") == PLAIN
    after = both.seal(PLAIN, b"here")
    assert Keyring({"b": NEW}).open(after, b"here") == PLAIN
    with pytest.raises(KeyMissing, match=r"^a$"):
        Keyring({"b": NEW}).open(before, b"here")
    with pytest.raises(KeyMissing):
        NO_KEYS.open(after, b"here")


@pytest.mark.parametrize("at", [7, 8, 20, -1])
def test_a_changed_byte_is_found(at: int) -> None:
    sealed = bytearray(Keyring({"a": OLD}).seal(PLAIN, b"here"))
    sealed[at] ^= 1
    with pytest.raises((Unreadable, KeyMissing)):
        Keyring({"a": OLD}).open(bytes(sealed), b"here")


def test_a_piece_cannot_be_put_in_anothers_place_nor_read_with_another_key_of_its_id() -> None:
    sealed = Keyring({"a": OLD}).seal(PLAIN, b"here")
    with pytest.raises(Unreadable):
        Keyring({"a": OLD}).open(sealed, b"there")
    with pytest.raises(Unreadable):
        Keyring({"a": NEW}).open(sealed, b"here")


@pytest.mark.parametrize("length", range(40))
def test_the_beginning_of_a_piece_is_none(length: int) -> None:
    sealed = Keyring({"a": OLD}).seal(PLAIN, b"")[:length]
    if length < 6:
        return
    with pytest.raises((Unreadable, KeyMissing)):
        Keyring({"a": OLD}).open(sealed, b"")


def test_without_keys_nothing_is_sealed() -> None:
    assert not NO_KEYS.seals
    assert NO_KEYS.seal(PLAIN, b"") == PLAIN == NO_KEYS.open(PLAIN, b"")
    assert NO_KEYS.seal_evidence(change()) == change()


def change() -> Change:
    evidence = (
        Evidence(condition=3, key="toys", value=12.5, threshold=True, window_start=1, window_end=2),
        Evidence(condition=4, value=("a", "b"), threshold=None),
        Evidence(condition=5, value="gold", threshold="sealed: or not"),
    )
    return Change(
        id="0-1", customer_id="anna", tag="t", op="entered", before=None, after=True, effective_at=1, emitted_at=2,
        seq=1, prev_seq=0, rule_version="v", epoch=0, origin="live", evidence=evidence,
    )  # fmt: skip


def test_evidence_is_sealed_value_by_value_and_comes_back_through_avro() -> None:
    keyring = Keyring({"a": OLD})
    sealed = keyring.seal_evidence(change())
    assert [each.condition for each in sealed.evidence] == [3, 4, 5]
    seen = [v for each in sealed.evidence for v in (each.key, each.value, each.threshold)]
    assert [v is None or str(v).startswith(SEALED) for v in seen] == [True] * 9
    assert [v is None for v in seen].count(True) == 2 + 1
    assert b"gold" not in sealed.to_avro() and b"toys" not in sealed.to_json()
    assert keyring.open_evidence(Change.from_value(sealed.to_avro())) == change()
    assert keyring.open_evidence(Change.from_value(sealed.to_json())) == change()


def test_evidence_without_its_key_or_of_another_change_stays_sealed() -> None:
    sealed = Keyring({"a": OLD}).seal_evidence(change())
    assert NO_KEYS.open_evidence(sealed) == sealed
    first, second, third = sealed.evidence
    swapped = Change(
        **{name: getattr(sealed, name) for name in Change.__slots__} | {"evidence": (third, second, first)}
    )
    assert Keyring({"a": OLD}).open_evidence(swapped).evidence[0].value == third.value


def test_evidence_that_is_not_sealed_is_left_as_it_is() -> None:
    assert Keyring({"a": OLD}).open_evidence(change()) == change()


def test_keys_are_lines_of_which_the_first_seals() -> None:
    settings = EncryptionSettings(keys=f"\n new {NEW.hex()}\nold\t{OLD.hex()}\n")  # type: ignore[arg-type]
    assert list(settings.keys_by_id().items()) == [("new", NEW), ("old", OLD)]
    assert EncryptionSettings().keys_by_id() == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"keys": "a 00"}, "line 1 is not"),
        ({"keys": f"a {OLD.hex()}\na {NEW.hex()}"}, "line 2 has the id a once more"),
        ({"required": True}, "has no key"),
    ],
)
def test_what_cannot_be_used_is_said(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        EncryptionSettings(**given)  # type: ignore[arg-type]
