"""Searches from one point, by scipy: trust-region least squares with bounds, and methods on the cost as one number."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from pysd_runner.core.errors import UnknownName, suggest

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class LeastSquares:
    """Trust-region reflective least squares.

    Chosen over Levenberg-Marquardt because a few bounds stay finite on the unbounded scale; it keeps every trial inside
    them. Trials with residuals that are not finite are refused and the region shrinks.

    Attributes
    ----------
    tolerance
        Relative change of cost or step, and scaled gradient, below which the search ends.
    evaluations
        Limit on residual evaluations.
    seconds
        Time budget; infinite for none.
    predicted_reduction
        The search also ends where the next Gauss-Newton step is predicted to lower the cost by less than this.

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
    """The next step would gain too little."""


class _Latest:
    """The condensed problem at the point asked for last, so that residuals and Jacobian cost one evaluation."""

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
            # Of the condensed residuals a Gauss-Newton step without bounds removes all but the last.
            if self._watch.best_cost < before and half_squares(self._value[0][:-1]) < self._least:
                raise _CloseEnough
        return self._value

    def optimum(self, objective: SumOfSquares, evaluations: int) -> Minimum:
        """The point asked for last as the end of a search."""
        residuals, jacobian = self._value
        return Minimum(
            point=self._point,
            cost=float(half_squares(residuals)),
            outcome=SearchOutcome.CONVERGED,
            slope=scaled_slope(objective, self._point, jacobian.T @ residuals),
            evaluations=evaluations,
        )


def condensed(residuals: Array, jacobian: Array, scale: Array) -> tuple[Array, Array]:
    """A problem of a few rows with the same cost, gradient and curvature: ``r'r``, ``J'r`` and ``J'J`` are kept."""
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
    """The same for a curvature that is singular: the triangle of (J, r) holds R, Q'r and the length of the rest."""
    missing = max(jacobian.shape[1] + 1 - len(residuals), 0)
    table = np.pad(np.column_stack([jacobian, residuals]), ((0, missing), (0, 0)))
    triangle = np.asarray(np.linalg.qr(table, mode="r"))
    return triangle[:, -1], triangle[:, :-1]


WITH_GRADIENT = ("L-BFGS-B", "TNC", "SLSQP", "trust-constr")
WITHOUT_GRADIENT = ("Nelder-Mead", "Powell")

# scipy's own tolerances, spelt differently for each method; a relative one of the cost would stop a fit with a thousand
# residuals too far from its optimum.
_TOLERANCES = {
    "L-BFGS-B": {"ftol": 1e-14, "gtol": 1e-7},
    "TNC": {"ftol": 1e-12, "gtol": 1e-7},
    "SLSQP": {"ftol": 1e-10},
    "trust-constr": {"gtol": 1e-6, "xtol": 1e-9},
    "Nelder-Mead": {"xatol": 1e-5, "fatol": 1e-8, "adaptive": True},
    "Powell": {"xtol": 1e-6, "ftol": 1e-12},
}
_LIMIT_NAMES = {"TNC": "maxfun"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Minimize:
    """A local search by `scipy.optimize.minimize`, in units of each variable's scale.

    It does not see that the cost is a sum of squares, and so takes more evaluations than `LeastSquares`; it is a check
    by another method, and the choice where the cost is far from quadratic.

    Attributes
    ----------
    method
        ``"L-BFGS-B"``, ``"TNC"``, ``"SLSQP"`` or ``"trust-constr"`` with the exact gradient; ``"Nelder-Mead"`` or
        ``"Powell"`` without derivatives. All keep to bounds.
    evaluations
        Limit on evaluations.
    seconds
        Time budget; infinite for none.

    Raises
    ------
    UnknownName
        If there is no such method.
    """

    method: str = "L-BFGS-B"
    evaluations: int = 20_000
    seconds: float = np.inf

    def __post_init__(self) -> None:
        known = (*WITH_GRADIENT, *WITHOUT_GRADIENT)
        if self.method not in known:
            raise UnknownName(f"there is no method {self.method!r} of minimize.{suggest(self.method, known)}")

    def minimise(self, objective: SumOfSquares, start: Array) -> Minimum:
        """Search from one point."""
        if not len(start):
            return ended(start, objective, SearchOutcome.NOTHING_TO_MOVE)
        inside = interior(start, objective)
        budget = Budget(objective, seconds=self.seconds, evaluations=self.evaluations)
        budget.cost(inside)
        if budget.best_point is None:
            return ended(inside, objective, SearchOutcome.NOT_FINITE)
        try:
            has_converged = self._search(objective, budget, inside)
        except SearchOver as over:
            return budget.optimum(over.outcome)
        return budget.optimum(SearchOutcome.CONVERGED if has_converged else SearchOutcome.STOPPED_AT_LIMIT)

    def _search(self, objective: SumOfSquares, budget: Budget, start: Array) -> bool:
        from scipy import optimize

        search: Any = optimize.minimize
        scale, uses_gradient = objective.scale, self.method in WITH_GRADIENT

        def cost(step: Array) -> float | tuple[float, Array]:
            point = start + scale * step
            if not uses_gradient:
                return budget.cost(point)
            value, gradient = budget.cost_and_gradient(point)
            return value, gradient * scale

        found = search(
            cost,
            np.zeros(len(start)),
            jac=uses_gradient or None,
            method=self.method,
            bounds=optimize.Bounds((objective.lower - start) / scale, (objective.upper - start) / scale),
            options={**_TOLERANCES[self.method], _LIMIT_NAMES.get(self.method, "maxiter"): self.evaluations},
        )
        return bool(found.success) or self._is_flat(objective, budget)

    def _is_flat(self, objective: SumOfSquares, budget: Budget) -> bool:
        """Whether the best point is an optimum although the method says otherwise."""
        # A line search that can no longer lower the cost because of rounding is told as a failure.
        point = budget.best_point
        if point is None or self.method not in WITH_GRADIENT:
            return False
        gradient = budget.cost_and_gradient(point)[1]
        return scaled_slope(objective, point, gradient) < _FLAT


# Gradient per scale at which an optimum is taken for found; with curvatures of one or more the cost is then within
# half its square of the optimum.
_FLAT = 1e-3
