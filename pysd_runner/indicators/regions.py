"""Arrays with a region axis: validation, conversion to a common layout, and totals by class."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.kinds import Array, Flags


def regions_last(name: str, values: ArrayLike, axis: int) -> Array:
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


def positive_regions_last(name: str, values: ArrayLike, axis: int) -> Array:
    """Like `regions_last`, for positive quantities, such as divisors or arguments of a logarithm."""
    array = regions_last(name, values, axis)
    wrong = array <= 0
    if wrong.any():
        raise InvalidInput(f"{name}: {_first(wrong)} is {array[wrong][0]:g}; every value must be above zero")
    return array


def non_negative_regions_last(name: str, values: ArrayLike, axis: int) -> Array:
    """Like `regions_last`, for quantities of which some regions, but not all, may have none."""
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


def paired(name: str, values: Array, people: Array) -> None:
    """Raise if the regions of an array and of population do not correspond, or their shapes do not broadcast."""
    if values.shape[-1] != people.shape[-1]:
        raise InvalidInput(
            f"{name} has {values.shape[-1]} regions along its axis, population has {people.shape[-1]}; "
            "both need the same regions in the same order"
        )
    try:
        np.broadcast_shapes(values.shape, people.shape)
    except ValueError:
        raise InvalidInput(
            f"{name} and population do not fit together: with the regions last their shapes are "
            f"{values.shape} and {people.shape}"
        ) from None


def output_and_people(output: ArrayLike, population: ArrayLike, axis: int) -> tuple[Array, Array]:
    """Validated output and population, with the region axis last."""
    produced = non_negative_regions_last("output", output, axis)
    people = positive_regions_last("population", population, axis)
    paired("output", produced, people)
    return produced, people


def weights_like(values: Array, population: ArrayLike | None, axis: int) -> Array:
    """Weights of the regions: the population, or equal weights if none is given."""
    if population is None:
        return np.ones(values.shape[-1:])
    weights = positive_regions_last("population", population, axis)
    paired("values", values, weights)
    return weights


def class_names(classes: Sequence[str], regions: int) -> tuple[str, ...]:
    """Unique names of the classes, in order of first appearance.

    >>> class_names(["East", "West", "East"], 3)
    ('East', 'West')
    """
    if len(classes) != regions:
        raise InvalidInput(f"classes: {len(classes)} given for {regions} regions; each region needs one")
    return tuple(dict.fromkeys(classes))


def class_totals(values: ArrayLike, classes: Sequence[str], *, axis: int = -2) -> Array:
    r"""Sum of a quantity over the regions of each class.

    .. math:: Y_c = \sum_{i \in c} Y_i

    For totals (output, population), not for ratios: output per head of a class is its output divided by its
    population.

    Parameters
    ----------
    values
        An additive quantity; default layout (scenario, draw, region, year).
    classes
        The class of each region, in the order of the region axis.
    axis
        Axis of the regions.

    Returns
    -------
    Array
        In the unit and layout of ``values``, with classes in order of first appearance along ``axis``.
        NaN where a value of any region of the class is missing.

    Raises
    ------
    InvalidInput
        If the number of classes given differs from the number of regions.

    Examples
    --------
    >>> class_totals([1.0, 2.0, 3.0], ["East", "West", "East"], axis=-1).tolist()
    [4.0, 2.0]
    """
    array = regions_last("values", values, axis)
    names = class_names(classes, array.shape[-1])
    own = np.asarray([names.index(name) for name in classes])
    totals = np.stack([array[..., own == position].sum(axis=-1) for position in range(len(names))], axis=-1)
    return np.moveaxis(totals, -1, axis)


def _first(where: Flags) -> str:
    """Describe the index of the first invalid value."""
    position = tuple(int(index) for index in np.argwhere(where)[0])
    return f"the value at {position}" if position else "the value"
