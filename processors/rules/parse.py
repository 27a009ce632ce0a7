"""Text of an expression to its tree. Form only: whether events, fields and types fit is check.py's business.

The grammar is looser than the language, and what it lets through is refused here, in words and with a cure. A function
is one entry in `_FUNCTIONS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final, NoReturn, cast, get_args

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.durations import WINDOW_UNITS, read_length
from processors.rules.problems import problem
from processors.rules.suggest import did_you_mean, nearest

_Node = Tree[Token]

_GRAMMAR: Final = Lark(
    Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8"),
    parser="lalr",
    propagate_positions=True,
    maybe_placeholders=False,
)

_LATER_FUNCTIONS: Final = frozenset({
    "avg", "min", "max", "distinct", "first", "last", "top", "ratio", "trend", "days_since", "interval", "hour",
    "weekday", "age", "present", "tag",
})  # fmt: skip
_LATER_WORDS: Final = frozenset({"then", "within", "by", "no", "starts_with"})
_COMPARISONS: Final = get_args(T.CompareOp)
_MEANT: Final = {"=": "==", "===": "==", "<>": "!=", "!==": "!=", "=>": ">=", "=<": "<=", "!": "not"}
_CHARACTER_CURES: Final = {
    "&": "Write `and`",
    "|": "Write `or`",
    "“": 'Use the ASCII quote "',
    "”": 'Use the ASCII quote "',
    "‘": 'Use the ASCII quote "',
    "’": 'Use the ASCII quote "',
    "，": "Use the ASCII comma ,",
    "（": "Use the ASCII parenthesis (",
    "）": "Use the ASCII parenthesis )",
    "【": "Use the ASCII bracket [",
    "】": "Use the ASCII bracket ]",
    "＝": "Write ==",
    "＞": "Use the ASCII sign >",
    "＜": "Use the ASCII sign <",
    "+": "Aggregates are compared, not added; join comparisons by `and`, `or`",
    "*": "Aggregates are compared, not multiplied; move the factor into the number",
    "/": "Write the number out: 0.5 for 1/2",
    "%": "Write the number out: 0.1 for 10%",
}  # fmt: skip
_ESCAPES: Final = {"n": "\n", "t": "\t", '"': '"', "'": "'", "\\": "\\"}


def parse(text: str) -> T.Expr:
    """The tree of an expression; `and` within `and` is one list, and so for `or`.

    Raises RuleError (TS-R1xx, TS-R5xx) with the span of the first fault in `text`.
    """
    if len(text) > limits.MAX_EXPRESSION_CHARS:
        message = f"The expression has {len(text)} characters; {limits.MAX_EXPRESSION_CHARS} is the most"
        raise problem("TS-R501", message, T.Span(0, len(text.split("\n", 1)[0])))
    try:
        root = _GRAMMAR.parse(text)
    except UnexpectedInput as error:
        _refuse_syntax(text, error)
    _refuse_depth(root)
    return _expr(root)


# --- what the grammar refused -----------------------------------------------------------------------------------------


def _refuse_syntax(text: str, error: UnexpectedInput) -> NoReturn:
    """Turn the parser's error into ours. Its messages list terminals; ours say what to do."""
    if isinstance(error, UnexpectedCharacters):
        _refuse_character(text, cast(int, error.pos_in_stream))
    token = error.token if isinstance(error, UnexpectedToken) else Token("$END", "")
    if token.type == "$END":
        end = len(text.rstrip())
        message = "The expression ends too early" if end else "The expression is empty"
        raise problem("TS-R101", message, T.Span(end, end + 1), _missing(error))
    _refuse_token(token, T.Span(token.start_pos or 0, token.end_pos or 0), error)


def _refuse_character(text: str, at: int) -> NoReturn:
    char = text[at]
    if char in "\"'":
        raise problem("TS-R108", "The text is not closed by a quote on the same line", T.Span(at, len(text)))
    message = f"The character {char} has no meaning here"
    raise problem("TS-R102", message, T.Span(at, at + 1), _CHARACTER_CURES.get(char))


def _refuse_token(token: Token, span: T.Span, error: UnexpectedInput) -> NoReturn:
    word = str(token)
    if word in _LATER_WORDS or word in _LATER_FUNCTIONS:
        raise problem("TS-R104", f"`{word}` is not yet supported in this version", span)
    if token.type == "WHERE":
        raise problem("TS-R111", "`where` stands where it cannot", span)
    if word == "!":
        raise problem("TS-R107", "`!` is no sign of the language", span, "Write `not`")
    lower = word.lower()
    if token.type == "NAME" and lower in ("and", "or", "not", "in", "where"):
        raise problem("TS-R101", f"`{word}` is written in small letters", span, f"Write `{lower}`")
    raise problem("TS-R101", f"`{word}` cannot stand here", span, _missing(error))


