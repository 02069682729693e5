"""Optimisers: trust-region least squares, and CMA-ES for models without derivatives."""

from dataclasses import replace
from math import log

import numpy as np

from calibration.optimisers.newton import QuasiNewton
from calibration.optimisers.objective import (
    Budget,
    Minimum,
    SearchOutcome,
    SearchOver,
    SumOfSquares,
    ended,
    half_squares,
    interior,
    scaled_slope,
)
from pysd_runner.core.types import Array, frozen


@frozen
class LeastSquares:
    """Trust-region reflective least squares.

    Unlike Levenberg-Marquardt, it respects bounds, a few of which remain finite on the unconstrained scale. Trial
    points whose residuals are not finite are rejected, and the trust region shrinks.

    Attributes
    ----------
    tolerance
        Relative change of cost or step, and scaled gradient, below which the search ends.
    evaluations
        Maximum number of residual evaluations.
    seconds
        Time limit; infinite for none.
    predicted_reduction
        The search also ends if the predicted reduction of the cost by the next Gauss-Newton step is less than this.

    References
    ----------
    Branch, M. A., Coleman, T. F. and Li, Y. (1999), A subspace, interior, and conjugate gradient method for
    large-scale bound-constrained minimization problems, SIAM Journal on Scientific Computing 21(1).
    """

    tolerance: float = 1e-9
    evaluations: int = 200
    seconds: float = np.inf
    predicted_reduction: float = 0.0

    def minimise(self, objective: SumOfSquares, start: Array) -> Minimum:
        """Search from one point."""
        if not len(start):
            return ended(start, objective, SearchOutcome.NOTHING_TO_MOVE)
        inside = interior(start, objective)
        budget = Budget(objective, seconds=self.seconds)
        known = _Latest(budget, objective.scale, self.predicted_reduction)
        try:
            if not np.isfinite(known.residuals(inside)).all():
                return ended(inside, objective, SearchOutcome.NOT_FINITE)
            return self._search(objective, known, inside)
        except _CloseEnough:
            return known.optimum(objective, budget.evaluations)
        except SearchOver as over:
            return budget.optimum(over.outcome)

    def _search(self, objective: SumOfSquares, known: "_Latest", start: Array) -> Minimum:
        from scipy.optimize import least_squares

        found = least_squares(
            known.residuals,
            start,
            jac=known.jacobian,
            bounds=(objective.lower, objective.upper),
            x_scale=objective.scale,
            ftol=self.tolerance,
            xtol=self.tolerance,
            gtol=self.tolerance,
            max_nfev=self.evaluations,
        )
        point = np.asarray(found.x, dtype=float)
        return Minimum(
            point=point,
            cost=float(found.cost),
            outcome=SearchOutcome.CONVERGED if found.status > 0 else SearchOutcome.STOPPED_AT_LIMIT,
            slope=scaled_slope(objective, point, np.asarray(found.grad, dtype=float)),
            evaluations=int(found.nfev),
        )


class _CloseEnough(Exception):
    """Raised if the predicted reduction of the cost by the next step is too small."""


class _Latest:
    """Cache of the condensed problem at the latest point, so that residuals and Jacobian take a single evaluation."""

    def __init__(self, budget: Budget, scale: Array, least: float) -> None:
        self._watch, self._scale, self._least = budget, scale, least
        self._point = np.zeros(0)
        self._value = (np.zeros(0), np.zeros((0, 0)))

    def residuals(self, point: Array) -> Array:
        return self._at(point)[0]

    def jacobian(self, point: Array) -> Array:
        return self._at(point)[1]

    def _at(self, point: Array) -> tuple[Array, Array]:
        if not np.array_equal(point, self._point):
            before = self._watch.best_cost
            self._value = condensed(*self._watch.linearised(point), self._scale)
            self._point = point.copy()
            # A Gauss-Newton step without bounds reduces all condensed residuals but the last to zero.
            if self._watch.best_cost < before and half_squares(self._value[0][:-1]) < self._least:
                raise _CloseEnough
        return self._value

    def optimum(self, objective: SumOfSquares, evaluations: int) -> Minimum:
        """Result of a search that converged at the latest point."""
        residuals, jacobian = self._value
        return Minimum(
            point=self._point,
            cost=float(half_squares(residuals)),
            outcome=SearchOutcome.CONVERGED,
            slope=scaled_slope(objective, self._point, jacobian.T @ residuals),
            evaluations=evaluations,
        )


