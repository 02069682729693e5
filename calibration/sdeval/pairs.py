"""Inputs of the statistics: an aligned pair of observed and simulated arrays, or a model as a callable.

Times with a missing value (NaN) in either array are left out of both, and counted; infinite values raise.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName, suggest
from pysd_runner.core.kinds import Array, Arrays, Flags, frozen


@frozen
class Pair:
    """Two arrays of the same shape, time on the last axis, and the axes over which statistics sum."""

    observed: Array
    simulated: Array
    axes: tuple[int, ...]

    @property
    def present(self) -> Flags:
        """Where both values are present."""
        return ~np.isnan(self.observed)


def line_up(observed: ArrayLike, simulated: ArrayLike, *, pooled: bool = False) -> Pair:
    """Check a pair of arrays with time on the last axis; pooled statistics sum over all axes."""
    left, right = numbers_of("observed", observed), numbers_of("simulated", simulated)
    if left.shape != right.shape:
        raise InvalidInput(
            f"observed has the shape {left.shape} and simulated {right.shape}; they must be the same: pass the same "
            "regions and years in the same order"
        )
    if left.size == 0:
        raise InvalidInput(f"the pair has no moments: its shape is {left.shape}")
    gone = np.isnan(left) | np.isnan(right)
    left, right = (np.where(gone, np.nan, array) for array in (left, right))
    return Pair(observed=left, simulated=right, axes=tuple(range(left.ndim)) if pooled else (-1,))


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Array:
    """Quotient, NaN where the denominator is zero."""
    below = np.asarray(denominator, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        quotient = np.asarray(numerator, dtype=float) / below
    return np.where(below == 0, np.nan, quotient)


def centred(values: Array, axes: tuple[int, ...] = (-1,)) -> Array:
    """Deviations from the mean of the values present, exactly zero if all are equal."""
    given = np.isfinite(values)
    highest = np.where(given, values, -np.inf).max(axis=axes, keepdims=True)
    lowest = np.where(given, values, np.inf).min(axis=axes, keepdims=True)
    # Subtract the minimum first: the mean of large, nearly equal numbers would lose digits.
    above = values - lowest
    mean = np.expand_dims(ratio(np.nansum(above, axis=axes), given.sum(axis=axes)), axes)
    return np.where(highest == lowest, values * 0, above - mean)


def numbers_of(what: str, values: ArrayLike) -> Array:
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


#: The outcomes of one run by name.
Run = Mapping[str, ArrayLike]

#: Function that runs a model with changed parameters and returns outcomes. It may raise, or return NaN, if a run fails.
Simulate = Callable[[Mapping[str, float]], Run]

# Exceptions that mean that a run of the model failed; all others are errors of the caller and are not caught.
BREAKDOWNS = (SimulationFailed, ArithmeticError, ValueError, RuntimeError)


def arrays_of(run: Run, names: Sequence[str] | None = None) -> Arrays:
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
