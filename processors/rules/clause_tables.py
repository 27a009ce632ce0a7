"""The engine's tables of clauses: how their values are read when a change tells why (evidence.py)."""

from __future__ import annotations

from processors import assigned
from processors import evidence as E
from processors.hashing import id_hash
from processors.rules import clauses as C
from processors.rules import program as G
from processors.rules import tree as T
from processors.rules.code import Code, firsts, ints
from processors.rules.conditions import ConditionCompiler, text_hash
from processors.rules.instructions import Instruction
from processors.rules.program import I64
from processors.rules.tag_tables import group_of, kind_of


def _program(side: C.Side, compiler: ConditionCompiler) -> list[Instruction]:
    """Instructions of a side; of a level, a waiting event and a text that is held the one that names them."""
    if side.expr is None:
        return []
    if side.sort == E.NUMBER:
        return compiler.value(side.expr)
    if side.sort in (E.HELD, E.NAMED):
        return compiler.text(side.expr)
    return compiler.compile(side.expr)


def _truth(clause: C.Clause, compiler: ConditionCompiler) -> list[Instruction]:
    """Instructions by which a clause is true or false; none for the number of a score, which is neither."""
    return [] if clause.part == C.SCORE else compiler.compile(clause.expr)


def evidence_words(tags: list[T.Tag], by_level: list[list[C.Clause]]) -> int:
    """Most words of evidence that one evaluation of a customer may give."""
    counts = {tag.id: 0 for tag in tags}
    for each in by_level:
        for clause in each:
            counts[clause.tag] += 1
    keys = {tag.id: E.MOST_KEYS if kind_of(tag) == assigned.SET else 1 for tag in tags}
    return sum(1 + E.ITEM_WORDS * counts[tag.id] * keys[tag.id] for tag in tags)


def clause_tables(tags: list[T.Tag], code: Code, conditions: ConditionCompiler) -> tuple[dict[int, I64], int]:
    """The tables, and the most words of evidence that one evaluation of a customer may give."""
    compilers = {tag.id: conditions.within(group_of(tag)) for tag in tags}
    by_level = C.clauses_by_level(tags)
    clauses = [clause for each in by_level for clause in each]
    sides = [(clause, side) for clause in clauses for side in (clause.value, clause.against)]
    programs = [code.add(_program(side, compilers[clause.tag])) for clause, side in sides]
    truths = [code.add(_truth(clause, compilers[clause.tag])) for clause in clauses]
    levels = len(by_level) - len(tags)
    numbers = firsts(len(each) for each in by_level)
    return {
        G.LEVEL_CLAUSES: numbers[: levels + 1],
        G.LEAVE_CLAUSES: numbers[levels:],
        G.CLAUSE_CONSTANTS: firsts(len(clause.constants) for clause in clauses),
        G.CONSTANT_HASHES: ints(text_hash(text) for clause in clauses for text in clause.constants),
        G.SIDE_SORT: ints(side.sort for _, side in sides),
        G.SIDE_START: ints(start for start, _ in programs),
        G.SIDE_END: ints(end for _, end in programs),
        G.CLAUSE_START: ints(start for start, _ in truths),
        G.CLAUSE_END: ints(end for _, end in truths),
        G.TAG_FORECAST: ints(int(tag.forecast) for tag in tags),
        G.TAG_HOLDOUT: ints(-1 if tag.holdout is None else round(tag.holdout * 2**53) for tag in tags),
        G.TAG_SALT: ints(int(id_hash(tag.id.encode())) for tag in tags),
    }, evidence_words(tags, by_level)
