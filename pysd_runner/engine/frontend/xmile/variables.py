"""Read variables of an XMILE file, and their equations, into the common syntax tree."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from lark import Lark, Token

from pysd_runner.engine.errors import InvalidModel, Message
from pysd_runner.engine.frontend.builtins import NAMES, XMILE, xmile_call
from pysd_runner.engine.frontend.grammars import ExpressionReader, Misread, make_parser, offset_of, parsed
from pysd_runner.engine.frontend.syntax import (
    Array,
    Call,
    DefinedVariable,
    Equation,
    Name,
    Node,
    Numbered,
    Numeral,
    OperatorCall,
    Points,
    Position,
    SourcePlace,
    Span,
    Stock,
    Subscript,
    changed,
    folded,
    labels_of,
    negative,
)
from pysd_runner.engine.frontend.xmile.document import child, children, fault_at, name_of, place_of, plain_name, text_of
from pysd_runner.engine.ir import HIDDEN, Mode, key
from pysd_runner.engine.kinds import frozen

_MODES: dict[str, Mode] = {"continuous": "interpolate", "extrapolate": "extrapolate", "discrete": "hold_backward"}


@frozen
class Habits:
    """Defaults, and names, that apply to all variables of a file or model."""

    flows: bool = False
    stocks: bool = False
    defined: frozenset[str] = frozenset()  # keys of names that take precedence over built-in ones
    elements: Mapping[str, tuple[str | Numbered, ...]] = field(default_factory=dict)
    multipliers: Mapping[str, Node] = field(default_factory=dict)


def read_variable(item: Any, habits: Habits) -> DefinedVariable:
    """Read one variable from its XML element."""
    name = name_of(item)
    if not name:
        raise fault_at(item, f"<{item.tag}> has no name")
    try:
        equations = tuple(_equations(item, name, habits))
    except InvalidModel as error:
        raise InvalidModel("variable {name!r}: {error}", name=name, error=error) from error
    bounds = child(item, "range")
    return DefinedVariable(
        name=name,
        equations=equations,
        unit=_text(item, "units"),
        doc=_text(item, "doc"),
        limits=() if bounds is None else _limits(bounds),
        dims=tuple(dimensions_of(item)),
    )


def _text(item: Any, tag: str) -> str:
    found = child(item, tag)
    return "" if found is None else text_of(found)


def _limits(bounds: Any) -> tuple[float, ...]:
    try:
        low, high = float(bounds.get("min", "nan")), float(bounds.get("max", "nan"))
    except ValueError:
        return ()
    return (low, high) if -np.inf < low < high < np.inf else ()


def _equations(item: Any, name: str, habits: Habits) -> list[Equation]:
    dims = dimensions_of(item)
    parts, several = list(children(item, "element")), list(children(item, "eqn"))
    if not parts and len(several) > 1 and len(dims) == 1:
        labels = tuple(labels_of(habits.elements.get(dims[0].casefold(), ())))
        if len(labels) == len(several):
            return [_given(item, item, name, [label], habits, eqn) for label, eqn in zip(labels, several, strict=True)]
    own = [tuple(plain_name(label) for label in part.get("subscript", "").split(",")) for part in parts]
    # The equation of the array applies to elements without their own equation; the equations of elements follow it.
    with_whole = any(map(text_of, several)) and len(set(own)) < _size(dims, habits)
    whole = [_equation(item, item, name, dims, habits)] if not parts or with_whole else []
    return whole + [_equation(item, part, name, labels, habits) for part, labels in zip(parts, own, strict=True)]


def _size(dims: Sequence[str], habits: Habits) -> float:
    """Number of elements of an array; infinite if one of its dimensions is not known."""
    known = [habits.elements.get(dim.split(HIDDEN)[0].casefold()) for dim in dims]
    return math.prod(
        math.inf if elements is None else sum(1 if isinstance(item, str) else item.count for item in elements)
        for elements in known
    )


def dimensions_of(item: Any) -> list[str]:
    """Dimensions of a variable; a repeated dimension gets a name of its own."""
    names = [name_of(dim) for group in children(item, "dimensions") for dim in children(group, "dim")]
    return [again(name, names[:place].count(name)) for place, name in enumerate(names)]


def _with_repeats(node: Any) -> Any:
    """Rename repeated dimensions of a reference, so that they match those repeated on the left-hand side."""
    if not isinstance(node, Name | Call) or node.subscripts is None:
        return node
    labels = tuple(
        again(label, node.subscripts[:place].count(label))
        if isinstance(label, str) and label not in ("*", "!")
        else label
        for place, label in enumerate(node.subscripts)
    )
    return replace(node, subscripts=labels)


def again(name: str, times: int) -> str:
    """Name of a dimension that occurs `times` times before in the same variable or reference."""
    return f"{name}{HIDDEN}{times + 1}" if times else name


def _equation(item: Any, part: Any, name: str, subscripts: Sequence[str], habits: Habits) -> Equation:
    """Equation of a variable, or of one of its elements, which by default has that of the array."""
    several = list(children(part, "eqn")) or list(children(item, "eqn"))
    if len(several) > 1:
        raise fault_at(several[1], f"{len(several)} <eqn> stand where one is expected; write an <element> for each")
    if part is not item and child(part, "non_negative") is not None:
        raise fault_at(part, f"<non_negative> holds for all elements of {name!r}; write it outside of <element>")
    return _given(item, part, name, subscripts, habits, several[0] if several else None)


def _given(item: Any, part: Any, name: str, subscripts: Sequence[str], habits: Habits, eqn: Any) -> Equation:
    source = "" if eqn is None else eqn.text or ""
    place = place_of(part if eqn is None else eqn)
    node = read_expression(source, place, habits.defined)
    if any(HIDDEN in label for label in subscripts):
        node = changed(node, _with_repeats)
    table = child(part, "gf") if child(part, "gf") is not None else child(item, "gf")
    if item.tag == "gf":
        table = part
    points = None if table is None else read_points(table)
    left = f"{name}[{', '.join(subscripts)}]" if subscripts else name
    text = f"{left} = {' '.join(source.split())}"
    if item.tag == "stock":
        node, right = _stock(item, part, node, source, habits)
        text = f"{left} = {right}"
    elif points is not None:
        if node is None:
            return Equation(subscripts=tuple(subscripts), kind="table", expression=points, text=left, place=place)
        node = Call("with lookup", (node, points))
    if item.tag == "flow" and node is not None and _non_negative(item, habits.flows):
        node = Call("max", (node, Numeral(0.0)))
    start = child(part, "init_eqn")
    initial = None if start is None else read_expression(start.text or "", place_of(start), habits.defined)
    if node is not None and initial is not None:
        node = Call("active initial", (node, initial))
    return Equation(subscripts=tuple(subscripts), expression=node, text=text, place=place)


def says_yes(wish: Any) -> bool:
    """Whether a flag such as ``<non_negative/>`` is set; it is, unless its text or value is false."""
    return "false" not in (wish.text or wish.get("value", "")).lower()


def _non_negative(item: Any, habit: bool) -> bool:
    wish = child(item, "non_negative")
    return habit if wish is None else says_yes(wish)


def _stock(item: Any, part: Any, initial: Node | None, source: str, habits: Habits) -> tuple[Node | None, str]:
    """Node of a stock, and its equation as text."""
    inflows, outflows = (flows_of(part, tag) or flows_of(item, tag) for tag in ("inflow", "outflow"))
    flow = _net([_converted(item, habits) for item in inflows], outflows)
    names = " + ".join(_shown(item, habits) for item in inflows) + "".join(f" - {item.name}" for item in outflows)
    text = f"INTEG({names.strip() or '0'}, {' '.join(source.split())})"
    if initial is None:
        return None, text
    return Stock(flow, initial, _non_negative(item, habits.stocks)), text


def _converted(flow: Name, habits: Habits) -> Node:
    """Inflow in the units of the stock it enters: times its multiplier, if it has one."""
    factor = habits.multipliers.get(key(flow.name))
    return flow if factor is None else OperatorCall(("*",), (factor, flow))


def _shown(flow: Name, habits: Habits) -> str:
    return flow.name if key(flow.name) not in habits.multipliers else f"{flow.name} * its multiplier"


def flows_of(item: Any, tag: str) -> list[Name]:
    """Names of the flows into or out of a stock."""
    found = []
    for flow in children(item, tag):
        if not text_of(flow):
            raise fault_at(flow, f"<{tag}> is empty")
        found.append(Name(plain_name(text_of(flow))))
    return found


def _net(inflows: Sequence[Node], outflows: Sequence[Node]) -> Node:
    """Net flow: inflows minus outflows."""
    first, *rest = [*inflows, *outflows] or [Numeral(0.0)]
    if not inflows and outflows:
        first = negative(first)
    signs = (("+",) * len(inflows) + ("-",) * len(outflows))[1:]
    return OperatorCall(signs, (first, *rest)) if rest else first


def read_points(table: Any) -> Points:
    """Points of a graphical function, ``<gf>``."""
    y = _numbers(table, "ypts")
    scale = child(table, "xscale")
    if scale is not None and child(table, "xpts") is None:
        x = np.linspace(_attribute(scale, "min"), _attribute(scale, "max"), len(y)).tolist()
    else:
        x = _numbers(table, "xpts")
    if len(x) != len(y):
        raise fault_at(table, f"a table has {len(x)} x and {len(y)} y")
    kind = table.get("type", "discrete" if table.get("discrete", "").lower() == "true" else "continuous")
    if kind not in _MODES:
        raise fault_at(table, f"the type {kind!r} of a table is none of {', '.join(_MODES)}")
    order = np.argsort(x, kind="stable")
    return Points(tuple(np.array(x)[order].tolist()), tuple(np.array(y)[order].tolist()), _MODES[kind])


def _attribute(scale: Any, name: str) -> float:
    try:
        return float(scale.get(name, ""))
    except ValueError:
        raise fault_at(scale, "<xscale> needs numbers as min and max") from None


def _numbers(table: Any, tag: str) -> list[float]:
    found = child(table, tag)
    if found is None or not text_of(found):
        raise fault_at(table if found is None else found, f"<gf> has no <{tag}>")
    try:
        return [float(part) for part in text_of(found).split(found.get("sep", ",")) if part.strip()]
    except ValueError:
        raise fault_at(found, f"<{tag}> could not be read to its end as numbers") from None


GRAMMAR = Path(__file__).with_name("grammar.lark")

# Built-in names, which the file may redefine.
_OURS = frozenset(XMILE) | frozenset(NAMES)

# A quoted name, which may contain braces, or a comment in braces.
_COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|\{[^{}]*\}', re.DOTALL)


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


@lru_cache(maxsize=4)
def _parser(defined: frozenset[str]) -> Lark:
    return make_parser(GRAMMAR, _Reader(defined))


class _Path(str):
    """A name, possibly qualified by modules, with its offset in the equation."""

    __slots__ = ("start_pos",)
    start_pos: int | None


class _Reader(ExpressionReader):
    """Build nodes of the common syntax tree from the matches of grammar rules."""

    def __init__(self, defined: frozenset[str]) -> None:
        super().__init__(defined, xmile_call)

    def start(self, parts: list[Any]) -> Node:
        nodes = [item for item in parts if not isinstance(item, Token)]
        if len(parts) == 1:
            return folded(nodes[0])
        if not all(isinstance(item, Numeral) for item in nodes):
            raise Misread(Message("a list of values for all elements holds numbers only"), 0)
        return Array(tuple(item.value for item in nodes))

    def name(self, parts: list[Token]) -> _Path:
        found = _Path(".".join(plain_name(item) for item in parts if item.type in ("NAME", "WHOLE")))
        found.start_pos = parts[0].start_pos
        return found

    def outer_name(self, parts: list[Token]) -> _Path:
        inner = self.name(parts)
        found = _Path(f".{inner}")
        found.start_pos = inner.start_pos
        return found

    def reference(self, parts: list[Any]) -> Node:
        if len(parts) == 1 and key(parts[0]) not in self.own and (known := NAMES.get(key(parts[0]))) is not None:
            return replace(known, at=offset_of(parts[0])) if isinstance(known, Call) else known
        return Name(str(parts[0]), parts[1] if len(parts) > 1 else None, offset_of(parts[0]))

    def choice(self, parts: list[Any]) -> Call:
        condition, yes, no = (item for item in parts if not isinstance(item, Token))
        return Call("if then else", (condition, yes, no))

    def index(self, parts: list[Any]) -> Subscript:
        node: Subscript = parts[0]
        label = node.name if isinstance(node, Name) and node.subscripts is None else None
        if len(parts) > 1:
            if label is None:
                raise Misread(Message("! stands behind the name of a dimension"), 0)
            return f"{label}!"
        return node if label is None else label

    def whole(self, _parts: list[Any]) -> str:
        return "*"

    def within(self, parts: list[Token]) -> str:
        return f"{plain_name(parts[0])}!"

    def position(self, parts: list[Token]) -> Position:
        if not parts[0].isdigit():
            raise Misread(Message("@ stands before the number of a dimension"), offset_of(parts[0]))
        return Position(int(parts[0]))

    def transposed(self, parts: list[Any]) -> Call:
        return Call("transposed", (self.reference(parts),), at=offset_of(parts[0]))

    def part(self, parts: list[Any]) -> str:
        node = parts[-1]
        if not isinstance(node, Name) or node.subscripts is not None:
            raise Misread(Message("*: stands before the name of a dimension"), 0)
        return f"{node.name}!"

    def span(self, parts: list[Any]) -> Span:
        return Span(parts[0], parts[1])

    def onwards(self, parts: list[Any]) -> Span:
        return Span(parts[0], None)

    def until(self, parts: list[Any]) -> Span:
        return Span(None, parts[0])

    equality = ExpressionReader.comparison

    def product(self, parts: list[Any]) -> Node:
        """Left-associative products; safe division, ``//``, becomes a call on the product to its left."""
        waiting, operators = [parts[0]], []
        for sign, part in zip(parts[1::2], parts[2::2], strict=True):
            if sign in ("*", "/"):
                operators.append(str(sign))
                waiting.append(part)
                continue
            left = waiting[0] if not operators else OperatorCall(tuple(operators), tuple(waiting))
            waiting, operators = [Call("zidz", (left, part))], []
        return waiting[0] if not operators else OperatorCall(tuple(operators), tuple(waiting))

    def remainder(self, parts: list[Any]) -> Node:
        """Left-associative remainders."""
        left: Node = parts[0]
        for right in parts[2::2]:
            left = Call("remainder", (left, right))
        return left
