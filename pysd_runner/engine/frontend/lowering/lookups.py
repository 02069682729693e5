"""Finds the table functions of a model and the points of each."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend import syntax
from pysd_runner.engine.frontend.lowering.external import DataFiles
from pysd_runner.engine.frontend.lowering.ranges import Ranges
from pysd_runner.engine.frontend.lowering.tables import TableFunction, TablePoints, sorted_points
from pysd_runner.engine.frontend.syntax import Call, DefinedVariable, Node
from pysd_runner.engine.ir import Mode
from pysd_runner.engine.names import key


def is_table_function(variable: DefinedVariable) -> bool:
    """Whether a variable is a table function, of any of its equations."""
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
                raise type(error)(f"{where}: table function {variable.name!r}: {error}") from error
        elif _reads_tables(variable) and name in dims:
            # XMILE may hand the table inside a variable to LOOKUP; one it cannot hand over is of no account.
            with suppress(InvalidModel):
                found[name] = replace(_table_function(variable, ranges, dims[name], files), has_value=True)
    return found


def _reads_tables(variable: DefinedVariable) -> bool:
    return all(_is_inline(equation.expression) for equation in variable.equations)


def _is_inline(node: Node | None) -> bool:
    return isinstance(node, Call) and node.function == "with lookup"


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
            points = files.series(node, ranges.counts(equation.subscripts), "interpolate")
            modes.add("interpolate")
        elif isinstance(node, syntax.Points):
            points = [sorted_points(node.x, node.y)] * len(places)
            modes.add(node.mode)
        else:
            raise InvalidModel("some of its equations are no table")
        found = zip(places, points, strict=True)
        tables |= {place: item for place, item in found if place not in left_out}
    if len(modes) > 1:
        raise InvalidModel(f"its tables differ in what holds between points: {', '.join(sorted(modes))}")
    return TableFunction(dims, tuple(len(ranges.elements[name]) for name in dims), tables, modes.pop())
