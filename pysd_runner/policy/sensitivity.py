"""What a statement about draws depends on: each prior moved, the variance it explains, and the value of knowing it."""

from collections.abc import Sequence
from importlib import import_module

import numpy as np

from pysd_runner.core.types import Array, Flags, Indices, Interval, frozen

# Probabilities at which the word for a statement changes: more likely than not, likely, nearly certain.
WORDS = (0.5, 0.66, 0.9)
# Smallest effective number of draws at which a moved prior or a scaled density is read, and fewest draws for the value
# of knowing a parameter.
LEAST_EFFECTIVE, LEAST_KNOWN = 100.0, 1000
# Probabilities of the five knots of the spline (Harrell 2015, table 2.3), folds of the cross-fit, and permutations.
KNOTS, FOLDS, PERMUTED = (0.05, 0.275, 0.5, 0.725, 0.95), 5, 20
# Powers of a density between which its effect on a statement is shown, and those between which psense has its slope.
POWERS, SLOPED = (0.8, 1.25), (0.99, 1.01)


@frozen(eq=False)
class Draws:
    """Weighted draws of a posterior.

    Attributes
    ----------
    weights
        Weights of the draws with sum 1, shape (draw,).
    clusters
        Number of the cluster of each draw, from 0; draws of one cluster are not independent (the same posterior draw
        taken several times), shape (draw,).
    """

    weights: Array
    clusters: Indices

    def mean(self, values: Array | Flags, factors: Array | float = 1.0) -> Array:
        """Weighted mean over the last axis, with the weights times some factors."""
        weights = self.weights * factors
        return np.asarray(values @ weights / weights.sum())

    def effective(self, factors: Array | float = 1.0) -> float:
        """Effective number of clusters, ``(sum W)^2 / sum W^2`` with the weights ``W`` of clusters times factors."""
        whole = np.bincount(self.clusters, self.weights * factors)
        return float(whole.sum() ** 2 / (whole**2).sum())

    def error(self, values: Array, factors: Array | float = 1.0) -> float:
        """Standard error of `mean`, ``sqrt(sum_c (sum_(i in c) w_i (y_i - m))^2) / sum w`` over the clusters ``c``."""
        weights = self.weights * factors
        apart = np.bincount(self.clusters, weights * (values - self.mean(values, factors)))
        return float(np.sqrt((apart**2).sum()) / weights.sum())


def draws_of(rows: Array | Indices | None, count: int, weights: Array | None = None) -> Draws:
    """Weighted draws of which those with equal rows, shape (draw, value), are one cluster.

    Parameters
    ----------
    rows
        Values that tell apart independent draws; None if all are.
    count
        Number of draws.
    weights
        Weights, in any unit; None if all are equal.

    Returns
    -------
    Draws
        With weights of sum 1.
    """
    clusters = np.arange(count) if rows is None else np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    own = np.ones(count) if weights is None else np.asarray(weights, dtype=float)
    return Draws(weights=own / own.sum(), clusters=clusters)


def shift(scores: Array, by: float) -> Array:
    r"""Factors of the weights that move a prior by some of its standard deviations, :math:`\exp(b z - b^2 / 2)`.

    Parameters
    ----------
    scores
        Normal scores ``z`` of the draws under the prior, `Prior.normal_score`, which are standard normal under it.
    by
        Standard deviations ``b`` on that scale.

    Returns
    -------
    ndarray
        The ratio of the moved prior to the prior, shape (draw,).
    """
    return np.asarray(np.exp(by * scores - by**2 / 2))


