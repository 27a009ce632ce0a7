"""A rule set as the engine's loops read it: one flat array of tables, and the constants.

The first words of `g` say where each table begins; `look(g, SERIES_WORDS, i)` is entry i of a table. Where a table is
said to hold "the first of" something, what belongs to i is the range [entry i, entry i + 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.jit import inline

I64 = NDArray[np.int64]

CODE: Final = 0
"""Instructions of five words, see interpret.py."""
TEXT_AT: Final = 1
"""First byte of each constant text in `texts`."""
TYPE_OPEN: Final = 2
"""First of the filters (in CANDIDATES) of each event type that are put to each of its events (filter_index.py)."""
TYPE_SERIES: Final = 3
"""Number of series of each event type, and words of all their cells."""
TYPE_WORDS: Final = 4
TYPE_MINUTE_WINDOW: Final = 5
"""Longest window (ms) with panes of a minute on each event type, 0 if none; and with panes of an hour."""
TYPE_HOUR_WINDOW: Final = 6
FILTER_START: Final = 7
"""Each filter's program [start, end); an empty one passes everything."""
FILTER_END: Final = 8
FILTER_SERIES: Final = 9
"""First of the series that each filter feeds."""
SERIES_PANE_MS: Final = 10
SERIES_MEASURE: Final = 11
"""Field that is summed, MEASURE_NONE if none; of an attribute the text of its name."""
SERIES_UNIT: Final = 12
"""Whole units in one: 1, or 10^9 for reals."""
SERIES_CURRENCY: Final = 13
"""Text of the currency that is summed, -1 if any."""
SERIES_WINDOWS: Final = 14
"""First of the windows of each series, shortest first."""
SERIES_WORDS: Final = 15
"""Words of a cell."""
WINDOW_MS: Final = 16
"""Length of each window; series.EVER for ever."""
SERIES_TAGS: Final = 17
"""First of the tags (in READERS) that read each series."""
READERS: Final = 18
"""Ranks of tags."""
TAG_WORDS: Final = 19
"""Words of an entry by its index: of each tag, then of what people and of what models say of it."""
TAG_LEVELS: Final = 20
"""First of the levels of each tag; a plain tag has one."""
LEVEL_START: Final = 21
"""Each level's program [start, end)."""
LEVEL_END: Final = 22
LEAVE_START: Final = 23
"""Each tag's own `leave`, NO_PROGRAM if it has none."""
LEAVE_END: Final = 24
TAG_DWELL_MS: Final = 25
TAG_COOLDOWN_MS: Final = 26
TAG_TERM_MS: Final = 27
"""`expires`; 0 if it has none."""
DEFAULT_TAGS: Final = 28
"""Ranks of tags that are true of a customer of whom nothing is known: evaluated when a row is made."""
TAG_READS: Final = 29
"""First of the reads of each tag: what may fall and by that change the truth of one of its conditions."""
SERIES_EAGER: Final = 30
"""First of the reads of each series that, by falling, can let a tag enter."""
READ_SERIES: Final = 31
READ_METRIC: Final = 32
"""Metric of the series, as in OP_WINDOW; -1 - window for the time since the last event, which rises; or one of TRIED,
OUTGROWS, RACES, WAITS, BIRTHDAY and MOVED."""
READ_FLOOR: Final = 33
"""Falling below this is what matters, ANY_FALL if it matters always; of a time, reaching it (ms)."""
SERIES_SPAN_MS: Final = 34
"""Longest window of each series but `ever`, 0 if it has no other."""
SERIES_KIND: Final = 35
"""What the panes of each series hold: one of series.SUM and those behind it."""
SERIES_LINK: Final = 36
"""Series of the first events of a match, whose second events this one counts; then how long after (ms)."""
SERIES_WITHIN_MS: Final = 37
TYPE_SPECIAL: Final = 38
"""Number of series of each event type that are matches or attributes, which are not fed like others."""
TAG_RANK: Final = 39
"""Place of each tag in the order of evaluation: behind all that it refers to."""
RANKED_TAGS: Final = 40
"""The tag of each rank."""
TAG_DEPENDENTS: Final = 41
"""First of the ranks (in DEPENDENTS) of the tags that refer to each tag."""
DEPENDENTS: Final = 42
ZONE_FROM: Final = 43
"""Times (ms) from which on the zone has another distance from UTC, rising; then the distances (ms)."""
ZONE_OFFSET: Final = 44
SERIES_KEY_WORDS: Final = 45
"""Words of the cell of a key where a series is grouped, 0 where it is not."""
SERIES_GROUP: Final = 46
"""Field by which a series is grouped; then the first text of its kinds, -1 if it is a text."""
SERIES_GROUP_KINDS: Final = 47
TAG_KIND: Final = 48
"""What each tag's value is, see assigned.py."""
TAG_LIMIT: Final = 49
"""Most keys of a set."""
TAG_STEP: Final = 50
"""Step of a score, as the bits of a double."""
TAG_KEYS: Final = 51
"""First of the windows (in KEY_SERIES and KEY_WINDOW) from which a set's keys are known."""
KEY_SERIES: Final = 52
KEY_WINDOW: Final = 53
TEXT_HASHES: Final = 54
"""Hash of each constant text."""
PREFIXES: Final = 55
"""Bytes with which attributes are said to begin, one in each word."""
SERIES_GROUP_DEFAULT: Final = 56
"""Text that is the key where the field by which a series is grouped is missing, -1 if there is none then."""
LEVEL_CLAUSES: Final = 57
"""First of the clauses of each level, and of each tag's own `leave` (clauses.py)."""
LEAVE_CLAUSES: Final = 58
CLAUSE_CONSTANTS: Final = 59
"""First of the constant texts (in CONSTANT_HASHES) with which each clause compares."""
CONSTANT_HASHES: Final = 60
SIDE_SORT: Final = 61
"""Two for each clause, its value and what that is compared with: what it is (clauses.py); then its program."""
SIDE_START: Final = 62
SIDE_END: Final = 63
CLAUSE_START: Final = 64
"""Program of each clause, by which it is true or false; empty for the number of a score."""
CLAUSE_END: Final = 65
TAG_FORECAST: Final = 66
"""1 for tags whose changes say when they will flip."""
TAG_HOLDOUT: Final = 67
"""Share of customers held out, of 2^53; -1 if the tag holds nobody out. Then what makes the draw the tag's own."""
TAG_SALT: Final = 68
CANDIDATES: Final = 69
"""Filters: the open ones, and those that are found by the value of a field."""
TYPE_INDEXES: Final = 70
"""First of the indexed fields of each event type."""
INDEX_FIELD: Final = 71
INDEX_IS_TEXT: Final = 72
INDEX_SLOTS: Final = 73
"""First of the slots of each indexed field, a power of two of them."""
SLOTS: Final = 74
"""Three words a slot: a whole number or the hash of a text, and the range in CANDIDATES of the filters that may pass
events with it; an end of 0 if the slot is empty."""
SLOT_WORDS: Final = 3
FILTER_MATCHES: Final = 75
"""1 for filters of which a series is a match."""
WINDOW_TAGS: Final = 76
"""First of the tags (in WINDOW_READERS) that read each window."""
WINDOW_READERS: Final = 77
"""Ranks of tags."""
TABLES: Final = 78
DEFAULT_COUNT: Final = TABLES
"""Number of entries of DEFAULT_TAGS; a word of its own, as are those that follow."""
TAG_COUNT: Final = TABLES + 1
ALL_TAG_WORDS: Final = TABLES + 2
"""Words of the entries of all tags."""
MAX_TYPE_WORDS: Final = TABLES + 3
"""Greatest of TYPE_WORDS, and of TYPE_SERIES."""
MAX_TYPE_SERIES: Final = TABLES + 4
ZONE_COUNT: Final = TABLES + 5
FIRST_ATTRIBUTE: Final = TABLES + 6
"""First of the series that are attributes, and how many there are."""
ATTRIBUTES: Final = TABLES + 7
TYPE_GROUPS: Final = TABLES + 8
"""Most series of one event type that are grouped, and most words of one key's cell."""
MAX_KEY_WORDS: Final = TABLES + 9
TEXTS_AT_ONCE: Final = TABLES + 10
"""Most texts that one event may bring."""
EXTRA_WORDS: Final = TABLES + 11
"""Words that one event may take for texts, sets of tags and sets of values seen."""
SERIES_COUNT: Final = TABLES + 12
EVIDENCE_WORDS: Final = TABLES + 13
"""Most words of evidence that one evaluation of a customer may give."""
HEADER: Final = TABLES + 14


