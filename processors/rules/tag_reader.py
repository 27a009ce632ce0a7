"""One map of a rule file to a tag. Everything wrong in it is reported; a tag with errors is None."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final, Literal, cast

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.check import check, check_score
from processors.rules.comparisons import days_in
from processors.rules.durations import TIMING_UNITS, WINDOW_UNITS
from processors.rules.example_reader import ExampleReader
from processors.rules.for_each import check_keys, has_keys, read_key
from processors.rules.impossible import impossible, overlap, unreachable_levels
from processors.rules.key_reader import quoted
from processors.rules.key_rules import has_rule, misplaced
from processors.rules.notes import LevelMention, Mention, Notes, NumberMention, Place
from processors.rules.parse import parse
from processors.rules.parts import nodes_of
from processors.rules.problems import is_warning, problem
from processors.rules.sorts import Sort
from processors.rules.suggest import did_you_mean
from processors.rules.yaml_nodes import Mapping, Node, Scalar, Sequence, Source
from schemas.errors import RuleError

KEYS: Final = (
    "tag", "name", "describe", "class", "category", "colour",
    "when", "leave", "tier", "score", "step", "for_each", "limit", "manual", "model", "levels",
    "dwell", "cooldown", "expires", "holdout", "forecast", "examples",
    "parent", "exclusive", "rank", "owner", "review_by", "sensitive",
)  # fmt: skip
LATER_KEYS: Final = frozenset({"review"})
CLASSES: Final = ("static", "dynamic", "business")
CATEGORIES: Final = ("base", "behaviour", "attribute", "status", "marketing", "special", "value")
COLOUR: Final = "#[0-9a-fA-F]{6}"

_Judge = Callable[[T.Expr, str], list[RuleError]]
"""(expression, its text) to its faults."""

_RANK: Final = re.compile(rf"-?[0-9]{{1,{limits.MAX_RANK_DIGITS}}}")


def read_tag(source: Source, node: Node, problems: list[RuleError], notes: Notes) -> T.Tag | None:
    """The tag defined by `node`; None if it has errors. `problems` grows by its errors and warnings, `notes` by what
    cannot be checked before all tags are known. The rank of a tag that gives none is 0.
    """
    if not isinstance(node, Mapping):
        message = "A tag is a map of keys, beginning with `- tag: …`"
        problems.append(source.problem("TS-R304", message, node.start))
        return None
    return _TagReader(source, node, problems, notes).read()


class _TagReader(ExampleReader):
    """Reads the keys of one tag."""

    def __init__(self, source: Source, node: Mapping, problems: list[RuleError], notes: Notes) -> None:
        super().__init__(source, node, problems, notes)
        self._texts: dict[str, str] = {}

    def read(self) -> T.Tag | None:
        before = len(self._problems)
        self._check_keys()
        self._tag_id = self._id("tag") or ""
        manual, model = self._flag("manual", default=True), self._flag("model")
        self._check_settable(manual=manual, model=model)
        for_each = self._for_each()
        when, leave = self._conditions(for_each)
        tier, names = self._tier(), self._levels()
        score, step = self._score()
        sort = self._sort(model=model)
        tag = T.Tag(
            id=self._tag_id,
            name=self._language_texts("name", limits.MAX_NAME_CHARS),
            describe=self._language_texts("describe", limits.MAX_DESCRIBE_CHARS),
            class_=cast(Literal["static", "dynamic", "business"], self._one_of("class", CLASSES)),
            category=self._one_of("category", CATEGORIES),
            colour=self._colour(),
            when=when,
            leave=leave,
            tiers=tuple(T.Level(name, condition) for name, condition in tier if condition is not None),
            dwell_ms=self._length("dwell", TIMING_UNITS) or 0,
            cooldown_ms=self._length("cooldown", TIMING_UNITS) or 0,
            expires_ms=self._length("expires", WINDOW_UNITS),
            examples=tuple(self._examples(sort, names or tuple(name for name, _ in tier))),
            source=self._texts,
            file=self._source.file,
            line=self._source.line_of(self._node.start),
            parent=self._parent(),
            exclusive=self._id("exclusive"),
            rank=self._rank(),
            owner=self._owner(),
            review_by=self._date("review_by"),
            sensitive=self._flag("sensitive"),
            for_each=for_each,
            score=score,
            step=step,
            manual=manual,
            model=model,
            levels=names,
            holdout=self._holdout(),
            forecast=self._flag("forecast"),
        )
        return tag if all(map(is_warning, self._problems[before:])) else None

    # --- which keys there are -------------------------------------------------------------------------------------

    def _check_keys(self) -> None:
        items = self._node.items
        for key, (place, _) in items.items():
            if key in LATER_KEYS:
                self._report("TS-R306", f"`{key}` is not yet supported in this version", place)
            elif key not in KEYS:
                self._report("TS-R305", f"A tag has no key `{key}`", place, did_you_mean(key, KEYS))
        for key in ("tag", "name", "class", "category"):
            if key not in items:
                self._report("TS-R307", f"The key `{key}` is missing", self._node)
        for found in misplaced(items.keys()):
            self._report(found.code, found.message, items[found.key][0], found.cure)

    def _check_settable(self, *, manual: bool, model: bool) -> None:
        """Report a tag that nothing can ever give."""
        items = self._node.items
        if not has_rule(items) and not model and not (manual and "manual" in items):
            cure = "Add one of them; or manual: true, or model: true, for a tag that is set from outside only"
            self._report("TS-R307", "There is no rule: `when`, `tier` or `score`", self._node, cure)

    def _sort(self, *, model: bool) -> Sort:
        """What sort of value the tag has, by its keys, also where their values are wrong."""
        keys = self._node.items.keys()
        if "for_each" in keys:
            return "keys"
        if keys & {"tier", "levels"}:
            return "level"
        return "number" if "score" in keys or (model and "when" not in keys) else "plain"

    # --- beside other tags, and for people ------------------------------------------------------------------------

    def _colour(self) -> str | None:
        node = self._scalar(self._get("colour"), "`colour`")
        if node is not None and not re.fullmatch(COLOUR, node.value):
            self._report("TS-R311", f"{quoted(node.value)} is not a colour", node)
        return None if node is None else node.value.lower()

    def _parent(self) -> str | None:
        node = self._scalar(self._get("parent"), "`parent`")
        if node is None:
            return None
        place = Place(self._source, node.start, node.end)
        self._notes.parents.append(Mention(self._tag_id, node.value, place))
        return node.value

    def _rank(self) -> int:
        node = self._scalar(self._get("rank"), "`rank`")
        if node is None:
            return 0
        if not _RANK.fullmatch(node.value):
            cure = f"Write a whole number of {limits.MAX_RANK_DIGITS} digits at most; the least comes first"
            self._report("TS-R310", f"{quoted(node.value)} is no rank", node, cure)
            return 0
        self._notes.ranked.add(self._tag_id)
        return int(node.value)

    def _owner(self) -> str | None:
        node = self._get("owner")
        return None if node is None else self._short_text(node, "`owner`", limits.MAX_OWNER_CHARS)

    def _holdout(self) -> Fraction | None:
        cure = "Write a share of the customers, such as 10% or 0.1"
        return self._number("holdout", Fraction(0), Fraction(1), cure, percent=True)

    # --- conditions -----------------------------------------------------------------------------------------------

    def _conditions(self, for_each: T.ForEach | None) -> tuple[T.Expr | None, T.Expr | None]:
        """`when` and `leave`; what is wrong with them together is reported."""

        def within_key(expr: T.Expr, text: str) -> list[RuleError]:
            faults = check(expr, text)
            if for_each is not None:
                faults += check_keys(expr, text, for_each.event, for_each.field)
            return sorted(faults, key=lambda e: e.span or (0, 0))

        when, leave = (self._expression(self._get(key), key, within_key) for key in ("when", "leave"))
        items = self._node.items
        if "tier" not in items and when is not None and leave is not None and overlap(when, leave):
            self._report("TS-R905", "`leave` holds for values for which `when` holds too", items["leave"][1])
        if for_each is not None and when is not None and not any(has_keys(c) for c in (when, leave) if c is not None):
            cure = "Count something, such as the events of the key, or leave `for_each` out"
            self._report("TS-R225", "Nothing is computed for each key", items["when"][1], cure)
        return when, leave

    def _expression(self, node: Node | None, name: str, judge: _Judge) -> T.Expr | None:
        """A checked expression; None if it is missing or has errors. Its text is kept under `name`."""
        scalar = self._scalar(node, f"`{name}`")
        if scalar is None:
            return None
        self._texts[name] = scalar.value.strip()
        try:
            expr = parse(scalar.value)
        except RuleError as error:
            self._place(error, scalar)
            return None
        errors = judge(expr, scalar.value)
        for found in errors or impossible(expr):
            self._place(found, scalar)
        self._note_references(expr, scalar)
        return None if errors else expr

    def _note_references(self, expr: T.Expr, scalar: Scalar) -> None:
        for node in nodes_of(expr):
            match node:
                case T.TagRef(tag, span):
                    place = self._within(scalar, span.start, span.end)
                    self._notes.references.append(Mention(self._tag_id, tag, place))
                case T.Compare(_, T.TagRef(tag), T.Text(level, span)):
                    place = self._within(scalar, span.start, span.end)
                    self._notes.levels.append(LevelMention(tag, level, place))
                case T.Compare(_, T.TagRef(tag, span), _) | T.Compare(_, _, T.TagRef(tag, span)):
                    place = self._within(scalar, span.start, span.end)
                    self._notes.numbers.append(NumberMention(tag, place))

    # --- keys, scores, levels -------------------------------------------------------------------------------------

    def _for_each(self) -> T.ForEach | None:
        cure = f"Write a whole number from 1 to {limits.MAX_KEYS}"
        limit = self._number("limit", Fraction(1), Fraction(limits.MAX_KEYS), cure, whole=True)
        node = self._scalar(self._get("for_each"), "`for_each`")
        if node is None:
            return None
        try:
            event, field = read_key(node.value)
        except RuleError as error:
            self._place(error, node)
            return None
        return T.ForEach(event, field, limits.DEFAULT_KEYS if limit is None else int(limit))

    def _score(self) -> tuple[T.Expr | None, Fraction]:
        """`score` and `step`."""
        cure = f"Write a number that is 0 or more, with at most {limits.MAX_DECIMALS} decimals"
        given = self._number("step", Fraction(0), limits.MAX_NUMBER, cure)
        wrong = given is None and "step" in self._node.items
        step = given or Fraction(0)
        node = self._get("score")
        score = self._expression(node, "score", check_score)
        if isinstance(node, Scalar) and score is not None and step == 0 and not wrong:
            for moving in nodes_of(score):
                if isinstance(moving, T.Aggregate) and days_in(moving):
                    message = "The score moves with every millisecond, so it needs a step"
                    self._place(problem("TS-R226", message, moving.span), node)
        return score, step

    def _levels(self) -> tuple[str, ...]:
        """Values of a tag without a rule."""
        node = self._get("levels")
        items = self._sequence(node, "`levels`")
        if isinstance(node, Sequence) and not 1 <= len(items) <= limits.MAX_LEVELS:
            message = f"`levels` has {len(items)} of them; it may have from 1 to {limits.MAX_LEVELS}"
            self._report("TS-R507", message, node)
            return ()
        names: list[str] = []
        for item in items:
            scalar = self._scalar(item, "A level")
            if scalar is not None:
                if scalar.value in names:
                    self._report("TS-R314", f"The level `{scalar.value}` is given twice", item)
                names.append(self._checked_id(scalar))
        return tuple(names)

    def _tier(self) -> list[tuple[str, T.Expr | None]]:
        """(name, condition or None if it has errors) of each level."""
        node = self._get("tier")
        items = self._sequence(node, "`tier`")
        if isinstance(node, Sequence) and not 1 <= len(items) <= limits.MAX_LEVELS:
            message = f"`tier` has {len(items)} levels; it may have from 1 to {limits.MAX_LEVELS}"
            self._report("TS-R507", message, node)
            return []
        levels = [self._level(i, item) for i, item in enumerate(items)]
        names = [name for name, _ in levels]
        for i, name in enumerate(names):
            if name and name in names[:i]:
                self._report("TS-R314", f"The level `{name}` is given twice", items[i])
        readable = [T.Level(name, condition) for name, condition in levels if condition is not None]
        if len(readable) == len(items):
            for i, hiding in unreachable_levels(readable):
                message = f"The level `{names[i]}` is never reached: `{hiding}` always takes its place"
                self._report("TS-R904", message, items[i])
        return levels

    def _level(self, position: int, node: Node) -> tuple[str, T.Expr | None]:
        what = f"`tier[{position}]`"
        if not isinstance(node, Mapping):
            self._report("TS-R304", f"{what} must be a map of level and when", node)
            return "", None
        for key, (place, _) in node.items.items():
            if key not in ("level", "when"):
                self._report("TS-R305", f"A level has no key `{key}`", place, did_you_mean(key, ("level", "when")))
        for key in ("level", "when"):
            if key not in node.items:
                self._report("TS-R307", f"The key `{key}` of {what} is missing", node)
        name = self._scalar(node.items["level"][1], "`level`") if "level" in node.items else None
        checked = "" if name is None else self._checked_id(name)
        when = self._expression(node.items["when"][1], f"tier[{position}]", check) if "when" in node.items else None
        return checked, when
