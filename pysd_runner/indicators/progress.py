"""Movement of gaps over time and against a baseline."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pysd_runner.core.errors import InvalidInput
from pysd_runner.indicators.regions import FloatArray


def gap_closed(baseline: ArrayLike, scenario: ArrayLike) -> FloatArray:
    r"""How many percentage points of a gap a scenario closes against the baseline.

    .. math:: c = 100 \, (g^{\text{baseline}} - g^{\text{scenario}})

    Pair the draws: both arrays must come from the same draws in the same order, or the band of the difference
    means nothing.

    Parameters
    ----------
    baseline
        Gap under the baseline, as a share (0.45, not 45); default layout (scenario, draw, region, year).
    scenario
        Gap under the scenario, as a share; must broadcast with ``baseline``.

    Returns
    -------
    FloatArray
        Percentage points, from -100 to 100; positive = the gap is smaller than under the baseline (better).

    Raises
    ------
    InvalidInput
        If the shapes do not broadcast.

    Examples
    --------
    >>> gap_closed([0.45], [0.40]).round(12).tolist()
    [5.0]
    """
    reference, other = np.asarray(baseline, dtype=np.float64), np.asarray(scenario, dtype=np.float64)
    try:
        np.broadcast_shapes(reference.shape, other.shape)
    except ValueError:
        raise InvalidInput(
            f"baseline of shape {reference.shape} and scenario of shape {other.shape} do not fit together; "
            "both need the same draws, regions and years"
        ) from None
    return np.asarray(100.0 * (reference - other))


def years_to_halve(gap: ArrayLike, years: ArrayLike, *, axis: int = -1) -> FloatArray:
    r"""Years until a gap first falls to half of what it was in the first year.

    The first :math:`t` with :math:`g(t) \le g(t_0) / 2`, less :math:`t_0`, linear between the years given.
    A gap that reaches half and widens again still counts as halved.

    Parameters
    ----------
    gap
        A non-negative gap in any unit; default layout (scenario, draw, region, year).
    years
        The years along ``axis``, rising; shape (year,).
    axis
        Axis of the years.

    Returns
    -------
    FloatArray
        Years, from 0 up, smaller is faster; ``inf`` when the gap is not halved within the years given; NaN
        when there is no gap to halve or a value is missing. Shape of ``gap`` without ``axis``.

    Raises
    ------
    InvalidInput
        If there are not as many years as values, fewer than two, or they do not rise.

    Examples
    --------
    >>> float(years_to_halve([0.4, 0.3, 0.1], [2024, 2025, 2026]))
    1.5
    """
    path, times = _years_last(gap, years, axis)
    half = path[..., :1] / 2
    reached = path <= half
    after = np.argmax(reached, axis=-1)
    before = np.maximum(after - 1, 0)
    upper, lower = _at(path, before), _at(path, after)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (upper - half[..., 0]) / (upper - lower)
        found = times[before] + part * (times[after] - times[before]) - times[0]
    answer = np.where(reached.any(axis=-1), found, np.inf)
    return np.asarray(np.where(_undefined(path), np.nan, answer))


def halving_time(gap: ArrayLike, years: ArrayLike, *, axis: int = -1) -> FloatArray:
    r"""Years in which a gap would halve at its average rate of change over the years given.

    .. math:: h = \frac{(t_1 - t_0) \ln 2}{\ln g(t_0) - \ln g(t_1)}

    Reads the first and the last year only; unlike `years_to_halve` it looks beyond the horizon.

    Parameters
    ----------
    gap
        A non-negative gap in any unit; default layout (scenario, draw, region, year).
    years
        The years along ``axis``, rising; shape (year,).
    axis
        Axis of the years.

    Returns
    -------
    FloatArray
        Years, from 0 up, smaller is faster; ``inf`` when the gap does not fall; 0 when it has gone; NaN when
        there was no gap or a value is missing. Shape of ``gap`` without ``axis``.

    Raises
    ------
    InvalidInput
        If there are not as many years as values, fewer than two, or they do not rise.

    References
    ----------
    Barro, R. J. (2015), Convergence and modernisation, Economic Journal 125 (half-life of a gap).

    Examples
    --------
    >>> round(float(halving_time([0.4, 0.3, 0.2], [2020, 2030, 2040])), 9)
    20.0
    """
    path, times = _years_last(gap, years, axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = np.log(path[..., 0]) - np.log(path[..., -1])
        answer = np.where(fall > 0, (times[-1] - times[0]) * np.log(2.0) / fall, np.inf)
    return np.asarray(np.where(_undefined(path), np.nan, answer))


def probability_of(event: ArrayLike, *, axis: int = 1) -> FloatArray:
    r"""Share of draws in which something happens.

    .. math:: \hat p = \frac{1}{n} \sum_d 1[\text{event}_d]

    Its standard error is :math:`\sqrt{\hat p (1 - \hat p) / n}`: 0.035 at most with 200 draws.

    Parameters
    ----------
    event
        True where it happens; default layout (scenario, draw, region, year), or any boolean array with draws.
    axis
        Axis of the draws; 1 in the default layout.

    Returns
    -------
    FloatArray
        Dimensionless, from 0 to 1, in steps of one over the number of draws; shape of ``event`` without
        ``axis``.

    Raises
    ------
    InvalidInput
        If ``event`` is not boolean (write the comparison out) or has no draws.

    Examples
    --------
    >>> float(probability_of([[True, False, True, True]], axis=1)[0])
    0.75
    """
    happened = np.asarray(event)
    if happened.dtype != np.bool_:
        raise InvalidInput(
            f"event holds {happened.dtype}, not true or false; write the comparison out, as in gap < 0.1"
        )
    if not -happened.ndim <= axis < happened.ndim or happened.shape[axis] == 0:
        raise InvalidInput(f"event of shape {happened.shape} has no draws along axis {axis}; pass axis=")
    return np.asarray(happened.mean(axis=axis))


def _years_last(gap: ArrayLike, years: ArrayLike, axis: int) -> tuple[FloatArray, FloatArray]:
    """Gap with the years last, and the years; both checked."""
    path, times = np.asarray(gap, dtype=np.float64), np.asarray(years, dtype=np.float64)
    if not -path.ndim <= axis < path.ndim or times.shape != (path.shape[axis],):
        raise InvalidInput(
            f"years of shape {times.shape} do not fit axis {axis} of a gap of shape {path.shape}; "
            "one year for each value is needed"
        )
    if times.size < 2 or not (np.diff(times) > 0).all():
        raise InvalidInput("years must rise, and at least two are needed")
    if (path < 0).any():
        raise InvalidInput(f"gap: the smallest value is {np.nanmin(path):g}; a gap cannot be negative")
    return np.moveaxis(path, axis, -1), times


def _at(path: FloatArray, position: NDArray[np.intp]) -> FloatArray:
    """Value of each path at its own position along the last axis."""
    return np.asarray(np.take_along_axis(path, position[..., np.newaxis], axis=-1)[..., 0])


def _undefined(path: FloatArray) -> NDArray[np.bool_]:
    """Where a path has a missing value or starts without a gap."""
    return np.asarray(np.isnan(path).any(axis=-1) | (path[..., 0] == 0))
