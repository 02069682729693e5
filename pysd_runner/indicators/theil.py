"""Theil index of output per head, in total and split between and within classes of regions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pysd_runner.indicators.classes import class_names, class_totals
from pysd_runner.indicators.regions import (
    FloatArray,
    non_negative_regions_last,
    paired,
    positive_regions_last,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TheilParts:
    """Theil index and its additive decomposition.

    Attributes
    ----------
    total
        Theil index over regions, dimensionless; shape without the region axis.
    between
        What would remain if every region of a class had the class's output per head; same shape.
    within
        The classes' own Theil indices, weighted with their shares of output; same shape.
    within_classes
        The terms of ``within``, one for each class, along the axis where the regions were.
    classes
        Their names, in order of first appearance.
    """

    total: FloatArray
    between: FloatArray
    within: FloatArray
    within_classes: FloatArray
    classes: tuple[str, ...]


def theil(output: ArrayLike, population: ArrayLike, *, axis: int = -2) -> FloatArray:
    r"""Theil index of output per head between regions, each region weighted with its share of output.

    .. math:: T = \sum_i \frac{Y_i}{Y} \ln \frac{Y_i / Y}{P_i / P}

    with :math:`Y = \sum_i Y_i`, :math:`P = \sum_i P_i`; a region without output adds nothing (:math:`0 \ln 0
    = 0`). This is Theil's T (entropy class, parameter 1), not the mean log deviation.

    Parameters
    ----------
    output
        :math:`Y_i`, in any unit; default layout (scenario, draw, region, year).
    population
        :math:`P_i`, people in each region; must broadcast with ``output``.
    axis
        Axis of the regions in both arrays.

    Returns
    -------
    FloatArray
        Dimensionless (natural logarithms), from 0 (equal) to :math:`\ln (P / \min_i P_i)`; smaller is more
        equal; shape as given without ``axis``. NaN where a value of any region of that year is missing.

    Raises
    ------
    InvalidInput
        If output is negative or zero in all regions, population is not positive, or the two do not fit
        together.

    References
    ----------
    Theil, H. (1967), Economics and Information Theory, chapter 4.

    Examples
    --------
    >>> round(float(theil([3.0, 1.0], [1.0, 1.0], axis=-1)), 6)
    0.130812
    """
    produced = non_negative_regions_last("output", output, axis)
    people = positive_regions_last("population", population, axis)
    paired("output", produced, "population", people)
    return _theil_last(produced, people)


def theil_decomposition(
    output: ArrayLike, population: ArrayLike, classes: Sequence[str], *, axis: int = -2
) -> TheilParts:
    r"""Theil index split into what lies between classes of regions and what lies within them.

    .. math:: T = \sum_c \frac{Y_c}{Y} \ln \frac{Y_c / Y}{P_c / P} + \sum_c \frac{Y_c}{Y} T_c

    Between and within are computed apart, each from its own formula; they sum to the total.

    Parameters
    ----------
    output
        Output of each region, in any unit; default layout (scenario, draw, region, year).
    population
        People in each region; must broadcast with ``output``.
    classes
        The class of each region, in the order of the region axis.
    axis
        Axis of the regions in both arrays.

    Returns
    -------
    TheilParts
        Total, between, within, and the term of each class; dimensionless, none below 0, smaller is more
        equal.

    Raises
    ------
    InvalidInput
        As `theil`; or if there is not one class for each region, or one does not fit the other.

    References
    ----------
    Theil, H. (1967), Economics and Information Theory, chapter 4; Shorrocks, A. F. (1980), The class of
    additively decomposable inequality measures, Econometrica 48(3).

    Examples
    --------
    >>> parts = theil_decomposition([3.0, 3.0, 1.0], [1.0, 1.0, 1.0], ["East", "East", "West"], axis=-1)
    >>> round(float(parts.within), 12), parts.classes
    (0.0, ('East', 'West'))
    """
    produced = non_negative_regions_last("output", output, axis)
    people = positive_regions_last("population", population, axis)
    paired("output", produced, "population", people)
    produced, people = np.broadcast_arrays(produced, people)
    names = class_names(classes, produced.shape[-1])
    class_output = class_totals(produced, classes, axis=-1)
    class_people = class_totals(people, classes, axis=-1)
    members = _members(classes, names)
    inside = np.stack([_theil_last(produced[..., own], people[..., own]) for own in members], axis=-1)
    weighted = class_output / class_output.sum(axis=-1, keepdims=True) * inside
    return TheilParts(
        total=_theil_last(produced, people),
        between=_theil_last(class_output, class_people),
        within=np.asarray(weighted.sum(axis=-1)),
        within_classes=np.moveaxis(weighted, -1, axis),
        classes=names,
    )


def _members(classes: Sequence[str], names: tuple[str, ...]) -> list[NDArray[np.intp]]:
    """Positions of the regions of each class."""
    return [np.flatnonzero([own == name for own in classes]) for name in names]


def _theil_last(produced: FloatArray, people: FloatArray) -> FloatArray:
    """Theil index over the last axis."""
    # A class without output has no inequality inside and no weight either.
    total = produced.sum(axis=-1, keepdims=True)
    share = produced / np.where(total == 0, 1.0, total)
    ratio = share / (people / people.sum(axis=-1, keepdims=True))
    # A region without output: 0 ln 0 = 0, whatever stands in for the ratio.
    terms = share * np.log(np.where(share == 0, 1.0, ratio))
    return np.asarray(terms.sum(axis=-1))
