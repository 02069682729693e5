"""The interface of optimisers: objective, result, and limits of time and evaluations."""

from collections.abc import Callable
from enum import Enum
from time import monotonic
from typing import Protocol

import numpy as np

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.types import Array, frozen

# Half-width, in scales, of the box for optimisers that need finite bounds, where a variable has none. With prior
# standard deviations as scales, less than one prior draw in 15,000 lies outside for each variable.
BOX = 4.0


class SearchOutcome(Enum):
    """Outcome of a search; the value is the sentence shown in reports."""

    CONVERGED = Message("The search converged: no step nearby lowers the sum of squares.")
    STOPPED_AT_LIMIT = Message(
        "The search was stopped at its limit of evaluations before it converged; allow more of them."
    )
    EXPLORED_IN_PART = Message(
        "The exploration was stopped at its budget; the search from its best point converged: no step nearby "
        "lowers the sum of squares."
    )
    OUT_OF_TIME = Message("The search was stopped at its time budget before it converged; allow more seconds.")
    NOT_FINITE = Message("The search met residuals that are not finite, so it could not go on; narrow the bounds.")
    NOTHING_TO_MOVE = Message("There was nothing to move: no series informs any parameter.")

    @property
    def is_success(self) -> bool:
        """Whether the point found can be used as an estimate."""
        return self in (SearchOutcome.CONVERGED, SearchOutcome.EXPLORED_IN_PART, SearchOutcome.NOTHING_TO_MOVE)

    @property
    def word(self) -> str:
        """Short form for tables and files, such as ``"converged"``."""
        return self.name.lower().replace("_", " ")


@frozen
class SumOfSquares:
    """Half the sum of squared residuals, and a further loss if there is one, to be minimised within bounds.

    Attributes
    ----------
    linearised
        Function from variables, shape (variable,), to residuals, shape (residual,), and their Jacobian, shape
        (residual, variable); not finite where the function fails. One batch of runs gives both.
    lower, upper
        Bounds, shape (variable,); infinite where there is none.
    scale
        Typical size of each variable, shape (variable,).
    residual_batch
        Function from variables, shape (draw, variable), to residuals, shape (draw, residual), for optimisers that
        evaluate many points at once; None calls `linearised` for each.
    centre
        Centre of the search box for variables without bounds, shape (variable,); None for the starting point.
    copied
        Function that copies the objective for another thread; None if its functions keep no state.
    beside
        A further loss that is no sum of squares: function from variables, shape (variable,), to its value and gradient;
        None if there is none.
    beside_batch
        Its values at many points, shape (draw,), from variables of shape (draw, variable).

    Raises
    ------
    InvalidInput
        If shapes disagree, bounds are not in order, or a scale is not positive.
    """

    linearised: Callable[[Array], tuple[Array, Array]]
    lower: Array
    upper: Array
    scale: Array
    residual_batch: Callable[[Array], Array] | None = None
    centre: Array | None = None
    copied: Callable[[], "SumOfSquares"] | None = None
    beside: Callable[[Array], tuple[float, Array]] | None = None
    beside_batch: Callable[[Array], Array] | None = None

    def __post_init__(self) -> None:
        if not self.lower.shape == self.upper.shape == self.scale.shape or self.lower.ndim != 1:
            raise InvalidInput(
                "bounds and scale must be vectors of one length; found shapes {lower}, {upper}, {scale}",
                lower=self.lower.shape,
                upper=self.upper.shape,
                scale=self.scale.shape,
            )
        if (self.lower >= self.upper).any():
            raise InvalidInput(
                "variable {number}: its bounds are not in order", number=int(np.argmax(self.lower >= self.upper))
            )
        if not (np.isfinite(self.scale) & (self.scale > 0)).all():
            raise InvalidInput("every scale must be positive and finite")

    def apart(self) -> "SumOfSquares":
        """Copy of the objective for another thread."""
        return self if self.copied is None else self.copied()

    def costs(self, points: Array) -> Array:
        """Half the sum of squared residuals at many points, and the further loss.

        Parameters
        ----------
        points
            Points, shape (draw, variable).

        Returns
        -------
        ndarray
            Costs, shape (draw,); infinite where a residual or the further loss is not finite.
        """
        squares = half_squares(self.residuals(points))
        return squares if self.beside_batch is None else squares + self.beside_batch(points)

    def slopes(self, point: Array) -> tuple[float, Array]:
        """Cost at a point and its gradient, shape (variable,); infinite and NaN where they are not finite."""
        residuals, jacobian = self.linearised(point)
        more, turned = (0.0, np.zeros(len(point))) if self.beside is None else self.beside(point)
        cost, gradient = float(half_squares(residuals)) + more, jacobian.T @ residuals + turned
        sound = bool(np.isfinite(cost) and np.isfinite(gradient).all())
        return (cost, gradient) if sound else (np.inf, np.full(len(point), np.nan))

    def residuals(self, points: Array) -> Array:
        """Residuals at many points, shape (draw, residual), from points of shape (draw, variable)."""
        if self.residual_batch is None:
            return np.stack([self.linearised(point)[0] for point in points])
        return self.residual_batch(points)

    def box(self, start: Array) -> tuple[Array, Array]:
        """Finite bounds: the declared ones, otherwise `BOX` scales around the centre and the starting point.

        Parameters
        ----------
        start
            Starting point, shape (variable,).

        Returns
        -------
        lower, upper : ndarray
            Bounds, shape (variable,) each.
        """
        centre = start if self.centre is None else self.centre
        lower = np.where(np.isfinite(self.lower), self.lower, np.minimum(centre, start) - BOX * self.scale)
        upper = np.where(np.isfinite(self.upper), self.upper, np.maximum(centre, start) + BOX * self.scale)
        return lower, upper


