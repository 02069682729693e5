"""Quantiles of distributions that no formula gives: numbers between two bounds, from numbers between zero and one."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# No guess lies more standard deviations from the mean, and no search goes farther than so many numbers.
FARTHEST, MOST = 40.0, 2.0**60

# Probability of what is below a number, not counting it, or counting it.
Law = Callable[..., Any]


def _between(chance: Array, low: Array, high: Array, below: Law, at_most: Law, quantile: Law) -> Array:
    """A number of a distribution, given that it lies between two bounds."""
    first = below(low)
    found = quantile(first + chance * (at_most(high) - first))
    return np.asarray(np.clip(found, low, high))


def _continuous(chance: Array, low: Array, high: Array, law: Law, quantile: Law) -> Array:
    """A real number, of which one alone has no probability."""
    return _between(chance, low, high, law, law, quantile)


def _whole(chance: Array, low: Array, high: Array, law: Law, mean: Array, variance: Array) -> Array:
    """A whole number from zero on, given that it lies between two bounds."""
    from scipy.special import ndtri

    def at_most(number: Array) -> Array:
        return np.where(number < 0, 0.0, law(np.maximum(number, 0.0)))

    def least(probability: Array) -> Array:
        """The least number that so many do not exceed: guessed from a normal number, and searched from there."""
        guess = mean + np.sqrt(variance) * np.clip(ndtri(probability), -FARTHEST, FARTHEST)
        above = np.floor(np.maximum(np.nan_to_num(guess), 0.0))
        below, step = above - 1, np.ones_like(above)
        while (wide := (below >= 0) & (at_most(below) >= probability)).any():
            above, below = np.where(wide, below, above), np.where(wide, np.maximum(below - step, -1.0), below)
            step = np.where(wide, 2 * step, step)
        while (short := at_most(above) < probability).any() and (step < MOST).all():
            below, above = np.where(short, above, below), np.where(short, above + step, above)
            step = np.where(short, 2 * step, step)
        while (open_ := above - below > 1).any():
            middle = np.floor((above + below) / 2)
            enough = at_most(middle) >= probability
            above, below = np.where(open_ & enough, middle, above), np.where(open_ & ~enough, middle, below)
        return np.asarray(above)

    return _between(chance, np.ceil(low), np.floor(high), lambda number: at_most(number - 1), at_most, least)


def gamma_quantile(chance: Array, low: Array, high: Array, shape: Array) -> Array:
    """Gamma distribution of scale one."""
    from scipy.special import gammainc, gammaincinv

    def law(number: Array) -> Array:
        return np.asarray(gammainc(shape, np.maximum(number, 0.0)))

    return _continuous(chance, low, high, law, lambda probability: gammaincinv(shape, probability))


def beta_quantile(chance: Array, low: Array, high: Array, alpha: Array, beta: Array) -> Array:
    """Beta distribution."""
    from scipy.special import betainc, betaincinv

    def law(number: Array) -> Array:
        return np.asarray(betainc(alpha, beta, np.clip(number, 0.0, 1.0)))

    return _continuous(chance, low, high, law, lambda probability: betaincinv(alpha, beta, probability))


def weibull_quantile(chance: Array, low: Array, high: Array, shape: Array) -> Array:
    """Weibull distribution of scale one."""

    def law(number: Array) -> Array:
        return np.asarray(-np.expm1(-(np.maximum(number, 0.0) ** shape)))

    return _continuous(chance, low, high, law, lambda probability: (-np.log1p(-probability)) ** (1 / shape))


def triangular_quantile(chance: Array, low: Array, high: Array, start: Array, peak: Array, end: Array) -> Array:
    """Triangular distribution."""
    width, rise, fall = end - start, peak - start, end - peak

    def law(number: Array) -> Array:
        number = np.clip(number, start, end)
        risen = (number - start) ** 2 / np.where(rise > 0, width * rise, 1.0)
        left = (end - number) ** 2 / np.where(fall > 0, width * fall, 1.0)
        return np.where(number < peak, risen, 1 - left)

    def quantile(probability: Array) -> Array:
        rising = start + np.sqrt(probability * width * rise)
        return np.where(probability * width < rise, rising, end - np.sqrt((1 - probability) * width * fall))

    return _continuous(chance, low, high, law, quantile)


def poisson_quantile(chance: Array, low: Array, high: Array, mean: Array) -> Array:
    """Poisson distribution."""
    from scipy.special import pdtr

    valid = mean >= 0
    mean = np.where(valid, mean, 0.0)
    found = _whole(chance, low, high, lambda count: pdtr(count, mean), mean, mean)
    return np.where(valid, found, np.nan)


def binomial_quantile(chance: Array, low: Array, high: Array, trials: Array, share: Array) -> Array:
    """Binomial distribution: how many of some trials succeed, each with a probability."""
    from scipy.special import betaincc  # bdtr is wrong for a thousand million trials

    valid = (trials >= 0) & (share >= 0) & (share <= 1)
    trials, share = np.where(valid, np.floor(trials), 0.0), np.where(valid, share, 0.0)

    def law(count: Array) -> Array:
        return np.where(count >= trials, 1.0, betaincc(count + 1, np.maximum(trials - count, 1.0), share))

    found = _whole(chance, low, high, law, trials * share, trials * share * (1 - share))
    return np.where(valid, found, np.nan)


def failures_quantile(chance: Array, low: Array, high: Array, successes: Array, share: Array) -> Array:
    """Negative binomial distribution: how many trials fail before so many succeed, each with a probability."""
    from scipy.special import betainc

    valid = (successes > 0) & (share > 0) & (share <= 1)
    successes, share = np.where(valid, successes, 1.0), np.where(valid, share, 1.0)
    mean = successes * (1 - share) / share
    found = _whole(chance, low, high, lambda count: betainc(successes, count + 1, share), mean, mean / share)
    return np.where(valid, found, np.nan)


def _of_stretched(quantile: Callable[..., Array]) -> Callable[..., Array]:
    """A number X, given that ``shift + stretch * X`` lies between two bounds."""

    def found(chance: Array, low: Array, high: Array, shift: Array, stretch: Array, *parameters: Array) -> Array:
        ends = [
            np.where(stretch == 0, otherwise, (end - shift) / np.where(stretch == 0, 1.0, stretch))
            for end, otherwise in ((low, -np.inf), (high, np.inf))
        ]
        return quantile(chance, np.minimum(*ends), np.maximum(*ends), *parameters)

    return found


# Each takes a number between zero and one, two bounds, shift and stretch, and the parameters of the distribution.
QUANTILES: dict[str, Callable[..., Array]] = {
    function.__name__: _of_stretched(function)
    for function in (
        gamma_quantile,
        beta_quantile,
        weibull_quantile,
        triangular_quantile,
        poisson_quantile,
        binomial_quantile,
        failures_quantile,
    )
}
