"""Sums over classes of regions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pysd_runner.core.errors import InvalidInput
from pysd_runner.indicators.regions import FloatArray, regions_last


def class_names(classes: Sequence[str], regions: int) -> tuple[str, ...]:
    """Names of the classes, each once, in order of first appearance.

    >>> class_names(["East", "West", "East"], 3)
    ('East', 'West')
    """
    if len(classes) != regions:
        raise InvalidInput(f"classes: {len(classes)} given for {regions} regions; each region needs one")
    return tuple(dict.fromkeys(classes))


def class_totals(values: ArrayLike, classes: Sequence[str], *, axis: int = -2) -> FloatArray:
    r"""Sum of a quantity over the regions of each class.

    .. math:: Y_c = \sum_{i \in c} Y_i

    For totals (output, people), never for ratios: the output per head of a class is its output over its
    people.

    Parameters
    ----------
    values
        A quantity that may be added up over regions; default layout (scenario, draw, region, year).
    classes
        The class of each region, in the order of the region axis.
    axis
        Axis of the regions.

    Returns
    -------
    FloatArray
        In the unit of ``values``; as given, with classes in order of first appearance along ``axis``.
        NaN where a value of any region of the class is missing.

    Raises
    ------
    InvalidInput
        If there is not one class for each region.

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
