"""Residuals that are wild count less: Huber's loss, and the scale that goes with it.

References
----------
Huber, P. J. (1964), Robust estimation of a location parameter, Annals of Mathematical Statistics 35(1); the scale is
"proposal 2" there.
"""

from math import erf, exp, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Residuals beyond this many standard deviations count in proportion to their size instead of its square. For normal
# errors one in eighty lies beyond it and the estimates lose next to nothing.
BEND = 2.5

# Standard deviation of a normal distribution whose absolute values have median 1.
MAD_TO_SD = 1.4826
_ROUNDS = 100
_CLOSE = 1e-10


def bounded(residuals: Array) -> Array:
    """Residuals whose half square is Huber's loss.

    ``e`` within `BEND`, ``sign(e) sqrt(2 BEND |e| - BEND^2)`` beyond; smooth to the first derivative.

    Parameters
    ----------
    residuals
        In standard deviations, any shape.

    Returns
    -------
    ndarray
        Shape of `residuals`.

    Examples
    --------
    >>> bounded(np.array([1.0, -5.0])).round(3).tolist()
    [1.0, -4.33]
    """
    size = np.abs(residuals)
    beyond = np.sqrt(np.maximum(2 * BEND * size - BEND**2, 0.0))
    return np.where(size <= BEND, residuals, np.sign(residuals) * beyond)


def bounded_slope(residuals: Array) -> Array:
    """Derivative of `bounded`: one within `BEND`, ``BEND / sqrt(2 BEND |e| - BEND^2)`` beyond.

    Parameters
    ----------
    residuals
        In standard deviations, any shape.

    Returns
    -------
    ndarray
        Shape of `residuals`.

    Examples
    --------
    >>> bounded_slope(np.array([1.0, -5.0])).round(3).tolist()
    [1.0, 0.577]
    """
    return np.asarray(BEND / np.sqrt(np.maximum(2 * BEND * np.abs(residuals) - BEND**2, BEND**2)))


def log_mass() -> float:
    """Logarithm of the integral of ``exp(-loss)``, by which the density of a standardised error is divided.

    ``sqrt(2 pi) (2 Phi(BEND) - 1) + 2 exp(-BEND^2 / 2) / BEND``.

    Returns
    -------
    float
        A little above ``log sqrt(2 pi)``, because of the longer tails.

    Examples
    --------
    >>> round(log_mass() - 0.5 * log(2 * pi), 4)
    0.0016
    """
    return log(sqrt(2 * pi) * erf(BEND / sqrt(2)) + 2 * exp(-0.5 * BEND**2) / BEND)


def median_size(values: Array) -> float:
    """Median absolute value of what is finite; 0 of nothing."""
    known = np.abs(values[np.isfinite(values)])
    return float(np.median(known)) if known.size else 0.0


def held(values: Array) -> Array:
    """Hold values within `BEND` robust standard deviations (1.4826 times the median absolute value) of zero."""
    limit = BEND * MAD_TO_SD * median_size(values)
    return np.clip(values, -limit, limit) if limit > 0 else values


def robust_sd(values: Array, *, freedom: float, declared: float, weight: float) -> float:
    """Huber's scale: a few wild values hardly move it."""
    squares = np.square(values)
    variance = float((squares.sum() + weight * declared**2) / (freedom + weight))
    for _ in range(_ROUNDS):
        total = float(np.minimum(squares, BEND**2 * variance).sum()) / _EXPECTED + weight * declared**2
        new = total / (freedom + weight)
        if abs(new - variance) <= _CLOSE * variance:
            break
        variance = new
    return sqrt(variance)


def _expected() -> float:
    """Mean of min(Z^2, BEND^2) for a standard normal Z."""
    inside = erf(BEND / sqrt(2))
    density = exp(-0.5 * BEND**2) / sqrt(2 * pi)
    return inside - 2 * BEND * density + BEND**2 * (1 - inside)


_EXPECTED = _expected()
