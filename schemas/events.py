"""The four event types and their fields: the one table that the codecs, the decode plan and the rules read.

An event's place in the decoded row is its position in `FIELDS[type]`, so a field is only ever added at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

FieldKind = Literal["text", "int", "cents", "real", "kind", "time"]
"""How a field is held in a decoded row: `text` bytes in the payload, `int` and `cents` whole numbers,
`real` a double, `kind` a code (position in `KINDS[type]`), `time` milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Field:
    """One optional field of an event type."""

    name: str
    kind: FieldKind
    low: float | None = None
    """Least value accepted; an event below it is dead."""
    high: float | None = None
    """Greatest value accepted; an event above it is dead."""


EVENT_TYPES: Final = ("browse", "purchase", "service", "profile")
"""Position in this tuple is the type's code in decoded rows, digests and the dedupe hash: append only."""

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "purchase": ("order", "refund", "cancel"),
    "service": (
        "enquiry", "complaint", "return", "praise", "resolved", "survey", "contact", "invite", "follow_up",
        "campaign_sent", "campaign_open", "campaign_click", "campaign_reply",
    ),
}  # fmt: skip
"""Values of `kind`; the first is what a missing `kind` means."""

FIELDS: Final[dict[str, tuple[Field, ...]]] = {
    "browse": (
        Field("channel", "text"),
        Field("page_type", "text"),
        Field("product_id", "text"),
        Field("category", "text"),
        Field("dwell_ms", "int"),
        Field("search_query", "text"),
    ),
    "purchase": (
        Field("channel", "text"),
        Field("order_id", "text"),
        Field("kind", "kind"),
        Field("product_id", "text"),
        Field("category", "text"),
        Field("amount_cents", "cents"),
        Field("quantity", "int"),
        Field("currency", "text"),
        Field("coupon_id", "text"),
        Field("order_time", "time"),
    ),
    "service": (
        Field("channel", "text"),
        Field("ticket_id", "text"),
        Field("kind", "kind"),
        Field("topic", "text"),
        Field("sentiment", "real", -1.0, 1.0),
        Field("satisfaction", "int", 1, 5),
    ),
    "profile": (),
}
"""`profile` also has `attributes`, a map of text to text or null, which is not a column of the row."""

MAX_ID_BYTES: Final = 256
"""Longest customer_id or event_id in UTF-8 bytes; longer ones are dead, so a key never fills a row's arena."""

RESERVED_PREFIX: Final = "@"
"""Ids that start with it are ours (`@clock`, `@current`)."""

EARLIEST_EVENT_MS: Final = 631_152_000_000
"""1990-01-01T00:00:00Z: an earlier event_time is a unit error (seconds for milliseconds), not history."""

AHEAD_IS_NOW_MS: Final = 5 * 60_000
"""An event_time further ahead of its arrival than this is a wrong client clock: it counts as of arrival."""

AHEAD_IS_DEAD_MS: Final = 86_400_000
"""An event_time further ahead of its arrival than this is nonsense: dead."""
