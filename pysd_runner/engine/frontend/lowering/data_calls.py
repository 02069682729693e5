"""Functions of Vensim that read a series of data at other times than the one at hand: GET DATA ... and TIME SHIFT."""

import math
from collections.abc import Callable

from pysd_runner.engine.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend.lowering import table_calculus
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import static_index
from pysd_runner.engine.frontend.lowering.tables import UNDEFINED, Chosen, Points, TableFunction
from pysd_runner.engine.frontend.syntax import Call, Name, Variable
from pysd_runner.engine.function_table import operation
from pysd_runner.engine.ir import Expression, Number, Reduction, Table, Time
from pysd_runner.engine.names import HIDDEN, key

MISSING = Number(math.nan)


def _between_times(node: Call, scope: Scope) -> Expression:
    """The value at a time, interpolated, missing before the first and after the last point."""
    chosen, (time, mode) = _chosen(node, scope, 2)
    # In its other modes a published run of Vensim differs from its documentation: between points it takes the time for
    # a whole number, and at a point the one before.
    if mode != Number(0.0):
        raise UnsupportedFeature("function GET DATA BETWEEN TIMES in another mode than 0")
    return operation("where", table_calculus.inside(chosen, "x", time), chosen.read(time, "interpolate"), MISSING)


def _at_time(node: Call, scope: Scope) -> Expression:
    """The value at a time that has one, missing at all others."""
    chosen, (time,) = _chosen(node, scope, 1)
    return chosen.read(time, "raw")


def _shifted(node: Call, scope: Scope) -> Expression:
    """TIME SHIFT: what a series has so much later."""
    chosen, (shift,) = _chosen(node, scope, 1)
    return chosen.read(operation("add", Time(), shift), scope.mode)


def _end(place: int) -> Callable[[Call, Scope], Expression]:
    return lambda node, scope: _chosen(node, scope, 0)[0].number(lambda table: table.x[place])


def _over_points(name: str) -> Callable[[Call, Scope], Expression]:
    """A number about all points between two times, missing where there is none."""

    def build(node: Call, scope: Scope) -> Expression:
        chosen, (start, end) = _chosen(node, scope, 2)
        x, y = _spread(chosen, scope)
        inside = operation("and", operation("greater_equal", x, start), operation("less_equal", x, end))
        count = _reduced("sum", operation("where", inside, Number(1.0), Number(0.0)), x)
        if name == "count":
            return count
        if name == "mean":
            found: Expression = operation(
                "divide", _reduced("sum", operation("where", inside, y, Number(0.0)), x), count
            )
        else:
            worst = Number(math.inf if name == "least" else -math.inf)
            found = _reduced(name, operation("where", inside, y, worst), x)
        return operation("where", operation("greater", count, Number(0.0)), found, MISSING)

    return build


def _reduced(name: str, argument: Expression, over: Table) -> Reduction:
    """A reduction over points, the last axis of a table."""
    points = over.axes[-1]
    return Reduction(name, argument, (points,), tuple(axis for axis in argument.axes if axis != points))


def _spread(chosen: Chosen, scope: Scope) -> tuple[Table, Table]:
    """Points of series as an array with one more axis; those of a shorter one are followed by missing ones."""
    length = max(len(table.x) for table in chosen.tables)
    label = f"{scope.owner}{HIDDEN}points {len(scope.ranges.elements)}"
    axes = (*chosen.axes, f"{scope.ranges.counted(label, length)}!")

    def filled(side: str) -> Table:
        rows = [getattr(table, side) for table in chosen.tables]
        values = tuple(value for row in rows for value in (*row, *[math.nan] * (length - len(row))))
        return Table(values, (*chosen.shape, length), axes)

    return filled("x"), filled("y")


def _chosen(node: Call, scope: Scope, count: int) -> tuple[Chosen, list[Expression]]:
    """The series that a function takes, and the numbers behind it."""
    data, name = node.arguments[0] if node.arguments else None, node.function.upper()
    if len(node.arguments) != count + 1 or not isinstance(data, Name) or key(data.name) not in scope.series:
        raise InvalidModel(f"{name} takes a data variable{('', ' and a number', ' and two numbers')[count]}")
    variable = scope.series[key(data.name)]
    index = static_index(data.name, data.subscripts, scope)
    chosen = _series(variable, name, scope).chosen(index)
    return chosen, [scope.lowered(part) for part in node.arguments[1:]]


def _series(variable: Variable, name: str, scope: Scope) -> TableFunction:
    """A data variable as a table over time."""
    dims = scope.dims[key(variable.name)]
    tables: dict[tuple[int, ...], Points] = {}
    for equation in variable.equations:
        call = equation.expression
        if not isinstance(call, Call) or call.function != "get data":
            raise UnsupportedFeature(f"function {name} of {variable.name!r}, which no GET XLS DATA reads from a file,")
        found = scope.files.series(call, scope.ranges.counts(equation.subscripts), "raw")
        tables |= zip(scope.ranges.positions(equation.subscripts, dims), map(_known, found), strict=True)
    shape = tuple(len(scope.ranges.elements[dim]) for dim in dims)
    return TableFunction(dims, shape, tables, "interpolate")


def _known(table: Points) -> Points:
    """Points that are not missing."""
    pairs = [(x, y) for x, y in zip(table.x, table.y, strict=True) if not math.isnan(y)]
    return Points(tuple(x for x, _ in pairs), tuple(y for _, y in pairs)) if pairs else UNDEFINED


# Function -> how it is lowered.
DATA_CALLS: dict[str, Callable[[Call, Scope], Expression]] = {
    "get data between times": _between_times,
    "get data at time": _at_time,
    "get data first time": _end(0),
    "get data last time": _end(-1),
    "get data min": _over_points("least"),
    "get data max": _over_points("largest"),
    "get data mean": _over_points("mean"),
    "get data total points": _over_points("count"),
    "time shift": _shifted,
}
