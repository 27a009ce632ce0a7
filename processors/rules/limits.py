"""Limits of the rule language. Each has a number in the error catalogue (TS-R5…), and each argues its case."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000

MIN_WINDOW_MS: Final = MINUTE_MS
"""The shortest pane; a shorter window could not be told from it."""
MAX_WINDOW_MS: Final = 400 * DAY_MS
"""A year and a month, to compare with last year's season; also the longest timing and how far examples look."""

MAX_TREND_MS: Final = 200 * DAY_MS
"""Longest window of a trend, which looks back twice as far."""

MAX_EXPRESSION_CHARS: Final = 4_000
"""Some hundred conditions. More is a list of products that belongs into the events as a category."""
MAX_EXPRESSION_DEPTH: Final = 32
"""Nesting of one expression; what people write stays below 6, and the checks may recurse safely."""
MAX_AGGREGATES: Final = 64
"""Values in one expression, each kept running for every customer; a trend and a sequence count as two."""
MAX_LIST_VALUES: Final = 100
"""Values in one `in [...]`; each is one comparison per event."""
MAX_PENDING_TERMS: Final = 200
"""Truth values held at once while an expression is decided; the interpreter's stack has 256 places."""
MAX_TEXT_CHARS: Final = 256
"""Longest text constant."""
MAX_NUMBER: Final = Fraction(10**15)
"""Greatest absolute number: in cents it still is well within 64 bits."""
MAX_DECIMALS: Final = 9
"""Reals are summed in units of 10^-9."""

MAX_TAGS: Final = 10_000
"""Tags in a rule set, the size at which the engine is measured."""
MAX_LEVELS: Final = 32
"""Levels of one tier, or of a tag without a rule."""
DEFAULT_KEYS: Final = 20
"""Keys that a `for_each` may have at once where it gives no `limit`."""
MAX_KEYS: Final = 1_000
"""The greatest `limit`; a customer's own keys of a series are bounded by it too."""
MAX_GROUP_TAGS: Final = 100
"""Tags of one exclusive group: each looks at all that come before it, so the cost is the square."""
MAX_RANK_DIGITS: Final = 6
"""Digits of a rank."""
MAX_OWNER_CHARS: Final = 100
MAX_EXAMPLES: Final = 100
"""Examples of one tag."""
MAX_EXAMPLE_LINES: Final = 1_000
"""Events, or changes, of one example."""
MAX_EXAMPLE_CHARS: Final = 1_000
"""One line of an example."""
MAX_NAME_CHARS: Final = 100
MAX_DESCRIBE_CHARS: Final = 2_000

MAX_YAML_DEPTH: Final = 8
"""Lists and maps within each other: a tag needs 5 (file, tag, examples, example, given)."""
MAX_FILES: Final = 1_000
MAX_FILE_BYTES: Final = 8 * 1024 * 1024
"""10,000 tags with texts and examples are about 6 MiB."""
MAX_ALL_BYTES: Final = 32 * 1024 * 1024
"""All files of a rule set together."""
