"""What a search needs and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import InvalidInput, Message

Array = NDArray[np.float64]

# Searches that need finite bounds look this many scales to either side of the centre where there are none. With prior
# standard deviations as scales, less than one draw of the prior in 15,000 lies outside for each variable.
BOX = 4.0


class Outcome(Enum):
    """How a search ended; the value is the sentence a reader is told."""

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
        return self in (Outcome.CONVERGED, Outcome.EXPLORED_IN_PART, Outcome.NOTHING_TO_MOVE)

    @property
    def word(self) -> str:
        """Short form for tables and files: ``"converged"``."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """Half the sum of squared residuals within bounds.

    Attributes
    ----------
    linearised
        Vector of shape (variable,) to residuals of shape (residual,) and their derivatives of shape (residual,
        variable); not finite where the function fails. Both at once, because one batch of runs gives both.
    lower, upper
        Bounds, shape (variable,); infinite where there is none.
    scale
        Typical size of each variable, shape (variable,).
    residual_batch
        Vectors of shape (draw, variable) to residuals (draw, residual), for searches that ask for many at once; None
        asks `linearised` for one after the other.
    centre
        Middle of the box of a search where there is no bound, shape (variable,); None for its start.
    copied
        Makes the same objective with memory of its own, for another thread; None if the functions keep none.

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
    copied: Callable[[], "Objective"] | None = None

    def __post_init__(self) -> None:
        if not self.lower.shape == self.upper.shape == self.scale.shape or self.lower.ndim != 1:
            raise InvalidInput(
                f"bounds and scale must be vectors of one length; found shapes {self.lower.shape}, "
                f"{self.upper.shape}, {self.scale.shape}"
            )
        if (self.lower >= self.upper).any():
            raise InvalidInput(f"variable {int(np.argmax(self.lower >= self.upper))}: its bounds are not in order")
        if not (np.isfinite(self.scale) & (self.scale > 0)).all():
            raise InvalidInput("every scale must be positive and finite")

    def apart(self) -> "Objective":
        """The same objective for another thread."""
        return self if self.copied is None else self.copied()

    def costs(self, points: Array) -> Array:
        """Half the sum of squared residuals of many points.

        Parameters
        ----------
        points
            Shape (draw, variable).

        Returns
        -------
        ndarray
            Shape (draw,); infinite where a residual is not finite.
        """
        if self.residual_batch is None:
            halves = [half_squares(self.linearised(point)[0]) for point in points]
            return np.array(halves, dtype=float)
        return half_squares(self.residual_batch(points))

    def box(self, start: Array) -> tuple[Array, Array]:
        """Finite bounds: the declared ones, else `BOX` scales about the centre, widened to hold the start.

        Parameters
        ----------
        start
            Shape (variable,).

        Returns
        -------
        lower, upper : ndarray
            Shape (variable,) each.
        """
        centre = start if self.centre is None else self.centre
        lower = np.where(np.isfinite(self.lower), self.lower, np.minimum(centre, start) - BOX * self.scale)
        upper = np.where(np.isfinite(self.upper), self.upper, np.maximum(centre, start) + BOX * self.scale)
        return lower, upper


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Optimum:
    """Where a search ended.

    Attributes
    ----------
    point
        Shape (variable,).
    cost
        Half the sum of squared residuals there; infinite if they are not finite.
    outcome
        How it ended.
    slope
        Largest component of the scaled gradient there, 0 at an exact optimum; bounds are taken into account.
    evaluations
        How often residuals were asked for.
    """

    point: Array
    cost: float
    outcome: Outcome
    slope: float
    evaluations: int


def half_squares(residuals: Array) -> Array:
    """Half the sum of squares along the last axis; infinite where one is not finite."""
    known = np.isfinite(residuals)
    squares = 0.5 * (np.where(known, residuals, 0.0) ** 2).sum(axis=-1)
    return np.where(known.all(axis=-1), squares, np.inf)


class Optimiser(Protocol):
    """A least-squares search."""

    def minimise(self, objective: Objective, start: Array) -> Optimum:
        """Search from a point of shape (variable,); points outside the bounds are moved inside first."""
