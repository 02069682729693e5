"""How sure: the normal distribution that matches the posterior at its mode."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.parameters import ParameterSpace

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Laplace:
    """Normal approximation of the posterior."""

    covariance: Array  # on the unbounded scale, shape (parameter, parameter)
    contraction: Array  # one minus posterior over prior variance, shape (parameter,)
    is_positive_definite: bool  # whether the curvature at the mode is finite and positive in every direction
    condition: float  # largest over smallest eigenvalue of the curvature in prior standard deviations
    flattest: float  # that smallest eigenvalue, one where the data say nothing about a direction


def laplace(space: ParameterSpace, z: Array, jacobian: Array) -> Laplace:
    """Approximate the posterior from the Jacobian at its mode, ``covariance = (J'J)^-1`` with the priors' rows in J."""
    slopes = space.prior_slopes(z)
    # In prior standard deviations the priors' rows are the unit matrix, so that the inverse is well conditioned.
    scaled = jacobian / slopes
    curvature = scaled.T @ scaled
    sound = bool(np.isfinite(curvature).all())
    eigenvalues, vectors = np.linalg.eigh(curvature) if sound else (np.ones(len(z)), np.eye(len(z)))
    sound = sound and bool((eigenvalues > 0).all())
    spread = (vectors / eigenvalues) @ vectors.T if sound else np.eye(len(z))
    covariance = spread / np.outer(slopes, slopes)
    return Laplace(
        covariance=0.5 * (covariance + covariance.T),
        contraction=1 - np.diag(spread),
        is_positive_definite=sound,
        condition=float(eigenvalues.max() / eigenvalues.min()) if sound and len(z) else 1.0,
        flattest=float(eigenvalues.min()) if sound and len(z) else 1.0,
    )