ANY_FALL: Final = (1 << 63) - 1
BIRTHDAY: Final = -(1 << 21)
"""Metric of an attribute of which the age is asked."""
MOVED: Final = -(1 << 22)
"""Metric of a score that moves with the time since the series' last event. READ_FLOOR is the tag."""
TRIED: Final = -(1 << 20)
"""A condition that moves with the time since the series' last event in no simple way. READ_FLOOR is start << 20 | words
of its program with `<=`, behind which stand the one with `>=` and the condition itself."""


WAITS: Final = -(1 << 23)
"""A sequence in which the series' last event waits for another in vain. READ_FLOOR is its instruction OP_ABSENT."""
OUTGROWS: Final = -(1 << 24)
"""The time since the series' last event, compared with a value that time alone does not move while nothing leaves its
windows. READ_FLOOR is an instruction that is never run: the comparison, the window, and the value's program."""
RACES: Final = -(1 << 25)
"""The time since the series' last event, compared with that since another's. READ_FLOOR is an instruction that is never
run: the comparison, and the places of both, as in OP_ABSENT."""


class Program(NamedTuple):
    """Compiled rules."""

    g: I64
    texts: NDArray[np.uint8]
    """Constant texts, one behind another."""
    reals: NDArray[np.float64]
    """Constants of OP_REAL."""


@inline
def look(g, table, i):  # type: ignore[no-untyped-def]
    """Entry `i` of a table of the program."""
    return g[g[table] + i]


def pack(tables: Mapping[int, I64], sizes: Mapping[int, int]) -> I64:
    """All tables in one array, behind the header, whose words of their own are `sizes` or follow from the tables.

    Every table must be there.
    """
    starts = np.zeros(HEADER, np.int64)
    parts: list[I64] = [starts]
    top = HEADER
    for number in range(TABLES):
        starts[number] = top
        parts.append(tables[number].reshape(-1))
        top += tables[number].size
    starts[DEFAULT_COUNT] = tables[DEFAULT_TAGS].size
    starts[ZONE_COUNT] = tables[ZONE_FROM].size
    starts[TAG_COUNT] = tables[TAG_RANK].size
    starts[SERIES_COUNT] = tables[SERIES_KIND].size
    starts[ALL_TAG_WORDS] = tables[TAG_WORDS][: tables[TAG_RANK].size].sum()
    starts[MAX_TYPE_WORDS] = tables[TYPE_WORDS].max()
    starts[MAX_TYPE_SERIES] = tables[TYPE_SERIES].max()
    for word, size in sizes.items():
        starts[word] = size
    return np.concatenate(parts)