def explained(values: Array, parameter: Array, draws: Draws, rng: np.random.Generator) -> tuple[Array, Array]:
    """Share of the variance of statements that a parameter explains, and the mean share that permuted draws give.

    ``Var(E(y | x)) / Var(y)`` with a restricted cubic spline in the normal scores of the weighted ranks of ``x``.

    Parameters
    ----------
    values
        Statements or other values, shape (statement, draw).
    parameter
        The parameter, shape (draw,).
    draws
        Weights and clusters.
    rng
        For `PERMUTED` permutations of the clusters.

    Returns
    -------
    share, chance : ndarray
        Shape (statement,); NaN where the statement does not vary.
    """
    basis, clusters = _basis(parameter, draws.weights), draws.clusters
    first = np.unique(clusters, return_index=True)[1]
    centred = values - draws.mean(values)[:, None]
    whole = np.where(np.ptp(values, axis=1) > 0, draws.mean(centred**2), 0.0)

    def share(rows: Array) -> Array:
        weighted = rows.T * draws.weights
        right = weighted @ centred.T
        slopes = np.linalg.lstsq(weighted @ rows, right, rcond=None)[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(whole > 0, (right * slopes).sum(axis=0) / whole, np.nan)

    permuted = [share(basis[first[rng.permutation(len(first))][clusters]]) for _ in range(PERMUTED)]
    return share(basis), np.mean(permuted, axis=0)


def with_error(values: Array, draws: Draws) -> Interval:
    """Weighted mean of some values, shape (draw,), and its standard error."""
    return float(draws.mean(values)), draws.error(values)


def value_of_knowing(values: Array, parameter: Array, draws: Draws, rng: np.random.Generator) -> Interval:
    """Gain of choosing by a parameter or several (EVPPI), by cross-fitted regression, and its standard error.

    ``E(v_d(x)) - E(v_d0)``: the option ``d(x)`` with the largest value that a regression on ``x`` predicts, and the
    option ``d0`` with the largest mean, both found in the other folds; so it may come out negative where knowing ``x``
    is worth nothing.

    Parameters
    ----------
    values
        Values of the options, shape (option, draw), the larger the better.
    parameter
        The parameter, shape (draw,), or several, shape (draw, parameter), whose splines are added up.
    draws
        Weights and clusters.
    rng
        For the split into folds, by cluster.

    Returns
    -------
    gain, error : float
        In the unit of the values; NaN for fewer than `LEAST_KNOWN` draws.

    References
    ----------
    Strong, M., Oakley, J. E. and Brennan, A. (2014), Estimating multiparameter partial expected value of perfect
    information from a probabilistic sensitivity analysis sample, Medical Decision Making 34(3), 311-326.
    """
    if values.shape[1] < LEAST_KNOWN:
        return np.nan, np.nan
    basis = np.column_stack([_basis(item, draws.weights) for item in np.atleast_2d(parameter.T)])
    count = values.shape[1]
    fold = rng.permutation(draws.clusters.max() + 1)[draws.clusters] % FOLDS
    gains = np.zeros(count)
    for number in range(FOLDS):
        own = fold == number
        rows, weights = basis[~own], draws.weights[~own]
        weighted = rows.T * weights
        slopes = np.linalg.lstsq(weighted @ rows, weighted @ values[:, ~own].T, rcond=None)[0]
        best = int((values[:, ~own] @ weights).argmax())
        chosen = (basis[own] @ slopes).argmax(axis=1)
        gains[own] = values[:, own][chosen, np.arange(own.sum())] - values[best, own]
    return with_error(gains, draws)


def value_of_all(values: Array, draws: Draws) -> Interval:
    """Gain of choosing with everything known (EVPI), ``E(max v) - max E(v)``, and its standard error."""
    return with_error(values.max(axis=0) - values[int(draws.mean(values).argmax())], draws)


def scaled(log_density: Array, power: float) -> Array:
    """Factors of the weights that raise a density to a power, ``p^(power - 1)``, Pareto-smoothed.

    Parameters
    ----------
    log_density
        Log density of each draw, up to a constant, shape (draw,).
    power
        The power, 1 for the density as it is.

    Returns
    -------
    ndarray
        Factors, the largest 1, shape (draw,).

    References
    ----------
    Kallioinen, N., Paananen, T., Bürkner, P.-C. and Vehtari, A. (2024), Detecting and diagnosing prior and likelihood
    sensitivity with power-scaling, Statistics and Computing 34, 57.
    """
    # Imported by name because the package has no type annotations.
    array_stats = import_module("arviz_stats.base").array_stats
    logs = np.asarray(array_stats.power_scale_lw(log_density, alpha=power, axis=-1), dtype=float)
    return np.asarray(np.exp(logs - logs.max()))


def power_sensitivity(values: Array, log_density: Array, draws: Draws) -> float:
    """Distance that values move for each doubling of the power of a density: the mean slope below and above 1.

    Cumulative Jensen-Shannon distances at the powers `SLOPED`, divided by the logarithm of the power to base 2; above
    .05 the density matters (`scaled` names the source).

    Parameters
    ----------
    values
        A quantity, shape (draw,).
    log_density
        Log density of each draw, shape (draw,).
    draws
        Weights and clusters.

    Returns
    -------
    float
        At least 0.
    """
    slopes = []
    for power in SLOPED:
        weights = draws.weights * scaled(log_density, power)
        weights /= weights.sum()
        apart = max(_distance(sign * values, draws.weights, weights) for sign in (1.0, -1.0))
        slopes.append(apart / abs(np.log2(power)))
    return float(np.mean(slopes))


def carried(share: float, ends: Interval) -> bool:
    """Whether a prior moved down or up carries a probability, in whole per cent, into another word of those known."""
    words = {sum(round(item, 2) >= least for least in WORDS) for item in (share, *ends) if np.isfinite(item)}
    return len(words) > 1


def ends_of(holds: Flags, factors: Sequence[Array], draws: Draws) -> Interval:
    """Probability of a statement under each of two factors of the weights; NaN below `LEAST_EFFECTIVE` draws."""
    low, high = (
        float(draws.mean(holds, item)) if draws.effective(item) >= LEAST_EFFECTIVE else np.nan for item in factors
    )
    return low, high


def _distance(values: Array, first: Array, second: Array) -> float:
    """Cumulative Jensen-Shannon distance between two weightings of the same values, between 0 and 1."""
    order = np.argsort(values)
    widths = np.diff(values[order])
    p, q = (np.cumsum(weights[order])[:-1] for weights in (first, second))
    middle = np.log2((p + q) / 2)
    whole, other = float(p @ widths), float(q @ widths)
    least = 0.5 / np.log(2) * (other - whole)
    one = float(widths @ (p * (np.log2(p) - middle))) + least
    two = float(widths @ (q * (np.log2(q) - middle))) - least
    return float(np.sqrt((max(0.0, one) + max(0.0, two)) / (whole + other)))


def _basis(values: Array, weights: Array) -> Array:
    """Constant and restricted cubic spline in the normal scores of weighted ranks, shape (draw, 5); ties share one."""
    from scipy.special import ndtri

    place = np.unique(values, return_inverse=True)[1]
    whole = np.bincount(place, weights)
    scores = ndtri((np.cumsum(whole) - whole / 2) / whole.sum())[place]
    knots = ndtri(np.array(KNOTS))
    cubes = np.maximum(scores[:, None] - knots, 0.0) ** 3
    last = knots[-1] - knots[-2]
    turned = (
        cubes[:, :-2] - (cubes[:, -2:-1] * (knots[-1] - knots[:-2]) - cubes[:, -1:] * (knots[-2] - knots[:-2])) / last
    )
    return np.column_stack([np.ones_like(scores), scores, turned / (knots[-1] - knots[0]) ** 2])
