"""Regional inequality: standard deviation of logs, coefficient of variation, Gini and Theil index with its parts.

Before them what all indicators need of arrays with a region axis: validation, a common layout, and totals by class.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Array, Flags, frozen


def regions_last(name: str, values: ArrayLike, axis: int) -> Array:
    """Float copy of an array with its region axis moved to the end."""
    array = np.asarray(values, dtype=np.float64)
    if not -array.ndim <= axis < array.ndim:
        raise InvalidInput(
            "{name}: there is no axis {axis} in an array of shape {shape}; pass axis=, the position of the regions",
            name=name,
            axis=axis,
            shape=array.shape,
        )
    if array.shape[axis] == 0:
        raise InvalidInput("{name}: the region axis is empty; at least one region is needed", name=name)
    if np.isinf(array).any():
        raise InvalidInput(
            "{name}: {place} is infinite; values must be finite or missing", name=name, place=_first(np.isinf(array))
        )
    return np.moveaxis(array, axis, -1)


def positive_regions_last(name: str, values: ArrayLike, axis: int) -> Array:
    """Like `regions_last`, for positive quantities, such as divisors or arguments of a logarithm."""
    array = regions_last(name, values, axis)
    wrong = array <= 0
    if wrong.any():
        raise InvalidInput(
            "{name}: {place} is {value:g}; every value must be above zero",
            name=name,
            place=_first(wrong),
            value=array[wrong][0],
        )
    return array


def non_negative_regions_last(name: str, values: ArrayLike, axis: int) -> Array:
    """Like `regions_last`, for quantities of which some regions, but not all, may have none."""
    array = regions_last(name, values, axis)
    wrong = array < 0
    if wrong.any():
        raise InvalidInput(
            "{name}: {place} is {value:g}; no value may be negative",
            name=name,
            place=_first(wrong),
            value=array[wrong][0],
        )
    empty = array.sum(axis=-1) == 0
    if empty.any():
        raise InvalidInput(
            "{name}: the regions together have nothing ({place}), so no distribution is defined",
            name=name,
            place=_first(empty),
        )
    return array


def paired(name: str, values: Array, people: Array) -> None:
    """Raise if the regions of an array and of population do not correspond, or their shapes do not broadcast."""
    if values.shape[-1] != people.shape[-1]:
        raise InvalidInput(
            "{name} has {count} regions along its axis, population has {other_count}; both need the "
            "same regions in the same order",
            name=name,
            count=values.shape[-1],
            other_count=people.shape[-1],
        )
    try:
        np.broadcast_shapes(values.shape, people.shape)
    except ValueError:
        raise InvalidInput(
            "{name} and population do not fit together: with the regions last their shapes are "
            "{shape} and {other_shape}",
            name=name,
            shape=values.shape,
            other_shape=people.shape,
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
        raise InvalidInput(
            "classes: {count} given for {regions} regions; each region needs one", count=len(classes), regions=regions
        )
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


def _first(where: Flags) -> Message:
    """Describe the index of the first invalid value."""
    position = tuple(int(index) for index in np.argwhere(where)[0])
    return Message("the value at {position}", position=position) if position else Message("the value")


def sigma_dispersion(output_per_head: ArrayLike, *, axis: int = -2) -> Array:
    r"""Sigma: the standard deviation over regions of log output per head.

    .. math:: \sigma = \sqrt{\frac{1}{n} \sum_i \left(\ln y_i - \frac{1}{n} \sum_j \ln y_j\right)^2}

    The population standard deviation (divided by :math:`n`, not :math:`n - 1`); regions are not weighted by
    size.

    Parameters
    ----------
    output_per_head
        :math:`y`, in any unit; default layout (scenario, draw, region, year).
    axis
        Axis of the regions.

    Returns
    -------
    Array
        Log points, from 0 (equal) up; falling means sigma-convergence; shape as given without ``axis``.
        NaN where a value of any region of that year is missing.

    Raises
    ------
    InvalidInput
        If a value is zero or negative.

    References
    ----------
    Barro, R. J. and Sala-i-Martin, X. (1992), Convergence, Journal of Political Economy 100(2).

    Examples
    --------
    >>> float(sigma_dispersion([np.e, 1 / np.e], axis=-1))
    1.0
    """
    logarithm = np.log(positive_regions_last(Message("output per head"), output_per_head, axis))
    return np.asarray(logarithm.std(axis=-1))


def coefficient_of_variation(values: ArrayLike, population: ArrayLike | None = None, *, axis: int = -2) -> Array:
    r"""Coefficient of variation: the standard deviation over regions divided by the mean.

    .. math:: V = \frac{1}{\mu} \sqrt{\sum_i p_i (y_i - \mu)^2}, \qquad \mu = \sum_i p_i y_i

    with :math:`p_i` the share of region :math:`i` in ``population``, or :math:`1/n` when none is given.

    Parameters
    ----------
    values
        :math:`y`, a non-negative quantity per head in any unit; default layout (scenario, draw, region,
        year).
    population
        People in each region, or any other weight; must broadcast with ``values``.
    axis
        Axis of the regions in both arrays.

    Returns
    -------
    Array
        Dimensionless, from 0 (equal) up; smaller is more equal; shape as given without ``axis``.
        NaN where a value of any region of that year is missing.

    Raises
    ------
    InvalidInput
        If a value is negative, all are zero, or a weight is not positive.

    References
    ----------
    Williamson, J. G. (1965), Regional inequality and the process of national development, Economic
    Development and Cultural Change 13(4) (the weighted form).

    Examples
    --------
    >>> float(coefficient_of_variation([1.0, 3.0], axis=-1))
    0.5
    """
    level = non_negative_regions_last("values", values, axis)
    weights = weights_like(level, population, axis)
    share = weights / weights.sum(axis=-1, keepdims=True)
    mean = (share * level).sum(axis=-1, keepdims=True)
    variance = (share * (level - mean) ** 2).sum(axis=-1)
    return np.asarray(np.sqrt(variance) / mean[..., 0])


def gini(values: ArrayLike, population: ArrayLike | None = None, *, axis: int = -2) -> Array:
    r"""Gini coefficient of a non-negative quantity per head.

    .. math:: G = \frac{1}{2\mu} \sum_i \sum_j p_i p_j |y_i - y_j|, \qquad \mu = \sum_i p_i y_i

    with :math:`p_i` the share of region :math:`i` in ``population``, or :math:`1/n`. Half the mean absolute
    difference between all pairs, divided by the mean; computed from the ranks of the regions. There is no
    small-sample correction. With population weights it measures inequality between regions only, as if all
    people in a region were equal.

    Parameters
    ----------
    values
        :math:`y`, a quantity per head, in any unit; default layout (scenario, draw, region, year).
    population
        People in each region, or any other weight; must broadcast with ``values``.
    axis
        Axis of the regions in both arrays.

    Returns
    -------
    Array
        Dimensionless, from 0 (equal) to below 1 (:math:`1 - 1/n` without weights); smaller is more equal;
        shape as given without ``axis``. NaN where a value of any region of that year is missing.

    Raises
    ------
    InvalidInput
        If a value is negative, all are zero, or a weight is not positive.

    References
    ----------
    Sen, A. (1973), On Economic Inequality, chapter 2.

    Examples
    --------
    >>> float(gini([1.0, 2.0, 3.0, 4.0], axis=-1))
    0.25
    """
    level = non_negative_regions_last("values", values, axis)
    weights = weights_like(level, population, axis)
    level, share = np.broadcast_arrays(level, weights / weights.sum(axis=-1, keepdims=True))
    order = np.argsort(level, axis=-1)
    ordered, held = np.take_along_axis(level, order, axis=-1), np.take_along_axis(share, order, axis=-1)
    # Twice the mid-rank of each region's population, centred on zero.
    rank = 2 * np.cumsum(held, axis=-1) - held - 1
    return np.asarray((held * ordered * rank).sum(axis=-1) / (held * ordered).sum(axis=-1))


@frozen
class TheilParts:
    """Theil index and its additive decomposition.

    Attributes
    ----------
    total
        Theil index over regions, dimensionless; shape without the region axis.
    between
        Between-class component: the index if every region had the output per head of its class; same shape.
    within
        Within-class component: Theil indices of the classes, weighted by their shares of output; same shape.
    within_classes
        Contribution of each class to ``within``, along the former axis of the regions.
    classes
        Names of the classes, in order of first appearance.
    """

    total: Array
    between: Array
    within: Array
    within_classes: Array
    classes: tuple[str, ...]


def theil(output: ArrayLike, population: ArrayLike, *, axis: int = -2) -> Array:
    r"""Theil index of output per head between regions, each region weighted by its share of output.

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
    Array
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
    produced, people = output_and_people(output, population, axis)
    return _theil_last(produced, people)


