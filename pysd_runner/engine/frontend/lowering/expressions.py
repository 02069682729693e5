"""Lowers one abstract expression; a table maps each node type to what it becomes."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pysd_runner.engine.frontend.lowering import arrays, delays
from pysd_runner.engine.frontend.lowering.calls import CALLS
from pysd_runner.engine.frontend.lowering.macros import expanded
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.tables import interpolation, sorted_points
from pysd_runner.engine.functions import ARITHMETIC, FUNCTIONS, LOGIC, REDUCTIONS, operation
from pysd_runner.engine.ir import (
    Expression,
    Index,
    Mode,
    Number,
    Reduction,
    Reference,
    Table,
    Time,
)
from pysd_runner.engine.names import key, shown
from pysd_runner.errors import InvalidModel, UnsupportedFeature, suggest

# Functions that read a table function by a rule of their own.
LOOKUPS: dict[str, Mode] = {
    "lookup_forward": "look_forward",
    "lookup_backward": "hold_backward",
    "lookup_extrapolate": "extrapolate",
}

# A chain of additions longer than this is added in halves.
LONG_SUM = 40


class UnknownFunction(UnsupportedFeature):
    """A function that neither this engine nor PySD has."""


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
        return scope.table(ast)
    if isinstance(ast, int | float | np.number):
        return Number(float(ast))
    lower = NODES.get(type(ast).__name__)
    if lower is None:
        raise UnsupportedFeature(type(ast).__name__.removesuffix("Structure") or repr(ast))
    return lower(ast, scope)


def _arithmetic(ast: Any, scope: Scope) -> Expression:
    parts = [lower_expression(part, scope) for part in ast.arguments]
    if ast.operators == ["negative"]:
        return _negative(parts[0])
    if len(parts) > LONG_SUM and set(ast.operators) <= {"+", "-"}:
        return _long_sum(parts, ast.operators)
    if set(ast.operators) == {"^"}:
        return _powers(ast, parts)
    result = parts[0]
    for operator, part in zip(ast.operators, parts[1:], strict=True):
        result = operation(ARITHMETIC[operator], result, part)
    return result


def _negative(part: Expression) -> Expression:
    return Number(-part.value) if isinstance(part, Number) else operation("negative", part)


def _powers(ast: Any, parts: Sequence[Expression]) -> Expression:
    """Powers bind from the right, 2^3^2 is 2^9, and more tightly than a minus in front: -2^2 is -4, (-2)^2 is 4."""
    result = parts[-1]
    for node, part in zip(reversed(ast.arguments[:-1]), reversed(parts[:-1]), strict=True):
        # A number in brackets is negated by a node of its own; see `source`.
        if isinstance(node, int | float) and node < 0:
            result = _negative(operation("power", Number(-float(node)), result))
        else:
            result = operation("power", part, result)
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
    if name == "time" or scope.names.get(name) == "TIME":
        return Time()
    if name not in scope.names:
        return _place(ast, scope)
    if name in scope.tables and not scope.tables[name].has_value:
        raise UnsupportedFeature(f"table function {ast.reference!r} used without an argument")
    return Reference(scope.names[name], _index(ast, scope))


def _index(ast: Any, scope: Scope) -> tuple[Index, ...]:
    """What the subscripts of a reference pick from the variable."""
    dims = scope.dims[key(ast.reference)]
    labels = list(ast.subscripts.subscripts) if ast.subscripts else list(dims)
    labels += scope.implicit if len(labels) + len(scope.implicit) == len(dims) else ()
    if len(labels) != len(dims):
        raise InvalidModel(f"{ast.reference!r} has {len(dims)} subscripts, {len(labels)} are given")
    return tuple(scope.pick(label, dim, labels) for label, dim in zip(labels, dims, strict=True))


def _place(ast: Any, scope: Scope) -> Expression:
    """A range or an element used as a value is a place in the whole range, counted from one."""
    name = scope.ranges.name_of(ast.reference)
    if name is None:
        number = scope.ranges.number(ast.reference)
        if number is None:
            raise InvalidModel(f"{ast.reference!r} is not defined.{suggest(ast.reference, scope.names.values())}")
        return Number(number)
    axis, items = scope.left(name) or (name, scope.ranges.keys(name))
    numbers = scope.ranges.numbers(items, name)
    return Number(numbers[0]) if axis is None else Table(numbers, (len(numbers),), (axis,))


def _call(ast: Any, scope: Scope) -> Expression:
    name = ast.function.reference
    if key(name) in scope.macros:
        return expanded(scope.macros[key(name)], ast.arguments, scope, lower_expression)
    if name in LOOKUPS:
        return _read_as(LOOKUPS[name], ast, scope)
    if name == "elmcount":
        return _element_count(ast.arguments[0].reference, scope)
    if key(name) in scope.tables:
        argument = lower_expression(_only_argument(ast), scope)
        return scope.tables[key(name)].read(argument, _index(ast.function, scope))
    arguments = [lower_expression(part, scope) for part in ast.arguments]
    if name in REDUCTIONS:
        return _reduction(name, arguments[0], scope)
    if name == "pi":
        return Number(float(np.pi))
    if name not in FUNCTIONS and name not in CALLS and key(name) in scope.names:
        raise InvalidModel(f"{scope.names[key(name)]!r} is called like a function, but holds no table of points.")
    if name not in FUNCTIONS and name not in CALLS:
        kind = UnsupportedFeature if _in_pysd(name) else UnknownFunction
        raise kind(f"function {name.replace('_', ' ').upper()}")
    count, build = FUNCTIONS[name] if name in FUNCTIONS else CALLS[name]
    if len(arguments) != count:
        raise InvalidModel(f"{name.replace('_', ' ').upper()} takes {count} arguments, {len(arguments)} are given")
    return build(*arguments) if name in FUNCTIONS else build(scope, *arguments)


def _in_pysd(name: str) -> bool:
    # Imported here because it takes long and only a message needs it.
    from pysd.builders.python.python_functions import functionspace

    return name in functionspace


def _read_as(mode: Mode, ast: Any, scope: Scope) -> Expression:
    """A table function read by another rule than its own."""
    if len(ast.arguments) != 2 or key(getattr(ast.arguments[0], "reference", "")) not in scope.tables:
        raise InvalidModel(f"{ast.function.reference.replace('_', ' ').upper()} takes a table function and a number")
    table, argument = ast.arguments
    function = replace(scope.tables[key(table.reference)], mode=mode)
    return function.read(lower_expression(argument, scope), _index(table, scope))


def _element_count(label: str, scope: Scope) -> Expression:
    name = scope.ranges.name_of(label)
    if name is None:
        raise InvalidModel(
            f"ELMCOUNT of {label!r}, which is no subscript range.{suggest(label, scope.ranges.elements)}"
        )
    return Number(float(len(scope.ranges.elements[name])))


def _reduction(name: str, argument: Expression, scope: Scope) -> Expression:
    over = tuple(axis for axis in argument.axes if axis.endswith("!"))
    stray = set(argument.axes) - {*over, *scope.block_axes, *scope.outside, *scope.implicit}
    if stray:
        raise InvalidModel(_unmarked(name.upper(), argument, stray))
    if not over:
        return argument
    return Reduction(REDUCTIONS[name], argument, over, tuple(axis for axis in argument.axes if axis not in over))


def _unmarked(name: str, argument: Expression, stray: Collection[str]) -> str:
    """What to write where a sum does not say over which ranges it runs."""
    variable, axes = "...", argument.axes
    if isinstance(argument, Reference):
        variable = shown(argument.variable)
    vensim = ",".join(shown(axis) + ("!" if axis in stray else "") for axis in axes)
    xmile = ",".join("*" if axis in stray else shown(axis) for axis in axes)
    return (
        f"{name} does not say that it runs over {shown(sorted(stray)[0])!r}: write {name}({variable}[{xmile}]) in an "
        f"XMILE file, {name}({variable}[{vensim}]) in a Vensim file."
    )


def _only_argument(ast: Any) -> Any:
    if len(ast.arguments) != 1:
        raise InvalidModel(
            f"table function {ast.function.reference!r} takes 1 argument, {len(ast.arguments)} are given"
        )
    return ast.arguments[0]


def _inline_table(ast: Any, scope: Scope) -> Expression:
    points = sorted_points(ast.lookups.x, ast.lookups.y)
    return interpolation(lower_expression(ast.argument, scope), [points], (), ast.lookups.type)


def _constants(ast: Any, scope: Scope) -> Expression:
    values = scope.files.constants(ast, scope.ranges.counts(scope.block))
    return scope.table(values) if values.ndim else Number(float(values))


def _series(ast: Any, scope: Scope) -> Expression:
    points = scope.files.series(ast, scope.ranges.counts(scope.block), scope.mode)
    axes, cells = scope.part()
    return interpolation(Time(), [points[cell] for cell in cells], axes, scope.mode)


def _initial(ast: Any, scope: Scope) -> Expression:
    return scope.hide("initial", lower_expression(ast.initial, scope), None)


def _integ(ast: Any, scope: Scope) -> Expression:
    flow, initial = lower_expression(ast.flow, scope), lower_expression(ast.initial, scope)
    return scope.hide("stock", flow, initial, non_negative=bool(ast.non_negative))


def _stateful(build: Callable[..., Expression], *names: str) -> Callable[[Any, Scope], Expression]:
    """Lower some fields of a node and hand them to what builds it from hidden variables."""
    return lambda ast, scope: build(scope, *(lower_expression(getattr(ast, name), scope) for name in names))


def _allocate_available(ast: Any, scope: Scope) -> Expression:
    request, available = lower_expression(ast.request, scope), lower_expression(ast.avail, scope)
    # Vensim names the first number of the profile; meant are all four of them.
    labels = list(ast.pp.subscripts.subscripts) if ast.pp.subscripts else []
    dims = scope.dims.get(key(ast.pp.reference), ())
    if len(labels) != len(dims) or not labels:
        raise InvalidModel(f"{ast.pp.reference!r} has {len(dims)} subscripts, {len(labels)} are given")
    whole = replace(ast.pp, subscripts=replace(ast.pp.subscripts, subscripts=[*labels[:-1], dims[-1]]))
    return arrays.allocate_available(scope, request, lower_expression(whole, scope), available)


# Node type of the abstract model -> how it is lowered.
NODES: dict[str, Callable[[Any, Scope], Expression]] = {
    "ArithmeticStructure": _arithmetic,
    "LogicStructure": _logic,
    "ReferenceStructure": _reference,
    "CallStructure": _call,
    "GameStructure": lambda ast, scope: lower_expression(ast.expression, scope),
    "InlineLookupsStructure": _inline_table,
    "GetConstantsStructure": _constants,
    "GetDataStructure": _series,
    "InitialStructure": _initial,
    "IntegStructure": _integ,
    "SmoothStructure": _stateful(delays.smooth, "input", "smooth_time", "initial", "order"),
    "SmoothNStructure": _stateful(delays.smooth_n, "input", "smooth_time", "initial", "order"),
    "DelayStructure": _stateful(delays.delay, "input", "delay_time", "initial", "order"),
    "DelayNStructure": _stateful(delays.delay_n, "input", "delay_time", "initial", "order"),
    "DelayFixedStructure": _stateful(delays.delay_fixed, "input", "delay_time", "initial"),
    "TrendStructure": _stateful(delays.trend, "input", "average_time", "initial_trend"),
    "ForecastStructure": _stateful(delays.forecast, "input", "average_time", "horizon", "initial_trend"),
    "AllocateAvailableStructure": _allocate_available,
    "AllocateByPriorityStructure": _stateful(arrays.allocate_by_priority, "request", "priority", "width", "supply"),
    "SampleIfTrueStructure": _stateful(delays.sample_if_true, "condition", "input", "initial"),
}