def condensed(residuals: Array, jacobian: Array, scale: Array) -> tuple[Array, Array]:
    """Condense a problem to few rows with the same ``r'r``, ``J'r`` and ``J'J``: the same cost, gradient, curvature."""
    count = len(scale)
    scaled = jacobian * scale
    curvature = scaled.T @ scaled
    if not (np.isfinite(residuals).all() and np.isfinite(curvature).all()):
        return np.full(count + 1, np.nan), np.full((count + 1, count), np.nan)
    try:
        triangle = np.linalg.cholesky(curvature).T
        turned = np.linalg.solve(triangle.T, scaled.T @ residuals)
        rest = np.sqrt(max(float(residuals @ residuals - turned @ turned), 0.0))
    except np.linalg.LinAlgError:
        return _decomposed(residuals, jacobian)
    return np.append(turned, rest), np.vstack([triangle / scale, np.zeros(count)])


def _decomposed(residuals: Array, jacobian: Array) -> tuple[Array, Array]:
    """Condense a problem with singular ``J'J``: the triangular factor of (J, r) holds R, Q'r and the residual norm."""
    missing = max(jacobian.shape[1] + 1 - len(residuals), 0)
    table = np.pad(np.column_stack([jacobian, residuals]), ((0, missing), (0, 0)))
    triangle = np.asarray(np.linalg.qr(table, mode="r"))
    return triangle[:, -1], triangle[:, :-1]


# Maximum share of the time limit for the global exploration; the remainder is for the final local search.
EXPLORATION = 0.8


@frozen
class EvolutionStrategy:
    """CMA-ES in units of each variable's scale, followed by least squares from the best point found.

    Attributes
    ----------
    step
        Initial standard deviation, in scales.
    population
        Points in a generation; None for four times the usual ``4 + 3 log(variables)``, because a batch of simulations
        costs little more than a single one.
    tolerance
        Range of the costs in recent generations below which the search ends.
    seed
        Seed of the random numbers.
    evaluations
        Maximum number of evaluations.
    seconds
        Time limit; infinite for none.

    References
    ----------
    Hansen, N. and Ostermeier, A. (2001), Completely derandomized self-adaptation in evolution strategies, Evolutionary
    Computation 9(2).
    """

    step: float = 0.5
    population: int | None = None
    tolerance: float = 1e-4
    seed: int = 0
    evaluations: float = 50_000
    seconds: float = np.inf

    def minimise(self, objective: SumOfSquares, start: Array) -> Minimum:
        """Explore globally, then search locally from the best point found."""
        # A population stops at points where the gradient is still far from zero; least squares reaches the optimum from
        # there in a few steps.
        if not len(start):
            return ended(start, objective, SearchOutcome.NOTHING_TO_MOVE)
        inside = interior(start, objective)
        whole = Budget(objective, seconds=self.seconds)
        budget = Budget(objective, seconds=EXPLORATION * self.seconds, evaluations=self.evaluations)
        is_whole = True
        budget.cost(inside)
        try:
            self._explore(objective, budget, inside)
        except SearchOver:
            is_whole = False
        if budget.best_point is None:
            return ended(inside, objective, SearchOutcome.NOT_FINITE)
        local = LeastSquares if objective.beside is None else QuasiNewton
        end = local(seconds=whole.seconds_left).minimise(objective, budget.best_point)
        outcome = end.outcome
        if outcome is SearchOutcome.CONVERGED and not is_whole:
            outcome = SearchOutcome.EXPLORED_IN_PART
        return replace(end, outcome=outcome, evaluations=end.evaluations + budget.evaluations)

    def _explore(self, objective: SumOfSquares, budget: Budget, inside: Array) -> None:
        import cma

        scale = objective.scale
        rng = np.random.default_rng(self.seed)
        # The library needs two variables at least: a single one is accompanied by a dummy without effect.
        twins = max(2 - len(inside), 0)
        lower, upper = ((end - inside) / scale for end in objective.box(inside))
        size = self.population or 4 * (4 + int(3 * log(len(inside) + twins)))
        strategy = cma.CMAEvolutionStrategy(
            np.zeros(len(inside) + twins),
            self.step,
            {
                "bounds": [[*lower, *[-1.0] * twins], [*upper, *[1.0] * twins]],
                "popsize": size,
                "tolfun": self.tolerance,
                "verbose": -9,
                # Otherwise the library would seed numpy's global generator.
                "seed": np.nan,
                "randn": lambda *shape: rng.standard_normal(shape),
            },
        )
        while not strategy.stop():
            steps = strategy.ask()
            points = inside + scale * np.array(steps)[:, : len(inside)]
            strategy.tell(steps, budget.costs(points).tolist())