@frozen(eq=False)
class Minimum:
    """Result of a search.

    Attributes
    ----------
    point
        End point, shape (variable,).
    cost
        Half the sum of squared residuals at the end point; infinite if they are not finite.
    outcome
        How the search ended.
    slope
        Largest component of the scaled gradient, 0 at an exact optimum, without components blocked by a bound.
    evaluations
        Number of evaluations of the residuals.
    """

    point: Array
    cost: float
    outcome: SearchOutcome
    slope: float
    evaluations: int


def half_squares(residuals: Array) -> Array:
    """Half the sum of squares along the last axis; infinite if any element is not finite."""
    known = np.isfinite(residuals)
    squares = 0.5 * (np.where(known, residuals, 0.0) ** 2).sum(axis=-1)
    return np.where(known.all(axis=-1), squares, np.inf)


class Optimiser(Protocol):
    """Interface of a least-squares optimiser."""

    def minimise(self, objective: SumOfSquares, start: Array) -> Minimum:
        """Search from a point of shape (variable,), which is clipped to the bounds first."""


# Minimum distance of starting points from a bound, as a share of the scale: some methods need an interior point.
_INSIDE = 1e-3

# Cost where residuals are not finite, for methods that cannot handle infinity.
FAILED = 1e12


class SearchOver(Exception):
    """Raised to end a search that has used up its time or evaluations."""

    def __init__(self, outcome: SearchOutcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


class Budget:
    """An objective that counts evaluations, remembers the best point and enforces limits of time and evaluations."""

    # Points are clipped to the bounds, which rounding in a method's own units may exceed slightly. Limits are checked
    # before each evaluation except the first, so that the time limit is exceeded by at most one evaluation.

    def __init__(self, objective: SumOfSquares, *, seconds: float = np.inf, evaluations: float = np.inf) -> None:
        self._objective = objective
        self._end = monotonic() + seconds
        self._most = evaluations
        self.evaluations = 0
        self.best_point: Array | None = None
        self.best_cost = np.inf

    @property
    def seconds_left(self) -> float:
        """Remaining time in seconds, at least 0."""
        return max(self._end - monotonic(), 0.0)

    def linearised(self, point: Array) -> tuple[Array, Array]:
        """Residuals and their derivatives at a point."""
        self._check()
        point = self._held(point)
        residuals, jacobian = self._objective.linearised(point)
        self._count(point[None], half_squares(residuals[None]))
        return residuals, jacobian

    def slopes(self, point: Array) -> tuple[float, Array]:
        """Cost at a point and its gradient."""
        self._check()
        point = self._held(point)
        cost, gradient = self._objective.slopes(point)
        self._count(point[None], np.array([cost]))
        return cost, gradient

    def cost(self, point: Array) -> float:
        """Half the sum of squares at a point; `FAILED` if not finite."""
        return float(self.costs(point[None])[0])

    def costs(self, points: Array) -> Array:
        """Half the sum of squares at each of many points, shape (draw, variable); `FAILED` where not finite."""
        self._check()
        points = self._held(points)
        costs = self._objective.costs(points)
        self._count(points, costs)
        return np.minimum(costs, FAILED)

    def optimum(self, outcome: SearchOutcome) -> Minimum:
        """Result with the best point evaluated so far; its gradient costs one more evaluation."""
        if self.best_point is None:
            raise RuntimeError("no point with finite residuals was seen")
        _, gradient = self._objective.slopes(self.best_point)
        return Minimum(
            point=self.best_point,
            cost=self.best_cost,
            outcome=outcome,
            slope=scaled_slope(self._objective, self.best_point, gradient),
            evaluations=self.evaluations,
        )

    def _held(self, points: Array) -> Array:
        return np.asarray(np.clip(points, self._objective.lower, self._objective.upper), dtype=float)

    def _check(self) -> None:
        if not self.evaluations:
            return
        if monotonic() >= self._end:
            raise SearchOver(SearchOutcome.OUT_OF_TIME)
        if self.evaluations >= self._most:
            raise SearchOver(SearchOutcome.STOPPED_AT_LIMIT)

    def _count(self, points: Array, costs: Array) -> None:
        self.evaluations += len(points)
        place = int(np.argmin(costs))
        if costs[place] < self.best_cost:
            self.best_cost, self.best_point = float(costs[place]), points[place].copy()


def ended(point: Array, objective: SumOfSquares, outcome: SearchOutcome) -> Minimum:
    """Result of a search that ended at its starting point."""
    cost = float(objective.costs(point[None])[0])
    return Minimum(point=point, cost=cost, outcome=outcome, slope=0.0 if outcome.is_success else np.inf, evaluations=1)


def interior(point: Array, objective: SumOfSquares) -> Array:
    """Move a point strictly inside the bounds."""
    room = np.minimum(_INSIDE * objective.scale, 0.25 * (objective.upper - objective.lower))
    return np.clip(point, objective.lower + room, objective.upper - room)


def scaled_slope(objective: SumOfSquares, point: Array, gradient: Array) -> float:
    """Largest scaled component of the gradient, without components that are blocked by a bound."""
    near = 1e-6 * objective.scale
    blocked = ((point - objective.lower < near) & (gradient > 0)) | ((objective.upper - point < near) & (gradient < 0))
    scaled = np.where(blocked, 0.0, np.abs(gradient * objective.scale))
    return float(scaled.max()) if np.isfinite(scaled).all() else np.inf
