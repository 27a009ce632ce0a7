"""The syntax tree of a rule and the tag that it defines. Plain frozen data; what is done with it is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as default
from fractions import Fraction
from typing import Literal

CompareOp = Literal["==", "!=", "<", "<=", ">", ">="]
Func = Literal["count", "sum", "avg", "min", "max", "distinct", "first", "last", "interval", "days_since"]


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range [start, end) of characters in the expression's own text; for carets, never for meaning."""

    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written, kept exact (19.99 is 1999/100)."""

    value: Fraction
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    value: str
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field of the aggregate's event, inside `where`. `amount` is `amount_cents` in units (cents / 100)."""

    name: str
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`count(event where ..., window)`, `sum(event.field where ..., window)`, `days_since(event where ...)`…"""

    func: Func
    event: str
    field: str | None
    where: Expr | None
    window_ms: int | None
    """Length of the window in milliseconds; None is `ever`, and `days_since`."""
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Top:
    """`top(event.field where ..., window)`, `top(event.field by sum(event.measure) where ..., window)`: a text.

    The value of the field with the most events, or the greatest sum of the measure; of equals the smaller text.
    """

    event: str
    field: str
    measure: str | None
    where: Expr | None
    window_ms: int | None
    """As in an aggregate."""
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class ProfileRef:
    """`profile.region`: an attribute of the customer; a text, and a number where it is compared with numbers."""

    name: str
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Age:
    """`age(profile.birthday)`: whole years since a date (YYYY-MM-DD) in the rules' zone."""

    name: str
    """The attribute."""
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Ratio:
    """`ratio(a, b)`: a / b, missing where either is missing or b is 0."""

    left: Expr
    right: Expr
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Trend:
    """`trend(a)`: the window of a (a count or a sum) less the same window one length earlier."""

    item: Aggregate
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Present:
    """`present(x)`: whether x is not missing; x is a field inside `where`, a value outside."""

    item: Expr
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Calendar:
    """`hour(event_time)`: 0 to 23; `weekday(event_time)`: 1 (Monday) to 7. Inside `where`, in the rules' zone."""

    unit: Literal["hour", "weekday"]
    field: str
    """A time of the event: event_time, or order_time of a purchase."""
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class StartsWith:
    """`field starts_with "text"`, inside `where`."""

    left: Expr
    prefix: Text
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class TagRef:
    """`tag("x")`: alone, whether the customer has the tag; compared, its level."""

    tag: str
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Happening:
    """Events of one type, as a part of a sequence."""

    event: str
    where: Expr | None


@dataclass(frozen=True, slots=True)
class Sequence:
    """`first then second within T`, or `first then no second within T`."""

    first: Happening
    second: Happening
    within_ms: int
    negated: bool
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    op: CompareOp
    left: Expr
    right: Expr
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    """`left in ["a", "b"]`, or `not in`."""

    left: Expr
    values: tuple[Text | Number, ...]
    negated: bool
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    item: Expr
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class And:
    items: tuple[Expr, ...]
    span: Span = default(default=Span(), compare=False)


@dataclass(frozen=True, slots=True)
class Or:
    items: tuple[Expr, ...]
    span: Span = default(default=Span(), compare=False)


Expr = (
    Number | Text | FieldRef | ProfileRef | Age | Aggregate | Top | Ratio | Trend | Present | Calendar | StartsWith
    | TagRef | Sequence | Compare | Member | Not | And | Or
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a tier; levels are tried top down and the first whose `when` is true is the value."""

    name: str
    when: Expr


@dataclass(frozen=True, slots=True)
class Given:
    """One event of an example. `at_ms` counts from the example's 0d."""

    event: str
    at_ms: int
    fields: dict[str, str | int | float | None]
    """Field name to value; a bare number was `amount` (kept as `amount_cents`). Of a profile: attribute to text, or
    None where it is removed."""


@dataclass(frozen=True, slots=True)
class Then:
    """One expected change of an example."""

    op: Literal["entered", "changed", "left"]
    at_ms: int
    value: str | float | tuple[str, ...] | None
    """The level, the score or the keys, where the example names them."""


@dataclass(frozen=True, slots=True)
class Example:
    given: tuple[Given, ...]
    then: tuple[Then, ...]
    line: int


@dataclass(frozen=True, slots=True)
class ForEach:
    """`for_each: event.field`: the tag's value is the set of keys, values of the field, for which `when` holds."""

    event: str
    field: str
    limit: int
    """Most keys in the set."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as defined in YAML, type-checked.

    At most one of `when`, `tiers` and `score` is given; none for a tag that is only set by hand or by a model.
    """

    id: str
    name: dict[str, str]
    describe: dict[str, str]
    class_: Literal["static", "dynamic", "business"]
    category: str
    colour: str | None
    when: Expr | None
    leave: Expr | None
    tiers: tuple[Level, ...]
    dwell_ms: int
    cooldown_ms: int
    expires_ms: int | None
    examples: tuple[Example, ...]
    source: dict[str, str]
    """Text as written of `when`, `leave` and `tier[i]`; shown to people."""
    file: str
    line: int
    parent: str | None = None
    """The tag above it in the hierarchy; for people, never for meaning."""
    exclusive: str | None = None
    """Name of a group of which a customer has one tag at most: the first that holds, in the order of `rank`."""
    rank: int = 0
    """Place within the group: smaller comes first."""
    owner: str | None = None
    review_by: str | None = None
    """Date (YYYY-MM-DD) by which the tag is to be looked at again."""
    sensitive: bool = False
    for_each: ForEach | None = None
    """Beside `when`."""
    score: Expr | None = None
    """A number, published when it has moved by `step`."""
    step: Fraction = Fraction(0)
    """0: published whenever it moves."""
    manual: bool = True
    """Whether it may be set by hand."""
    model: bool = False
    """Whether a model may set it. Without a rule and without levels its value is a number."""
    levels: tuple[str, ...] = ()
    """Of a tag without a rule: the values that it may be set to; none: it is there or not, or a number."""
    holdout: Fraction | None = None
    """Share (0 to 1) of customers whose changes are marked as those of a control group."""
    forecast: bool = False
    """Whether its changes say when it will flip if nothing happens."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All tags in force together, in order of tag id (the tag's index, which the engine and evidence use)."""

    tags: tuple[Tag, ...]
    time_zone: str
    default_currency: str
    version: str
    """16 hex digits: SHA-256 of the logic (trees, timing, zone, currency), not of names, texts, colours or examples."""
    text_hash: str
    """16 hex digits: SHA-256 of everything that people see."""
