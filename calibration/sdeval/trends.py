"""The trend of one series: fitted, compared, and taken out."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from calibration.sdeval.pairs import FloatArray, ratio
from pysd_runner.core.errors import InvalidInput

Trend = Literal["none", "linear", "quadratic", "exponential"]

DEGREES: dict[str, int] = {"none": 0, "linear": 1, "quadratic": 2, "exponential": 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedTrend:
    """A least-squares trend.

    Attributes
    ----------
    coefficients
        Of the powers of time from 0 up, time counted from the first moment; of the logarithm if exponential.
    standard_errors
        Of each coefficient, as if what is left were independent.
    left
        The series less its trend.
    """

    coefficients: FloatArray
    standard_errors: FloatArray
    left: FloatArray


def check_trend(trend: str) -> None:
    """Refuse an unknown kind of trend."""
    if trend not in DEGREES:
        raise InvalidInput(f"trend is {trend!r}; it must be one of {', '.join(DEGREES)}")


def fit_trend(series: FloatArray, *, trend: Trend, step: float = 1.0) -> FittedTrend:
    r"""Fit a polynomial in time, or a straight line to the logarithm, by least squares.

    .. math:: \hat\beta = (X^\top X)^{-1}X^\top y, \qquad
       \operatorname{Var}\hat\beta = \frac{\lVert y-X\hat\beta\rVert^2}{n-p}(X^\top X)^{-1}

    Parameters
    ----------
    series
        Values at equal steps, none missing, shape ``(time,)``.
    trend
        ``"none"`` takes out nothing: the mean is left in.
    step
        Time between two values.

    Returns
    -------
    FittedTrend
        Coefficients per unit of time.

    Raises
    ------
    InvalidInput
        If an exponential trend meets a value that is not positive, or there are too few values.

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
    r"""Compare the coefficients of two trends but the level.

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
        where the divisor is zero.
    """
    gap = (simulated.coefficients - observed.coefficients)[1:]
    error = np.hypot(simulated.standard_errors, observed.standard_errors)[1:]
    return ratio(gap, error), ratio(gap, np.abs(observed.coefficients[1:]))
