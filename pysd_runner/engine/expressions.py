"""Lowers one abstract expression; a table maps each node type to what it becomes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pysd_runner.engine.functions import ARITHMETIC, FUNCTIONS, LOGIC, REDUCTIONS, operation
from pysd_runner.engine.ir import (
    Axis,
    Block,
    Expression,
    Index,
    Interpolation,
    Kind,
    Number,
    Reduction,
    Reference,
    Table,
    Time,
    Variable,
    joined_axes,
)
from pysd_runner.engine.names import key
from pysd_runner.engine.ranges import Ranges
from pysd_runner.errors import InvalidModel, UnsupportedFeature, suggest

# Stands in the name of a variable that a delay, smooth or INITIAL was expanded into.
HIDDEN = "\x1f"

# A chain of additions longer than this is added in halves.
LONG_SUM = 40


@dataclass(slots=True)
class Scope:
    """What an expression may refer to, and the hidden stocks found on the way.

    Parameters
    ----------
    ranges
        The subscript ranges.
    dims
        Dimensions of every variable, by comparison key.
    names
        Names of the variables as written, by comparison key.
    tables
        Points of the table functions, by comparison key.
    block
        Subscripts of the equation being lowered.
    owner
        Name of the variable being lowered.
    hidden
        Variables that delays, smooths and INITIAL were expanded into.
    """

    ranges: Ranges
    dims: Mapping[str, tuple[str, ...]]
    names: Mapping[str, str]
    tables: Mapping[str, Any]
    block: Sequence[str] = ()
    owner: str = ""
    hidden: list[Variable] = field(default_factory=list)

    def hide(
        self, kind: Kind, expression: Expression, initial: Expression | None, *, over: Sequence[Expression] = ()
    ) -> Reference:
        """Add a hidden variable over the axes of its parts, and of those in `over`, and refer to it."""
        axes = joined_axes(*over, expression, *([initial] if initial is not None else []))
        if any(axis.endswith("!") for axis in axes):
            raise UnsupportedFeature("a delay, smooth or INITIAL inside a sum over subscripts")
        # A separator no name in a file can hold keeps it apart from every variable of the file.
        name = f"{self.owner}{HIDDEN}level {len(self.hidden) + 1}"
        index: tuple[Index, ...] = tuple(Axis(axis) for axis in axes)
        block = Block(index, expression, initial, f"level {len(self.hidden) + 1}, expanded from {self.owner}")
        self.hidden.append(
            Variable(name=name, unit="", dims=axes, kind=kind, doc="", group="", blocks=(block,), hidden=True)
        )
        return Reference(name, index)

    def replace_hidden(self, reference: Reference, expression: Expression) -> None:
        """Give a hidden stock its flow, once the expression that refers to it exists."""
        position = next(i for i, item in enumerate(self.hidden) if item.name == reference.variable)
        old = self.hidden[position]
        block = old.blocks[0]
        new = Block(block.index, expression, block.initial, block.text)
        self.hidden[position] = Variable(
            name=old.name, unit="", dims=old.dims, kind="stock", doc="", group="", blocks=(new,), hidden=True
        )


def lower_expression(ast: Any, scope: Scope) -> Expression:
    """Lower one node of PySD's abstract model.

    Parameters
    ----------
    ast
        The node, a number or an array.
    scope
        What it may refer to.

    Returns
    -------
    Expression
        The same in the project's representation.

    Raises
    ------
    UnsupportedFeature
        If the node or function has no entry in the tables.
    InvalidModel
        If a name does not exist.
    """
    if isinstance(ast, np.ndarray):
        return _table(ast, scope)
    if isinstance(ast, int | float | np.number):
        return Number(float(ast))
    lower = _NODES.get(type(ast).__name__)
    if lower is None:
        raise UnsupportedFeature(type(ast).__name__.removesuffix("Structure") or repr(ast))
    return lower(ast, scope)


def _table(values: Any, scope: Scope) -> Expression:
    axes = tuple(name for label in scope.block if (name := scope.ranges.name_of(label)) is not None)
    shape = tuple(len(scope.ranges.elements[name]) for name in axes)
    array = np.asarray(values, dtype=float)
    if array.size != int(np.prod(shape)):
        raise InvalidModel(f"a table of {array.size} numbers for subscripts that take {int(np.prod(shape))}")
    return Table(tuple(array.ravel().tolist()), shape, axes)


def _arithmetic(ast: Any, scope: Scope) -> Expression:
    parts = [lower_expression(part, scope) for part in ast.arguments]
    if ast.operators == ["negative"]:
        return operation("negative", parts[0])
    if len(parts) > LONG_SUM and set(ast.operators) <= {"+", "-"}:
        return _long_sum(parts, ast.operators)
    if set(ast.operators) == {"^"}:
        if any(isinstance(part, Number) and part.value < 0 for part in parts[:-1]):
            raise UnsupportedFeature(
                "power of a negative number, where -2^2 and (-2)^2 cannot be told apart; give the number a name"
            )
        # Powers bind from the right, as PySD runs them: 2^3^2 is 2^9.
        result = parts[-1]
        for part in reversed(parts[:-1]):
            result = operation("power", part, result)
        return result
    result = parts[0]
    for operator, part in zip(ast.operators, parts[1:], strict=True):
        result = operation(ARITHMETIC[operator], result, part)
    return result


def _long_sum(parts: Sequence[Expression], operators: Sequence[str]) -> Expression:
    """Add many terms in halves, so that no program nests deeper than Python reads."""
    terms = [parts[0]]
    for operator, part in zip(operators, parts[1:], strict=True):
        terms.append(part if operator == "+" else operation("negative", part))
    while len(terms) > 1:
        pairs = [operation("add", *terms[place : place + 2]) for place in range(0, len(terms) - 1, 2)]
        terms = pairs + terms[2 * len(pairs) :]
    return terms[0]


def _logic(ast: Any, scope: Scope) -> Expression:
    parts = [lower_expression(part, scope) for part in ast.arguments]
    if ast.operators == [":NOT:"]:
        return operation("not", parts[0])
    if len(parts) == 2:
        return operation(LOGIC[ast.operators[0]], *parts)
    # :AND: binds tighter than :OR:, which the flat list of the abstract model leaves to the reader.
    alternatives = [parts[0]]
    for operator, part in zip(ast.operators, parts[1:], strict=True):
        if operator == ":AND:":
            alternatives[-1] = operation("and", alternatives[-1], part)
        else:
            alternatives.append(part)
    result = alternatives[0]
    for part in alternatives[1:]:
        result = operation("or", result, part)
    return result


def _reference(ast: Any, scope: Scope) -> Expression:
    name = key(ast.reference)
    if name == "time":
        return Time()
    if name not in scope.names and scope.ranges.name_of(ast.reference) is not None:
        return _positions(ast.reference, scope)
    if name not in scope.names:
        raise InvalidModel(f"{ast.reference!r} is not defined.{suggest(ast.reference, scope.names.values())}")
    if name in scope.tables:
        raise UnsupportedFeature(f"table function {ast.reference!r} used without an argument")
    dims = scope.dims[name]
    labels = list(ast.subscripts.subscripts) if ast.subscripts else list(dims)
    if len(labels) != len(dims):
        raise InvalidModel(f"{ast.reference!r} has {len(dims)} subscripts, {len(labels)} are given")
    index = tuple(scope.ranges.pick(label, dim) for label, dim in zip(labels, dims, strict=True))
    labels_left = [item.label for item in index if isinstance(item, Axis)]
    if len(set(labels_left)) != len(labels_left):
        raise UnsupportedFeature(f"{ast.reference!r} with the same subscript range twice")
    return Reference(scope.names[name], index)


def _positions(label: str, scope: Scope) -> Expression:
    """A range used as a value is the place of the current element, counted from one."""
    name = scope.ranges.name_of(label) or label
    count = len(scope.ranges.elements[name])
    return Table(tuple(float(place) for place in range(1, count + 1)), (count,), (name,))


def _call(ast: Any, scope: Scope) -> Expression:
    name = ast.function.reference
    if name == "elmcount":
        return _element_count(ast.arguments[0].reference, scope)
    if key(name) in scope.tables:
        return _interpolation(scope.tables[key(name)], ast.arguments[0], scope)
    arguments = [lower_expression(part, scope) for part in ast.arguments]
    if name in REDUCTIONS:
        return _reduction(REDUCTIONS[name], arguments[0])
    if name == "pi":
        return Number(float(np.pi))
    if name not in FUNCTIONS:
        raise UnsupportedFeature(f"function {name.replace('_', ' ').upper()}")
    count, build = FUNCTIONS[name]
    if len(arguments) != count:
        raise InvalidModel(f"{name.replace('_', ' ').upper()} takes {count} arguments, {len(arguments)} are given")
    return build(*arguments)


def _element_count(label: str, scope: Scope) -> Expression:
    name = scope.ranges.name_of(label)
    if name is None:
        raise InvalidModel(
            f"ELMCOUNT of {label!r}, which is no subscript range.{suggest(label, scope.ranges.elements)}"
        )
    return Number(float(len(scope.ranges.elements[name])))


def _reduction(name: str, argument: Expression) -> Expression:
    over = tuple(axis for axis in argument.axes if axis.endswith("!"))
    if not over:
        return argument
    return Reduction(name, argument, over, tuple(axis for axis in argument.axes if axis not in over))


def _interpolation(points: Any, argument: Any, scope: Scope) -> Expression:
    if points is None:
        raise UnsupportedFeature("subscripted or external table function")
    if points.type not in ("interpolate", "extrapolate"):
        raise UnsupportedFeature(f"table function of type {points.type!r}")
    lowered = lower_expression(argument, scope)
    x, y = (tuple(float(value) for value in side) for side in (points.x, points.y))
    return Interpolation(lowered, x, y, len(x), (), points.type, lowered.axes)


def _inline_table(ast: Any, scope: Scope) -> Expression:
    return _interpolation(ast.lookups, ast.argument, scope)


def _initial(ast: Any, scope: Scope) -> Expression:
    return scope.hide("initial", lower_expression(ast.initial, scope), None)


def _integ(ast: Any, scope: Scope) -> Expression:
    if ast.non_negative:
        raise UnsupportedFeature("non-negative stock")
    return scope.hide("stock", lower_expression(ast.flow, scope), lower_expression(ast.initial, scope))


def _smooth(ast: Any, scope: Scope) -> Expression:
    value, time, initial = (lower_expression(part, scope) for part in (ast.input, ast.smooth_time, ast.initial))
    order = float(ast.order)
    for _ in range(int(order)):
        level = scope.hide("stock", value, initial, over=(time,))
        flow = operation("divide", operation("multiply", operation("subtract", value, level), Number(order)), time)
        scope.replace_hidden(level, flow)
        value = level
    return value


def _delay(ast: Any, scope: Scope) -> Expression:
    inflow, time, initial = (lower_expression(part, scope) for part in (ast.input, ast.delay_time, ast.initial))
    order = float(ast.order)
    for _ in range(int(order)):
        # A level holds (rate x whole delay time), as in PySD, and drains at level / delay time.
        level = scope.hide("stock", inflow, operation("multiply", initial, time))
        outflow = operation("divide", level, time)
        flow = operation("multiply", operation("subtract", inflow, outflow), Number(order))
        scope.replace_hidden(level, flow)
        inflow = outflow
    return inflow


def _trend(ast: Any, scope: Scope) -> Expression:
    value, time, initial = (lower_expression(part, scope) for part in (ast.input, ast.average_time, ast.initial_trend))
    start = operation("divide", value, operation("add", Number(1.0), operation("multiply", initial, time)))
    level = scope.hide("stock", value, start)
    scope.replace_hidden(level, operation("divide", operation("subtract", value, level), time))
    return operation(
        "xidz",
        operation("subtract", value, level),
        operation("multiply", time, operation("abs", level)),
        Number(0.0),
    )


_NODES: dict[str, Callable[[Any, Scope], Expression]] = {
    "ArithmeticStructure": _arithmetic,
    "LogicStructure": _logic,
    "ReferenceStructure": _reference,
    "CallStructure": _call,
    "GameStructure": lambda ast, scope: lower_expression(ast.expression, scope),
    "InlineLookupsStructure": _inline_table,
    "InitialStructure": _initial,
    "IntegStructure": _integ,
    "SmoothStructure": _smooth,
    "DelayStructure": _delay,
    "TrendStructure": _trend,
}
