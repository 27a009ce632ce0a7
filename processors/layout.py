"""Where things stand in the engine's arrays: words of a decoded row, of a customer's row, of a series' cell, of a tag.

All state of a partition is one array of int64 words, its memory `m`; `m32` is the same memory as int32 halves (index
2 * word + half) and `m8` as bytes. Rows, blocks and panes are known by their first word; 0, where the registers are,
means "none". So a flat copy is a snapshot, and a compiled function takes one array rather than thirty (each array that
is passed costs seven words).
"""

from __future__ import annotations

from typing import Final

FAR: Final = 1 << 60
"""A time (ms) that never comes."""

# --- a decoded event: one row of `events`, filled by decode, read and completed by step -------------------------------
EV_ARRIVAL: Final = 0
EV_OFFSET: Final = 1
EV_SOURCE: Final = 2
"""Position of the topic among the partition's sources."""
EV_TYPE: Final = 3
"""Position in EVENT_TYPES, -1 while unknown."""
EV_CODE: Final = 4
"""0 readable; a `Dead` number; or one of the NEEDS_ codes while decoding is not finished."""
EV_TIME: Final = 5
EV_ID_HASH: Final = 6
EV_ID: Final = 7
"""event_id's bytes: position << 32 | length, in the payload buffer; so for EV_CUSTOMER and text fields."""
EV_CUSTOMER: Final = 8
EV_CUSTOMER_HASH: Final = 9
EV_PRESENT: Final = 10
"""Bit f is set if field f has a value."""
EV_OUTCOME: Final = 11
EV_FIELDS: Final = 12
"""First field; a field's place is its position in FIELDS[type]."""
EV_WORDS: Final = EV_FIELDS + 10

CODE_OK: Final = 0
CODE_TOMBSTONE: Final = -1
NEEDS_JSON: Final = -2
"""A JSON payload: to be turned into Avro outside."""
NEEDS_SCHEMA: Final = -3
"""A framing whose writer schema has no plan yet."""
NEEDS_SLOW: Final = -4
"""A writer schema that the plan cannot do."""

# --- a customer's row -------------------------------------------------------------------------------------------------
ROW_HASH: Final = 0
ROW_ID_BYTES: Final = 1
"""Length of the id in bytes; the id itself stands behind the row's words."""
ROW_SEQ: Final = 2
"""seq of the customer's last change, 0 if none."""
ROW_DUE: Final = 3
"""Lower bound of the time at which a tag of the customer flips by itself, or all of theirs can be given back."""
ROW_ARMED: Final = 4
"""Time at which the wheel or the heap will look at the row; at or before ROW_DUE, FAR if neither holds it."""
ROW_NEXT32: Final = 10
ROW_PREV32: Final = 11
"""Neighbours in the wheel's slot."""
ROW_SERIES32: Final = 12
ROW_TAGS32: Final = 13
"""The customer's blocks of series and of tags; then the words used in each, and the size class of each."""
ROW_SERIES_USED32: Final = 14
ROW_TAGS_USED32: Final = 15
ROW_SERIES_CLASS32: Final = 16
ROW_TAGS_CLASS32: Final = 17
ROW_TOUCHED32: Final = 18
"""Place of the customer in the step's list of those with changes; 0 outside a step."""
ROW_TIMED32: Final = 19
"""Number of the customer's tag entries that have timing."""
ROW_OVER32: Final = 20
"""Minute by which every pane of the customer will have left."""
ROW_CALM32: Final = 21
"""1 if an event can bring ROW_DUE forward only by letting a tag enter or leave."""
ROW_ASSIGNED32: Final = 22
"""Number of the customer's tag entries that people or models set."""
ROW_WORDS: Final = 12

# --- a series' cell in a customer's series block ----------------------------------------------------------------------
CELL_SERIES32: Final = 0
CELL_FLAGS32: Final = 1
CELL_OLDEST32: Final = 2
CELL_NEWEST32: Final = 3
CELL_LEAVES: Final = 2
"""Least time at which a pane leaves one of the cell's windows, FAR if none."""
CELL_WINDOWS: Final = 3
"""First window; each has two words: (count, tail) as int32 halves, then the sum.

Of a least or greatest value: (1 if the second word holds it, tail). Of a first or last value `ever`: its time, then the
value. Of a match: the time of the newest second event, then 1 if it was matched. Of an attribute: the time from which
it is, then its text (texts.py), 0 if it was removed.
"""
WINDOW_WORDS: Final = 2
CELL_NEGATIVE: Final = 1
"""Flag: a pane may hold a negative amount or count: its leaving lets a value rise."""
CELL_IS_GROUP: Final = 2
"""Flag: a group, which has a cell for each key in a block of its own."""
CELL_LASTS: Final = 4
"""Flag of a key's cell: a window `ever` met an event, so the cell stays though all else has left or is taken back."""

