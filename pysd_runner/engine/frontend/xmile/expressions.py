"""Parse equations of an XMILE file into the common syntax tree."""

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token

from pysd_runner.engine.frontend.builtins import NAMES, XMILE, xmile_call
from pysd_runner.engine.frontend.grammars import ExpressionReader, Misread, make_parser, parsed
from pysd_runner.engine.frontend.syntax import (
    Array,
    Call,
    Name,
    Node,
    Numeral,
    OperatorCall,
    Position,
    SourcePlace,
    Span,
    Subscript,
    folded,
)
from pysd_runner.engine.ir import key, tidy

GRAMMAR = Path(__file__).with_name("grammar.lark")

# Built-in names, which the file may redefine.
_OURS = frozenset(XMILE) | frozenset(NAMES)

# A quoted name, which may contain braces, or a comment in braces.
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|\{[^{}]*\}', re.DOTALL)
_ESCAPED = re.compile(r"\\([nrt\"'\\])")
_SPACES = {"n": " ", "r": " ", "t": " "}


def read_expression(text: str, place: SourcePlace, defined: frozenset[str]) -> Node | None:
    """Parse an equation; None if it is empty or has only question marks."""
    plain = without_comments(text)
    if not plain.strip() or not plain.strip().strip("?"):
        return None
    found: Node = parsed(_parser(defined.intersection(_OURS)), plain, place)
    return found


def without_comments(text: str) -> str:
    """Replace comments, ``{...}``, in an equation by spaces of the same length."""
    return _COMMENT.sub(lambda found: found[1] or re.sub(r"[^\n]", " ", found[0]), text)


def plain_name(text: str) -> str:
    """A name without quotes, and with spaces in place of escaped line breaks.

    >>> plain_name('"Odd, name"')
    'Odd, name'
    """
    bare = text.strip()
    if len(bare) > 1 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1]
    return tidy(_ESCAPED.sub(lambda found: _SPACES.get(found[1], found[1]), bare))


@lru_cache(maxsize=4)
def _parser(defined: frozenset[str]) -> Lark:
    return make_parser(GRAMMAR, _Reader(defined))


class _Path(str):
    """A name, possibly qualified by modules; `at` is its offset in the equation."""

    __slots__ = ("at",)
    at: int


class _Reader(ExpressionReader):
    """Build nodes of the common syntax tree from the matches of grammar rules."""

    def __init__(self, defined: frozenset[str]) -> None:
        super().__init__(defined, xmile_call)

    def start(self, parts: list[Any]) -> Node:
        nodes = [item for item in parts if not isinstance(item, Token)]
        if len(parts) == 1:
            return folded(nodes[0])
        if not all(isinstance(item, Numeral) for item in nodes):
            raise Misread("a list of values for all elements holds numbers only", 0)
        return Array(tuple(item.value for item in nodes))

    def name(self, parts: list[Token]) -> _Path:
        found = _Path(".".join(plain_name(item) for item in parts if item.type in ("NAME", "WHOLE")))
        found.at = parts[0].start_pos or 0
        return found

    def outer_name(self, parts: list[Token]) -> _Path:
        inner = self.name(parts)
        found = _Path(f".{inner}")
        found.at = inner.at
        return found

    def reference(self, parts: list[Any]) -> Node:
        if len(parts) == 1 and key(parts[0]) not in self.own and (known := NAMES.get(key(parts[0]))) is not None:
            return replace(known, at=parts[0].at) if isinstance(known, Call) else known
        return Name(str(parts[0]), parts[1] if len(parts) > 1 else None, parts[0].at)

    def call(self, parts: list[Any]) -> Node:
        name, subscripts, arguments = parts[0], None, ()
        for item in parts[1:]:
            if isinstance(item, tuple):
                subscripts = item
            else:
                arguments = tuple(item)
        return self.called(name, name.at, arguments, subscripts)

    def choice(self, parts: list[Any]) -> Call:
        condition, yes, no = (item for item in parts if not isinstance(item, Token))
        return Call("if then else", (condition, yes, no))

    def subscripts(self, parts: list[Any]) -> tuple[Subscript, ...]:
        return tuple(parts)

    def index(self, parts: list[Any]) -> Subscript:
        node: Subscript = parts[0]
        label = node.name if isinstance(node, Name) and node.subscripts is None else None
        if len(parts) > 1:
            if label is None:
                raise Misread("! stands behind the name of a dimension", 0)
            return f"{label}!"
        return node if label is None else label

    def whole(self, _parts: list[Any]) -> str:
        return "*"

    def within(self, parts: list[Token]) -> str:
        return f"{plain_name(parts[0])}!"

    def position(self, parts: list[Token]) -> Position:
        if not parts[0].isdigit():
            raise Misread("@ stands before the number of a dimension", parts[0].start_pos or 0)
        return Position(int(parts[0]))

    def transposed(self, parts: list[Any]) -> Call:
        return Call("transposed", (self.reference(parts),), at=parts[0].at)

    def part(self, parts: list[Any]) -> str:
        node = parts[-1]
        if not isinstance(node, Name) or node.subscripts is not None:
            raise Misread("*: stands before the name of a dimension", 0)
        return f"{node.name}!"

    def span(self, parts: list[Any]) -> Span:
        return Span(parts[0], parts[1])

    def onwards(self, parts: list[Any]) -> Span:
        return Span(parts[0], None)

    def until(self, parts: list[Any]) -> Span:
        return Span(None, parts[0])

    equality = ExpressionReader.comparison

    def product(self, parts: list[Any]) -> Node:
        """Left-associative products; safe division, ``//``, and MOD become calls on the product to their left."""
        waiting, operators = [parts[0]], []
        for sign, part in zip(parts[1::2], parts[2::2], strict=True):
            if sign in ("*", "/"):
                operators.append(str(sign))
                waiting.append(part)
                continue
            left = waiting[0] if not operators else OperatorCall(tuple(operators), tuple(waiting))
            waiting, operators = [Call("zidz" if sign == "//" else "remainder", (left, part))], []
        return waiting[0] if not operators else OperatorCall(tuple(operators), tuple(waiting))
