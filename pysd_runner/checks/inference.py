"""Infer the units of expressions, by tables of rules for node types and operations.

`None` means "any unit": the unit is unknown, or the number is zero, which is compatible with every unit. Other literal
numbers are dimensionless, except next to the clock: numbers added to, subtracted from or compared with ``Time`` are
time points or durations in units of time. Hence the small tolerances in the expansions of STEP, RAMP and PULSE, and
calendar years written as numbers, are consistent with ``Time``.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

from pysd_runner.checks.units import DIMENSIONLESS, UnitProduct
from pysd_runner.core.errors import Message, joined
from pysd_runner.engine.ir import (
    HIDDEN,
    SPAN,
    STATEFUL,
    ArrayFunction,
    Axis,
    Expression,
    Interpolation,
    ModelIr,
    Number,
    Operation,
    Random,
    Reduction,
    Reference,
    Table,
    Time,
    Variable,
    children,
    is_literal,
    key,
    shown,
)

MaybeUnit = UnitProduct | None

CLOCK = frozenset({"initial time", "final time"})


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Two units that should be equal and are not."""

    expected: str
    found: str
    place: str  # the part of the equation that combines them
    reason: str  # the unit of each part


@dataclass(slots=True)
class Inference:
    """Units of the expressions of one model."""

    model: ModelIr
    declared: Mapping[str, MaybeUnit]  # unit of every variable of the file; None if unknown
    time: MaybeUnit
    mismatches: list[Mismatch] = field(default_factory=list)  # mismatches found since the list was last cleared
    _hidden: dict[str, MaybeUnit] = field(default_factory=dict)

    def unit(self, expression: Expression, literal: MaybeUnit = DIMENSIONLESS) -> MaybeUnit:
        """Unit of an expression."""
        if is_literal(expression):
            return None if is_zero_or_nan(expression) else literal
        return NODES[type(expression)](self, expression, literal)

    def variable(self, name: str) -> MaybeUnit:
        """Unit of a variable: the declared one, or for a stock inside a delay or smooth the inferred one."""
        if not self.model.variables[name].hidden:
            return self.declared[name]
        if name not in self._hidden:
            self._hidden[name] = None
            with self._silent():
                self._hidden[name] = self._of_hidden(self.model.variables[name])
        return self._hidden[name]

    def agree(self, whole: Expression, parts: Sequence[Expression], literal: MaybeUnit = DIMENSIONLESS) -> MaybeUnit:
        """Common unit of parts that are added, compared or alternative branches."""
        if any(is_clock(part) for part in parts):
            literal = self.time
        first, common = parts[0], None
        for part in parts:
            found = self.unit(part, literal)
            if common is None:
                first, common = part, found
            elif found is not None and found != common:
                self.note(whole, common, found, joined([self.said(first, common), self.said(part, found)], ", "))
                return None
        return common

    def require(self, whole: Expression, part: Expression, expected: UnitProduct) -> None:
        """Record a mismatch if the unit of a part is not the required one."""
        found = self.unit(part)
        if found is not None and found != expected:
            self.note(whole, expected, found, self.said(part, found))

    def note(self, whole: Expression, expected: UnitProduct | str, found: UnitProduct | str, reason: str) -> None:
        """Record a mismatch of two units."""
        self.mismatches.append(Mismatch(str(expected), str(found), self.text(whole), reason))

    def said(self, expression: Expression, unit: MaybeUnit) -> Message:
        """The unit of an expression, in words."""
        return Message("{part} is {unit}", part=self.text(expression), unit=unit)

    def text(self, expression: Expression) -> str:
        """Text of an expression."""
        return wording(expression, self.model)

    def _of_hidden(self, variable: Variable) -> MaybeUnit:
        block = variable.blocks[0]
        if f"{HIDDEN}{SPAN} " in variable.name:
            return self.time
        if variable.kind not in STATEFUL:
            return self.unit(block.expression)
        start = self.start_of_hidden(variable)
        if start is not None or variable.kind != "stock":
            return self.unit(block.expression) if start is None else start
        flow = self.flow_of_hidden(variable)
        return None if flow is None or self.time is None else flow * self.time

    def start_of_hidden(self, variable: Variable) -> MaybeUnit:
        """Unit of the initial value of a stock inside a delay or smooth; None (any unit) for a literal."""
        initial = variable.blocks[0].initial
        return None if initial is None else self.unit(initial, None)

    def flow_of_hidden(self, variable: Variable) -> MaybeUnit:
        """Unit of the flow of a stock inside a delay or smooth; a literal delay time has the unit of time."""
        flow = variable.blocks[0].expression
        if isinstance(flow, Operation) and flow.name == "divide" and is_literal(flow.arguments[1]):
            change = self.unit(flow.arguments[0])
            return None if change is None or self.time is None else change / self.time
        return self.unit(flow)

    @contextmanager
    def _silent(self) -> Iterator[None]:
        before = list(self.mismatches)
        yield
        self.mismatches[:] = before


