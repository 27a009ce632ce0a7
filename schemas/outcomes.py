"""What can become of a record that was read: every record has exactly one outcome, and each step counts them."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """In the order in which they are decided. The values are positions in the journal's `outcomes`: append only."""

    SKIPPED = 0
    """A tombstone (no value)."""
    DEAD = 1
    """Cannot be read or may not be used; the original goes to `events.dlq`."""
    REKEYED = 2
    """Came in the wrong partition; sent to the right one of `events.moved`."""
    ERASED = 3
    """Of a customer who was erased and older than the erasure."""
    DUPLICATE = 4
    """Its (type, event_id) was seen within the dedupe horizon."""
    LATE = 5
    """Older than every window of its type: counts only where the window is `ever`."""
    APPLIED = 6


class Dead(IntEnum):
    """Why a record is dead. The value is the number in its error code (`TS-D101`) and the metrics label's key."""

    UNKNOWN_SCHEMA = 101
    """Neither a known framing nor a known schema id or fingerprint."""
    WRONG_TYPE_FOR_TOPIC = 102
    """The schema is another event type's than the topic's."""
    TRUNCATED = 103
    """The payload ends inside a field."""
    TRAILING_BYTES = 104
    """Bytes are left after the last field."""
    BAD_LENGTH = 105
    """A length is negative or longer than the payload."""
    BAD_VARINT = 106
    """A variable-length integer does not end within ten bytes, or a boolean or union branch does not exist."""
    NOT_UTF8 = 107
    """A text field is not UTF-8."""
    NOT_A_NUMBER = 108
    """NaN or infinite."""
    OUT_OF_RANGE = 109
    """A number outside its field's range."""
    WRONG_TYPE = 110
    """A JSON value of the wrong type."""
    MISSING_FIELD = 111
    """event_id, customer_id or event_time is missing."""
    EMPTY_ID = 112
    LONG_ID = 113
    RESERVED_ID = 114
    """An id that starts with @."""
    UNKNOWN_KIND = 115
    BAD_TIME = 116
    """A time that is neither whole milliseconds nor ISO-8601."""
    TIME_TOO_OLD = 117
    """event_time before 1990."""
    TIME_AHEAD = 118
    """event_time more than a day ahead of its arrival."""
    BAD_JSON = 119
    DEEP_JSON = 120
    """JSON nested deeper than the limit."""
    TOO_LARGE = 121
    """Larger than the limit for a value."""
    MOVED_TWICE = 122
    """In the wrong partition of events.moved as well."""
    REFUSED_BY_BROKER = 123
    """An output record that the broker refuses for itself; its stub stands here."""
    NO_SUCH_TAG = 124
    """A command about a tag that the rules in force do not have."""
    BAD_ASSIGNMENT = 125
    """A command that gives a tag a value that it cannot have."""