# --- a series' group of cells by key; the first three words are as in a cell ------------------------------------------
GROUP_BLOCK32: Final = 2
GROUP_CLASS32: Final = 3
GROUP_USED32: Final = 6
"""Words of the block that hold keys' cells, and how many these are. The last word of each is its key's text."""
GROUP_COUNT32: Final = 7
GROUP_WORDS: Final = 4
MAX_GROUP_KEYS: Final = 1_000
"""Keys that a customer may have in one series; what comes beyond is not counted until one has nothing left."""

# --- behind the windows of a cell of different values (distinct.py) ---------------------------------------------------
SEEN_BLOCK32: Final = 0
SEEN_CLASS32: Final = 1
SEEN_COUNT32: Final = 2
SEEN_LEVEL32: Final = 3
SEEN_LOST: Final = 2
SEEN_WORDS: Final = 3

# --- a text that is held once for all who have it: its words, zeros behind the last byte ------------------------------
TEXT_HASH: Final = 0
TEXT_BYTES: Final = 1
TEXT_HOLDERS: Final = 2
TEXT_WORDS: Final = 3
"""First word of the text itself."""

# --- a pane -----------------------------------------------------------------------------------------------------------
PANE_NUMBER32: Final = 0
"""start of the pane / its length; int32 holds minutes until the year 6053."""
PANE_COUNT32: Final = 1
"""Of a first or last value: 1 + its time's distance (ms) from the start of the pane."""
PANE_SUM: Final = 1
"""Or the least, greatest, first or last value."""
PANE_NEXT32: Final = 4
PANE_PREV32: Final = 5
PANE_WORDS: Final = 3

# --- an entry in a customer's tag block -------------------------------------------------------------------------------
TAG_INDEX32: Final = 0
TAG_VALUE32: Final = 1
"""0 out, 1 in, or 1 + position of the level."""
TAG_CANDIDATE32: Final = 2
TAG_FLAGS32: Final = 3
TAG_SINCE: Final = 2
TAG_LEFT_AT: Final = 3
TAG_EXPIRES_AT: Final = 4
TAG_DUE: Final = 5
PLAIN_TAG_WORDS: Final = 1
VALUE_TAG_WORDS: Final = 2
"""Of a score, whose second word holds the bits of its number; and of a set, whose second word names its block."""
TIMED_TAG_WORDS: Final = 6
ASSIGNED_TAG_WORDS: Final = 3
"""Of what people (index TAG_COUNT + tag) or models (2 * TAG_COUNT + tag) set: then its end, FAR if none, and the bits
of its number. A value of 0 says that the customer is to be without the tag."""
TAG_NUMBER: Final = 1
TAG_SET32: Final = 2
TAG_SET_CLASS32: Final = 3
ASSIGNED_UNTIL: Final = 1
ASSIGNED_NUMBER: Final = 2
FLAG_BLOCKED: Final = 1
"""Left by its term; `when` must be false once before it enters again."""
FLAG_RESTLESS: Final = 2
"""It changed while the opposite condition held too: look again at the customer's next evaluation."""
NEVER: Final = -1
"""No such time (since, left_at)."""

# --- one change, as a row of numbers ----------------------------------------------------------------------------------
CH_CUSTOMER: Final = 0
"""Place of the customer in `touched`."""
CH_TAG: Final = 1
CH_BEFORE: Final = 2
"""Code of the value: 0 absent, 1 there, 1 + position of the level; the bits of a number; the block of a set."""
CH_AFTER: Final = 3
CH_AT: Final = 4
"""effective_at (ms)."""
CH_SEQ: Final = 5
CH_PREV: Final = 6
CH_EVENT: Final = 7
"""Row of the event in `events` that caused it, -1 for a timer."""
CH_CLOCK: Final = 8
"""The partition's clock when it was found."""
CH_EVIDENCE: Final = 9
"""First word of its evidence (evidence.py), 0 if there is none."""
CH_GROUP: Final = 10
"""0 where the tag holds nobody out; TREATMENT or CONTROL."""
CH_FLIP: Final = 11
"""When the tag will flip if nothing happens (ms), NEVER, or UNKNOWN; 0 where that was not asked for."""
CH_WORDS: Final = 12
TREATMENT: Final = 1
CONTROL: Final = 2
UNKNOWN: Final = -2
"""No flip within the time that is looked ahead (forecast.py)."""

# --- a customer with changes in this step: words in `touched`, one customer behind another ----------------------------
TO_ROW: Final = 0
"""0 if the row was given back since: the customer has no tags. ERASED if nothing may be left of them."""
TO_SEQ: Final = 1
TO_ID_BYTES: Final = 2
TO_ID: Final = 3
"""The id, in whole words."""
TO_FIRST: Final = 1
"""Place of the first one; 0 means none."""
ERASED: Final = -1

