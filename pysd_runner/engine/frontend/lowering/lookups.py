"""Finds the table functions of a model and the points of each."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pysd_runner.engine.frontend.lowering.external import DataFiles
from pysd_runner.engine.frontend.lowering.ranges import Ranges
from pysd_runner.engine.frontend.lowering.tables import Points, TableFunction, sorted_points
from pysd_runner.engine.ir import Mode
from pysd_runner.engine.names import key
from pysd_runner.errors import InvalidModel

# Nodes that are the points of a table function.
POINTS = frozenset({"LookupsStructure", "GetLookupsStructure"})


def is_table_function(element: Any) -> bool:
    """Whether an element of a section is a table function, of any of its equations."""
    return any(
        type(component).__name__ == "AbstractLookup" or type(component.ast).__name__ in POINTS
        for component in element.components
    )


def table_functions(
    section: Any, ranges: Ranges, dims: Mapping[str, tuple[str, ...]], path: Path, files: DataFiles
) -> dict[str, TableFunction]:
    """Every table function of a section.

    Parameters
    ----------
    section
        PySD's ``AbstractSection``.
    ranges
        Its subscript ranges.
    dims
        Dimensions of its variables, by comparison key.
    path
        The model file, for messages.
    files
        Where external points are read.

    Returns
    -------
    dict
        Table function by comparison key.

    Raises
    ------
    InvalidModel
        If points are missing or cannot be used.
    """
    found = {}
    for element in section.elements:
        if is_table_function(element):
            try:
                found[key(element.name)] = _table_function(element, ranges, dims[key(element.name)], files)
            except InvalidModel as error:
                raise type(error)(f"{path}: table function {element.name!r}: {error}") from error
        elif _reads_tables(element) and key(element.name) in dims:
            # XMILE may hand the table inside a variable to LOOKUP; one it cannot hand over is of no account.
            with suppress(InvalidModel):
                own = _table_function(element, ranges, dims[key(element.name)], files)
                found[key(element.name)] = replace(own, has_value=True)
    return found


def _reads_tables(element: Any) -> bool:
    return all(type(component.ast).__name__ == "InlineLookupsStructure" for component in element.components)


def _table_function(element: Any, ranges: Ranges, dims: tuple[str, ...], files: DataFiles) -> TableFunction:
    tables: dict[tuple[int, ...], Points] = {}
    modes: set[Mode] = set()
    for component in element.components:
        labels, exceptions = component.subscripts
        left_out = {place for group in exceptions for place in ranges.positions(group, dims)}
        places = ranges.positions(labels, dims)
        node = getattr(component.ast, "lookups", component.ast)
        if type(node).__name__ == "GetLookupsStructure":
            points = files.series(node, ranges.counts(labels), "interpolate")
            modes.add("interpolate")
        elif type(node).__name__ == "LookupsStructure":
            points = [sorted_points(node.x, node.y)] * len(places)
            modes.add(node.type)
        else:
            raise InvalidModel("some of its equations are no table")
        found = zip(places, points, strict=True)
        tables |= {place: item for place, item in found if place not in left_out}
    if len(modes) > 1:
        raise InvalidModel(f"its tables differ in what holds between points: {', '.join(sorted(modes))}")
    return TableFunction(dims, tuple(len(ranges.elements[name]) for name in dims), tables, modes.pop())
