"""Data series that a model reads itself: as a table to be compared, and their points against the steps of a payoff."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product

import numpy as np

from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.core.types import Array, frozen
from pysd_runner.data import Column, Data
from pysd_runner.engine.ir import Axis, Block, Interpolation, ModelIr, Time, references
from pysd_runner.model import Model
from pysd_runner.simulation.run import element_name, located
from pysd_runner.spec import Observation

# Equations of data, apart from those of tables that are functions of time.
_DATA = re.compile(r":=|^[^=]*$|GET (?:XLS|DIRECT|VDF) DATA", re.IGNORECASE)


@frozen(eq=False)
class BoundSeries:
    """The points of one element of a data variable."""

    name: str  # variable, with its element
    times: Array
    values: Array
    is_filled: bool  # whether it has values between its points


def series_of_variable(model: ModelIr, variable: str) -> Iterator[BoundSeries]:
    """Series of all elements of a variable that has points; none of another variable."""
    for block in model.variables[variable].blocks:
        found = block.expression
        if isinstance(found, Interpolation) and isinstance(found.argument, Time) and _DATA.search(block.text):
            yield from _series_of_block(model, variable, block, found)


def _series_of_block(model: ModelIr, variable: str, block: Block, found: Interpolation) -> Iterator[BoundSeries]:
    tables = np.array([found.x, found.y]).reshape(2, -1, found.points)
    shape = model.shape(model.variables[variable].dims)
    places = [item.places(size) for item, size in zip(block.index, shape, strict=True)]
    labels = [item.label if isinstance(item, Axis) else "" for item in block.index]
    for cell in product(*(range(len(item)) for item in places)):
        at = dict(zip(labels, cell, strict=True))
        sizes = dict(zip(labels, map(len, places), strict=True))
        row = 0
        for axis in found.tables:
            row = row * sizes[axis] + at[axis]
        times, first = np.unique(tables[0, row], return_index=True)
        values = tables[1, row][first]
        known = np.isfinite(times) & np.isfinite(values)
        if known.any():
            position = tuple(int(item[place]) for item, place in zip(places, cell, strict=True))
            name = element_name(model, variable, position)
            yield BoundSeries(name=name, times=times[known], values=values[known], is_filled=found.mode != "raw")


def compared_series(model: ModelIr, variables: Iterable[str]) -> dict[str, BoundSeries]:
    """Series that variables depend on at the same time, that is without a stock in between, by name."""
    found: dict[str, BoundSeries] = {}
    seen: set[str] = set()
    waiting = list(variables)
    while waiting:
        name = waiting.pop()
        if name in seen or model.variables[name].kind in ("stock", "constant", "control"):
            continue
        seen.add(name)
        found |= {item.name: item for item in series_of_variable(model, name)}
        waiting += [other for block in model.variables[name].blocks for other in references(block.expression)]
    return found


def bound_table(model: Model) -> tuple[Data, Mapping[str, Observation]]:
    """Data series of a model that its declared measurements compare, as a table with one column for each element.

    Parameters
    ----------
    model
        A model whose declared measurements name data variables as their columns.

    Returns
    -------
    data : Data
        The points of the series.
    observations : mapping
        The measurements, one for each element.

    Raises
    ------
    InvalidInput
        If a column is no data variable with points.
    """
    found: dict[str, BoundSeries] = {}
    observations: dict[str, Observation] = {}
    for key, item in model.declarations.observations.items():
        try:
            variable, position = located(model, item.column)
        except UnknownName:
            variable, position = "", None
        every = {one.name: one for one in series_of_variable(model.ir, variable)} if variable else {}
        wanted = [element_name(model.ir, variable, position)] if position is not None else list(every)
        if not every or not set(wanted) <= set(every):
            raise InvalidInput(
                "measurements[{key!r}]: {column!r} is no data series of {model}; give a table with this column, or the "
                "data sets that hold it (--sets)",
                key=key,
                column=item.column,
                model=model.path.name,
            )
        for name in wanted:
            element = name[len(variable) :] if position is None else ""
            found[name] = every[name]
            observations[f"{key}{element}"] = replace(item, column=name, outcome=f"{item.outcome}{element}")
    times = np.unique(np.concatenate([item.times for item in found.values()]))
    columns = {}
    for name, series in found.items():
        values = np.full(len(times), np.nan)
        values[np.searchsorted(times, series.times)] = series.values
        columns[name] = Column(name=name, values=values)
    return Data(name=model.path.name, times=times, columns=columns), observations
