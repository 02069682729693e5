"""Trust-region least squares with bounds, by scipy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.optimisers.objective import Objective, Optimum
from calibration.optimisers.outcome import Outcome

Array = NDArray[np.float64]

# Starts are moved this far inside a bound, as a share of the scale: the method needs an interior point.
_INSIDE = 1e-3


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

    References
    ----------
    Branch, M. A., Coleman, T. F. and Li, Y. (1999), A subspace, interior, and conjugate gradient method for
    large-scale bound-constrained minimization problems, SIAM Journal on Scientific Computing 21(1).
    """

    tolerance: float = 1e-10
    evaluations: int = 200

    def minimise(self, objective: Objective, start: Array) -> Optimum:
        """Search from one point."""
        if not len(start):
            return Optimum(
                point=start,
                cost=_cost(objective.residuals(start)),
                outcome=Outcome.NOTHING_TO_MOVE,
                slope=0.0,
                evaluations=1,
            )
        inside = interior(start, objective)
        first = objective.residuals(inside)
        if not np.isfinite(first).all():
            return Optimum(point=inside, cost=np.inf, outcome=Outcome.NOT_FINITE, slope=np.inf, evaluations=1)
        return self._search(objective, inside)

    def _search(self, objective: Objective, start: Array) -> Optimum:
        from scipy.optimize import least_squares

        def jacobian(point: Array) -> Array:
            return _finite(objective.jacobian(point), point)

        try:
            found = least_squares(
                objective.residuals,
                start,
                jac=jacobian,
                bounds=(objective.lower, objective.upper),
                x_scale=objective.scale,
                ftol=self.tolerance,
                xtol=self.tolerance,
                gtol=self.tolerance,
                max_nfev=self.evaluations,
            )
        except _NotFinite as stop:
            cost = _cost(objective.residuals(stop.point))
            return Optimum(point=stop.point, cost=cost, outcome=Outcome.NOT_FINITE, slope=np.inf, evaluations=1)
        return Optimum(
            point=np.asarray(found.x, dtype=float),
            cost=float(found.cost),
            outcome=_outcome(int(found.status), float(found.cost)),
            slope=_slope(objective, np.asarray(found.x, dtype=float), np.asarray(found.grad, dtype=float)),
            evaluations=int(found.nfev),
        )


class _NotFinite(Exception):
    """The Jacobian is not finite at a point, where the search has to stop."""

    def __init__(self, point: Array) -> None:
        super().__init__("the Jacobian is not finite")
        self.point = point


def _finite(jacobian: Array, point: Array) -> Array:
    if not np.isfinite(jacobian).all():
        raise _NotFinite(point.copy())
    return jacobian


def interior(point: Array, objective: Objective) -> Array:
    """Move a point strictly inside the bounds.

    Parameters
    ----------
    point
        Shape (variable,).
    objective
        Whose bounds hold.

    Returns
    -------
    ndarray
        The point, or one a little inside the bounds it violates.
    """
    room = np.minimum(_INSIDE * objective.scale, 0.25 * (objective.upper - objective.lower))
    return np.clip(point, objective.lower + room, objective.upper - room)


def _cost(residuals: Array) -> float:
    return 0.5 * float((residuals**2).sum())


def _outcome(status: int, cost: float) -> Outcome:
    if not np.isfinite(cost):
        return Outcome.NOT_FINITE
    return Outcome.CONVERGED if status > 0 else Outcome.STOPPED_AT_LIMIT


def _slope(objective: Objective, point: Array, gradient: Array) -> float:
    """Largest scaled gradient that does not point out of the bounds."""
    near = 1e-6 * objective.scale
    blocked = ((point - objective.lower < near) & (gradient > 0)) | ((objective.upper - point < near) & (gradient < 0))
    scaled = np.abs(gradient * objective.scale)
    return float(np.where(blocked, 0.0, scaled).max())
