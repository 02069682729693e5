"""Series and constants that a model takes from data sets by name: GET VDF CONSTANTS, GET VDF DATA, GET VDF LOOKUPS."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from pysd_runner.engine.errors import InvalidModel
from pysd_runner.engine.frontend.datasets.series import DataSet, Series, label_of, parted
from pysd_runner.engine.frontend.lowering.ranges import Ranges
from pysd_runner.engine.frontend.lowering.tables import TablePoints, sorted_points
from pysd_runner.engine.frontend.syntax import Call, Numeral
from pysd_runner.engine.ir import tidy
from pysd_runner.engine.kinds import Array


def reads_set(call: Call) -> bool:
    """Whether a call reads a data set by name, rather than cells of a sheet."""
    return isinstance(call.arguments[-1], Numeral)


def constants_of(call: Call, found: DataSet, labels: Sequence[str], ranges: Ranges) -> Array:
    """Values of shape (count of each subscript of the left-hand side) at the time that GET VDF CONSTANTS names.

    A time beyond those of the file is clipped; a value that is missing at a time of the file is NaN.
    """
    times = np.unique(np.concatenate([series.times for series in found.values()]))
    at = float(np.clip(_numbers(call)[0], times[0], times[-1]))
    if at not in times:
        raise InvalidModel("the file has no values at time {at:g}", at=at)
    chosen = _series(call, found, labels, ranges)
    values = [dict(zip(series.times, series.values, strict=True)).get(at, math.nan) for series in chosen]
    return np.array(values, dtype=float).reshape(ranges.counts(labels))


def points_of_set(call: Call, found: DataSet, labels: Sequence[str], ranges: Ranges) -> list[TablePoints]:
    """Points of each cell of the left-hand side, at start + slope times the times of the file.

    As Vensim documents, both numbers have no effect if the slope is not above zero.
    """
    start, slope = _numbers(call)
    if slope <= 0:
        start, slope = 0.0, 1.0
    return [
        sorted_points((start + slope * series.times).tolist(), series.values.tolist())
        for series in _series(call, found, labels, ranges)
    ]


def _numbers(call: Call) -> list[float]:
    return [item.value for item in call.arguments if isinstance(item, Numeral)]


def _series(call: Call, found: DataSet, labels: Sequence[str], ranges: Ranges) -> list[Series]:
    """One series for each cell of the left-hand side; Vensim compares the number of both, not their subscripts."""
    name, inside = parted(str(call.arguments[1].value))  # type: ignore[union-attr]
    names = [ranges.name_of(item) for item in inside]
    items = [(tidy(item),) if own is None else ranges.elements[own] for item, own in zip(inside, names, strict=True)]
    cells, needed = list(itertools.product(*items)), math.prod(ranges.counts(labels))
    if len(cells) != needed:
        raise InvalidModel("it stands for {count} series, and {needed} are needed", count=len(cells), needed=needed)
    for cell in cells:
        if label_of(name, cell) not in found:
            shown = f"{name}[{', '.join(cell)}]" if cell else name
            raise InvalidModel("the file has no series {name!r}", name=shown)
    return [found[label_of(name, cell)] for cell in cells]
