"""Inputs of the statistics: an aligned pair of observed and simulated arrays, or a model as a callable.

Times with a missing value (NaN) in either array are left out of both, and counted; infinite values raise.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName, suggest

FloatArray = NDArray[np.float64]

# Names of the time axis in labelled arrays.
_TIMES = ("year", "time")

#: An axis by its number, or by its name if the array is labelled.
Axis = int | str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two arrays of the same shape, time on the last axis."""

    observed: FloatArray
    simulated: FloatArray
    pooled: int  # number of axes before time that are pooled with it
    labels: tuple[str, ...]

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes over which statistics sum."""
        return tuple(range(-1 - self.pooled, 0))

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where both values are present."""
        return np.asarray(~np.isnan(self.observed))


def line_up(observed: ArrayLike, simulated: ArrayLike, *, time: Axis = -1, pool: Axis | Sequence[Axis] = ()) -> Pair:
    """Check a pair of arrays, align them and move time to the last axis."""
    first, second = _labelled("observed", observed), _labelled("simulated", simulated)
    names: tuple[Hashable, ...] | None = None
    if isinstance(first, xr.DataArray) and isinstance(second, xr.DataArray):
        first, second = _aligned(first, second)
    template = next((array for array in (first, second) if isinstance(array, xr.DataArray)), None)
    left, right = numbers_of("observed", first), numbers_of("simulated", second)
    if left.shape != right.shape:
        raise InvalidInput(
            f"observed has the shape {left.shape} and simulated {right.shape}; they must be the same: pass the same "
            "regions and years in the same order, or labelled arrays"
        )
    if template is not None:
        names = template.dims
    last = _time_axis(time, left.ndim, names)
    several = (pool,) if isinstance(pool, (str, int)) else pool
    pooled = list(dict.fromkeys(axis_number(axis, left.ndim, names) for axis in several))
    if left.size == 0:
        raise InvalidInput(f"the pair has no moments: its shape is {left.shape}")
    kept = [axis for axis in range(left.ndim) if axis != last and axis not in pooled]
    order = [*kept, *(axis for axis in pooled if axis != last), last]
    gone = np.isnan(left) | np.isnan(right)
    left, right = (np.where(gone, np.nan, array).transpose(order) for array in (left, right))
    return Pair(
        observed=left,
        simulated=right,
        pooled=len(order) - len(kept) - 1,
        labels=_series_labels(template, kept, left.shape[: len(kept)]),
    )


def axis_number(axis: Axis, dimensions: int, names: Sequence[Hashable] | None = None) -> int:
    """Non-negative number of an axis given by number or name."""
    if isinstance(axis, str):
        if names is None:
            raise InvalidInput(f"the axis {axis!r} is given by name, but the arrays carry no labels; give its number")
        known = [str(name) for name in names]
        if axis not in known:
            raise UnknownName(f"no axis is called {axis!r}; there are {', '.join(known)}.{suggest(axis, known)}")
        return known.index(axis)
    if not -dimensions <= axis < dimensions:
        raise InvalidInput(f"axis {axis} does not exist: the arrays have {dimensions}")
    return axis % dimensions


def series_of(values: ArrayLike, *, time: Axis = -1, what: str = "residuals") -> FloatArray:
    """Convert an array to numbers with time on the last axis."""
    given = _labelled(what, values)
    names = given.dims if isinstance(given, xr.DataArray) else None
    numbers = numbers_of(what, given)
    last = _time_axis(time, numbers.ndim, names)
    kept = [axis for axis in range(numbers.ndim) if axis != last]
    return numbers.transpose([*kept, last])


