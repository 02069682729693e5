"""Points of data variables: those that an equation reads from a file, computes from other data, or of data sets."""

import math

from pysd_runner.engine.errors import UnsupportedFeature
from pysd_runner.engine.frontend.lowering.data_equations import evaluated
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.tables import UNDEFINED, TableFunction, TablePoints, interpolation
from pysd_runner.engine.frontend.syntax import Call, DefinedVariable, Equation
from pysd_runner.engine.ir import Expression, Time, key


def points_of(equation: Equation, variable: DefinedVariable, scope: Scope) -> list[TablePoints] | None:
    """Points of each cell that an equation of a data variable names, in row-major order; None if it has no points.

    Points that are missing are left out, and a cell that has none is `UNDEFINED`.
    """
    node = equation.expression
    if isinstance(node, Call) and node.function == "get data":
        return [_known(table) for table in scope.files.series(node, equation.subscripts, scope.ranges, "raw")]
    if node is None:
        return _bound(equation, variable, scope)
    if equation.kind != "data":
        return None
    text = variable.name, equation.text
    if text not in scope.points:
        scope.points[text] = evaluated(equation, variable, scope, series_of)
    return scope.points[text]  # type: ignore[no-any-return]


def _bound(equation: Equation, variable: DefinedVariable, scope: Scope) -> list[TablePoints] | None:
    """Points in the data sets; None if they have none for any cell of the variable."""
    dims = scope.dims[key(variable.name)]

    def points(item: Equation) -> list[TablePoints | None]:
        cells = scope.ranges.positions(item.subscripts, dims)
        elements = [[scope.ranges.elements[dim][at] for dim, at in zip(dims, cell, strict=True)] for cell in cells]
        return [scope.files.points(variable.name, labels) for labels in elements]

    found = points(equation)
    others = (item for item in variable.equations if item is not equation and item.expression is None)
    if any(found) or any(any(points(item)) for item in others):
        return [table or UNDEFINED for table in found]
    return None


def series_of(variable: DefinedVariable, what: str, scope: Scope) -> TableFunction:
    """A data variable as a table over time; cells whose equation is no data equation have no table."""
    dims = scope.dims[key(variable.name)]
    tables: dict[tuple[int, ...], TablePoints] = {}
    for equation in (item for item in variable.equations if item.kind == "data"):
        found = points_of(equation, variable, scope)
        if found is None:
            raise UnsupportedFeature(
                "{what} {name!r}, which neither GET XLS DATA nor a data set has,", what=what, name=variable.name
            )
        left_out = {cell for labels in equation.exceptions for cell in scope.ranges.positions(labels, dims)}
        cells = zip(scope.ranges.positions(equation.subscripts, dims), found, strict=True)
        tables |= {cell: table for cell, table in cells if cell not in left_out}
    scope.pointed.add(scope.names[key(variable.name)])
    return TableFunction(dims, tuple(len(scope.ranges.elements[dim]) for dim in dims), tables, "interpolate")


def series(equation: Equation, variable: DefinedVariable, scope: Scope) -> Expression | None:
    """Value at the current time of the part of a data variable that is being lowered; None if it has no points."""
    node = equation.expression
    if node is not None and (equation.kind != "data" or (isinstance(node, Call) and node.function == "get data")):
        return None
    tables = points_of(equation, variable, scope)
    if tables is None:
        return None
    axes, cells = scope.part()
    return interpolation(Time(), [tables[cell] for cell in cells], axes, equation.mode)


def _known(table: TablePoints) -> TablePoints:
    """Points that are not missing."""
    pairs = [(x, y) for x, y in zip(table.x, table.y, strict=True) if not math.isnan(y)]
    return TablePoints(tuple(x for x, _ in pairs), tuple(y for _, y in pairs)) if pairs else UNDEFINED
