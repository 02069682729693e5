"""Data equations, ``x := f(other data, constants)``: series whose points lie where those of the other data lie."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pysd_runner.engine.errors import InvalidModel, Message, UnsupportedFeature
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import box_of, left_side
from pysd_runner.engine.frontend.lowering.tables import UNDEFINED, TableFunction, TablePoints
from pysd_runner.engine.frontend.syntax import Call, DefinedVariable, Equation, Node
from pysd_runner.engine.ir import (
    FIXED,
    Block,
    Expression,
    ModelIr,
    Reference,
    hidden_variable,
    key,
    operation,
    reduced,
    reference_to,
    walk,
)
from pysd_runner.engine.kinds import Array
from pysd_runner.engine.passes.missing import Rewriting

# Reads the series of a data variable; the second argument is what is done with them.
Reader = Callable[[DefinedVariable, Message, Scope], TableFunction]


def evaluated(equation: Equation, variable: DefinedVariable, scope: Scope, read: Reader) -> list[TablePoints] | None:
    """Points of each cell that a data equation names, in row-major order; None if it reads no data.

    There is a point at each time at which one of the data in the equation has one, if the value is not missing.
    """
    name = scope.names[key(variable.name)]
    if name in scope.evaluated:
        raise InvalidModel("the data equation of {name!r} depends on itself", name=name)
    node, filling = _filled(equation.expression)
    inner = replace(scope, owner=name, stock=False, evaluated=(*scope.evaluated, name), hidden=[])
    dims = scope.dims[key(name)]
    index = left_side(equation.subscripts, box_of(equation.subscripts, dims, inner), dims, inner)
    expression = inner.lowered(node)
    if inner.hidden:
        raise UnsupportedFeature("a function that keeps a state, in a data equation,")
    given = {part.variable: None for part in walk(expression) if isinstance(part, Reference)}
    data = [item for item in given if key(item) in scope.series]
    if not data:
        return None
    doing = Message("data equation of {name!r}, of", name=name)
    tables = {item: read(scope.series[key(item)], doing, inner) for item in data}
    grid = np.unique([x for item in tables.values() for table in item.tables.values() for x in _known(table).x])
    values = {item: _at_points(found, grid) for item, found in tables.items()}
    filled = {item: np.where(np.isnan(value), filling, value) for item, value in values.items()}
    constants = {item: _constant(item, inner) for item in given if item not in tables}
    blocks = [
        Block(index, part, None, equation.text)
        for part in (Rewriting(set(data), {}).of(expression)[0], _has_point(expression, set(data), index))
    ]
    model = _model([*given], scope)
    found, has = (
        _evaluate(model, block, {**part, **constants}, grid)
        for block, part in zip(blocks, (filled, values), strict=True)
    )
    return [_series(grid, *cell) for cell in zip(found, has, strict=True)]


def _filled(node: Node | None) -> tuple[Node, float]:
    """An equation without X IF MISSING around it, and the number that this puts in the place of missing data."""
    if isinstance(node, Call) and node.function == "if missing":
        value, otherwise = node.arguments
        return value, getattr(otherwise, "value", math.nan)
    return node, math.nan  # type: ignore[return-value]


def _known(table: TablePoints) -> TablePoints:
    return TablePoints((), ()) if math.isnan(table.y[0]) else table


def _at_points(found: TableFunction, grid: Array) -> Array:
    """Values of series at some times, shape (1, time, ...); NaN where a series has no point."""
    values = np.full((1, grid.size, *found.shape), np.nan)
    for place, table in found.tables.items():
        series = _known(table)
        np.moveaxis(values[0], 0, -1)[place][np.searchsorted(grid, series.x)] = series.y
    return values


def _constant(name: str, scope: Scope) -> Array:
    """Values of a variable that does not change in a run, shape (1, 1, ...), as computed before it is lowered."""
    dims = scope.dims[key(name)]
    values = scope.settled("auxiliary", reference_to(name, dims), f"{FIXED} {name} in its data equation 1")
    return np.reshape(values, (1, 1, *(len(scope.ranges.elements[dim]) for dim in dims)))


def _has_point(expression: Expression, data: set[str], index: Sequence[object]) -> Expression:
    """Whether one of the data in an expression has a point."""
    kept = {item.label for item in index if hasattr(item, "label")}
    found: Expression | None = None
    for part in walk(expression):
        if isinstance(part, Reference) and part.variable in data:
            known: Expression = operation("equal", part, part)
            if over := tuple(axis for axis in part.axes if axis not in kept):
                known = reduced("largest", known, over)
            found = known if found is None else operation("or", found, known)
    return operation("where", found, 1.0, 0.0)  # type: ignore[arg-type]


def _model(names: Iterable[str], scope: Scope) -> ModelIr:
    variables = {name: hidden_variable(name, "data", scope.dims[key(name)]) for name in names}
    return ModelIr(ranges=scope.ranges.elements, variables=variables, fingerprint="")


def _evaluate(model: ModelIr, block: Block, values: Mapping[str, Array], grid: Array) -> Array:
    """Values of an equation, shape (cell, time)."""
    # Imported here because most models have no data equations.
    from pysd_runner.engine.numpy.target import equation_of

    found = equation_of(model, block)(values, grid[None])[0]
    whole = np.broadcast_to(found, (grid.size, *model.shape(block.axes)))
    return whole.reshape(grid.size, -1).T


def _series(grid: Array, values: Array, has_point: Array) -> TablePoints:
    at = (has_point != 0) & np.isfinite(values)
    return TablePoints(tuple(grid[at].tolist()), tuple(values[at].tolist())) if at.any() else UNDEFINED
