"""Draws of the posterior by adaptive importance sampling: seconds where a Markov chain needs a minute."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from calibration.fitting.point import FittedPoint
from calibration.fitting.results import Fit
from calibration.fitting.space import ParameterSpace
from pysd_runner.core.errors import InvalidInput
from pysd_runner.core.parallel import one_thread
from pysd_runner.core.types import Array, frozen
from pysd_runner.evidence.weights import systematic

# Effective number of draws that a printed interval needs, and that the rank of a truth in a simulated panel needs.
FOR_INTERVALS, FOR_RANKS = 400, 100
# Entry of `FittedParameters.provenance` under which reports find the effective number.
ENTRY = "weighting"
# Draws of each stage; the last ones are made only if the earlier ones are not enough.
STAGES = (1000, 2000, 4000, 4000, 8000)
# Points evaluated at a time.
BATCH = 1000
# Distance at which the width of either side of a direction is measured, in standard deviations, and its limits.
APART, WIDTHS = 1.5, (0.4, 2.5)
# Effective draws at which half of what a stage says of means and widths is believed, and limits to changes of a width.
HALF, CHANGES = 40.0, (1 / 1.3, 1.3)
# Largest bend of a direction: displacement per product of two others, in standard deviations.
MOST_BENT = 0.5
# Degrees of freedom of directions whose variance the data reduce below this share of the prior's; others are normal.
FREEDOM, INFORMED = 10.0, 0.5
_TINY = np.finfo(float).tiny


@frozen(eq=False)
class SplitDensity:
    """Independent coordinates with another width on either side of the mode; the first ones have Student's tails.

    ``q(x) = prod_k 2 / (a_k + b_k) f_k((x_k - m_k) / s_k)`` with the mode ``m``, the widths ``s = b`` below it and
    ``s = a`` above, and the standard density ``f`` of the t or the normal distribution.
    """

    mode: Array
    below: Array
    above: Array
    tailed: int  # number of coordinates, from the first, that have t tails

    def drawn(self, count: int, rng: np.random.Generator) -> Array:
        """Draw points, shape (draw, coordinate)."""
        size = np.abs(rng.standard_normal((count, len(self.mode))))
        size[:, : self.tailed] *= np.sqrt(FREEDOM / rng.chisquare(FREEDOM, (count, self.tailed)))
        is_above = rng.random(size.shape) < self.above / (self.above + self.below)
        return self.mode + np.where(is_above, size * self.above, -size * self.below)

    def log_density(self, points: Array) -> Array:
        """Log density, shape (draw,), up to a constant that depends on the number of t coordinates alone."""
        squares = ((points - self.mode) / np.where(points > self.mode, self.above, self.below)) ** 2
        tailed = (FREEDOM + 1) * np.log1p(squares[:, : self.tailed] / FREEDOM)
        tails = tailed.sum(axis=1) + squares[:, self.tailed :].sum(axis=1)
        return np.asarray(-0.5 * tails - np.log(self.above + self.below).sum())


@frozen(eq=False)
class WeightedDraws:
    """Draws with importance weights that represent the posterior of the estimated parameters.

    Attributes
    ----------
    space
        The estimated parameters.
    points
        Draws on the unconstrained scale, shape (draw, parameter).
    weights
        Truncated weights with sum 1, shape (draw,).
    effective
        Effective number of draws before truncation, ``(sum w)^2 / sum w^2``; 0 if no draw has a density.
    """

    space: ParameterSpace
    points: Array
    weights: Array
    effective: float

    def taken(self, count: int, seed: int = 0) -> Array:
        """Draw vectors in proportion to their weights, in the units of the parameters.

        Parameters
        ----------
        count
            Number of vectors.
        seed
            Seed of the one random number of systematic resampling.

        Returns
        -------
        ndarray
            Shape (count, parameter); a draw appears as often as its weight says, up to one.
        """
        places = systematic(self.weights, count, np.random.default_rng(seed))
        return np.stack(list(self.space.to_values(self.points[places]).values()), axis=1)

    def attached(self, fit: Fit, count: int, seed: int = 0) -> Fit:
        """Add draws to a fit, so that projections use them instead of the normal approximation.

        Parameters
        ----------
        fit
            The fit whose posterior was drawn from.
        count, seed
            As for `taken`.

        Returns
        -------
        Fit
            The fit with equally likely draws, and with their effective number in its provenance.
        """
        record = {"draws": count, "effective": self.effective, "seed": seed}
        made = tuple(map(tuple, self.taken(count, seed).tolist()))
        provenance = {**fit.fitted.provenance, ENTRY: record}
        return replace(fit, fitted=replace(fit.fitted, draws=made, provenance=provenance))


@one_thread
def weighted_at(
    at: FittedPoint, *, least: float = FOR_INTERVALS, seed: int = 0, stages: Sequence[int] = STAGES
) -> WeightedDraws:
    """Weighted draws of the posterior that is approximated by a normal distribution at a point.

    Draws are split normal along the eigendirections of the approximation, with t tails where the data tell most, and
    bent to second order. Stages follow each other, each made for the means and widths that the earlier ones found,
    until the effective number is enough. A draw ``x`` of any stage has the weight ``p(x) / sum_k n_k q_k(x)``.

    Parameters
    ----------
    at
        End point of a search.
    least
        Effective number of draws that is enough: 400 for intervals.
    seed
        Seed of the random numbers.
    stages
        Draws of each stage.

    Returns
    -------
    WeightedDraws
        Draws and weights; if `WeightedDraws.effective` is below `least`, no stage reached it: then use `sample`.

    Raises
    ------
    InvalidInput
        If no parameter was estimated.

    References
    ----------
    Villani, M. and Larsson, R. (2006), The multivariate split normal distribution and asymmetric principal components
    analysis, Communications in Statistics 35(6).
    Cornuet, J.-M. et al. (2012), Adaptive multiple importance sampling, Scandinavian Journal of Statistics 39(4).
    """
    space, rng = at.problem.space, np.random.default_rng(seed)
    if not len(space):
        raise InvalidInput("there is nothing to sample: the fit moved no parameter")
    slopes = space.prior_slopes(at.point)
    variances, vectors = np.linalg.eigh(at.curvature.covariance * np.outer(slopes, slopes))
    root = (vectors * np.sqrt(variances)) / slopes[:, None]
    bent = bend(at, root, variances)

    def log_posterior(points: Array) -> Array:
        return _in_parts(at.problem.log_posterior_batch, at.point + bent(points) @ root.T)

    centre, steps = np.zeros(len(space)), APART * np.eye(len(space))
    drop = np.maximum(log_posterior(centre[None]), -1 / _TINY) - log_posterior(np.concatenate([-steps, steps]))
    below, above = np.split(np.clip(APART / np.sqrt(2 * np.maximum(drop, _TINY)), *WIDTHS), 2)
    latest = SplitDensity(mode=centre, below=below, above=above, tailed=int((variances < INFORMED).sum()))
    used: list[SplitDensity] = []
    points, logs, weights, effective = np.empty((0, len(space))), np.empty(0), np.empty(0), 0.0
    for count in stages:
        used.append(latest)
        fresh = latest.drawn(count, rng)
        points, logs = np.concatenate([points, fresh]), np.append(logs, log_posterior(fresh))
        parts = [np.log(n) + q.log_density(points) for n, q in zip(stages, used, strict=False)]
        weights, effective = truncated(logs - np.logaddexp.reduce(parts))
        if effective >= least or effective == 0:
            break
        trust = 1 / (1 + HALF * (weights**2).sum())
        mean = weights @ points
        ratio = np.sqrt(weights @ (points - mean) ** 2) / fresh.std(axis=0)
        # Widths are those of a normal distribution, tails beyond it.
        ratio[: latest.tailed] *= np.sqrt(FREEDOM / (FREEDOM - 2))
        ratio = np.clip(ratio**trust, *CHANGES)
        mode = latest.mode + trust * (mean - fresh.mean(axis=0))
        latest = replace(latest, mode=mode, below=latest.below * ratio, above=latest.above * ratio)
    return WeightedDraws(space=space, points=at.point + bent(points) @ root.T, weights=weights, effective=effective)


def bend(at: FittedPoint, root: Array, variances: Array) -> Callable[[Array], Array]:
    """Second-order course of well-determined directions where others move, ``x_t - J_t' Q(x, x) / 2``.

    With data residuals ``r(x) = r(0) + J x + Q(x, x) / 2`` along directions in which the curvature is 1, it is where
    direction ``t`` fits best once those determined less are moved. Only products of these count, so that the map is
    triangular, its determinant 1, and a density stays what it is.

    References
    ----------
    Transtrum, M. and Sethna, J. (2012), Geodesic acceleration and the small-curvature approximation for nonlinear least
    squares, arXiv:1207.4999.
    """
    slopes = at.data_jacobian @ root
    curvature = (slopes**2).sum(axis=0) + variances
    first, second = np.triu_indices(len(root))

    def residuals(points: Array) -> Array:
        found = _in_parts(at.problem.residual_batch, at.point + points @ root.T)
        return found[:, : len(slopes)]

    steps = np.eye(len(root))
    alone, together = residuals(steps), residuals(steps[first] + steps[second])
    found = (together - alone[first] - alone[second] + residuals(0 * steps[:1])) @ (-slopes / curvature)
    found *= np.where(first < second, 1, 0.5)[:, None] * (np.arange(len(root)) < first[:, None])
    size = np.clip(np.nan_to_num(found), -MOST_BENT, MOST_BENT)
    return lambda points: _in_parts(lambda part: part + (part[:, first] * part[:, second]) @ size, points)


def _in_parts(function: Callable[[Array], Array], points: Array) -> Array:
    """Result of a function of many points, `BATCH` of them at a time."""
    return np.concatenate([function(points[place : place + BATCH]) for place in range(0, len(points), BATCH)])


def truncated(logs: Array) -> tuple[Array, float]:
    """Truncated weights from log weights, and the effective number of draws before truncation.

    Weights above ``sqrt(n)`` times their mean are set to that, ``w_i = min(w_i, sum w / sqrt(n))``, and then divided by
    their sum.

    Parameters
    ----------
    logs
        Logarithms of the weights, up to a constant; minus infinity for weight 0. Shape (draw,).

    Returns
    -------
    weights : ndarray
        Shape (draw,), with sum 1; all 0 if all were.
    effective : float
        ``(sum w)^2 / sum w^2``; 0 if all were 0.

    References
    ----------
    Ionides, E. (2008), Truncated importance sampling, Journal of Computational and Graphical Statistics 17(2).
    """
    weights = np.exp(logs - max(logs.max(), -1 / _TINY))
    total = weights.sum()
    cut = np.minimum(weights, total / np.sqrt(len(weights)))
    return cut / max(cut.sum(), _TINY), float(total**2 / max((weights**2).sum(), _TINY))
