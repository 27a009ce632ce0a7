"""Encryption at rest: of snapshots, and of the evidence of sensitive tags.

AES-256-GCM with a fresh nonce for each piece. What a piece is about, its place or its change, is authenticated with it,
so that it cannot be put in another's place. Each says under which key it was sealed, so several can be in use at once.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.records import Change, Evidence, Value
from streams.settings import EncryptionSettings

__all__ = ["NO_KEYS", "SEALED", "KeyMissing", "Keyring", "Unreadable"]

MAGIC: Final = b"TSEAL1"
"""Begins a sealed piece; then the length of the key's id in one byte, the id, the nonce, and what AES-GCM gives."""
NONCE_BYTES: Final = 12
SEALED: Final = "sealed:"
"""Begins a text that stands for a sealed value."""


class KeyMissing(Exception):
    """A piece is sealed under a key that we do not have; `args[0]` is the key's id."""


class Unreadable(Exception):
    """A sealed piece is damaged, or stands in another's place, or its key is another one of the same id."""


class Keyring:
    """Seals with the first key and opens with all. Without keys nothing is sealed."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        """`keys`: 32 bytes each, by id."""
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._first = next(iter(keys), None)

    @classmethod
    def by(cls, settings: EncryptionSettings) -> Keyring:
        """As the settings say."""
        return cls(settings.keys_by_id())

    @property
    def seals(self) -> bool:
        return self._first is not None

    def seal(self, plain: bytes, about: bytes) -> bytes:
        """`plain` itself if there is no key."""
        if self._first is None:
            return plain
        key_id, nonce = self._first.encode(), os.urandom(NONCE_BYTES)
        head = MAGIC + bytes([len(key_id)]) + key_id
        return head + nonce + self._ciphers[self._first].encrypt(nonce, plain, head + about)

    def open(self, data: bytes, about: bytes) -> bytes:
        """`data` itself if it is not sealed. Raises KeyMissing, Unreadable."""
        if not data.startswith(MAGIC):
            return data
        start = len(MAGIC) + 1
        end = start + data[start - 1] if len(data) >= start else len(data)
        head, nonce = data[:end], data[end : end + NONCE_BYTES]
        key_id = head[start:].decode("utf-8", "replace")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise KeyMissing(key_id)
        try:
            return cipher.decrypt(nonce, data[end + NONCE_BYTES :], head + about)
        except (InvalidTag, ValueError):
            raise Unreadable from None

    # ------------------------------------------------------------------------------------------------- evidence

    def seal_evidence(self, change: Change) -> Change:
        """The change with what its conditions saw sealed; which conditions they were stays."""

        def seal(value: Value | None, place: int) -> str | None:
            if value is None:
                return None
            sealed = self.seal(orjson.dumps(value), _about(change, place))
            return SEALED + base64.b64encode(sealed).decode()

        if not self.seals:
            return change
        return replace(change, evidence=tuple(_with(each, n, seal) for n, each in enumerate(change.evidence)))

    def open_evidence(self, change: Change) -> Change:
        """The change as it was before; what cannot be opened stays as it is."""

        def opened(value: Value | None, place: int) -> Value | None:
            if not isinstance(value, str) or not value.startswith(SEALED):
                return value
            try:
                data = base64.b64decode(value[len(SEALED) :], validate=True)
                plain = orjson.loads(self.open(data, _about(change, place)))
            except (ValueError, KeyMissing, Unreadable):
                return value
            return tuple(plain) if isinstance(plain, list) else plain

        return replace(change, evidence=tuple(_with(each, n, opened) for n, each in enumerate(change.evidence)))


def _about(change: Change, place: int) -> bytes:
    """What a value in the evidence is authenticated with: its change, and its place there."""
    return f"{change.id}|{change.customer_id}|{change.tag}|{place}".encode()


def _with(evidence: Evidence, number: int, of: Callable[[Any, int], Any]) -> Evidence:
    """The evidence with its key, value and threshold replaced by what `of` makes of them."""
    return replace(
        evidence,
        key=of(evidence.key, 3 * number),
        value=of(evidence.value, 3 * number + 1),
        threshold=of(evidence.threshold, 3 * number + 2),
    )


NO_KEYS: Final = Keyring({})
