"""Quasi-Newton search within bounds of an objective that is no sum of squares, and its curvature."""

from collections.abc import Callable

import numpy as np

from calibration.optimisers.objective import (
    FAILED,
    Budget,
    Minimum,
    SearchOutcome,
    SearchOver,
    SumOfSquares,
    ended,
)
from pysd_runner.core.types import Array, Flags, frozen

Slopes = Callable[[Array], tuple[float, Array]]

# Step of the differences of gradients, in scales.
STEP = 1e-4
# Gradients that the search keeps.
KEPT = 30
# A search is started anew from its end until that lowers the cost by less than this, at most `ROUNDS` times.
CLOSE, ROUNDS = 1e-3, 10


@frozen
class QuasiNewton:
    """Limited-memory quasi-Newton search within bounds, repeated from its end until that gains nothing.

    Attributes
    ----------
    evaluations
        Maximum number of gradients.
    seconds
        Time limit; infinite for none.

    References
    ----------
    Byrd, R. H., Lu, P., Nocedal, J. and Zhu, C. (1995), A limited memory algorithm for bound constrained optimization,
    SIAM Journal on Scientific Computing 16(5).
    """

    evaluations: float = 20_000
    seconds: float = np.inf

    def minimise(self, objective: SumOfSquares, start: Array) -> Minimum:
        """Search from one point."""
        if not len(start):
            return ended(start, objective, SearchOutcome.NOTHING_TO_MOVE)
        inside = np.clip(start, objective.lower, objective.upper)
        budget = Budget(objective, seconds=self.seconds, evaluations=self.evaluations)
        try:
            if not np.isfinite(budget.slopes(inside)[0]):
                return ended(inside, objective, SearchOutcome.NOT_FINITE)
            for _ in range(ROUNDS):
                before = budget.best_cost
                _search(objective, budget)
                if before - budget.best_cost < CLOSE:
                    return budget.optimum(SearchOutcome.CONVERGED)
        except SearchOver as over:
            return budget.optimum(over.outcome)
        return budget.optimum(SearchOutcome.STOPPED_AT_LIMIT)


def _search(objective: SumOfSquares, budget: Budget) -> None:
    """Search from the best point of a budget, in units of the scales."""
    from scipy.optimize import minimize

    scale, start = objective.scale, budget.best_point
    assert start is not None  # noqa: S101 - the search begins at a point

    def function(moved: Array) -> tuple[float, Array]:
        cost, gradient = budget.slopes(moved * scale)
        return (cost, gradient * scale) if np.isfinite(cost) else (FAILED, np.zeros(len(scale)))

    bounds = list(zip(objective.lower / scale, objective.upper / scale, strict=True))
    options = {"maxcor": KEPT, "maxiter": 10_000, "maxfun": 100_000, "ftol": 1e-14, "gtol": 1e-9, "maxls": 40}
    minimize(function, start / scale, jac=True, method="L-BFGS-B", bounds=bounds, options=options)  # type: ignore[call-overload]


def curvature_of(slopes: Slopes, point: Array, lower: Array, upper: Array, scale: Array) -> Array:
    """Second derivatives in units of the scales, by differences of gradients; one-sided at a bound.

    Parameters
    ----------
    slopes
        Function to the cost and its gradient.
    point, lower, upper, scale
        The point, its bounds and typical sizes, shape (variable,) each.

    Returns
    -------
    ndarray
        Symmetric, shape (variable, variable); NaN where a gradient is not finite.
    """
    rows = []
    for place, size in enumerate(scale):
        ends = np.array([min(point[place] + STEP * size, upper[place]), max(point[place] - STEP * size, lower[place])])
        after, before = (slopes(np.where(np.arange(len(scale)) == place, end, point))[1] for end in ends)
        rows.append((after - before) * scale * size / (ends[0] - ends[1]))
    found = np.array(rows).reshape(len(scale), len(scale))
    return np.asarray((found + found.T) / 2)


def blocked(point: Array, gradient: Array, lower: Array, upper: Array, scale: Array) -> Flags:
    """Variables at a bound beyond which the cost falls."""
    near = 1e-9 * scale
    return np.asarray(((point - lower <= near) & (gradient > 0)) | ((upper - point <= near) & (gradient < 0)))
