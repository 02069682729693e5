"""Table functions of a model, and functions that interpolate, invert or integrate them, or read data series."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from pysd_runner.engine.errors import InvalidModel, Message, UnsupportedFeature
from pysd_runner.engine.frontend import syntax
from pysd_runner.engine.frontend.lowering.external import DataFiles
from pysd_runner.engine.frontend.lowering.ranges import Ranges
from pysd_runner.engine.frontend.lowering.scope import Scope
from pysd_runner.engine.frontend.lowering.series import series_of
from pysd_runner.engine.frontend.lowering.subscripts import static_index
from pysd_runner.engine.frontend.lowering.tables import (
    NARROWEST,
    UNDEFINED,
    Chosen,
    NoTable,
    TableFunction,
    TablePoints,
    interpolation,
    is_jump,
    sorted_points,
)
from pysd_runner.engine.frontend.syntax import Call, DefinedVariable, Name, Subscript
from pysd_runner.engine.ir import HIDDEN, Expression, Mode, Number, Table, Time, key, operation, reduced

MISSING = Number(math.nan)


def _between_times(node: Call, scope: Scope) -> Expression:
    """GET DATA BETWEEN TIMES: the interpolated value at a time, missing before the first and after the last point."""
    chosen, (time, mode) = _series_called(node, scope, 2)
    # In the other modes, a published run of Vensim differs from its documentation: between points it uses the time as
    # an integer, and at a point it uses the previous point.
    if mode != Number(0.0):
        raise UnsupportedFeature("function GET DATA BETWEEN TIMES in another mode than 0")
    return operation("where", inside(chosen, "x", time), chosen.read(time, "interpolate"), MISSING)


def _at_time(node: Call, scope: Scope) -> Expression:
    """GET DATA AT TIME: the value at a time that has a data point, missing at all other times."""
    chosen, (time,) = _series_called(node, scope, 1)
    if isinstance(time, Number) and math.isnan(time.value):
        # The documentation says that it is missing then; a published study cannot be met with that.
        scope.unsettled[scope.owner] = None
        return MISSING
    return chosen.read(time, "raw")


def _shifted(node: Call, scope: Scope) -> Expression:
    """TIME SHIFT: the value of a series at the current time plus a shift."""
    chosen, (shift,) = _series_called(node, scope, 1)
    return chosen.read(Time() + shift, scope.mode)


def _end(place: int) -> Callable[[Call, Scope], Expression]:
    return lambda node, scope: _series_called(node, scope, 0)[0].number(
        lambda table: table.x[place] if _has_points(table) else math.nan
    )


# Reduction of the points of a series by its name, and the neutral element of the reduction.
_NEUTRAL = {"least": ("least", math.inf), "largest": ("largest", -math.inf), "mean": ("sum", 0.0)}


def _over_points(name: str) -> Callable[[Call, Scope], Expression]:
    """Count, mean, minimum or maximum of the points between two times; missing if there are none, except the count."""

    def build(node: Call, scope: Scope) -> Expression:
        chosen, (start, end) = _series_called(node, scope, 2)
        x, y = _spread(chosen, scope)
        inside = (x >= start) & (x <= end)
        count = reduced("sum", operation("where", inside, 1.0, 0.0), x.axes[-1:])
        if name == "count":
            return count
        kind, nothing = _NEUTRAL[name]
        found: Expression = reduced(kind, operation("where", inside, y, nothing), x.axes[-1:])
        return operation("where", count > 0.0, found / count if name == "mean" else found, MISSING)

    return build


def _spread(chosen: Chosen, scope: Scope) -> tuple[Table, Table]:
    """Points of series as arrays x and y with an extra trailing axis; shorter series are padded, beyond every time."""
    length = max(len(table.x) for table in chosen.tables)
    label = f"{scope.owner}{HIDDEN}points {len(scope.ranges.elements)}"
    axes = (*chosen.axes, f"{scope.ranges.counted(label, length)}!")

    def filled(side: str, beyond: float) -> Table:
        rows = [getattr(table, side) if _has_points(table) else () for table in chosen.tables]
        values = tuple(value for row in rows for value in (*row, *[beyond] * (length - len(row))))
        return Table(values, (*chosen.shape, length), axes)

    return filled("x", math.inf), filled("y", 0.0)


def _has_points(series: TablePoints) -> bool:
    return not math.isnan(series.y[0])


def _series_called(node: Call, scope: Scope, count: int) -> tuple[Chosen, list[Expression]]:
    """The series that is the first argument of a function, and its numeric arguments."""
    data, name = node.arguments[0] if node.arguments else None, node.function.upper()
    if len(node.arguments) != count + 1 or not isinstance(data, Name) or key(data.name) not in scope.names:
        numbers = (Message(""), Message(" and a number"), Message(" and two numbers"))[count]
        raise InvalidModel("{name} takes a data variable{numbers}", name=name, numbers=numbers)
    variable = scope.series.get(key(data.name))
    # Vensim's documentation: missing, as there are no data.
    told = Message("{name} of {variable!r} is missing: it is no data, as := makes", name=name, variable=data.name)
    if variable is None:
        scope.notes[told] = None
        return Chosen((UNDEFINED,), (), ()), [scope.lowered(part) for part in node.arguments[1:]]
    index = static_index(data.name, data.subscripts, scope)
    function = series_of(variable, Message("function {name} of", name=name), scope)
    if any(place not in function.tables for place in function.places(index)):
        scope.notes[told] = None
    return function.chosen(index), [scope.lowered(part) for part in node.arguments[1:]]


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

HALF = Number(0.5)


def area(chosen: Chosen, mode: Mode, end: Expression) -> Expression:
    """Area below tables from their first points to `end`; beyond their ends the mode decides how they continue."""
    if mode not in ("interpolate", "extrapolate", "hold_backward"):
        raise UnsupportedFeature("the area below a table that looks forward")
    held = mode == "hold_backward"

    def before(values: Callable[[TablePoints], Sequence[float]]) -> Expression:
        """Value, at the last point before `end`, of a quantity given for every point."""
        return chosen.each(lambda table: TablePoints(table.x, tuple(values(table)))).read(end, "hold_backward")

    height = before(lambda table: table.y)
    if not held:
        height = HALF * (height + chosen.read(end, mode))
    rest = height * (end - before(lambda table: table.x))
    return before(lambda table: _areas(table, held)) + rest


def _areas(table: TablePoints, held: bool) -> list[float]:
    """Area from the first point to each point."""
    x, y = np.array(table.x), np.array(table.y)
    heights = y[:-1] if held else (y[:-1] + y[1:]) / 2
    return [0.0, *np.cumsum(np.diff(x) * heights).tolist()]


def slope(chosen: Chosen, place: Expression) -> Expression:
    """Slope of tables: at a point the mean of both sides, missing at jumps, beyond the ends that of the end segment."""
    after = chosen.each(lambda table: TablePoints(table.x, tuple(_slopes(table)[1:])))
    before = chosen.each(lambda table: TablePoints(table.x, tuple(_slopes(table)[:-1])))
    return HALF * (after.read(place, "hold_backward") + before.read(place, "look_forward"))


def _slopes(table: TablePoints) -> list[float]:
    """Slopes of the segments of a table, those at the ends twice."""
    pieces = zip(table.x[:-1], table.x[1:], table.y[:-1], table.y[1:], strict=True)
    found = [np.nan if is_jump(a, b) else (d - c) / (b - a) for a, b, c, d in pieces] or [0.0]
    return [found[0], *found, found[-1]]


def inside(chosen: Chosen, side: str, value: Expression) -> Expression:
    """Whether a value lies between the minimum and the maximum of x, or y, of tables."""
    # This is read from a table, as a comparison would require the bounds to have a unit.

    def between(table: TablePoints) -> TablePoints:
        low, high = min(getattr(table, side)), max(getattr(table, side))
        x = (_beyond(low, -1.0), *dict.fromkeys((low, high)), _beyond(high, 1.0))
        return TablePoints(x, (0.0, *[1.0] * (len(x) - 2), 0.0))

    return chosen.each(between).read(value, "interpolate")


def inverse(table: TablePoints) -> TablePoints:
    """Inverse of a table: the smallest x at which it has each y between its minimum and its maximum."""
    # Only the part of a segment outside the range of y so far counts. If y turned in between, the inverse jumps.
    high, low = [(table.y[0], table.x[0])], [(table.y[0], table.x[0])]
    for a, b, c, d in zip(table.x[:-1], table.x[1:], table.y[:-1], table.y[1:], strict=True):
        for side, sign in ((high, 1.0), (low, -1.0)):
            last, first = side[-1]
            if sign * (d - last) > 0:
                again = a + (b - a) * (last - c) / (d - c)
                if again > first:
                    side.append((_beyond(last, sign), again))
                side.append((d, b))
    points = [*reversed(low[1:]), *high]
    return sorted_points([y for y, _ in points], [x for _, x in points])


def _beyond(value: float, sign: float) -> float:
    """The next larger or smaller number, far enough away for a finite slope in between."""
    found = float(np.nextafter(value, sign * np.inf))
    return found if abs(found - value) > NARROWEST else value + sign * NARROWEST


# Functions that read a table function with an interpolation mode of their own.
LOOKUPS: dict[str, Mode] = {
    "lookup forward": "look_forward",
    "lookup backward": "hold_backward",
    "lookup extrapolate": "extrapolate",
}


def read_table(node: Call, scope: Scope) -> Expression:
    """Lower a call of a table function."""
    if len(node.arguments) != 1:
        raise InvalidModel(
            "table function {function!r} takes 1 argument, {count} are given",
            function=node.function,
            count=len(node.arguments),
        )
    function, chosen = _tables(node.function, node.subscripts, scope)
    return chosen.read(scope.lowered(node.arguments[0]), function.mode)


def _read_as(node: Call, scope: Scope) -> Expression:
    """Read a table function with another interpolation mode than its own."""
    chosen, _, (argument,) = _chosen(node, scope)
    return chosen.read(argument, LOOKUPS[key(node.function)])


def _inverted_table(node: Call, scope: Scope) -> Expression:
    """LOOKUP INVERT: the smallest x at which a table has a value, missing if it never has this value."""
    chosen, _, (value,) = _chosen(node, scope)
    found = chosen.each(inverse).read(value, "interpolate")
    return operation("where", inside(chosen, "y", value), found, math.nan)


def _nearest_inverse(node: Call, scope: Scope) -> Expression:
    """LOOKUPINV of Stella: as LOOKUP INVERT, but values outside of the table are clipped or extrapolated."""
    chosen, mode, (value,) = _chosen(node, scope)
    if mode == "hold_backward":
        raise UnsupportedFeature("LOOKUPINV, the inverse of a discrete table,")
    turned = chosen.each(inverse)
    return turned.read(value, "extrapolate" if mode == "extrapolate" else "interpolate")


def _area(node: Call, scope: Scope) -> Expression:
    """LOOKUP AREA: the area below a table function between two values of x, extrapolated by its mode."""
    chosen, mode, (start, end) = _chosen(node, scope, 2)
    return area(chosen, mode, end) - area(chosen, mode, start)


def _bounded_area(node: Call, scope: Scope) -> Expression:
    """LOOKUPAREA of Stella: the area below a whole table, up to one x, or between two x in either order."""
    count = len(node.arguments) - 1
    chosen, mode, given = _chosen(node, scope, count)
    first, last = chosen.number(lambda table: table.x[0]), chosen.number(lambda table: table.x[-1])
    found = [*given, *(last, first)[len(given) :]]
    low, high = operation("min", *found), operation("max", *found)
    if mode != "extrapolate":
        low, high = (operation("min", operation("max", place, first), last) for place in (low, high))
    return area(chosen, mode, high) - area(chosen, mode, low)


def _slope(node: Call, scope: Scope) -> Expression:
    """LOOKUP SLOPE: the slope of a table; beyond its ends, by mode, zero, that of the end segment, or missing."""
    chosen, _, (place, mode) = _chosen(node, scope, 2)
    found = slope(chosen, place)
    if mode == Number(1.0):
        return found
    outside: Expression = Number(0.0)
    if mode != outside:
        going_on = operation("where", operation("equal", mode, 1.0), found, math.nan)
        outside = operation("where", operation("equal", mode, 0.0), 0.0, going_on)
    return operation("where", inside(chosen, "x", place), found, outside)


def _chosen(node: Call, scope: Scope, count: int = 1) -> tuple[Chosen, Mode, list[Expression]]:
    """The tables in the first argument of a function, their interpolation mode, and its `count` numeric arguments."""
    table = node.arguments[0] if node.arguments else None
    if len(node.arguments) != count + 1 or not isinstance(table, Name) or key(table.name) not in scope.tables:
        numbers = Message("a number") if count == 1 else Message("{count} numbers", count=count)
        raise InvalidModel(
            "{function} takes a table function and {numbers}", function=node.function.upper(), numbers=numbers
        )
    function, chosen = _tables(table.name, table.subscripts, scope)
    return chosen, function.mode, [scope.lowered(part) for part in node.arguments[1:]]


def _tables(name: str, subscripts: Sequence[Subscript] | None, scope: Scope) -> tuple[TableFunction, Chosen]:
    """A table function, and its tables for some elements, each of which an equation has to define."""
    function, index = scope.tables[key(name)], static_index(name, subscripts, scope)
    for place in function.places(index):
        if place not in function.tables:
            labels = (scope.ranges.elements[dim][at] for dim, at in zip(function.dims, place, strict=True))
            element = f"{name}[{', '.join(labels)}]"
            raise NoTable(Message("the table {element} is read and has no equation; write one.", element=element))
    return function, function.chosen(index)


def _inline_table(node: Call, scope: Scope) -> Expression:
    argument, table = node.arguments
    if not isinstance(table, syntax.Points):
        raise InvalidModel("a table in an equation is a list of points, ((x, y), (x, y), ...)")
    points = sorted_points(table.x, table.y)
    return interpolation(scope.lowered(argument), [points], (), table.mode)


def _constants(node: Call, scope: Scope) -> Expression:
    values = scope.files.constants(node, scope.block, scope.ranges)
    return scope.table(values.ravel().tolist()) if values.ndim else Number(float(values))


def _series(node: Call, scope: Scope) -> Expression:
    points = scope.files.series(node, scope.block, scope.ranges, scope.mode)
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


def is_table_function(variable: DefinedVariable) -> bool:
    """Whether any equation of a variable defines a table function."""
    return any(equation.kind == "table" for equation in variable.equations)


def table_functions(
    variables: Iterable[DefinedVariable], ranges: Ranges, dims: Mapping[str, tuple[str, ...]], files: DataFiles
) -> dict[str, TableFunction]:
    """Every table function of a model or macro."""
    found = {}
    for variable in variables:
        name = key(variable.name)
        if is_table_function(variable):
            try:
                found[name] = _table_function(variable, ranges, dims[name], files)
            except InvalidModel as error:
                where = variable.equations[0].place.at(0)
                told = Message(
                    "{where}: table function {name!r}: {error}", where=where, name=variable.name, error=error
                )
                raise type(error)(told) from error
        elif _reads_tables(variable) and name in dims:
            # XMILE allows LOOKUP to read the table inside a variable; an invalid table matters only if it is used.
            with suppress(InvalidModel):
                found[name] = replace(_table_function(variable, ranges, dims[name], files), has_value=True)
    return found


def _reads_tables(variable: DefinedVariable) -> bool:
    calls = [equation.expression for equation in variable.equations]
    return all(isinstance(node, Call) and node.function == "with lookup" for node in calls)


def _table_function(
    variable: DefinedVariable, ranges: Ranges, dims: tuple[str, ...], files: DataFiles
) -> TableFunction:
    tables: dict[tuple[int, ...], TablePoints] = {}
    modes: set[Mode] = set()
    for equation in variable.equations:
        left_out = {place for group in equation.exceptions for place in ranges.positions(group, dims)}
        places = ranges.positions(equation.subscripts, dims)
        node = equation.expression
        if isinstance(node, Call) and node.function == "with lookup":
            node = node.arguments[1]
        if isinstance(node, Call) and node.function == "get lookups":
            points = files.series(node, equation.subscripts, ranges, "interpolate")
            modes.add("interpolate")
        elif isinstance(node, syntax.Points):
            points = [sorted_points(node.x, node.y)] * len(places)
            modes.add(node.mode)
        else:
            raise InvalidModel("some of its equations are no table")
        found = zip(places, points, strict=True)
        tables |= {place: item for place, item in found if place not in left_out}
    if len(modes) > 1:
        raise InvalidModel("its tables differ in what holds between points: {names}", names=", ".join(sorted(modes)))
    return TableFunction(dims, tuple(len(ranges.elements[name]) for name in dims), tables, modes.pop())
