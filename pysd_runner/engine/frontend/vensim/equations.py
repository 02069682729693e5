"""Parse equations and subscript ranges of a Vensim file into the common syntax tree."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token

from pysd_runner.engine.errors import Message
from pysd_runner.engine.frontend.builtins import VENSIM, vensim_call
from pysd_runner.engine.frontend.grammars import (
    ExpressionReader,
    Labels,
    Misread,
    Outputs,
    make_parser,
    offset_of,
    parsed,
)
from pysd_runner.engine.frontend.syntax import (
    Array,
    Call,
    Equation,
    Kind,
    MappedTo,
    Name,
    Node,
    Numbered,
    Numeral,
    Points,
    Range,
    SourcePlace,
    Text,
    folded,
    shortened,
)
from pysd_runner.engine.ir import Mode, key, tidy

GRAMMAR = Path(__file__).with_name("grammar.lark")

_MODES: dict[str, Mode] = {
    "interpolate": "interpolate",
    "look forward": "look_forward",
    "hold backward": "hold_backward",
    "raw": "raw",
}

# Plot limits in front of a table; they are only checked to be numbers. Files made by programs lack a bracket there.
_LIMIT = r"\(\s*[-+]?[\d.eE+-]+\s*,\s*[-+]?[\d.eE+-]+\s*\)"
_LIMITS = re.compile(rf"\[\s*{_LIMIT}\s*-\s*{_LIMIT}\s*(?:,\s*{_LIMIT}\s*)*,?\s*\]\s*,?")
_LOOSE = re.compile(_LIMITS.pattern.replace(r"\(\s*", r"\(?\s*").replace(r"\s*\)", r"\s*\)?"))

# Prefix and number of each end of (a1-a9); maximum number of digits read, as more exceed every limit on elements.
_NUMBERED = re.compile(r"(.+?)(\d+)\Z", re.DOTALL)
_MOST_DIGITS = 18


def read_definition(
    text: str, place: SourcePlace, macros: frozenset[str], texts: tuple[tuple[str, str], ...] = ()
) -> tuple[str, Equation] | Range:
    """Parse the definition in an entry, given the keys of macros, and the keys and values of named strings."""
    found = parsed(_parser(macros.intersection(VENSIM), texts), text, place)
    if isinstance(found, Range):
        return replace(found, place=place)
    name, equation = found
    return name, replace(equation, text=" ".join(text.split()), place=place)


@lru_cache(maxsize=4)
def _parser(macros: frozenset[str], texts: tuple[tuple[str, str], ...]) -> Lark:
    return make_parser(GRAMMAR, _Reader(macros, dict(texts)))


class _Reader(ExpressionReader):
    """Build nodes of the common syntax tree from the matches of grammar rules."""

    def __init__(self, macros: frozenset[str], texts: Mapping[str, str]) -> None:
        super().__init__(macros, vensim_call)
        self._texts = texts

    # Definitions

    def equation(self, parts: list[Any]) -> tuple[str, Equation]:
        left, sign, right = parts
        kind: Kind = "unchangeable" if sign == "==" else "value"
        if isinstance(right, Call) and right.function == "get lookups":
            kind = "table"
        return _defined(left, kind, right)

    def table(self, parts: list[Any]) -> tuple[str, Equation]:
        content = parts[-1]
        if isinstance(content, Points):
            return _defined(parts[0], "table", self.points(parts[1:]))
        if len(content) == 1 and isinstance(content[0], Call) and content[0].function == "get lookups":
            return _defined(parts[0], "table", content[0])
        numbers = list(map(_value, content))
        half = len(numbers) // 2
        if len(numbers) % 2:
            raise Misread(Message("a table lists as many x as y; found {count} numbers", count=len(numbers)), 0)
        return _defined(parts[0], "table", Points(tuple(numbers[:half]), tuple(numbers[half:])))

    def series(self, parts: list[Any]) -> tuple[str, Equation]:
        return _defined(parts[0], "data", parts[-1], _mode(parts[1:-2]))

    def outside(self, parts: list[Any]) -> tuple[str, Equation]:
        return _defined(parts[0], "data", None, _mode(parts[1:]))

    def left(self, parts: list[Any]) -> tuple[str, Labels, tuple["_Group", ...]]:
        subscripts = next((item for item in parts if isinstance(item, Labels)), Labels())
        groups = tuple(item for item in parts if isinstance(item, _Group))
        return tidy(parts[0]), subscripts, groups

    def group(self, parts: list[Token]) -> "_Group":
        return _Group(tidy(item) for item in parts)

    def rows(self, parts: list[Any]) -> Node:
        items = [item for row in parts for item in row]
        if len(items) == 1 and len(parts) == 1:
            return folded(items[0])
        return Array(tuple(map(_value, items)))

    row = ExpressionReader.arguments

    # Ranges

    def range(self, parts: list[Any]) -> Range:
        members = parts[1]
        source = next((item for item in members if isinstance(item, Call)), None)
        elements = tuple(tidy(item) if isinstance(item, Token) else item for item in members if item is not source)
        targets = parts[2] if len(parts) > 2 else ()
        return Range(name=tidy(parts[0]), elements=elements, source=source, targets=targets)

    def alias(self, parts: list[Token]) -> Range:
        return Range(name=tidy(parts[0]), copy_of=tidy(parts[1]))

    def members(self, parts: list[Any]) -> list[Any]:
        return parts

    def numbered(self, parts: list[Token]) -> Numbered:
        first, last = (_NUMBERED.match(tidy(item)) for item in parts)
        shown = f"({shortened(parts[0])}-{shortened(parts[1])})"
        if first is None or last is None or first[1] != last[1]:
            raise Misread(
                Message("{shown} stands for elements that end in numbers, such as (a1-a9)", shown=shown),
                offset_of(parts[0]),
            )
        low, high = (int(found[2][:_MOST_DIGITS]) for found in (first, last))
        if low >= high:
            raise Misread(Message("{shown}: the first number is not below the last", shown=shown), offset_of(parts[0]))
        return Numbered(first[1], low, high)

    def listed(self, parts: list[Token]) -> Call:
        if key(parts[0]) not in ("get xls subscript", "get direct subscript") or len(parts) != 6:
            raise Misread(
                Message("a subscript range lists elements, or GET XLS SUBSCRIPT with five texts"), offset_of(parts[0])
            )
        return Call("get subscript", tuple(Text(item[1:-1]) for item in parts[1:]), at=offset_of(parts[0]))

    def mappings(self, parts: list[Any]) -> tuple[MappedTo, ...]:
        return tuple(parts)

    def mapping(self, parts: list[Token]) -> MappedTo:
        names = [tidy(item) for item in parts if item.type == "NAME"]
        return MappedTo(names[0], tuple(names[1:]) or None)

    # Expressions

    def missing(self, _parts: list[Token]) -> Numeral:
        return Numeral(math.nan)

    def text(self, parts: list[Token]) -> Text:
        return Text(str(parts[0][1:-1]))

    def tabbed(self, parts: list[Token]) -> Array:
        inside = parts[0].partition("(")[2].rstrip()[:-1].replace("\\t", " ")
        try:
            return Array(tuple(float(item) for item in inside.split()))
        except ValueError:
            raise Misread(Message("TABBED ARRAY takes numbers with spaces between them"), offset_of(parts[0])) from None

    def reference(self, parts: list[Any]) -> Name | Text:
        if len(parts) == 1 and key(parts[0]) in self._texts:
            return Text(self._texts[key(parts[0])])
        return self.output(parts)

    def marked(self, parts: list[Token]) -> Name:
        return Name(f"{tidy(parts[0])}!", None, offset_of(parts[0]))

    def outputs(self, parts: list[Name]) -> Outputs:
        return Outputs(parts)

    def output(self, parts: list[Any]) -> Name:
        return Name(tidy(parts[0]), parts[1] if len(parts) > 1 else None, offset_of(parts[0]))

    def subscript(self, parts: list[Token]) -> str:
        return tidy(parts[0]) + ("!" if len(parts) > 1 else "")

    def points(self, parts: list[Any]) -> Points:
        found: Points = parts[-1]
        odd = [item.strip() for item in parts[:-1] if not _LIMITS.fullmatch(item.strip())]
        return replace(found, odd_limits=odd[0].rstrip(" ,")) if odd else found

    def pairs(self, parts: list[Any]) -> Points:
        return Points(tuple(x for x, _ in parts), tuple(y for _, y in parts))

    def pair(self, parts: list[Any]) -> tuple[float, float]:
        return _value(parts[0]), _value(parts[1])

    def LIMITS(self, token: Token) -> Token:  # noqa: N802 - lark calls it by the name of the terminal
        if not _LOOSE.fullmatch(token.strip()):
            raise Misread(Message("limits of a table are numbers, [(0,0)-(10,10)]"), offset_of(token))
        return token


class _Group(tuple[str, ...]):
    """Subscripts that :EXCEPT: excludes."""


def _defined(left: Any, kind: Kind, expression: Node | None, mode: Mode = "interpolate") -> tuple[str, Equation]:
    name, subscripts, exceptions = left
    return name, Equation(
        subscripts=subscripts, exceptions=exceptions, kind=kind, expression=expression, mode=mode, text=""
    )


def _mode(parts: Sequence[Any]) -> Mode:
    for item in parts:
        if isinstance(item, Token) and item.type == "KEYWORD":
            return _MODES[key(item.strip(": \n\t"))]
    return "interpolate"


def _value(node: Any) -> float:
    if not isinstance(node, Numeral):
        raise Misread(Message("a list holds numbers only"), getattr(node, "at", 0))
    return node.value