def is_zero_or_nan(expression: Expression) -> bool:
    """Whether an expression is a literal zero or NaN."""
    if isinstance(expression, Number):
        return expression.value == 0 or expression.value != expression.value
    return isinstance(expression, Table) and not any(expression.values)


def is_clock(expression: Expression) -> bool:
    """Whether an expression is the time, or a sum, difference, minimum or similar function of it."""
    if isinstance(expression, Reference):
        return key(expression.variable) in CLOCK
    additive = isinstance(expression, Operation) and expression.name in ADDITIVE
    return isinstance(expression, Time) or (additive and any(is_clock(part) for part in children(expression)))


ADDITIVE = frozenset(
    {"add", "subtract", "negative", "min", "max", "known_max", "remainder", "modulo", "quantum", "integer", "abs"}
)

Rule = Callable[[Inference, Operation, MaybeUnit], MaybeUnit]


def _compare(inference: Inference, operation: Operation, _: MaybeUnit) -> MaybeUnit:
    inference.agree(operation, operation.arguments)
    return DIMENSIONLESS


def _dimensionless(inference: Inference, operation: Operation, _: MaybeUnit) -> MaybeUnit:
    for part in operation.arguments:
        inference.require(operation, part, DIMENSIONLESS)
    return DIMENSIONLESS


def _multiply(inference: Inference, operation: Operation, literal: MaybeUnit) -> MaybeUnit:
    left, right = _factors(inference, operation, literal)
    return None if left is None or right is None else left * right


def _divide(inference: Inference, operation: Operation, literal: MaybeUnit) -> MaybeUnit:
    above, below = operation.arguments
    left, right = _factors(inference, operation, literal)
    if is_literal(below) and _is_hidden_stock(inference, above):
        right = inference.time
    return None if left is None or right is None else left / right


def _factors(inference: Inference, operation: Operation, literal: MaybeUnit) -> tuple[MaybeUnit, MaybeUnit]:
    inner = None if literal is None else DIMENSIONLESS
    left, right = operation.arguments
    return inference.unit(left, inner), inference.unit(right, inner)


def _is_hidden_stock(inference: Inference, expression: Expression) -> bool:
    """Whether an expression is the content of a delay, which the engine divides by its delay time."""
    return isinstance(expression, Reference) and inference.model.variables[expression.variable].hidden


def _xidz(inference: Inference, operation: Operation, _: MaybeUnit) -> MaybeUnit:
    above, below, otherwise = operation.arguments
    quotient = _divide(inference, Operation("divide", (above, below), operation.axes), DIMENSIONLESS)
    found = inference.unit(otherwise)
    if quotient is None or found is None or quotient == found:
        return found if quotient is None else quotient
    told = Message("the quotient is {unit}", unit=quotient), inference.said(otherwise, found)
    inference.note(operation, quotient, found, joined(told, ", "))
    return None


def _where(inference: Inference, operation: Operation, literal: MaybeUnit) -> MaybeUnit:
    condition, *branches = operation.arguments
    inference.require(operation, condition, DIMENSIONLESS)
    return inference.agree(operation, branches, literal)


def _square_root(inference: Inference, operation: Operation, _: MaybeUnit) -> MaybeUnit:
    found = inference.unit(operation.arguments[0])
    return None if found is None else found ** Fraction(1, 2)


