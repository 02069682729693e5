"""Directions in the space of the parameters, by how much the data see of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.point import FittedPoint

Array = NDArray[np.float64]

# Parameters with a smaller share of a direction are left out of its description.
LEAST_SHARE = 0.3


@dataclass(frozen=True, kw_only=True, slots=True)
class Direction:
    """One direction in prior standard deviations.

    Attributes
    ----------
    strength
        Singular value: change of the data residuals, in their standard deviations, over one prior standard deviation.
        Below 1 the prior says more about this direction than the data do.
    weights
        The parameters that make it, by key, largest first, the largest positive; squares of all sum to one.
    """

    strength: float
    weights: tuple[tuple[str, float], ...]

    @property
    def is_seen(self) -> bool:
        """Whether the data say more about it than the prior."""
        return self.strength > 1

    def __str__(self) -> str:
        """Strength and parameters."""
        parts = " ".join(f"{weight:+.2f} {key}" for key, weight in self.weights)
        return f"{parts.lstrip('+')} (strength {self.strength:.2g})"


def directions(at: FittedPoint) -> tuple[Direction, ...]:
    """Decompose the sensitivity of the data, ``J D = U S V'`` with the prior's standard deviations in ``D``.

    Parameters
    ----------
    at
        Where the fit ended.

    Returns
    -------
    tuple of Direction
        As many as there are moved parameters, the best seen first.
    """
    keys = at.problem.space.keys
    if not keys:
        return ()
    scaled = at.data_jacobian / at.problem.space.prior_slopes(at.point)
    _, strengths, vectors = np.linalg.svd(scaled, full_matrices=len(scaled) < len(keys))
    strengths = np.pad(strengths, (0, len(keys) - len(strengths)))
    return tuple(
        Direction(strength=float(strength), weights=_weights(keys, vector))
        for strength, vector in zip(strengths, vectors, strict=True)
    )


def _weights(keys: tuple[str, ...], vector: Array) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-np.abs(vector), kind="stable")
    sign = np.sign(vector[order[0]])
    kept = [place for place in order if abs(vector[place]) >= LEAST_SHARE] or [order[0]]
    return tuple((keys[place], float(sign * vector[place])) for place in kept)