def _time_axis(time: Axis, dimensions: int, names: Sequence[Hashable] | None) -> int:
    """Number of the time axis; raises if the number given is not that of an axis named as time."""
    found = axis_number(time, dimensions, names)
    called = [name for name in names or () if name in _TIMES]
    if isinstance(time, str) or not called or (names or ())[found] in _TIMES:
        return found
    raise InvalidInput(
        f"the axis of time is to be {(names or ())[found]!r}, the last or the one given by number, but there is one "
        f"called {called[0]!r}; pass time={called[0]!r}"
    )


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Quotient, NaN where the denominator is zero."""
    below = np.asarray(denominator, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        quotient = np.asarray(numerator, dtype=float) / below
    return np.asarray(np.where(below == 0, np.nan, quotient))


def _labelled(what: str, values: ArrayLike) -> Any:
    """Return the array; pandas objects are converted to labelled arrays."""
    if isinstance(values, xr.DataArray):
        return values
    if isinstance(values, (pd.Series, pd.DataFrame)):
        return xr.DataArray(values)
    if isinstance(values, xr.Dataset):
        raise InvalidInput(f"{what} is a dataset of {len(values)} variables; pass one variable of it")
    return values


def _aligned(observed: xr.DataArray, simulated: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Transpose both to the axis order of the observed array; raises if their labels differ."""
    if set(observed.dims) != set(simulated.dims):
        raise InvalidInput(
            f"observed has the dimensions {observed.dims} and simulated {simulated.dims}; they must be the same: "
            "select one scenario and one draw, or summarise over them first"
        )
    try:
        first, second = xr.align(observed, simulated, join="exact", copy=False)
    except ValueError as mismatch:
        raise InvalidInput(
            f"observed and simulated carry different labels: {mismatch}. Select the same labels of both first"
        ) from mismatch
    return first, second.transpose(*first.dims)


def numbers_of(what: str, values: ArrayLike) -> FloatArray:
    """Convert to an array of finite or missing numbers with at least one axis."""
    try:
        numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as fault:
        raise InvalidInput(f"{what} is not an array of numbers: {fault}") from fault
    if numbers.ndim == 0:
        raise InvalidInput(f"{what} is one number; an array with an axis of time is needed")
    if np.isinf(numbers).any():
        where = tuple(int(index) for index in np.argwhere(np.isinf(numbers))[0])
        raise InvalidInput(f"{what} is infinite at index {where}; mark a value that is not known as NaN")
    return numbers


def _series_labels(template: xr.DataArray | None, kept: Sequence[int], shape: tuple[int, ...]) -> tuple[str, ...]:
    """Name of each series, from the labels of the axes other than time."""
    if not kept:
        return ("all",)
    single = [
        [str(label) for label in _axis_labels(template, axis, size)] for axis, size in zip(kept, shape, strict=True)
    ]
    return tuple(" / ".join(parts) for parts in product(*single))


def _axis_labels(template: xr.DataArray | None, axis: int, size: int) -> tuple[Any, ...]:
    """Coordinates of an axis, or indices if it has none."""
    if template is None or template.dims[axis] not in template.coords:
        return tuple(range(size))
    return tuple(template.coords[template.dims[axis]].to_numpy().tolist())


#: The outcomes of one run by name.
Run = Mapping[str, ArrayLike]

#: Function that runs a model with changed parameters and returns outcomes. It may raise, or return NaN, if a run fails.
Simulate = Callable[[Mapping[str, float]], Run]

# Exceptions that mean that a run of the model failed; all others are errors of the caller and are not caught.
BREAKDOWNS = (SimulationFailed, ArithmeticError, ValueError, RuntimeError)


def arrays_of(run: Run, names: Sequence[str] | None = None) -> dict[str, FloatArray]:
    """Outcomes of a run as arrays."""
    chosen = list(run) if names is None else list(names)
    for name in chosen:
        if name not in run:
            raise UnknownName(f"the run has no outcome {name!r}; it has {', '.join(run)}.{suggest(name, run)}")
    found = {}
    for name in chosen:
        try:
            found[name] = np.asarray(run[name], dtype=float)
        except (TypeError, ValueError) as fault:
            raise InvalidInput(f"outcome {name!r} of the run is not an array of numbers: {fault}") from fault
    return found