def theil_decomposition(
    output: ArrayLike, population: ArrayLike, classes: Sequence[str], *, axis: int = -2
) -> TheilParts:
    r"""Decompose the Theil index into inequality between and within classes of regions.

    .. math:: T = \sum_c \frac{Y_c}{Y} \ln \frac{Y_c / Y}{P_c / P} + \sum_c \frac{Y_c}{Y} T_c

    The two components are computed separately, each from its own formula; they sum to the total.

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
        Total, between, within, and the contribution of each class; dimensionless and non-negative, smaller is
        more equal.

    Raises
    ------
    InvalidInput
        As for `theil`, or if the number of classes given differs from the number of regions.

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
    produced, people = output_and_people(output, population, axis)
    produced, people = np.broadcast_arrays(produced, people)
    names = class_names(classes, produced.shape[-1])
    class_output = class_totals(produced, classes, axis=-1)
    class_people = class_totals(people, classes, axis=-1)
    members = [np.flatnonzero([own == name for own in classes]) for name in names]
    inside = np.stack([_theil_last(produced[..., own], people[..., own]) for own in members], axis=-1)
    weighted = class_output / class_output.sum(axis=-1, keepdims=True) * inside
    return TheilParts(
        total=_theil_last(produced, people),
        between=_theil_last(class_output, class_people),
        within=np.asarray(weighted.sum(axis=-1)),
        within_classes=np.moveaxis(weighted, -1, axis),
        classes=names,
    )


def _theil_last(produced: Array, people: Array) -> Array:
    """Theil index over the last axis."""
    # A class without output has zero within-class inequality and zero weight.
    total = produced.sum(axis=-1, keepdims=True)
    share = produced / np.where(total == 0, 1.0, total)
    ratio = share / (people / people.sum(axis=-1, keepdims=True))
    # A region without output: 0 ln 0 = 0, so replace the ratio by 1.
    terms = share * np.log(np.where(share == 0, 1.0, ratio))
    return np.asarray(terms.sum(axis=-1))
