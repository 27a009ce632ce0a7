"""What rules ask for and what events hold, made for each other: thresholds that events reach, texts that match."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Literal

from processors.oracle.event import DAY_MS, HOUR_MS, MINUTE_MS
from processors.rules.tree import CompareOp

START_MS: Final = 1_704_067_200_000
"""2024-01-01T00:00:00Z, an edge of every pane and of a dedupe generation."""

ERASED_FOR_MS: Final = 90 * DAY_MS
"""How long it is known that a customer was to be forgotten."""

DEFAULT_CURRENCY: Final = "CNY"

ZONES: Final = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "America/Havana")
"""Without summer time, with it on either side of UTC, half an hour off the hour; and where a midnight is left out in
spring and comes twice in autumn."""

CLOCK_CHANGES_MS: Final = (
    1_710_046_800_000,  # 2024-03-10T05:00Z, Havana goes forward, at midnight
    1_710_054_000_000,  # 2024-03-10T07:00Z, New York goes forward
    1_711_846_800_000,  # 2024-03-31T01:00Z, Berlin goes forward
    1_729_990_800_000,  # 2024-10-27T01:00Z, Berlin goes back
    1_730_610_000_000,  # 2024-11-03T05:00Z, Havana goes back, to midnight
    1_730_613_600_000,  # 2024-11-03T06:00Z, New York goes back
    1_741_496_400_000,  # 2025-03-09T05:00Z
    1_741_503_600_000,  # 2025-03-09T07:00Z
    1_743_296_400_000,  # 2025-03-30T01:00Z
    1_761_440_400_000,  # 2025-10-26T01:00Z
    1_762_059_600_000,  # 2025-11-02T05:00Z
    1_762_063_200_000,  # 2025-11-02T06:00Z
)
"""When the clocks of these zones are put forward or back in the first two years of a history."""

DURATIONS_MS: Final = (10 * MINUTE_MS, MINUTE_MS, HOUR_MS, DAY_MS, 3 * DAY_MS, 30 * DAY_MS)
"""For dwell, cooldown, terms and sequences."""

WHERE: Final[dict[str, dict[str, tuple[str | Fraction, ...]]]] = {
    "purchase": {
        "kind": ("order", "refund", "cancel"),
        "category": ("shoes", "books"),
        "channel": ("web", "store"),
        "currency": (DEFAULT_CURRENCY, "USD"),
        "coupon_id": ("spring",),
        "amount": (Fraction(10), Fraction("19.99"), Fraction(0), Fraction("9.995")),
        "amount_cents": (Fraction(1000), Fraction(1999)),
        "quantity": (Fraction(1), Fraction(2)),
    },
    "browse": {
        "channel": ("web", "app"),
        "page_type": ("item", "home"),
        "category": ("shoes", "books"),
        "dwell_ms": (Fraction(1000), Fraction(5000)),
    },
    "service": {
        "kind": ("enquiry", "complaint", "praise"),
        "topic": ("delivery", "配送"),
        "sentiment": (Fraction(0), Fraction("-0.3"), Fraction("0.1")),
        "satisfaction": (Fraction(3), Fraction(5)),
    },
    "profile": {},
}
"""Per event type, the fields that filters use and the values that they compare with; events take theirs from here."""

SUMS: Final[dict[str, dict[str, tuple[Fraction, ...]]]] = {
    "purchase": {
        "amount": (Fraction(20), Fraction("19.99"), Fraction(0), Fraction("29.995"), Fraction(50)),
        "amount_cents": (Fraction(2000), Fraction(0), Fraction(3999)),
        "quantity": (Fraction(2), Fraction(4)),
    },
    "browse": {"dwell_ms": (Fraction(5000), Fraction(6000), Fraction(0))},
    "service": {
        "sentiment": (Fraction(0), Fraction("0.3"), Fraction("-0.2")),
        "satisfaction": (Fraction(5), Fraction(8)),
    },
    "profile": {},
}
"""Per event type, the fields that are summed and thresholds that a few events reach."""

SINGLES: Final[dict[str, dict[str, tuple[Fraction, ...]]]] = {
    "purchase": {
        "amount": (Fraction(20), Fraction("19.99"), Fraction(0), Fraction("14.995"), Fraction("6.666666667")),
        "amount_cents": (Fraction(1999), Fraction(1000), Fraction("1499.5"), Fraction(-1000)),
        "quantity": (Fraction(2), Fraction("1.5"), Fraction(1)),
    },
    "browse": {"dwell_ms": (Fraction(1000), Fraction(3000), Fraction(0), Fraction("3333.333333333"))},
    "service": {
        "sentiment": (Fraction(0), Fraction("0.1"), Fraction("-0.3"), Fraction("0.15"), Fraction("0.2")),
        "satisfaction": (Fraction(3), Fraction(4), Fraction("3.5")),
    },
    "profile": {},
}
"""Per event type, the fields of which a least, greatest, first, last or mean value is taken, and thresholds for it."""

TEXTS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "purchase": {
        "category": ("shoes", "books", "toys"),
        "kind": ("order", "refund"),
        "currency": (DEFAULT_CURRENCY, "USD"),
        "coupon_id": ("spring", "autumn", ""),
    },
    "browse": {"page_type": ("item", "home"), "category": ("books", "nowhere")},
    "service": {"topic": ("delivery", "配送"), "kind": ("complaint", "enquiry")},
    "profile": {},
}
"""Per event type, the text fields of which a first or last value is taken, and texts to compare it with."""

PREFIXES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "purchase": {
        "category": ("sh", "s", "shoes", "shoes/"),
        "channel": ("web", "st"),
        "currency": ("C", "US"),
        "coupon_id": ("s",),
    },
    "browse": {"page_type": ("it", "home"), "category": ("b",), "channel": ("a",)},
    "service": {"topic": ("配", "del", "配送 ")},
    "profile": {},
}
"""Per event type, beginnings of texts that some events hold, whole ones, and longer ones."""

PRESENT: Final[dict[str, tuple[str, ...]]] = {
    "purchase": ("order_time", "amount", "amount_cents", "quantity", "category", "kind", "currency"),
    "browse": ("dwell_ms", "page_type", "product_id"),
    "service": ("satisfaction", "sentiment", "topic", "kind"),
    "profile": (),
}
"""Per event type, fields that filters ask for."""

SINCE_DAYS: Final = (
    Fraction(1),
    Fraction("0.5"),
    Fraction("7.25"),
    Fraction(30),
    Fraction(0),
    Fraction("0.041666667"),  # an hour and 0.0288 ms
    Fraction("0.000694444"),  # a minute less 0.0384 ms
    Fraction("0.00000001"),  # 0.864 ms
    Fraction("0.000000025"),  # 2.16 ms
    Fraction("0.3333"),  # 28,797,120 ms exactly
    Fraction(100),
    Fraction(-1),
)
"""Thresholds for `days_since`; some of them are no whole number of milliseconds."""

INTERVAL_DAYS: Final = (
    Fraction(1),
    Fraction("0.5"),
    Fraction("0.000694444"),
    Fraction("0.125"),
    Fraction(7),
    Fraction(0),
)

RATIOS: Final = (
    Fraction(1),
    Fraction("0.5"),
    Fraction("0.333333333"),
    Fraction(2),
    Fraction(10),
    Fraction("19.99"),
    Fraction("0.1"),
    Fraction(0),
    Fraction(-1),
)

DISTINCTS: Final[dict[str, tuple[str, ...]]] = {
    "purchase": ("category", "quantity", "kind", "currency", "coupon_id", "amount_cents"),
    "browse": ("category", "page_type", "dwell_ms"),
    "service": ("topic", "kind", "satisfaction"),
    "profile": (),
}
"""Per event type, fields of which different values are counted."""

TOPS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "purchase": {
        "category": ("shoes", "books", "toys"),
        "channel": ("web", "store"),
        "kind": ("order", "refund", "cancel"),
    },
    "browse": {"category": ("shoes", "books"), "page_type": ("item", "home")},
    "service": {"topic": ("delivery", "配送"), "kind": ("enquiry", "complaint", "campaign_open")},
    "profile": {},
}
"""Per event type, text fields of which the most frequent value is taken, and texts to compare it with."""

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "purchase": ("category", "channel", "kind", "currency", "coupon_id"),
    "browse": ("category", "channel", "page_type"),
    "service": ("topic", "kind"),
    "profile": (),
}
"""Per event type, fields that give keys."""

ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    "favourite": ("shoes", "books", "toys", "web", "order", "delivery", "item", "CNY"),
    "other": ("shoes", "books", "toys", "web", "refund", "配送", ""),
    "limit": (
        *("1", "2", "19.99", "0", "-1", "0.5", "30", "007", "2.0", "1000", "-0", "999999999999999", "0.333333333"),
        # Nothing of this is a number.
        *(
            "",
            "1e3",
            "1.",
            ".5",
            "+1",
            "- 1",
            " 1",
            "1\n",
            "١",
            "9999999999999999",
            "1234567890.123456",
            "0.1234567891",
        ),
    ),
}
"""What attributes hold, dates left out."""

TEXT_ATTRIBUTES: Final = ("favourite", "other")

ATTRIBUTE_PREFIXES: Final = ("s", "sh", "shoes", "shoes ", "配", "", "o")

LIMITS: Final = (Fraction(1), Fraction(2), Fraction("19.99"), Fraction(0), Fraction(7), Fraction("0.333333333"))

AGES: Final = (Fraction(18), Fraction(1), Fraction(30), Fraction(0), Fraction(65), Fraction("17.5"))

NO_BIRTHDAYS: Final = (
    *("2000-02-30", "2001-02-29", "1799-12-31", "2201-01-01", "2000-1-1", "2000-01-01x", "x2000-01-01", "01.02.2000"),
    *("2000-01-01 ", "1900-02-29", "2000-00-10", "2000-13-01", "", "2000-01-01t00:00", "20000101", "1800-01-01"),
)
"""Most of this begins with no day; the rest is long ago or goes on."""

MODEL_NUMBERS: Final = (Fraction("0.5"), Fraction("0.2"), Fraction(1), Fraction(30), Fraction(-1))
"""What models say, and what it is compared with."""

EQUALITY: Final[tuple[Literal["==", "!="], ...]] = ("==", "!=")

OPS: Final[tuple[CompareOp, ...]] = (">=", ">", "<", "<=", "==", "!=")

FIELD_VALUES: Final[dict[str, dict[str, tuple[int | float | str, ...]]]] = {
    "purchase": {
        "kind": ("order", "refund", "cancel"),
        "category": ("shoes", "books", "toys"),
        "channel": ("web", "store"),
        "currency": (DEFAULT_CURRENCY, "USD"),
        "coupon_id": ("spring", "autumn"),
        "amount_cents": (1000, 1999, 2000, 1, 0, 5000, -1000, -1999),
        "quantity": (1, 2, 3),
    },
    "browse": {
        "channel": ("web", "app"),
        "page_type": ("item", "home"),
        "category": ("shoes", "books"),
        "dwell_ms": (1000, 5000, 0),
    },
    "service": {
        "kind": ("enquiry", "complaint", "praise", "campaign_open"),
        "topic": ("delivery", "配送"),
        "sentiment": (0.1, 0.2, 0.3, -0.3, 0.0, -1.0),
        "satisfaction": (3, 5, 1),
    },
    "profile": {},
}
"""Per event type, what an event's fields may hold, times left out; each may also be missing."""
