"""Functions that read tables: by a rule of their own, backwards, written into an equation, or from a file."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pysd_runner.core.errors import InvalidModel, UnsupportedFeature
from pysd_runner.engine.frontend import syntax
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.subscripts import static_index
from pysd_runner.engine.frontend.lowering.tables import UNDEFINED, TableFunction, interpolation, sorted_points
from pysd_runner.engine.frontend.syntax import Call, Name
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


def _table_of(node: Call, scope: Scope) -> tuple[Name, TableFunction]:
    """The table function that another function takes, before a number."""
    table = node.arguments[0] if node.arguments else None
    if len(node.arguments) != 2 or not isinstance(table, Name) or key(table.name) not in scope.tables:
        raise InvalidModel(f"{node.function.upper()} takes a table function and a number")
    return table, scope.tables[key(table.name)]


def _read_as(node: Call, scope: Scope) -> Expression:
    """A table function read by another rule than its own."""
    table, function = _table_of(node, scope)
    argument = scope.lowered(node.arguments[1])
    index = static_index(table.name, table.subscripts, scope)
    return replace(function, mode=LOOKUPS[key(node.function)]).read(argument, index)


def _inverted_table(node: Call, scope: Scope) -> Expression:
    """LOOKUP INVERT: where a table function that only rises, or only falls, has a value."""
    table, function = _table_of(node, scope)
    index = static_index(table.name, table.subscripts, scope)
    turned = {}
    for place in function.picked(index)[1]:
        points = function.tables.get(place, UNDEFINED)
        steps = np.diff(points.y)
        if not ((steps > 0).all() or (steps < 0).all()):
            raise UnsupportedFeature("LOOKUP INVERT of a table that does not rise, or fall, throughout")
        turned[place] = sorted_points(points.y, points.x)
    return replace(function, tables=turned).read(scope.lowered(node.arguments[1]), index)


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
    "with lookup": _inline_table,
    "get constants": _constants,
    "get data": _series,
}
