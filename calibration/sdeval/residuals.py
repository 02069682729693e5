"""Residual tests: autocorrelation, dependence between series, and heteroscedasticity.

The residuals of a good model have no pattern. Missing residuals are left out of every sum.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from calibration.sdeval.fit import centred, numbers_of, ratio
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.types import Array, Interval, frozen


@frozen
class HypothesisTest:
    """A test statistic and its p-value under the null hypothesis of no pattern.

    Attributes
    ----------
    statistic
        The statistic; larger values are further from the null hypothesis.
    p_value
        From 0 to 1; higher is better: small values indicate that the residuals have the pattern.
    """

    statistic: Array
    p_value: Array


def autocorrelation(residuals: ArrayLike, *, lags: int) -> Array:
    r"""Autocorrelation function of residuals.

    .. math:: r_k = \frac{\sum_{t=k+1}^{n}(e_t-\bar e)(e_{t-k}-\bar e)}{\sum_{t=1}^{n}(e_t-\bar e)^2}

    Parameters
    ----------
    residuals
        Errors, any unit, time on the last axis; NaN where missing: products with a missing value are left out.
    lags
        Longest lag, less than the number of times.

    Returns
    -------
    Array
        Shape ``(*series, lags + 1)``, from -1 to 1; lag 0 is 1; nearer 0 is better. NaN if all errors are equal.

    Raises
    ------
    InvalidInput
        If ``lags`` is negative or not less than the number of times, or a value is infinite.

    References
    ----------
    Box, G. E. P. and Jenkins, G. M. (1976), Time Series Analysis: Forecasting and Control, Holden-Day, ch. 2.

    Examples
    --------
    >>> autocorrelation([1.0, 2.0, 3.0], lags=2).tolist()
    [1.0, 0.0, -0.5]
    """
    errors = numbers_of("residuals", residuals)
    moments = errors.shape[-1]
    if not 0 <= lags < moments:
        raise InvalidInput(
            "lags is {lags}; with {moments} moments it must be from 0 to {most}",
            lags=lags,
            moments=moments,
            most=moments - 1,
        )
    away = centred(errors)
    square = np.nansum(away**2, axis=-1)
    products = [np.nansum(away[..., lag:] * away[..., : moments - lag], axis=-1) for lag in range(lags + 1)]
    return ratio(np.stack(products, axis=-1), square[..., np.newaxis])


def autocorrelation_band(n: ArrayLike) -> Array:
    r"""Half-width of the 95 % confidence band of autocorrelations of independent errors, :math:`1.96/\sqrt n`.

    Parameters
    ----------
    n
        Number of times.

    Returns
    -------
    Array
        The half-width; an autocorrelation inside the band is consistent with independence.

    References
    ----------
    Bartlett, M. S. (1946), Supplement to the Journal of the Royal Statistical Society 8(1), 27-41.

    Examples
    --------
    >>> round(float(autocorrelation_band(100)), 6)
    0.195996
    """
    return ratio(special.ndtri(0.975), np.sqrt(np.asarray(n, dtype=float)))


def ljung_box(residuals: ArrayLike, *, lags: int) -> HypothesisTest:
    r"""Ljung-Box test of no autocorrelation at the first lags.

    .. math:: Q = n(n+2)\sum_{k=1}^{h}\frac{r_k^2}{n-k} \sim \chi^2_h

    Parameters
    ----------
    residuals
        Errors, any unit, time on the last axis; NaN where missing.
    lags
        Number of lags, :math:`h`.

    Returns
    -------
    HypothesisTest
        Statistic, at least 0, lower is better; p-value, higher is better.

    Raises
    ------
    InvalidInput
        If ``lags`` is not positive, or as in `autocorrelation`.

    References
    ----------
    Ljung, G. M. and Box, G. E. P. (1978), On a measure of lack of fit in time series models, Biometrika 65(2), 297-303.

    Examples
    --------
    >>> round(float(ljung_box([1.0, 2.0, 3.0], lags=2).statistic), 12)
    3.75
    """
    if lags < 1:
        raise InvalidInput("lags is {lags}; it must be at least 1", lags=lags)
    coefficients = autocorrelation(residuals, lags=lags)[..., 1:]
    errors = numbers_of("residuals", residuals)
    n = np.isfinite(errors).sum(axis=-1)[..., np.newaxis].astype(float)
    statistic = (n * (n + 2) * ratio(coefficients**2, np.maximum(n - np.arange(1, lags + 1), 0))).sum(axis=-1)
    return HypothesisTest(statistic=statistic, p_value=special.chdtrc(float(lags), statistic))


def breusch_pagan(residuals: ArrayLike, regressors: ArrayLike) -> HypothesisTest:
    r"""Breusch-Pagan test, in Koenker's form, of no dependence of the error variance on the regressors.

    .. math:: LM = nR^2 \sim \chi^2_p, \qquad e_t^2 = \gamma_0 + \gamma^\top x_t + u_t

    Parameters
    ----------
    residuals
        Errors, any unit, time on the last axis; NaN where missing.
    regressors
        Variables on which the variance may depend, such as the simulated value or time: an array of the shape of
        ``residuals``, or several stacked on a new first axis.

    Returns
    -------
    HypothesisTest
        Statistic from 0 to n, lower is better; p-value, higher is better. NaN if the squared errors or all regressors
        are constant.

    Raises
    ------
    InvalidInput
        If the shapes do not match or a value is infinite.

    References
    ----------
    Breusch, T. S. and Pagan, A. R. (1979), Econometrica 47(5), 1287-1294. Koenker, R. (1981), A note on studentizing a
    test for heteroscedasticity, Journal of Econometrics 17(1), 107-112.
    """
    errors = numbers_of("residuals", residuals)
    several = numbers_of("regressors", regressors)
    if several.ndim == np.ndim(residuals):
        several = several[np.newaxis]
    stacked = [numbers_of("regressors", one) for one in several]
    if any(one.shape != errors.shape for one in stacked):
        raise InvalidInput(
            "residuals have the shape {shape} by time and the regressors {other_shape}; each "
            "regressor must have the shape of the residuals",
            shape=errors.shape,
            other_shape=stacked[0].shape,
        )
    columns = np.stack(stacked, axis=-1).reshape(-1, errors.shape[-1], len(stacked))
    rows = [
        _lagrange_multiplier(own, regressor)
        for own, regressor in zip(errors.reshape(-1, errors.shape[-1]), columns, strict=True)
    ]
    statistic, degrees = (np.array(part).reshape(errors.shape[:-1]) for part in zip(*rows, strict=True))
    return HypothesisTest(statistic=statistic, p_value=special.chdtrc(degrees, statistic))


def cross_dependence(residuals: ArrayLike) -> HypothesisTest:
    r"""Pesaran's CD test of cross-sectional independence of the series.

    .. math:: CD = \sqrt{\frac{2}{N(N-1)}}\sum_{i<j}\sqrt{T_{ij}}\,\rho_{ij} \sim N(0, 1)

    Parameters
    ----------
    residuals
        Errors, any unit, time on the last axis; all others are series; NaN where missing.

    Returns
    -------
    HypothesisTest
        Statistic of either sign, nearer 0 is better; two-sided p-value, higher is better. Opposite correlations may
        cancel. NaN for a single series, or if a correlation is undefined.

    Raises
    ------
    InvalidInput
        If a value is infinite.

    References
    ----------
    Pesaran, M. H. (2004), General diagnostic tests for cross section dependence in panels, CESifo Working Paper 1229.
    """
    errors = numbers_of("residuals", residuals)
    errors = errors.reshape(-1, errors.shape[-1])
    series, given = len(errors), np.isfinite(errors).astype(float)
    if series < 2:
        return HypothesisTest(statistic=np.asarray(np.nan), p_value=np.asarray(np.nan))
    above = np.triu_indices(series, k=1)
    # Correlations over the common times of two series, and the numbers of these.
    correlations, moments = pd.DataFrame(errors.T).corr().to_numpy(), given @ given.T
    total = (np.sqrt(moments[above]) * correlations[above]).sum()
    statistic = np.asarray(np.sqrt(2 / (series * (series - 1))) * total)
    return HypothesisTest(statistic=statistic, p_value=np.asarray(2 * special.ndtr(-np.abs(statistic))))


def _lagrange_multiplier(errors: Array, regressors: Array) -> Interval:
    """N R^2 of squared errors on regressors of shape (time, regressor), and the rank of the regressors."""
    given = np.isfinite(errors) & np.isfinite(regressors).all(axis=-1)
    columns = centred(regressors[given].T)
    columns = columns / np.maximum(np.abs(columns).max(axis=-1, keepdims=True, initial=0.0), np.finfo(float).tiny)
    squares = centred(errors[given] ** 2)
    if given.sum() < 3 or not squares.any():
        return np.nan, np.nan
    fitted, _, rank, _ = np.linalg.lstsq(columns.T, squares)
    if rank == 0:
        return np.nan, np.nan
    left = squares - columns.T @ fitted
    return float(len(squares) * (1 - (left @ left) / (squares @ squares))), float(rank)