def _missing(error: UnexpectedInput) -> str | None:
    """A cure if only one thing can be missing; None for the catalogue's general one."""
    expected: set[str] = getattr(error, "expected", None) or set()
    if "RPAR" in expected and "COMMA" in expected:
        return "Add a comma and a window, or close the parenthesis"
    if "RPAR" in expected and "NAME" not in expected:
        return "Close the parenthesis"
    if "RSQB" in expected:
        return "Close the list with ], and put commas between its values"
    if "NAME" in expected:
        return "Here a condition, an aggregate or a value must stand"
    return None


def _refuse_depth(root: _Node) -> None:
    """Bound the depth before anything recurses."""
    pending = [(root, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > limits.MAX_EXPRESSION_DEPTH:
            message = f"The expression is nested deeper than {limits.MAX_EXPRESSION_DEPTH} levels"
            raise problem("TS-R502", message, _span(node))
        pending += [(child, depth + 1) for child in node.children if isinstance(child, Tree)]


# --- what the grammar let through -------------------------------------------------------------------------------------


def _span(node: _Node) -> T.Span:
    return T.Span(node.meta.start_pos, node.meta.end_pos)


def _nodes(node: _Node) -> list[_Node]:
    return [child for child in node.children if isinstance(child, Tree)]


def _expr(node: _Node) -> T.Expr:
    """The tree of one node of the grammar; `_READERS` has one function for each rule."""
    return _READERS[str(node.data)](node)


def _negated(node: _Node) -> T.Expr:
    return T.Not(_expr(_nodes(node)[0]), _span(node))


def _conjunction(node: _Node) -> T.Expr:
    items: list[T.Expr] = []
    for item in map(_expr, _nodes(node)):
        items += item.items if isinstance(item, T.And) else (item,)
    return T.And(tuple(items), _span(node))


def _disjunction(node: _Node) -> T.Expr:
    items: list[T.Expr] = []
    for item in map(_expr, _nodes(node)):
        items += item.items if isinstance(item, T.Or) else (item,)
    return T.Or(tuple(items), _span(node))


def _compare(node: _Node) -> T.Expr:
    signs = [child for child in node.children if isinstance(child, Token)]
    for sign in signs:
        if sign not in _COMPARISONS:
            meant = _MEANT.get(str(sign))
            cure = f"Write {meant}" if meant else "Write one of == != < <= > >="
            raise problem("TS-R107", f"`{sign}` is not a comparison", _token_span(sign), cure)
    if len(signs) > 1:
        raise problem("TS-R106", "Comparisons cannot be chained", _token_span(signs[1]))
    left, right = map(_expr, _nodes(node))
    return T.Compare(cast(T.CompareOp, str(signs[0])), left, right, _span(node))


def _member(node: _Node) -> T.Expr:
    return _membership(node, negated=False)


def _not_member(node: _Node) -> T.Expr:
    return _membership(node, negated=True)


def _membership(node: _Node, *, negated: bool) -> T.Expr:
    left, constants = _nodes(node)
    listed = _nodes(constants)
    if not 1 <= len(listed) <= limits.MAX_LIST_VALUES:
        message = f"The list has {len(listed)} values; it may have from 1 to {limits.MAX_LIST_VALUES}"
        raise problem("TS-R504", message, _span(node))
    values: list[T.Text | T.Number] = []
    for item in listed:
        value = _expr(item) if item.data in ("text", "number") else None
        if not isinstance(value, T.Text | T.Number):
            raise problem("TS-R112", "A list may hold texts and numbers only", _span(item))
        values.append(value)
    return T.Member(_expr(left), tuple(values), negated, _span(node))


def _number(node: _Node) -> T.Expr:
    value = Fraction(str(node.children[0]))
    exact = (value * 10**limits.MAX_DECIMALS).denominator == 1
    if not exact or abs(value) > limits.MAX_NUMBER:
        raise problem("TS-R113", f"The number {node.children[0]} cannot be kept exactly", _span(node))
    return T.Number(value, _span(node))


def _text(node: _Node) -> T.Expr:
    raw = str(node.children[0])[1:-1]
    span = _span(node)

    def unescaped(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            at = span.start + 1 + match.start()
            raise problem("TS-R108", f"A backslash cannot stand before {match[1]}", T.Span(at, at + 2))
        return _ESCAPES[match[1]]

    value = re.sub(r"\\(.)", unescaped, raw)
    if len(value) > limits.MAX_TEXT_CHARS:
        message = f"The text has {len(value)} characters; {limits.MAX_TEXT_CHARS} is the most"
        raise problem("TS-R505", message, span)
    return T.Text(value, span)


def _duration(node: _Node) -> NoReturn:
    message = f"`{node.children[0]}` cannot stand here"
    cure = "A window is the last argument of count or sum; a number has no unit"
    raise problem("TS-R109", message, _span(node), cure)


def _name(node: _Node) -> T.Expr:
    word = str(node.children[0])
    if word.lower() in ("true", "false"):
        raise problem("TS-R104", f"`{word}` is no word of the language", _span(node), "Write a comparison")
    return T.FieldRef(word, _span(node))


def _path(node: _Node) -> NoReturn:
    event, field = map(str, node.children)
    if event == "profile":
        raise problem("TS-R104", f"`profile.{field}` is not yet supported in this version", _span(node))
    cure = f"Inside `where` write {field}; elsewhere sum({event}.{field}, 30d)"
    raise problem("TS-R110", f"`{event}.{field}` stands where it cannot", _span(node), cure)


def _filtered(node: _Node) -> NoReturn:
    raise problem("TS-R111", "`where` belongs to the first argument of an aggregate", _span(node))


def _call(node: _Node) -> T.Expr:
    name = node.children[0]
    assert isinstance(name, Token)
    if name in _FUNCTIONS:
        return _FUNCTIONS[str(name)](node)
    if name in _LATER_FUNCTIONS:
        raise problem("TS-R104", f"`{name}` is not yet supported in this version", _token_span(name))
    # a slip in a later function's name is better answered by that name
    later = nearest(str(name), _LATER_FUNCTIONS)
    cure = None if later and not nearest(str(name), _FUNCTIONS) else did_you_mean(str(name), _FUNCTIONS)
    message = f"There is no function `{name}`"
    raise problem("TS-R103", message, _token_span(name), cure or f"Did you mean {later}? It is not yet supported")


# --- aggregates over a window -----------------------------------------------------------------------------------------


def _count(node: _Node) -> T.Expr:
    source, where, window_ms = _windowed(node, "count(EVENT, WINDOW)")
    if source.data != "name":
        event = str(source.children[0]) if source.data == "path" else "purchase"
        raise problem("TS-R105", "count counts events", _span(source), f"Write count({event}, 30d)")
    return T.Aggregate("count", str(source.children[0]), None, where, window_ms, _span(node))


def _sum(node: _Node) -> T.Expr:
    source, where, window_ms = _windowed(node, "sum(EVENT.FIELD, WINDOW)")
    if source.data != "path":
        event = str(source.children[0]) if source.data == "name" else "purchase"
        field = "amount" if event == "purchase" else "FIELD"
        raise problem("TS-R105", "sum needs a field", _span(source), f"Write sum({event}.{field}, 30d)")
    event, field = map(str, source.children)
    return T.Aggregate("sum", event, field, where, window_ms, _span(node))


def _windowed(node: _Node, form: str) -> tuple[_Node, T.Expr | None, int | None]:
    """(what is aggregated, filter, window in ms) of a call `f(source where filter, window)`."""
    name, *arguments = node.children
    given = [a for a in arguments if isinstance(a, Tree)]
    if len(given) != 2:
        cure = "Add a window, such as 30d or ever" if len(given) == 1 else f"Write {form}"
        raise problem("TS-R105", f"{name} takes 2 arguments, not {len(given)}", _span(node), cure)
    source, window = given
    where: T.Expr | None = None
    if source.data == "filtered":
        source, condition = _nodes(source)
        where = _expr(condition)
    if source.data not in ("name", "path"):
        raise problem("TS-R105", f"{name} takes the name of an event first", _span(source), f"Write {form}")
    return source, where, _window_ms(window)


def _window_ms(node: _Node) -> int | None:
    """Milliseconds of a window, None for `ever`."""
    word = str(node.children[0]) if node.data in ("name", "duration", "number") else ""
    if node.data == "name" and word == "ever":
        return None
    if node.data == "filtered":
        raise problem("TS-R111", "`where` stands before the comma", _span(node))
    if node.data == "number":
        raise problem("TS-R109", f"The window {word} has no unit", _span(node), f"Write {word}m, {word}h or {word}d")
    length_ms = read_length(word, WINDOW_UNITS) if node.data == "duration" else None
    if length_ms is None:
        raise problem("TS-R109", f"`{word}` is not a window" if word else "This is not a window", _span(node))
    return length_ms


def _token_span(token: Token) -> T.Span:
    return T.Span(token.start_pos or 0, token.end_pos or 0)


_FUNCTIONS: Final[dict[str, Callable[[_Node], T.Expr]]] = {"count": _count, "sum": _sum}

_READERS: Final[dict[str, Callable[[_Node], T.Expr]]] = {
    "disjunction": _disjunction,
    "conjunction": _conjunction,
    "negated": _negated,
    "compare": _compare,
    "member": _member,
    "not_member": _not_member,
    "number": _number,
    "text": _text,
    "duration": _duration,
    "name": _name,
    "path": _path,
    "filtered": _filtered,
    "call": _call,
}
