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

    tolerance: float = 1e-9
    evaluations: int = 200

    def minimise(self, objective: Objective, start: Array) -> Optimum:
        """Search from one point."""
        if not len(start):
            return _end(start, objective, Outcome.NOTHING_TO_MOVE)
        inside = interior(start, objective)
        known = _Latest(objective)
        if not np.isfinite(known.residuals(inside)).all():
            return _end(inside, objective, Outcome.NOT_FINITE)
        return self._search(objective, known, inside)

    def _search(self, objective: Objective, known: "_Latest", start: Array) -> Optimum:
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
        return Optimum(
            point=point,
            cost=float(found.cost),
            outcome=Outcome.CONVERGED if found.status > 0 else Outcome.STOPPED_AT_LIMIT,
            slope=_slope(objective, point, np.asarray(found.grad, dtype=float)),
            evaluations=int(found.nfev),
        )


class _Latest:
    """The condensed problem at the point asked for last, so that residuals and Jacobian cost one evaluation."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._point: Array | None = None
        self._value = (np.zeros(0), np.zeros((0, 0)))

    def residuals(self, point: Array) -> Array:
        return self._at(point)[0]

    def jacobian(self, point: Array) -> Array:
        return self._at(point)[1]

    def _at(self, point: Array) -> tuple[Array, Array]:
        if self._point is None or not np.array_equal(point, self._point):
            self._value = _condensed(*self._objective.linearised(point))
            self._point = point.copy()
        return self._value


def _condensed(residuals: Array, jacobian: Array) -> tuple[Array, Array]:
    """A small problem with the same cost, gradient and curvature: ``r'r``, ``J'r`` and ``J'J`` are kept.

    With ``J = QR`` it is ``(Q'r, the length of the rest)`` and ``(R, 0)``. The search sees nothing else of a problem,
    and decomposing a thousand rows again at every step would cost more than the simulation does.
    """
    variables = jacobian.shape[1]
    if not (np.isfinite(residuals).all() and np.isfinite(jacobian).all()):
        return np.full(variables + 1, np.nan), np.full((variables + 1, variables), np.nan)
    missing = max(variables + 1 - len(residuals), 0)
    # The triangle of (J, r) holds R, Q'r and the length of the rest, and Q itself is never made.
    table = np.pad(np.column_stack([jacobian, residuals]), ((0, missing), (0, 0)))
    triangle = np.asarray(np.linalg.qr(table, mode="r"))
    return triangle[:, -1], triangle[:, :-1]


def _end(point: Array, objective: Objective, outcome: Outcome) -> Optimum:
    """An end without a search."""
    cost = 0.5 * float((objective.linearised(point)[0] ** 2).sum())
    known = np.isfinite(cost)
    return Optimum(
        point=point,
        cost=cost if known else np.inf,
        outcome=outcome,
        slope=0.0 if outcome.is_success else np.inf,
        evaluations=1,
    )


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


def _slope(objective: Objective, point: Array, gradient: Array) -> float:
    """Largest scaled gradient that does not point out of the bounds."""
    near = 1e-6 * objective.scale
    blocked = ((point - objective.lower < near) & (gradient > 0)) | ((objective.upper - point < near) & (gradient < 0))
    scaled = np.abs(gradient * objective.scale)
    return float(np.where(blocked, 0.0, scaled).max())
