"""Functions that read tables: by a rule of their own, backwards, written into an equation, or from a file."""

import math
from collections.abc import Callable
from dataclasses import replace

from pysd_runner.engine.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend import syntax
from pysd_runner.engine.frontend.lowering import table_calculus
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import static_index
from pysd_runner.engine.frontend.lowering.tables import Chosen, TableFunction, interpolation, sorted_points
from pysd_runner.engine.frontend.syntax import Call, Name
from pysd_runner.engine.function_table import operation
from pysd_runner.engine.ir import Expression, Mode, Number, Time
from pysd_runner.engine.names import key

# Functions that read a table function by a rule of their own.
LOOKUPS: dict[str, Mode] = {
    "lookup forward": "look_forward",
    "lookup backward": "hold_backward",
    "lookup extrapolate": "extrapolate",
}


def read_table(node: Call, scope: Scope) -> Expression:
    """A table function called with a number."""
    if len(node.arguments) != 1:
        raise InvalidModel(f"table function {node.function!r} takes 1 argument, {len(node.arguments)} are given")
    index = static_index(node.function, node.subscripts, scope)
    return scope.tables[key(node.function)].read(scope.lowered(node.arguments[0]), index)


def _table_of(node: Call, scope: Scope, count: int = 1) -> tuple[Name, TableFunction]:
    """The table function that another function takes, before some numbers."""
    table = node.arguments[0] if node.arguments else None
    if len(node.arguments) != count + 1 or not isinstance(table, Name) or key(table.name) not in scope.tables:
        numbers = "a number" if count == 1 else f"{count} numbers"
        raise InvalidModel(f"{node.function.upper()} takes a table function and {numbers}")
    return table, scope.tables[key(table.name)]


def _read_as(node: Call, scope: Scope) -> Expression:
    """A table function read by another rule than its own."""
    table, function = _table_of(node, scope)
    argument = scope.lowered(node.arguments[1])
    index = static_index(table.name, table.subscripts, scope)
    return replace(function, mode=LOOKUPS[key(node.function)]).read(argument, index)


def _inverted_table(node: Call, scope: Scope) -> Expression:
    """LOOKUP INVERT: the least x at which a table has a value, missing where it never has it."""
    chosen, _, (value,) = _chosen(node, scope)
    found = chosen.each(table_calculus.inverse).read(value, "interpolate")
    return operation("where", table_calculus.inside(chosen, "y", value), found, Number(math.nan))


def _nearest_inverse(node: Call, scope: Scope) -> Expression:
    """LOOKUPINV of Stella: as LOOKUP INVERT, but beyond the table it is that of the value next to it, or goes on."""
    chosen, mode, (value,) = _chosen(node, scope)
    if mode == "hold_backward":
        raise UnsupportedFeature("LOOKUPINV, the inverse of a discrete table,")
    turned = chosen.each(table_calculus.inverse)
    return turned.read(value, "extrapolate" if mode == "extrapolate" else "interpolate")


def _area(node: Call, scope: Scope) -> Expression:
    """LOOKUP AREA: the area below a table between two x; the table goes on beyond its ends."""
    chosen, mode, (start, end) = _chosen(node, scope, 2)
    return operation("subtract", *(table_calculus.area(chosen, mode, place) for place in (end, start)))


def _bounded_area(node: Call, scope: Scope) -> Expression:
    """LOOKUPAREA of Stella: the area below a table, all of it or to one x or between two, in whichever order."""
    count = len(node.arguments) - 1
    chosen, mode, given = _chosen(node, scope, count)
    first, last = chosen.number(lambda table: table.x[0]), chosen.number(lambda table: table.x[-1])
    found = [*given, *(last, first)[len(given) :]]
    low, high = operation("min", *found), operation("max", *found)
    if mode != "extrapolate":
        low, high = (operation("min", operation("max", place, first), last) for place in (low, high))
    return operation("subtract", *(table_calculus.area(chosen, mode, place) for place in (high, low)))


def _slope(node: Call, scope: Scope) -> Expression:
    """LOOKUP SLOPE: the slope of a table; beyond its ends by a mode nothing, that of the last piece, or missing."""
    chosen, _, (place, mode) = _chosen(node, scope, 2)
    found = table_calculus.slope(chosen, place)
    if mode == Number(1.0):
        return found
    outside: Expression = Number(0.0)
    if mode != outside:
        going_on = operation("where", operation("equal", mode, Number(1.0)), found, Number(math.nan))
        outside = operation("where", operation("equal", mode, Number(0.0)), Number(0.0), going_on)
    return operation("where", table_calculus.inside(chosen, "x", place), found, outside)


def _chosen(node: Call, scope: Scope, count: int = 1) -> tuple[Chosen, Mode, list[Expression]]:
    """The tables a function takes, what holds between their points, and the numbers behind them."""
    table, function = _table_of(node, scope, count)
    index = static_index(table.name, table.subscripts, scope)
    return function.chosen(index), function.mode, [scope.lowered(part) for part in node.arguments[1:]]


def _inline_table(node: Call, scope: Scope) -> Expression:
    argument, table = node.arguments
    if not isinstance(table, syntax.Points):
        raise InvalidModel("a table in an equation is a list of points, ((x, y), (x, y), ...)")
    points = sorted_points(table.x, table.y)
    return interpolation(scope.lowered(argument), [points], (), table.mode)


def _constants(node: Call, scope: Scope) -> Expression:
    values = scope.files.constants(node, scope.ranges.counts(scope.block))
    return scope.table(values.ravel().tolist()) if values.ndim else Number(float(values))


def _series(node: Call, scope: Scope) -> Expression:
    points = scope.files.series(node, scope.ranges.counts(scope.block), scope.mode)
    axes, cells = scope.part()
    return interpolation(Time(), [points[cell] for cell in cells], axes, scope.mode)


# Function -> how it is lowered.
TABLE_CALLS: dict[str, Callable[[Call, Scope], Expression]] = {
    **dict.fromkeys(LOOKUPS, _read_as),
    "lookup invert": _inverted_table,
    "lookupinv": _nearest_inverse,
    "lookup area": _area,
    "lookuparea": _bounded_area,
    "lookup slope": _slope,
    "with lookup": _inline_table,
    "get constants": _constants,
    "get data": _series,
}
