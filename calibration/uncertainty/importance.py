"""The posterior by weighting draws around the estimate: one batch of simulations that says itself if it will do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.uncertainty.moves import independent, log_student
from calibration.uncertainty.point import FittedPoint
from pysd_runner.errors import InvalidInput

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WeightedDraws:
    """Draws with weights that make them a sample of the posterior.

    Attributes
    ----------
    points
        On the unbounded scale, shape (draw, parameter).
    weights
        Sum to one, shape (draw,).
    """

    points: Array
    weights: Array

    @property
    def effective(self) -> float:
        """How many independent draws of the posterior they are worth, ``1 / sum w^2``."""
        return float(1 / (self.weights**2).sum())

    def below(self, point: Array) -> Array:
        """Posterior probability below a point, parameter by parameter, shape (parameter,)."""
        return np.asarray(self.weights @ (self.points < point), dtype=float)


def weighted_draws(at: FittedPoint, draws: int = 2000, *, seed: int = 0) -> WeightedDraws:
    """Draw from a multivariate Student-t around the estimate and weight by the posterior over its density.

    Parameters
    ----------
    at
        Where a search ended.
    draws
        How many, all simulated in one batch.
    seed
        Decides the draws.

    Returns
    -------
    WeightedDraws
        Good where `WeightedDraws.effective` is some hundreds; else use `calibration.uncertainty.sample_at`.

    Raises
    ------
    InvalidInput
        If no draw has a finite posterior.
    """
    random = np.random.RandomState(seed)
    steps, _ = independent(np.zeros((draws, len(at.point))), random)
    points = at.point + steps @ np.linalg.cholesky(at.curvature.covariance).T
    logs = at.problem.log_posterior_batch(points) - log_student(steps)
    if not np.isfinite(logs).any():
        raise InvalidInput("no draw around the estimate has a finite posterior; is the fit at a bound?")
    weights = np.exp(logs - logs.max())
    return WeightedDraws(points=points, weights=weights / weights.sum())
