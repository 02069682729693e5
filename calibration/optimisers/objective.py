"""What a search needs and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calibration.optimisers.outcome import Outcome
from pysd_runner.errors import InvalidInput

Array = NDArray[np.float64]


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

    Raises
    ------
    InvalidInput
        If shapes disagree, bounds are not in order, or a scale is not positive.
    """

    linearised: Callable[[Array], tuple[Array, Array]]
    lower: Array
    upper: Array
    scale: Array

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


class Optimiser(Protocol):
    """A least-squares search."""

    def minimise(self, objective: Objective, start: Array) -> Optimum:
        """Search from a point of shape (variable,); points outside the bounds are moved inside first."""
