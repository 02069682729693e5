"""Arrays with a region axis: brought to one layout and checked once, at the border."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pysd_runner.core.errors import InvalidInput

FloatArray = NDArray[np.float64]


def regions_last(name: str, values: ArrayLike, axis: int) -> FloatArray:
    """Float copy of an array with its region axis moved to the end."""
    array = np.asarray(values, dtype=np.float64)
    if not -array.ndim <= axis < array.ndim:
        raise InvalidInput(
            f"{name}: there is no axis {axis} in an array of shape {array.shape}; "
            "pass axis=, the position of the regions"
        )
    if array.shape[axis] == 0:
        raise InvalidInput(f"{name}: the region axis is empty; at least one region is needed")
    if np.isinf(array).any():
        raise InvalidInput(f"{name}: {_first(np.isinf(array))} is infinite; values must be finite or missing")
    return np.moveaxis(array, axis, -1)


def positive_regions_last(name: str, values: ArrayLike, axis: int) -> FloatArray:
    """Like `regions_last`, for quantities that are divided by or whose logarithm is taken."""
    array = regions_last(name, values, axis)
    wrong = array <= 0
    if wrong.any():
        raise InvalidInput(f"{name}: {_first(wrong)} is {array[wrong][0]:g}; every value must be above zero")
    return array


def non_negative_regions_last(name: str, values: ArrayLike, axis: int) -> FloatArray:
    """Like `regions_last`, for quantities that are shared out and of which some region may have none."""
    array = regions_last(name, values, axis)
    wrong = array < 0
    if wrong.any():
        raise InvalidInput(f"{name}: {_first(wrong)} is {array[wrong][0]:g}; no value may be negative")
    empty = array.sum(axis=-1) == 0
    if empty.any():
        raise InvalidInput(
            f"{name}: the regions together have nothing ({_first(empty)}), so no distribution is defined"
        )
    return array


def paired(name: str, values: FloatArray, other_name: str, other: FloatArray) -> None:
    """Refuse two arrays whose regions do not correspond."""
    if values.shape[-1] != other.shape[-1]:
        raise InvalidInput(
            f"{name} has {values.shape[-1]} regions along its axis, {other_name} has {other.shape[-1]}; "
            "both need the same regions in the same order"
        )
    try:
        np.broadcast_shapes(values.shape, other.shape)
    except ValueError:
        raise InvalidInput(
            f"{name} and {other_name} do not fit together: with the regions last their shapes are "
            f"{values.shape} and {other.shape}"
        ) from None


def weights_like(values: FloatArray, population: ArrayLike | None, axis: int) -> FloatArray:
    """Weights of the regions: the population, or one for each when none is given."""
    if population is None:
        return np.ones(values.shape[-1:])
    weights = positive_regions_last("population", population, axis)
    paired("values", values, "population", weights)
    return weights


def _first(where: NDArray[np.bool_]) -> str:
    """Position of the first offending value, in words."""
    position = tuple(int(index) for index in np.argwhere(where)[0])
    return f"the value at {position}" if position else "the value"