def _power(inference: Inference, operation: Operation, _: MaybeUnit) -> MaybeUnit:
    base, exponent = operation.arguments
    inference.require(operation, exponent, DIMENSIONLESS)
    found = inference.unit(base)
    if found is None or found.is_dimensionless:
        return found
    power = literal_value(exponent)
    if power is None:
        reason = f"{inference.text(base)} is {found}, and the exponent {inference.text(exponent)} is no literal number"
        inference.note(operation, DIMENSIONLESS, found, reason)
        return None
    return found**power


def literal_value(expression: Expression) -> Fraction | None:
    """Value of an expression made of literal numbers, as a fraction; None for anything else."""
    if isinstance(expression, Number):
        return Fraction(repr(expression.value)) if math.isfinite(expression.value) else None
    if not isinstance(expression, Operation) or expression.name not in ("negative", "divide"):
        return None
    parts = [literal_value(part) for part in expression.arguments]
    if any(part is None for part in parts):
        return None
    first, *rest = [part for part in parts if part is not None]
    if not rest:
        return -first
    return first / rest[0] if rest[0] else None


_TRIGONOMETRY = ("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh")

OPERATIONS: dict[str, Rule] = {
    **dict.fromkeys(
        ADDITIVE, lambda inference, operation, literal: inference.agree(operation, operation.arguments, literal)
    ),
    **dict.fromkeys(("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"), _compare),
    **dict.fromkeys(("and", "or", "not", "exp", "ln", "erfc", *_TRIGONOMETRY), _dimensionless),
    "multiply": _multiply,
    "divide": _divide,
    "xidz": _xidz,
    "where": _where,
    "sqrt": _square_root,
    "power": _power,
}


def _product(inference: Inference, expression: Reduction, _: MaybeUnit) -> MaybeUnit:
    found = inference.unit(expression.argument)
    return None if found is None else found ** Fraction(_count(expression, inference.model))


def _count(expression: Reduction, model: ModelIr) -> int:
    """Number of elements that a reduction combines."""
    lengths = dict(_lengths(expression.argument, model))
    return math.prod(lengths[label] for label in expression.over)


def _lengths(expression: Expression, model: ModelIr) -> Iterator[tuple[str, int]]:
    if isinstance(expression, Reference):
        dims = model.variables[expression.variable].dims
        for item, dim in zip(expression.index, dims, strict=True):
            if isinstance(item, Axis):
                yield item.label, len(model.ranges[dim] if item.positions is None else item.positions)
    if isinstance(expression, Table):
        yield from zip(expression.axes, expression.shape, strict=True)
    for part in children(expression):
        yield from _lengths(part, model)


REDUCTIONS: dict[str, Callable[[Inference, Reduction, MaybeUnit], MaybeUnit]] = {
    **dict.fromkeys(
        ("sum", "least", "largest"), lambda inference, expression, literal: inference.unit(expression.argument, literal)
    ),
    "product": _product,
}


def _interpolation(inference: Inference, expression: Interpolation, _: MaybeUnit) -> MaybeUnit:
    inference.unit(expression.argument)
    return None


def _array_function(inference: Inference, expression: ArrayFunction, _: MaybeUnit) -> MaybeUnit:
    """Ranks and orders are dimensionless; sorted or allocated values keep their unit; a matrix inverse inverts it."""
    if expression.name == "market_price" or expression.name.endswith("_quantile"):
        # Random numbers and prices have the declared unit.
        return None
    first = inference.unit(expression.arguments[0])
    if expression.name in ("vector_sort_order", "vector_rank"):
        return DIMENSIONLESS
    if expression.name == "invert_matrix":
        return None if first is None else DIMENSIONLESS / first
    return first


NODES: dict[type, Callable[..., MaybeUnit]] = {
    **dict.fromkeys((Number, Table), lambda _, expression, literal: None if is_zero_or_nan(expression) else literal),
    Time: lambda inference, *_: inference.time,
    Reference: lambda inference, expression, _: inference.variable(expression.variable),
    Operation: lambda inference, expression, literal: OPERATIONS[expression.name](inference, expression, literal),
    Reduction: lambda inference, expression, literal: REDUCTIONS[expression.name](inference, expression, literal),
    Interpolation: _interpolation,
    Random: lambda *_: DIMENSIONLESS,
    ArrayFunction: _array_function,
}


