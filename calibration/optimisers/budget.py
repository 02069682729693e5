"""An objective under budget: it counts, remembers the best point, and stops a search whose budget is spent."""

from time import monotonic

import numpy as np
from numpy.typing import NDArray

from calibration.optimisers.objective import Objective, Optimum, Outcome, half_squares

Array = NDArray[np.float64]

# Starts are moved this far inside a bound, as a share of the scale: some methods need an interior point.
_INSIDE = 1e-3

# What a method that cannot go on from infinity is told where residuals are not finite.
FAILED = 1e12


class SearchOver(Exception):
    """A search has spent its budget."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


class Budget:
    """What a search asks instead of the objective."""

    # Points are held at the bounds, which rounding in a method's own units may miss by a digit. Budgets are checked
    # before an evaluation, so that the last one ends a search late by its own length at most; the first is always
    # allowed.

    def __init__(self, objective: Objective, *, seconds: float = np.inf, evaluations: float = np.inf) -> None:
        self._objective = objective
        self._end = monotonic() + seconds
        self._most = evaluations
        self.evaluations = 0
        self.best_point: Array | None = None
        self.best_cost = np.inf

    @property
    def seconds_left(self) -> float:
        """Time until the budget is spent, at least 0."""
        return max(self._end - monotonic(), 0.0)

    def linearised(self, point: Array) -> tuple[Array, Array]:
        """Residuals and their derivatives at a point."""
        self._check()
        point = self._held(point)
        residuals, jacobian = self._objective.linearised(point)
        self._count(point[None], half_squares(residuals[None]))
        return residuals, jacobian

    def cost_and_gradient(self, point: Array) -> tuple[float, Array]:
        """Half the sum of squares at a point and its derivatives; `FAILED` and zeros where it is not finite."""
        residuals, jacobian = self.linearised(point)
        if not (np.isfinite(residuals).all() and np.isfinite(jacobian).all()):
            return FAILED, np.zeros(len(point))
        return float(half_squares(residuals)), jacobian.T @ residuals

    def cost(self, point: Array) -> float:
        """Half the sum of squares at a point; `FAILED` where it is not finite."""
        return float(self.costs(point[None])[0])

    def costs(self, points: Array) -> Array:
        """Half the sums of squares at points of shape (draw, variable); `FAILED` where one is not finite."""
        self._check()
        points = self._held(points)
        costs = self._objective.costs(points)
        self._count(points, costs)
        return np.minimum(costs, FAILED)

    def optimum(self, outcome: Outcome) -> Optimum:
        """The best point seen, as the end of a search; its slope costs one more evaluation."""
        if self.best_point is None:
            raise RuntimeError("no point with finite residuals was seen")
        residuals, jacobian = self._objective.linearised(self.best_point)
        return Optimum(
            point=self.best_point,
            cost=self.best_cost,
            outcome=outcome,
            slope=scaled_slope(self._objective, self.best_point, jacobian.T @ residuals),
            evaluations=self.evaluations,
        )

    def _held(self, points: Array) -> Array:
        return np.asarray(np.clip(points, self._objective.lower, self._objective.upper), dtype=float)

    def _check(self) -> None:
        if not self.evaluations:
            return
        if monotonic() >= self._end:
            raise SearchOver(Outcome.OUT_OF_TIME)
        if self.evaluations >= self._most:
            raise SearchOver(Outcome.STOPPED_AT_LIMIT)

    def _count(self, points: Array, costs: Array) -> None:
        self.evaluations += len(points)
        place = int(np.argmin(costs))
        if costs[place] < self.best_cost:
            self.best_cost, self.best_point = float(costs[place]), points[place].copy()


def ended(point: Array, objective: Objective, outcome: Outcome) -> Optimum:
    """End without a search."""
    cost = float(half_squares(objective.linearised(point)[0]))
    return Optimum(point=point, cost=cost, outcome=outcome, slope=0.0 if outcome.is_success else np.inf, evaluations=1)


def interior(point: Array, objective: Objective) -> Array:
    """Move a point strictly inside the bounds."""
    room = np.minimum(_INSIDE * objective.scale, 0.25 * (objective.upper - objective.lower))
    return np.clip(point, objective.lower + room, objective.upper - room)


def scaled_slope(objective: Objective, point: Array, gradient: Array) -> float:
    """Largest scaled component of a gradient that does not point out of the bounds."""
    near = 1e-6 * objective.scale
    blocked = ((point - objective.lower < near) & (gradient > 0)) | ((objective.upper - point < near) & (gradient < 0))
    scaled = np.where(blocked, 0.0, np.abs(gradient * objective.scale))
    return float(scaled.max()) if np.isfinite(scaled).all() else np.inf