# --- registers: the partition's scalars, the first words of its memory ------------------------------------------------
R_CLOCK: Final = 0
R_SEQ: Final = 1
R_DIGEST: Final = 2
R_TOP: Final = 3
"""First word that was never used."""
R_TABLE: Final = 4
"""Table of customers: its first word, its size, and how many are in it (id_table.py)."""
R_TABLE_SIZE: Final = 5
R_ROWS_LIVE: Final = 6
R_PANES_LIVE: Final = 7
R_PANES_FREE: Final = 8
R_WHEEL: Final = 9
R_WHEEL_MINUTE: Final = 10
"""Every slot up to this minute has been emptied into the heap."""
R_WHEEL_COUNT: Final = 11
R_WHEEL_DRAINED: Final = 12
"""0 while rows of the present minute are still in their slot."""
R_HEAP: Final = 13
R_HEAP_SIZE: Final = 14
R_HEAP_ROOM: Final = 15
R_SEEN_GENERATION: Final = 16
R_SEEN: Final = 17
"""Table of the current generation of event ids: first word, size, count, clock at its start; then the one before."""
R_SEEN_SIZE: Final = 18
R_SEEN_COUNT: Final = 19
R_SEEN_SINCE: Final = 20
R_BEFORE: Final = 21
R_BEFORE_SIZE: Final = 22
R_BEFORE_COUNT: Final = 23
R_BEFORE_SINCE: Final = 24
R_SEEN_LIMIT: Final = 25
R_WIDEST: Final = 26
"""Most words that a customer's two blocks have held; what making room must reckon with."""
R_TIMERS_FIRED: Final = 27
"""Global timers fired since the step began; a customer's own, fired before an event, are R_LATE_TIMERS."""
R_LATE_TIMERS: Final = 28
R_OUT_CHANGES: Final = 29
R_OUT_TOUCHED: Final = 30
R_TODO: Final = 31
"""First word of the bitmaps of tags to evaluate (marks.py)."""
R_COUNTS: Final = 32
"""First of the outcome counters of the step, by `Outcome`."""
R_NOW: Final = 40
"""Time (ms) of the evaluation under way."""
R_KEY: Final = 41
"""Text of the key for which conditions are asked or an event is counted, where a series has groups."""
R_TEXTS: Final = 42
"""Table of texts, as of customers."""
R_TEXTS_SIZE: Final = 43
R_TEXTS_LIVE: Final = 44
R_WIDEST_GROUP: Final = 45
"""Most words that the block of a group has held."""
R_OLD_SETS: Final = 46
"""First of the sets that were given up in this step, which its changes still name."""
R_KEYS_DROPPED: Final = 47
"""Events that found no room for their key since the beginning."""
R_COMMANDED: Final = 48
"""1 + the tag that a command is about, and the code of its value before; 0 once that tag was evaluated."""
R_BEFORE_COMMAND: Final = 49
R_PLACED: Final = 50
"""Row whose cells and entries are noted for now (places.py), 0 if none's are."""
R_PLACES: Final = 51
"""First word of the places of its cells, by series; then that of the places of its entries, by index."""
R_ENTRY_PLACES: Final = 52
R_OUT_EVIDENCE: Final = 53
"""Words of evidence in this step; the first is none's."""
R_FORECAST: Final = 54
"""1 + the first of the changes of which the forecast is still to be made, 0 if none's is; and their customer's row."""
R_FORECAST_ROW: Final = 55
R_LOOKING_AHEAD: Final = 56
"""1 while what is computed is only a forecast."""
R_WANTED: Final = 57
"""Words of memory that a forecast asks for beside those that any event may need."""
R_ERASED: Final = 58
"""Table of ids that were erased (erased.py): its first word, its size in entries, how many it has and may have."""
R_ERASED_SIZE: Final = 59
R_ERASED_COUNT: Final = 60
R_ERASED_LIMIT: Final = 61
R_ERASED_TERM: Final = 62
"""How long (ms) an erasure is remembered that comes now."""
R_ERASED_PRINT: Final = 63
"""What the key says of itself by which the ids in the table were hashed; 0 before the first."""
R_FREE: Final = 64
"""First of the free lists of blocks, by size class."""
R_STACK: Final = 120
"""First word of the interpreter's stack."""
STACK_WORDS: Final = 256
"""Deepest stack; the compiler refuses a rule that needs more."""
R_WORDS: Final = R_STACK + STACK_WORDS

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
MINUTE_PANES_UP_TO_MS: Final = 25 * HOUR_MS
"""Longest window with panes of a minute; longer ones have panes of an hour."""
