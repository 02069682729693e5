"""Point fit: error statistics of a simulated against an observed series; and the inputs that all statistics take.

An input is an aligned pair of observed and simulated arrays, or a model as a callable. Times with a missing value (NaN)
in either array are left out of both, and counted; infinite values raise.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from pysd_runner.core.errors import InvalidInput, SimulationFailed, UnknownName, suggest
from pysd_runner.core.types import Array, Arrays, Flags, Numbers, frozen


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
            "observed has the shape {shape} and simulated {other_shape}; they must be the same: pass "
            "the same regions and years in the same order",
            shape=left.shape,
            other_shape=right.shape,
        )
    if left.size == 0:
        raise InvalidInput("the pair has no moments: its shape is {shape}", shape=left.shape)
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
        raise InvalidInput("{what} is not an array of numbers: {fault}", what=what, fault=fault) from fault
    if numbers.ndim == 0:
        raise InvalidInput("{what} is one number; an array with an axis of time is needed", what=what)
    if np.isinf(numbers).any():
        where = tuple(int(index) for index in np.argwhere(np.isinf(numbers))[0])
        raise InvalidInput(
            "{what} is infinite at index {where}; mark a value that is not known as NaN", what=what, where=where
        )
    return numbers


#: The outcomes of one run by name.
Run = Mapping[str, ArrayLike]

#: Function that runs a model with changed parameters and returns outcomes. It may raise, or return NaN, if a run fails.
Simulate = Callable[[Numbers], Run]

# Exceptions that mean that a run of the model failed; all others are errors of the caller and are not caught.
BREAKDOWNS = (SimulationFailed, ArithmeticError, ValueError, RuntimeError)


def arrays_of(run: Run, names: Sequence[str] | None = None) -> Arrays:
    """Outcomes of a run as arrays."""
    chosen = list(run) if names is None else list(names)
    for name in chosen:
        if name not in run:
            raise UnknownName(
                "the run has no outcome {name!r}; it has {known}.{suggestion}",
                name=name,
                known=", ".join(run),
                suggestion=suggest(name, run),
            )
    found = {}
    for name in chosen:
        try:
            found[name] = np.asarray(run[name], dtype=float)
        except (TypeError, ValueError) as fault:
            raise InvalidInput(
                "outcome {name!r} of the run is not an array of numbers: {fault}", name=name, fault=fault
            ) from fault
    return found


def mean_over(values: Array, pair: Pair) -> Array:
    """Mean over the times at which both values are present."""
    return ratio(np.nansum(values, axis=pair.axes), pair.present.sum(axis=pair.axes))


def _shares(pair: Pair, error: Array, square: Array) -> tuple[Array, Array, Array]:
    """Shares of bias, unequal variation and unequal covariation in the mean squared error."""
    # Written in deviations of the error, so that a small error of a large quantity keeps its precision: s_S^2 - s_A^2 =
    # mean((d_S - d_A)(d_S + d_A)), and 2(1-r) s_S s_A = var(error) - (s_S - s_A)^2.
    of_error = centred(error, pair.axes)
    simulated, observed = centred(pair.simulated, pair.axes), centred(pair.observed, pair.axes)
    spread = np.sqrt(mean_over(simulated**2, pair)) + np.sqrt(mean_over(observed**2, pair))
    difference = ratio(mean_over(of_error * (simulated + observed), pair), spread)
    unequal = np.where(spread == 0, 0.0, difference**2)
    together = np.maximum(mean_over(of_error**2, pair) - unequal, 0.0)
    bias = mean_over(error, pair) ** 2
    return ratio(bias, square), ratio(unequal, square), ratio(together, square)


def _against_no_change(pair: Pair, error: Array) -> Array:
    """U2 on changes: sums over times for which the previous time was observed as well."""
    change = np.diff(pair.observed, axis=-1)
    later = np.where(np.isnan(change), np.nan, error[..., 1:])
    sums = (np.nansum(part**2, axis=pair.axes) for part in (later, change))
    return np.sqrt(ratio(*sums))


@frozen
class PointFit:
    """Fit statistics, each an array over the series, or one number if they are pooled. Error = simulated - observed.

    Attributes
    ----------
    n
        Number of times compared.
    missing
        Number of times left out because either value was missing.
    mean_error
        Mean error, unit of the data; 0 is best, positive is too high.
    mae, rmse
        Mean absolute and root mean squared error, unit of the data, at least 0; lower is better.
    mse
        Mean squared error, unit squared, at least 0; lower is better.
    mape
        Mean absolute error relative to the observed value, a fraction, at least 0; lower is better. NaN if an observed
        value is zero.
    squared_correlation
        R2 as the squared correlation, from 0 to 1; higher is better; insensitive to bias and scale.
    efficiency
        R2 as 1 - SSE/SST, at most 1; higher is better; if negative, the mean of the observed values fits better.
    u1
        Theil's inequality coefficient of 1961, from 0 (perfect) to 1; lower is better.
    u2
        Theil's coefficient of 1966 on changes, at least 0 (perfect); 1 is as good as "no change"; lower is better. NaN
        if the observed values never change.
    um, us, uc
        Shares of bias, unequal variation and unequal covariation in the mean squared error, from 0 to 1, summing to 1;
        NaN if there is no error. If a model fits the trend well, the error is mostly in ``uc``, which is unsystematic.
    """

    n: Array
    missing: Array
    mean_error: Array
    mae: Array
    mse: Array
    rmse: Array
    mape: Array
    squared_correlation: Array
    efficiency: Array
    u1: Array
    u2: Array
    um: Array
    us: Array
    uc: Array


def point_fit(observed: ArrayLike, simulated: ArrayLike, *, pooled: bool = False) -> PointFit:
    r"""Point fit of a simulated to an observed array.

    With the error :math:`e_t = S_t - A_t` at :math:`n` times:

    .. math::
       MAE = \frac1n\sum|e_t|, \quad MSE = \frac1n\sum e_t^2, \quad RMSE = \sqrt{MSE}, \quad
       MAPE = \frac1n\sum\left|\frac{e_t}{A_t}\right|

    .. math::
       R^2_\text{correlation} =
       \frac{\left(\sum(S_t-\bar S)(A_t-\bar A)\right)^2}{\sum(S_t-\bar S)^2\sum(A_t-\bar A)^2}, \qquad
       R^2_\text{efficiency} = 1 - \frac{\sum e_t^2}{\sum(A_t-\bar A)^2}

    .. math::
       U_1 = \frac{RMSE}{\sqrt{\frac1n\sum S_t^2}+\sqrt{\frac1n\sum A_t^2}}, \qquad
       U_2 = \sqrt{\frac{\sum_{t>1}e_t^2}{\sum_{t>1}(A_t-A_{t-1})^2}}

    .. math::
       U_m = \frac{(\bar S-\bar A)^2}{MSE}, \qquad U_s = \frac{(s_S-s_A)^2}{MSE}, \qquad
       U_c = \frac{2(1-r)s_S s_A}{MSE}, \qquad U_m+U_s+U_c = 1

    with means :math:`\bar A, \bar S`, population standard deviations :math:`s_A, s_S` (divided by :math:`n`) and their
    correlation :math:`r`. Theil (1966) applies U2 to changes; with the change forecast from the last observation,
    :math:`S_t-A_{t-1}`, it is ``u2``, where 1 is as good as "no change".

    Parameters
    ----------
    observed, simulated
        Arrays of the same shape and unit, time on the last axis in chronological order: ``u2`` compares each time with
        the previous one.
    pooled
        Whether to sum over all series, each value with the same weight, instead of each series by itself.

    Returns
    -------
    PointFit
        The attributes describe ranges and which direction is better. Missing data: a time at which either value is NaN
        is left out of every sum and counted in ``missing``; ``u2`` also leaves out the next time. An undefined
        statistic is NaN.

    Raises
    ------
    InvalidInput
        If the shapes differ or a value is infinite.

    References
    ----------
    Sterman, J. D. (2000), Business Dynamics, McGraw-Hill, ch. 21. Sterman, J. D. (1984), Dynamica 10(2), 51-66. Nash,
    J. E. and Sutcliffe, J. V. (1970), Journal of Hydrology 10(3), 282-290 (efficiency). Theil, H. (1961), Economic
    Forecasts and Policy, 2nd ed., North-Holland (U1). Theil, H. (1966), Applied Economic Forecasting, North-Holland,
    ch. 2 (U2 and the shares).

    Examples
    --------
    >>> found = point_fit([1.0, 2.0, 4.0], [1.0, 3.0, 5.0])
    >>> float(found.mae) == 2 / 3, round(float(found.efficiency), 4)
    (True, 0.5714)
    >>> round(float(point_fit(np.arange(1.0, 11), np.arange(2.0, 12)).u1), 8)
    0.07512486
    """
    pair = line_up(observed, simulated, pooled=pooled)
    error = pair.simulated - pair.observed
    relative = np.where(np.isnan(error), np.nan, np.abs(ratio(error, pair.observed)))
    # An undefined relative error makes the mean NaN; a missing value is only left out.
    undefined = ((pair.observed == 0) & pair.present).any(axis=pair.axes)
    squares = mean_over(error**2, pair)
    simulated, about_mean = centred(pair.simulated, pair.axes), centred(pair.observed, pair.axes)
    variance = mean_over(about_mean**2, pair)
    root = np.sqrt(squares)
    size_simulated, size_observed = (np.sqrt(mean_over(array**2, pair)) for array in (pair.simulated, pair.observed))
    um, us, uc = _shares(pair, error, squares)
    return PointFit(
        n=np.asarray(pair.present.sum(axis=pair.axes)),
        missing=np.asarray((~pair.present).sum(axis=pair.axes)),
        mean_error=mean_over(error, pair),
        mae=mean_over(np.abs(error), pair),
        mse=squares,
        rmse=root,
        mape=np.where(undefined, np.nan, mean_over(relative, pair)),
        squared_correlation=ratio(
            mean_over(simulated * about_mean, pair) ** 2, mean_over(simulated**2, pair) * variance
        ),
        efficiency=1 - ratio(squares, variance),
        u1=ratio(root, size_simulated + size_observed),
        u2=_against_no_change(pair, error),
        um=um,
        us=us,
        uc=uc,
    )
