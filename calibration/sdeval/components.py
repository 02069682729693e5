"""Trend and cycle of a series, and their differences between two series."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from calibration.sdeval.pairs import FloatArray, ratio
from calibration.sdeval.residuals import autocorrelation
from pysd_runner.core.errors import InvalidInput

Trend = Literal["none", "linear", "quadratic", "exponential"]

DEGREES: dict[str, int] = {"none": 0, "linear": 1, "quadratic": 2, "exponential": 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedTrend:
    """A least-squares trend.

    Attributes
    ----------
    coefficients
        Coefficients of the powers of time, starting with 0, time measured from the first value; of the logarithm if
        exponential.
    standard_errors
        Standard errors of the coefficients, assuming independent residuals.
    left
        The series minus its trend.
    """

    coefficients: FloatArray
    standard_errors: FloatArray
    left: FloatArray


def check_trend(trend: str) -> None:
    """Raise if the kind of trend is unknown."""
    if trend not in DEGREES:
        raise InvalidInput(f"trend is {trend!r}; it must be one of {', '.join(DEGREES)}")


def fit_trend(series: FloatArray, *, trend: Trend, step: float = 1.0) -> FittedTrend:
    r"""Fit a polynomial in time, or a line to the logarithm, by least squares.

    .. math:: \hat\beta = (X^\top X)^{-1}X^\top y, \qquad
       \operatorname{Var}\hat\beta = \frac{\lVert y-X\hat\beta\rVert^2}{n-p}(X^\top X)^{-1}

    Parameters
    ----------
    series
        Equally spaced values without gaps, shape ``(time,)``.
    trend
        Kind of trend; ``"none"`` removes nothing, not even the mean.
    step
        Time between successive values.

    Returns
    -------
    FittedTrend
        Coefficients per unit of time.

    Raises
    ------
    InvalidInput
        If the trend is exponential and a value is not positive, or there are too few values.

    References
    ----------
    Barlas, Y. (1989), Multiple tests for validation of system dynamics type of simulation models, European Journal of
    Operational Research 42(1), 59-87.
    """
    check_trend(trend)
    terms = DEGREES[trend] + 1
    if len(series) <= terms:
        raise InvalidInput(f"a {trend} trend needs more than {terms} moments; there are {len(series)}")
    if trend == "exponential" and not (series > 0).all():
        raise InvalidInput(f"an exponential trend needs positive values; the smallest is {series.min():g}")
    values = np.log(series) if trend == "exponential" else series
    time = np.arange(len(series), dtype=float)
    powers = np.vander(time, terms, increasing=True)
    fitted, *_ = np.linalg.lstsq(powers, values)
    curve = powers @ fitted
    noise = ((values - curve) ** 2).sum() / (len(series) - terms)
    covariance = noise * np.linalg.inv(powers.T @ powers)
    per_time = step ** np.arange(terms)
    removed = np.exp(curve) if trend == "exponential" else curve * (trend != "none")
    return FittedTrend(
        coefficients=fitted / per_time,
        standard_errors=np.sqrt(np.diag(covariance)) / per_time,
        left=series - removed,
    )


def trend_difference(observed: FittedTrend, simulated: FittedTrend) -> tuple[FloatArray, FloatArray]:
    r"""Compare the coefficients of two trends, without the intercepts.

    .. math::
       z_j =
       \frac{\hat\beta^S_j-\hat\beta^A_j}{\sqrt{\operatorname{se}^2(\hat\beta^S_j)+\operatorname{se}^2(\hat\beta^A_j)}},
       \qquad d_j = \frac{\hat\beta^S_j-\hat\beta^A_j}{|\hat\beta^A_j|}

    Parameters
    ----------
    observed, simulated
        The trends.

    Returns
    -------
    tuple of FloatArray
        Differences in standard errors, :math:`z`, and relative to the observed coefficient, :math:`d`; 0 is best; NaN
        if the divisor is zero.
    """
    gap = (simulated.coefficients - observed.coefficients)[1:]
    error = np.hypot(simulated.standard_errors, observed.standard_errors)[1:]
    return ratio(gap, error), ratio(gap, np.abs(observed.coefficients[1:]))


def autocorrelation_errors(coefficients: FloatArray) -> FloatArray:
    r"""Standard errors of the autocorrelations of an autocorrelated series.

    .. math::
       \operatorname{Var}(r_k) \approx \frac{1}{N(N+2)}\sum_{i=1}^{N-1}(N-i)\left(r_{k-i}+r_{k+i}-2r_kr_i\right)^2

    Parameters
    ----------
    coefficients
        Autocorrelations at all lags from 0 to N - 1, shape ``(N,)``.

    Returns
    -------
    FloatArray
        Shape ``(N,)``, at least 0; autocorrelations beyond lag N - 1 are taken as 0.

    References
    ----------
    Barlas, Y. (1990), An autocorrelation function test for output validation, Simulation 55(1), 7-16.
    """
    n = len(coefficients)
    lags, shifts = np.arange(n)[:, np.newaxis], np.arange(1, n)[np.newaxis, :]
    padded = np.concatenate([coefficients, np.zeros(n)])
    inner = padded[np.abs(lags - shifts)] + padded[lags + shifts] - 2 * coefficients[:, np.newaxis] * padded[shifts]
    return np.asarray(np.sqrt(((n - shifts) * inner**2).sum(axis=1) / (n * (n + 2))))


def compare_autocorrelations(
    observed: FloatArray, simulated: FloatArray, *, lags: int
) -> tuple[FloatArray, FloatArray]:
    r"""Difference of two autocorrelation functions, and its standard error.

    .. math::
       d_k = r^S_k - r^A_k, \qquad \operatorname{se}(d_k) = \sqrt{\operatorname{Var}(r^S_k)+\operatorname{Var}(r^A_k)}

    Parameters
    ----------
    observed, simulated
        Equally spaced series without gaps, shape ``(time,)``.
    lags
        Longest lag.

    Returns
    -------
    tuple of FloatArray
        Differences and standard errors at lags 1 to ``lags``; differences nearer 0 are better.

    References
    ----------
    Barlas, Y. (1990), An autocorrelation function test for output validation, Simulation 55(1), 7-16.
    """
    functions = [autocorrelation(series, lags=len(series) - 1) for series in (observed, simulated)]
    errors = np.hypot(*(autocorrelation_errors(function) for function in functions))
    return (functions[1] - functions[0])[1 : lags + 1], errors[1 : lags + 1]


def period(series: FloatArray, *, step: float = 1.0) -> float:
    """Period of a series: the lag of the highest peak of its autocorrelation function.

    Parameters
    ----------
    series
        Equally spaced, detrended values without gaps, shape ``(time,)``.
    step
        Time between successive values.

    Returns
    -------
    float
        Period in units of time, to the nearest step; NaN if there is no positive peak up to half the series.

    References
    ----------
    Barlas, Y. (1989), European Journal of Operational Research 42(1), 59-87.

    Examples
    --------
    >>> period(np.sin(2 * np.pi * np.arange(48) / 12), step=0.25)
    3.0
    """
    function = autocorrelation(series, lags=len(series) - 1)
    inner = np.arange(1, len(series) // 2 + 1)
    inner = inner[inner < len(series) - 1]
    is_peak = (function[inner] > function[inner - 1]) & (function[inner] >= function[inner + 1]) & (function[inner] > 0)
    if not is_peak.any():
        return float("nan")
    peaks = inner[is_peak]
    return float(peaks[np.argmax(function[peaks])] * step)


def lagged_correlation(observed: FloatArray, simulated: FloatArray, *, lags: int) -> FloatArray:
    r"""Cross-correlation function of a simulated and an observed series.

    .. math:: C_k = \frac{1}{N s_S s_A}\sum_i (S_i-\bar S)(A_{i-k}-\bar A)

    Parameters
    ----------
    observed, simulated
        Equally spaced series without gaps, shape ``(time,)``.
    lags
        Longest lag in either direction.

    Returns
    -------
    FloatArray
        Shape ``(2 * lags + 1,)``, lags ``-lags`` to ``lags``, from -1 to 1. A peak at a positive lag means that the
        simulated series lags behind the observed one, at a negative lag that it leads. NaN if a series is constant.

    References
    ----------
    Barlas, Y. (1989), European Journal of Operational Research 42(1), 59-87.
    """
    n = len(observed)
    actual, model = (series - series.mean() for series in (observed, simulated))
    products = [
        (model[max(lag, 0) : n + min(lag, 0)] * actual[max(-lag, 0) : n - max(lag, 0)]).sum()
        for lag in range(-lags, lags + 1)
    ]
    return ratio(np.array(products), np.sqrt((model**2).sum()) * np.sqrt((actual**2).sum()))
