"""Searches for a minimum of the cost as one number, by scipy: with exact gradients or without derivatives."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.optimisers.budget import Budget, SearchOver, ended, interior, scaled_slope
from calibration.optimisers.objective import Objective, Optimum, Outcome
from pysd_runner.core.errors import UnknownName, suggest

Array = NDArray[np.float64]

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

    def minimise(self, objective: Objective, start: Array) -> Optimum:
        """Search from one point."""
        if not len(start):
            return ended(start, objective, Outcome.NOTHING_TO_MOVE)
        inside = interior(start, objective)
        budget = Budget(objective, seconds=self.seconds, evaluations=self.evaluations)
        budget.cost(inside)
        if budget.best_point is None:
            return ended(inside, objective, Outcome.NOT_FINITE)
        try:
            has_converged = self._search(objective, budget, inside)
        except SearchOver as over:
            return budget.optimum(over.outcome)
        return budget.optimum(Outcome.CONVERGED if has_converged else Outcome.STOPPED_AT_LIMIT)

    def _search(self, objective: Objective, budget: Budget, start: Array) -> bool:
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

    def _is_flat(self, objective: Objective, budget: Budget) -> bool:
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
