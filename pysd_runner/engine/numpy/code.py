"""Generate the NumPy program of a plan as Python source.

The source contains only generated identifiers and literal numbers, never names or comments from a model file. Values
have the axes (scenario, draw) and then those of the variable; axes are aligned when the source is generated.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.ir import (
    ArrayFunction,
    Axis,
    Block,
    Expression,
    Index,
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
    is_whole,
    references,
)
from pysd_runner.engine.numpy.array_functions import FUNCTIONS
from pysd_runner.engine.passes.components import Part
from pysd_runner.engine.passes.order import Plan, Statement, at_start, running

# Source template by operation; also the list of operations this engine supports.
OPERATIONS = {
    "add": "({0} + {1})",
    "subtract": "({0} - {1})",
    "multiply": "({0} * {1})",
    "divide": "divide({0}, {1})",
    "negative": "(-{0})",
    "power": "power({0}, {1})",
    "less": "({0} < {1})",
    "less_equal": "({0} <= {1})",
    "greater": "({0} > {1})",
    "greater_equal": "({0} >= {1})",
    "equal": "({0} == {1})",
    "not_equal": "({0} != {1})",
    "and": "logical_and({0}, {1})",
    "or": "logical_or({0}, {1})",
    "not": "logical_not({0})",
    "where": "where({0}, {1}, {2})",
    "min": "minimum({0}, {1})",
    "max": "maximum({0}, {1})",
    "known_max": "fmax({0}, {1})",
    "abs": "absolute({0})",
    "exp": "exp({0})",
    "ln": "log({0})",
    "sqrt": "sqrt({0})",
    "sin": "sin({0})",
    "cos": "cos({0})",
    "tan": "tan({0})",
    "arcsin": "arcsin({0})",
    "arccos": "arccos({0})",
    "arctan": "arctan({0})",
    "sinh": "sinh({0})",
    "cosh": "cosh({0})",
    "tanh": "tanh({0})",
    "integer": "trunc({0})",
    "quantum": "quantum({0}, {1})",
    "modulo": "modulo({0}, {1})",
    "remainder": "mod({0}, {1})",
    "xidz": "xidz({0}, {1}, {2})",
    "erfc": "erfc({0})",
}

# Operations with a boolean result, and the positions of arguments that can be boolean, by operation.
TRUTHS = frozenset({"less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "and", "or", "not"})
TRUTH_IS_ENOUGH = {"and": (0, 1), "or": (0, 1), "not": (0,), "where": (0,)}

REDUCTIONS = {"sum": "sum", "product": "prod", "least": "min", "largest": "max"}


@dataclass(slots=True)
class PythonWriter:
    """Generates source of expressions and collects the literal arrays they need."""

    model: ModelIr
    symbols: dict[str, str]  # identifier of every variable in the program
    literals: dict[str, Any] = field(default_factory=dict)  # literal arrays and indices, by identifier

    def literal(self, value: object) -> str:
        """Store a literal that is not a plain number, and return its identifier."""
        name = f"c{len(self.literals)}"
        self.literals[name] = value
        return name

    def aligned(self, expression: Expression, axes: Sequence[str], *, truth: bool = False) -> str:
        """Source of an expression with the given axes; axes that it lacks have length one."""
        text, own = self.text(expression, truth=truth), expression.axes
        if is_scalar(expression) or tuple(own) == tuple(axes):
            return text
        order = sorted(range(len(own)), key=lambda place: list(axes).index(own[place]))
        if order != list(range(len(own))):
            text = f"{text}.transpose({', '.join(str(place) for place in (0, 1, *(2 + item for item in order)))})"
        inner = ", ".join(":" if axis in own else "None" for axis in axes)
        return f"{text}[:, :, {inner}]" if any(axis not in own for axis in axes) else text

    def text(self, expression: Expression, *, truth: bool = False) -> str:
        """Source of an expression with its own axes; booleans become one and zero unless `truth` is true."""
        text = _TEXT[type(expression)](self, expression)
        is_truth = isinstance(expression, Operation) and expression.name in TRUTHS
        return f"(1.0 * {text})" if is_truth and not truth else text

    def block_text(self, block: Block, expression: Expression, dims_shape: tuple[int, ...]) -> str:
        """Source of a block that covers its variable, broadcast to the full shape."""
        text = self.aligned(expression, block.axes)
        if is_scalar(expression):
            return f"full({(1, 1, *dims_shape)}, {text})"
        if tuple(expression.axes) != block.axes:
            return f"spread({text}, {dims_shape})"
        return text


def is_scalar(expression: Expression) -> bool:
    """Whether the source of an expression evaluates to a plain number without array axes."""
    if isinstance(expression, Operation):
        return all(is_scalar(part) for part in expression.arguments)
    if isinstance(expression, Interpolation):
        return not expression.tables and is_scalar(expression.argument)
    return isinstance(expression, Number)


def _number(_: PythonWriter, expression: Number) -> str:
    value = expression.value
    return repr(value) if value == value and abs(value) != float("inf") else f"float('{value}')"


def _picked(writer: PythonWriter, expression: Reference) -> str:
    text = writer.symbols[expression.variable]
    inner = [_slice(item) for item in expression.index]
    for place, item in enumerate(expression.index):
        if inner[place] is None and isinstance(item, Axis):
            text = f"{text}.take({writer.literal(('index', item.positions))}, axis={place + 2})"
    if all(item in (":", None) for item in inner):
        return text
    return f"{text}[:, :, {', '.join(item or ':' for item in inner)}]"


def _slice(item: Index) -> str | None:
    """Source of an index as a slice; None for an index with gaps."""
    if not isinstance(item, Axis):
        return str(item.position)
    if item.positions is None:
        return ":"
    first = item.positions[0]
    end = first + len(item.positions)
    return f"{first}:{end}" if item.positions == tuple(range(first, end)) else None


def _diagonal(text: str, expression: Reference) -> str:
    """Source that takes the diagonal over axes with the same label."""
    labels = [item.label for item in expression.index if isinstance(item, Axis)]
    if len(labels) == len(expression.axes):
        return text
    letters = "".join(chr(ord("c") + expression.axes.index(label)) for label in labels)
    diagonal = "".join(dict.fromkeys(letters))
    return f"einsum('ab{letters}->ab{diagonal}', {text})"


def _operation(writer: PythonWriter, expression: Operation) -> str:
    if expression.name not in OPERATIONS:
        raise UnsupportedFeature("operation {name!r}", name=expression.name)
    parts = [
        writer.aligned(part, expression.axes, truth=place in TRUTH_IS_ENOUGH.get(expression.name, ()))
        for place, part in enumerate(expression.arguments)
    ]
    return OPERATIONS[expression.name].format(*parts)


def _reduction(writer: PythonWriter, expression: Reduction) -> str:
    product = _matrix_product(writer, expression)
    if product is not None:
        return product
    axes = expression.argument.axes
    over = tuple(axes.index(axis) - len(axes) for axis in expression.over)
    return f"{writer.text(expression.argument)}.{REDUCTIONS[expression.name]}(axis={over})"


def _matrix_product(writer: PythonWriter, expression: Reduction) -> str | None:
    """Write a sum of weight times value as a matrix product, to avoid the array of all products; otherwise None."""
    inner = expression.argument
    if expression.name != "sum" or len(expression.over) != 1 or not isinstance(inner, Operation):
        return None
    if inner.name != "multiply" or is_scalar(inner.arguments[0]) or is_scalar(inner.arguments[1]):
        return None
    over = expression.over[0]
    left, right = inner.arguments
    if len(left.axes) == 2 and left.axes[1] == over and right.axes == (over,):
        return f"matmul({writer.text(left)}, {writer.text(right)}[:, :, :, None])[:, :, :, 0]"
    return None


def _interpolation(writer: PythonWriter, expression: Interpolation) -> str:
    lengths = dict(zip(expression.tables, writer.model.shape(expression.tables), strict=True))
    tables = writer.literal(("tables", expression, lengths))
    axes = expression.axes if expression.tables else expression.argument.axes
    return f"{tables}.at({writer.aligned(expression.argument, axes)})"


def _random(writer: PythonWriter, expression: Random) -> str:
    shape = writer.model.shape(expression.axes)
    return f"chance.uniform({expression.site}, k, {shape})"


def _array_function(writer: PythonWriter, expression: ArrayFunction) -> str:
    """Source of a call of an array function; arguments have the axes looped over, then their core axes."""
    if expression.name not in FUNCTIONS:
        raise UnsupportedFeature("array function {name!r}", name=expression.name)
    loop = expression.axes[: len(expression.axes) - len(expression.result)]
    parts = []
    for part, core in zip(expression.arguments, expression.core, strict=True):
        text = writer.aligned(part, (*loop, *core))
        parts.append(f"({text}, {len(core)})")
    return f"apply({expression.name!r}, {len(loop)}, [{', '.join(parts)}])"


_TEXT: dict[type, Callable[[PythonWriter, Any], str]] = {
    Number: _number,
    Table: lambda writer, item: writer.literal(("array", item.values, (1, 1, *item.shape))),
    Time: lambda _writer, _expression: "t",
    Reference: lambda writer, item: _diagonal(_picked(writer, item), item),
    Operation: _operation,
    Reduction: _reduction,
    Interpolation: _interpolation,
    Random: _random,
    ArrayFunction: _array_function,
}


def _value(writer: PythonWriter, variable: Variable, part: Part) -> str:
    """Source of a whole variable."""
    shape = writer.model.shape(variable.dims)
    block = variable.blocks[0]
    if len(variable.blocks) == 1 and is_whole(block.index):
        return writer.block_text(block, part(block), shape)
    parts = [
        f"({_place(writer, block, shape)}, {writer.aligned(part(block), block.axes)})" for block in variable.blocks
    ]
    return f"assemble({shape}, [{', '.join(parts)}])"


def _place(writer: PythonWriter, block: Block, shape: tuple[int, ...]) -> str:
    """Source of the cell index of a block, after the axes (scenario, draw)."""
    slots = [item.places(length) for item, length in zip(block.index, shape, strict=True)]
    return writer.literal(("place", slots, tuple(isinstance(item, Axis) for item in block.index)))


def _statements(writer: PythonWriter, statements: Sequence[Statement], part: Part, indent: str) -> list[str]:
    """Lines that evaluate statements in order; variables that do not refer to themselves take a single line."""
    lines: list[str] = []
    begun: set[str] = set()
    for name, run in groupby(statements, key=lambda item: item.variable):
        variable, places = writer.model.variables[name], [item.block for item in run]
        symbol, shape = writer.symbols[name], writer.model.shape(variable.dims)
        parts = [part(variable.blocks[place]) for place in places]
        if len(places) == len(variable.blocks) and not any(name in references(item) for item in parts):
            lines.append(f"{indent}{symbol} = {_value(writer, variable, part)}")
            continue
        if name not in begun:
            begun.add(name)
            lines.append(f"{indent}{symbol} = full((*lead, {', '.join(map(str, shape))}), nan)")
        for place, expression in zip(places, parts, strict=True):
            block = variable.blocks[place]
            where = _place(writer, block, shape)
            lines.append(f"{indent}put({symbol}, {where}, {writer.aligned(expression, block.axes)})")
    return lines


def write_program(
    plan: Plan, outcomes: Sequence[str], given: Sequence[str], moving: frozenset[str]
) -> tuple[str, dict[str, Any]]:
    """Generate the source of the program of a plan, and its literals by identifier."""
    model = plan.model
    writer = PythonWriter(model, {name: f"v{number}" for number, name in enumerate(model.variables)})
    symbols = writer.symbols
    moving_used = [name for name in given if name in moving and name in plan.used]

    def moved(indent: str) -> list[str]:
        return [f"{indent}{symbols[name]} = given[{given.index(name)}].at(now)" for name in moving_used]

    lines = ["def simulate(given, times, step, saved, out, chance):", "    now = times[0]", "    k = 0"]
    lines += ["    t = full((1, 1), now)", "    lead = leading(given)"]
    still = [name for name in given if name not in moving and name in plan.used]
    lines += [f"    {symbols[name]} = given[{given.index(name)}]" for name in still]
    lines += _statements(writer, plan.invariant, running, "    ")
    lines += moved("    ")
    lines += _statements(writer, plan.starting, at_start, "    ")
    for name in dict.fromkeys(item.variable for item in plan.starting):
        if model.variables[name].kind == "pipe":
            delay = _value(writer, model.variables[name], lambda block: block.delay or Number(0.0))
            lines.append(f"    p{symbols[name]} = Pipe({symbols[name]}, {delay}, step)")
    lines += ["    row = 0", "    last = len(times) - 1", "    for k in range(len(times)):"]
    lines += ["        now = times[k]", "        t = full((1, 1), now)"]
    lines += moved("        ")
    lines += _statements(writer, plan.dynamic, running, "        ")
    lines.append("        if saved[k]:")
    lines += [f"            out[{place}][row] = {symbols[name]}" for place, name in enumerate(outcomes)]
    lines += ["            row += 1", "        if k == last:", "            break"]
    lines += _advanced(writer, plan.stocks)
    return "\n".join(lines) + "\n", writer.literals


def _advanced(writer: PythonWriter, stocks: Sequence[str]) -> list[str]:
    """Lines that advance the state to the next step; all values are computed before any is assigned."""
    symbols, variables = writer.symbols, writer.model.variables
    lines = [f"        d{symbols[name]} = {_value(writer, variables[name], running)}" for name in stocks]
    for name in stocks:
        symbol = symbols[name]
        following = {
            "stock": f"{symbol} + step * d{symbol}",
            "memory": f"d{symbol}",
            "pipe": f"p{symbol}.after(d{symbol})",
        }[variables[name].kind]
        if any(block.non_negative for block in variables[name].blocks):
            following = f"maximum({following}, {_lowest(writer, variables[name])})"
        lines.append(f"        {symbol} = {following}")
    return lines


def _lowest(writer: PythonWriter, variable: Variable) -> str:
    """Source of the lower limit of a stock: zero or minus infinity, which may differ between its blocks."""
    if all(block.non_negative for block in variable.blocks):
        return "0.0"
    lowest: Callable[[Block], Expression] = lambda block: Number(0.0 if block.non_negative else -math.inf)  # noqa: E731
    return _value(writer, variable, lowest)
