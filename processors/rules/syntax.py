"""Text to the nodes of the grammar, and what is wrong where the grammar knows no way on."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NoReturn, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.problems import problem

Node = Tree[Token]

_GRAMMAR: Final = Lark(
    Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8"),
    parser="lalr",
    propagate_positions=True,
    maybe_placeholders=False,
)

_WORD_CURES: Final = {
    "then": "A sequence is EVENT then EVENT within LENGTH, or EVENT then no EVENT within LENGTH",
    "within": "`within` ends a sequence: EVENT then EVENT within LENGTH",
    "by": "`by` stands behind the field of top, before `where`: top(EVENT.FIELD by sum(EVENT.FIELD), WINDOW)",
    ".": "A name has one point at most: EVENT.FIELD, or profile.ATTRIBUTE",
    "starts_with": 'Write FIELD starts_with "text", and its contrary not FIELD starts_with "text"',
}
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
    "/": "Write ratio(a, b) for a / b of two values, and a number in digits: 0.5 for 1/2",
    "%": "Write the number out: 0.1 for 10%",
}  # fmt: skip


def read_syntax(text: str) -> Node:
    """The nodes of an expression, nested no deeper than recursion can follow.

    Raises RuleError (TS-R1xx, TS-R5xx) with the span of the first fault in `text`.
    """
    if len(text) > limits.MAX_EXPRESSION_CHARS:
        message = f"The expression has {len(text)} characters; {limits.MAX_EXPRESSION_CHARS} is the most"
        raise problem("TS-R501", message, T.Span(0, len(text.split("\n", 1)[0])))
    try:
        root = _GRAMMAR.parse(text)
    except UnexpectedInput as error:
        _refuse(text, error)
    _refuse_depth(root)
    return root


def span_of(node: Node) -> T.Span:
    return T.Span(node.meta.start_pos, node.meta.end_pos)


def token_span(token: Token) -> T.Span:
    return T.Span(token.start_pos or 0, token.end_pos or 0)


def _refuse(text: str, error: UnexpectedInput) -> NoReturn:
    """Turn the parser's error into ours. Its messages list terminals; ours say what to do."""
    if isinstance(error, UnexpectedCharacters):
        _refuse_character(text, cast(int, error.pos_in_stream))
    token = error.token if isinstance(error, UnexpectedToken) else Token("$END", "")
    if token.type == "$END":
        end = len(text.rstrip())
        message = "The expression ends too early" if end else "The expression is empty"
        raise problem("TS-R101", message, T.Span(end, end + 1), _missing(error))
    _refuse_token(token, token_span(token), error)


def _refuse_character(text: str, at: int) -> NoReturn:
    char = text[at]
    if char in "\"'":
        raise problem("TS-R108", "The text is not closed by a quote on the same line", T.Span(at, len(text)))
    message = f"The character {char} has no meaning here"
    raise problem("TS-R102", message, T.Span(at, at + 1), _CHARACTER_CURES.get(char))


def _refuse_token(token: Token, span: T.Span, error: UnexpectedInput) -> NoReturn:
    word = str(token)
    if token.type == "WHERE":
        raise problem("TS-R111", "`where` stands where it cannot", span)
    if word == "!":
        raise problem("TS-R107", "`!` is no sign of the language", span, "Write `not`")
    lower = word.lower()
    if token.type == "NAME" and lower != word and lower in ("and", "or", "not", "in", "where", "then", "within"):
        raise problem("TS-R101", f"`{word}` is written in small letters", span, f"Write `{lower}`")
    raise problem("TS-R101", f"`{word}` cannot stand here", span, _WORD_CURES.get(word) or _missing(error))


def _missing(error: UnexpectedInput) -> str | None:
    """A cure if only one thing can be missing; None for the catalogue's general one."""
    # not `expected`, which also has what another state of the parser would take
    expected: set[str] = getattr(error, "accepts", None) or set()
    if "WITHIN" in expected:
        return "Add `within` and a length, such as within 7d"
    if "NO" in expected:
        return "Here an event must stand, or `no` and an event"
    if "THEN" in expected and not expected & {"NAME", "COMMA"}:
        return "Count the events: count(EVENT where CONDITION, 30d) > 0; or add `then` and another event"
    if "RPAR" in expected and "COMMA" in expected:
        return "Add a comma and a window, or close the parenthesis"
    if "RPAR" in expected and "NAME" not in expected:
        return "Close the parenthesis"
    if "RSQB" in expected:
        return "Close the list with ], and put commas between its values"
    if "NAME" in expected:
        return "Here a condition, an aggregate or a value must stand"
    return None


def _refuse_depth(root: Node) -> None:
    """Bound the depth before anything recurses."""
    pending = [(root, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > limits.MAX_EXPRESSION_DEPTH:
            message = f"The expression is nested deeper than {limits.MAX_EXPRESSION_DEPTH} levels"
            raise problem("TS-R502", message, span_of(node))
        pending += [(child, depth + 1) for child in node.children if isinstance(child, Tree)]
