"""The period of one series, and the lag between two, from their correlation functions."""

import numpy as np

from calibration.sdeval.pairs import FloatArray, ratio
from calibration.sdeval.residuals import autocorrelation


def autocorrelation_errors(coefficients: FloatArray) -> FloatArray:
    r"""Standard errors of autocorrelations of a series that does have memory.

    .. math::
       \operatorname{Var}(r_k) \approx \frac{1}{N(N+2)}\sum_{i=1}^{N-1}(N-i)\left(r_{k-i}+r_{k+i}-2r_kr_i\right)^2

    Parameters
    ----------
    coefficients
        Autocorrelations at all lags from 0 to N - 1, shape ``(N,)``.

    Returns
    -------
    FloatArray
        Shape ``(N,)``, from 0 up; beyond lag N - 1 the autocorrelation counts as 0.

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
        Series at equal steps, none missing, shape ``(time,)``.
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
        Values at equal steps without trend, none missing, shape ``(time,)``.
    step
        Time between two values.

    Returns
    -------
    float
        In units of time, to the nearest step; NaN where no lag up to half the series is a positive peak.

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
        Series at equal steps, none missing, shape ``(time,)``.
    lags
        Longest lag to either side.

    Returns
    -------
    FloatArray
        Shape ``(2 * lags + 1,)``, lags ``-lags`` to ``lags``, from -1 to 1. A peak at a positive lag says that the
        simulated comes later than the observed, at a negative one earlier. NaN where one does not vary.

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