_BETWEEN = {
    "or": (0, ":OR:"),
    "and": (1, ":AND:"),
    "equal": (3, "="),
    "not_equal": (3, "<>"),
    "less": (3, "<"),
    "less_equal": (3, "<="),
    "greater": (3, ">"),
    "greater_equal": (3, ">="),
    "add": (4, "+"),
    "subtract": (4, "-"),
    "multiply": (5, "*"),
    "divide": (5, "/"),
    "power": (7, "^"),
}
_BEFORE = {"not": (2, ":NOT: "), "negative": (6, "-")}
_CALLED = {
    "where": "IF THEN ELSE",
    "known_max": "MAX",
    "least": "VMIN",
    "largest": "VMAX",
    "product": "PROD",
    "integer": "INTEGER",
}
_TIGHTEST = 9
_LONGEST = 80


def wording(expression: Expression, model: ModelIr) -> str:
    """Text of an expression in Vensim's notation, on one line; the middle of a long text is elided."""
    text = _text(expression, model)
    half = _LONGEST // 2 - 2
    return text if len(text) <= _LONGEST else f"{text[:half].rstrip()} ... {text[-half:].lstrip()}"


def _text(expression: Expression, model: ModelIr) -> str:
    if isinstance(expression, Number):
        return f"{expression.value:g}"
    if isinstance(expression, Time):
        return "Time"
    if isinstance(expression, Reference):
        return _reference(expression, model)
    if isinstance(expression, Operation):
        return _operation(expression, model)
    if isinstance(expression, Reduction):
        return f"{_CALLED.get(expression.name, expression.name.upper())}({_text(expression.argument, model)})"
    if isinstance(expression, Interpolation):
        return f"TABLE({_text(expression.argument, model)})"
    if isinstance(expression, ArrayFunction):
        inner = ", ".join(_text(part, model) for part in expression.arguments)
        return f"{expression.name.replace('_', ' ').upper()}({inner})"
    if isinstance(expression, Random):
        return "RANDOM 0 1()"
    return "(" + ", ".join(f"{value:g}" for value in expression.values[:4]) + ", ...)"


def _reference(expression: Reference, model: ModelIr) -> str:
    dims = model.variables[expression.variable].dims
    parts = [
        shown(item.label) if isinstance(item, Axis) else model.ranges[dim][item.position]
        for item, dim in zip(expression.index, dims, strict=True)
    ]
    name = _hidden(expression.variable, model) or expression.variable
    return f"{name}[{','.join(parts)}]" if parts else name


def _hidden(name: str, model: ModelIr) -> str:
    """Number or label of a variable generated for a delay, smooth or macro; empty for a variable of the file."""
    variable = model.variables[name]
    if not variable.hidden or HIDDEN not in name:
        return ""
    expression = variable.blocks[0].expression
    return f"{expression.value:g}" if isinstance(expression, Number) else f"(value inside {shown(name)})"


def _operation(expression: Operation, model: ModelIr) -> str:
    if expression.name in _BETWEEN:
        rank, sign = _BETWEEN[expression.name]
        left, right = expression.arguments
        spaced = sign if sign == "^" else f" {sign} "
        return f"{_inside(left, rank, model)}{spaced}{_inside(right, rank + 1, model)}"
    if expression.name in _BEFORE:
        rank, sign = _BEFORE[expression.name]
        return f"{sign}{_inside(expression.arguments[0], rank, model)}"
    name = _CALLED.get(expression.name, expression.name.upper())
    return f"{name}({', '.join(_text(part, model) for part in expression.arguments)})"


def _inside(part: Expression, rank: int, model: ModelIr) -> str:
    text = _text(part, model)
    return f"({text})" if _rank(part) < rank else text


def _rank(part: Expression) -> int:
    if isinstance(part, Operation):
        return {**_BETWEEN, **_BEFORE}.get(part.name, (_TIGHTEST, ""))[0]
    return _TIGHTEST
