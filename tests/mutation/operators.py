"""What is changed in a source to see whether any test notices: one small change a mutant.

Each mutant has a name that survives edits elsewhere: the file, the function, the operator, and how
many of that operator came before it in the function. Sentences for people are left alone: what they
say is looked at by people and by golden files, and a room's refusals are told apart by their codes.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NEGATED = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Lt: ast.GtE, ast.GtE: ast.Lt,
    ast.Gt: ast.LtE, ast.LtE: ast.Gt,
}  # fmt: skip
BOUNDARY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}  # fmt: skip
MOST_MEMBERS = 16
TOLD = frozenset({"why", "next", "help"})
"""Arguments that are sentences."""


@dataclass(frozen=True)
class Mutant:
    """One change: its name, where it is, and the source before and after, in a line each."""

    name: str
    line: int
    was: str
    now: str
    code: ast.Module

    def __str__(self) -> str:
        return f"{self.name} (line {self.line}): {self.was}  ->  {self.now}"


@dataclass(frozen=True)
class _Change:
    operator: str
    node: ast.AST
    edit: Callable[[ast.AST], ast.AST]
    """Gives the new node for a copy of the old one."""


def mutants(source: str, *, file: str) -> list[Mutant]:
    """Make every mutant of one source."""
    tree = ast.parse(source)
    places = {id(node): number for number, node in enumerate(ast.walk(tree))}
    counts: dict[str, int] = {}
    made = []
    for function, change in _changes(tree):
        stem = f"{file}::{function}::{change.operator}"
        counts[stem] = counts.get(stem, 0) + 1
        twin = copy.deepcopy(tree)
        old = list(ast.walk(twin))[places[id(change.node)]]
        was = _short(old)
        new = change.edit(copy.deepcopy(old))
        _Swap(old, new).visit(twin)
        ast.fix_missing_locations(twin)
        made.append(
            Mutant(f"{stem}::{counts[stem]}", getattr(old, "lineno", 0), was, _short(new), twin)
        )
    return made


class _Swap(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.old:
            return ast.copy_location(self.new, self.old)
        return self.generic_visit(node)


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else text[:89] + "…"


def _changes(tree: ast.Module) -> Iterator[tuple[str, _Change]]:
    for node in tree.body:
        yield from _within(node, "module")


def _within(node: ast.AST, function: str) -> Iterator[tuple[str, _Change]]:
    """Walk in the order of the source, and name the function that a change is in."""
    if _is_for_the_type_checker(node):
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        function = node.name if function == "module" else f"{function}.{node.name}"
    for change in _at(node):
        yield function, change
    for child in _looked_into(node):
        yield from _within(child, function)


def _is_for_the_type_checker(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _looked_into(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "bases", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            # The values of an enumeration are words that are shown.
            is_word = isinstance(node, ast.ClassDef) and isinstance(child, ast.Assign)
            is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            is_sentence = isinstance(child, ast.keyword) and child.arg in TOLD
            is_sentence |= isinstance(child, ast.JoinedStr)
            if isinstance(child, ast.AST) and not (is_word or is_docstring or is_sentence):
                yield child


def _at(node: ast.AST) -> Iterator[_Change]:  # noqa: C901 - one case for each operator
    match node:
        case ast.Compare():
            yield from _compare(node)
        case ast.BoolOp():
            yield _Change("and-or", node, _and_or)
        case ast.UnaryOp(op=ast.Not()):
            yield _Change("not", node, lambda new: new.operand)
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            yield _Change("arithmetic", node, _arithmetic)
        case ast.IfExp():
            yield _Change("branches", node, _branches)
        case ast.If():
            yield from _if(node)
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield _Change("call", node, lambda new: ast.Pass())
        case ast.Raise():
            yield _Change("raise", node, lambda new: ast.Pass())
        case ast.Constant():
            yield from _constant(node)
        case ast.Call(func=ast.Attribute(attr="compile"), args=[ast.Constant(), *_]):
            yield _Change("pattern", node.args[0], _loosened)
        case ast.Attribute(attr="fullmatch"):
            yield _Change("anchor", node, _anchor)
    if isinstance(node, ast.Set | ast.Tuple | ast.List | ast.Dict):
        yield from _members(node)


def _compare(node: ast.Compare) -> Iterator[_Change]:
    for number, op in enumerate(node.ops):
        for operator, table in (("compare", NEGATED), ("boundary", BOUNDARY)):
            if type(op) in table:
                yield _Change(operator, node, partial(_with_op, number, table[type(op)]))


def _with_op(number: int, other: type[ast.cmpop], new: ast.AST) -> ast.AST:
    new.ops[number] = other()
    return new


def _and_or(new: ast.AST) -> ast.AST:
    new.op = ast.Or() if isinstance(new.op, ast.And) else ast.And()
    return new


def _arithmetic(new: ast.AST) -> ast.AST:
    new.op = ARITHMETIC[type(new.op)]()
    return new


def _branches(new: ast.AST) -> ast.AST:
    new.body, new.orelse = new.orelse, new.body
    return new


def _anchor(new: ast.AST) -> ast.AST:
    new.attr = "match"
    return new


def _loosened(new: ast.AST) -> ast.AST:
    new.value += ".*" if isinstance(new.value, str) else b".*"
    return new


def _if(node: ast.If) -> Iterator[_Change]:
    """Negate what no comparison negates already, and take a guard away."""
    if not isinstance(node.test, ast.Compare | ast.BoolOp) and not (
        isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not)
    ):
        yield _Change("condition", node.test, lambda new: ast.UnaryOp(ast.Not(), new))
    if not node.orelse:
        yield _Change("guard", node.test, lambda new: ast.Constant(value=False))


def _constant(node: ast.Constant) -> Iterator[_Change]:
    value = node.value
    if isinstance(value, bool):
        yield _Change("constant", node, lambda new: ast.Constant(value=not value))
    elif isinstance(value, int):
        yield _Change("constant", node, lambda new: ast.Constant(value=value + 1))
    elif isinstance(value, bytes):
        yield _Change("constant", node, lambda new: ast.Constant(value=value + b"X"))
    elif isinstance(value, str) and " " not in value:
        yield _Change("constant", node, lambda new: ast.Constant(value=value + "X"))


def _members(node: ast.Set | ast.Tuple | ast.List | ast.Dict) -> Iterator[_Change]:
    members = node.keys if isinstance(node, ast.Dict) else node.elts
    known = all(isinstance(one, ast.Constant) for one in members)
    if not 2 <= len(members) <= MOST_MEMBERS or not known:
        return
    for number in range(len(members)):
        yield _Change("member", node, partial(_without, number))


def _without(number: int, new: ast.AST) -> ast.AST:
    for rows in (new.keys, new.values) if isinstance(new, ast.Dict) else (new.elts,):
        del rows[number]
    return new
