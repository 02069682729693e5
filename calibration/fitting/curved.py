"""Normal approximation of a posterior that the model computes itself: curvature, bounds, flat directions, draws."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from calibration.fitting.estimates import Laplace, laplace
from calibration.optimisers.newton import blocked, curvature_of
from calibration.optimisers.objective import SumOfSquares
from pysd_runner.core.types import Array, Flags
from pysd_runner.spec.priors import Flat

if TYPE_CHECKING:
    from calibration.fitting.problem import Problem

# Half of a uniform distribution of variance one, and the curvature below which a direction is flat within rounding.
HALF_WIDTH, NO_CURVATURE = 3**0.5, 1e-6
# Negative curvature up to this, in prior standard deviations or relative to the largest, is that of a flat direction.
SADDLE = 1.0
NINETY = 1.6448536269514722


def objective_of(problem: "Problem") -> SumOfSquares:
    """Objective of the joint search, with the error models of the problem and the payoff of the model, if any."""
    lower, upper = problem.space.bounds
    return SumOfSquares(
        linearised=problem.linearised,
        lower=lower,
        upper=upper,
        scale=problem.space.scale,
        residual_batch=problem.residual_batch,
        centre=problem.space.centre,
        copied=partial(_copied, problem),
        beside=problem.beside if problem.is_general else None,
        beside_batch=problem.beside_batch if problem.is_general else None,
    )


def _copied(problem: "Problem") -> SumOfSquares:
    return objective_of(problem.copied())


def curvature_at(problem: "Problem", point: Array) -> Laplace:
    """Normal approximation of the posterior at its mode, from residuals or, with a payoff, second derivatives."""
    if not problem.is_general:
        return laplace(problem.space, point, problem.curvature_jacobian(point))
    space, objective = problem.space, objective_of(problem)
    (lower, upper), scale = space.bounds, space.scale
    if not len(point):
        return laplace(space, point, np.zeros((0, 0)))
    gradient = objective.slopes(point)[1]
    curvature = curvature_of(objective.slopes, point, lower, upper, scale)
    held = blocked(point, gradient, lower, upper, scale)
    is_flat = np.array([isinstance(item, Flat) for item in space.priors])
    return approximation(curvature, np.where(held, np.abs(gradient * scale), 0.0), is_flat, scale)


def approximation(curvature: Array, pushes: Array, is_flat: Flags, scale: Array) -> Laplace:
    """Normal approximation from the curvature of minus the log posterior.

    The variance along each eigendirection of the parameters inside their bounds is one over its curvature, cut by flat
    priors as a normal distribution is by a uniform one of variance one; a direction without curvature keeps the
    variance of the prior. A parameter that is pushed against a bound has the one-sided density
    ``exp(-push t - h t^2 / 2)``, with ``h`` its curvature when the others follow it, and the standard deviation of the
    normal distribution whose 90 % interval ends where this one has 90 % of its probability.

    Parameters
    ----------
    curvature
        Second derivatives in units of the scales, shape (parameter, parameter).
    pushes
        Slope against the bound in units of the scales, 0 for parameters that are not at a bound, shape (parameter,).
    is_flat
        Whether the prior of each parameter is flat; the curvature of others is part of `curvature`.
    scale
        Prior standard deviations, shape (parameter,).

    Returns
    -------
    Laplace
        The approximation; that of the priors if the curvature is not finite or clearly negative in some direction.
    """
    held = pushes > 0
    inside = curvature[np.ix_(~held, ~held)]
    values, vectors = np.linalg.eigh(inside) if np.isfinite(curvature).all() else (np.array([-np.inf]), np.eye(1))
    if values.min(initial=0.0) <= -max(SADDLE, NO_CURVATURE * values.max(initial=0.0)):
        variances = np.diag(scale**2)
        return Laplace(covariance=variances, contraction=0 * scale, is_positive_definite=False, flattest=1.0)
    spread = np.zeros_like(curvature)
    spread[np.ix_(~held, ~held)] = (vectors * _variances(values, (vectors**2).T @ is_flat[~held])) @ vectors.T
    follows = -spread @ curvature[:, held]
    follows[held] = np.eye(int(held.sum()))
    along = np.maximum(((curvature @ follows) * follows).sum(axis=0), 0.0)
    sizes = np.array([_one_sided(push, h) for push, h in zip(pushes[held], along, strict=True)])
    spread += (follows * np.minimum(sizes, 1.0) ** 2) @ follows.T
    # No parameter is known less than from its prior.
    widths = np.sqrt(np.maximum(np.diag(spread), 1.0))
    spread /= np.outer(widths, widths)
    directions = np.zeros((len(values), len(scale)))
    directions[:, ~held] = vectors.T
    covariance = spread * np.outer(scale, scale)
    return Laplace(
        covariance=0.5 * (covariance + covariance.T),
        contraction=1 - np.diag(spread),
        is_positive_definite=True,
        flattest=float(max(values.min(initial=1.0), 0.0)),
        strengths=np.sqrt(np.maximum(values, 0.0)),
        directions=directions,
    )


def _variances(curvatures: Array, shares: Array) -> Array:
    """Variance along directions of which the given shares belong to flat priors."""
    from scipy.special import erf

    safe = np.maximum(curvatures, NO_CURVATURE)
    end = HALF_WIDTH * np.sqrt(safe)
    cut = (1 - 2 * end * np.exp(-0.5 * end**2) / np.sqrt(2 * np.pi) / erf(end / np.sqrt(2))) / safe
    flat = np.where(curvatures > NO_CURVATURE, np.minimum(cut, 1.0), 1.0)
    return np.asarray(shares * flat + (1 - shares) / np.maximum(curvatures, 1.0))


def _one_sided(push: float, h: float) -> float:
    """Standard deviation of the normal whose 90 % half-width is that of ``exp(-push t - h t^2 / 2)`` for t above 0."""
    from scipy.special import log_ndtr, ndtri_exp

    if h < 1e-9 * push**2:
        return float(np.log(10) / push / NINETY)
    root = np.sqrt(h)
    end = -float(ndtri_exp(np.log(0.1) + float(log_ndtr(-push / root))))
    return float((end - push / root) / root / NINETY)


def folded(problem: "Problem", point: Array, found: Laplace, *, draws: int, seed: int) -> Array:
    """Draws of the approximation in the units of the parameters, shape (draw, parameter), folded back at the bounds."""
    space = problem.space
    lower, upper = space.bounds
    variances, vectors = np.linalg.eigh(found.covariance / np.outer(space.scale, space.scale))
    root = (vectors * np.sqrt(np.clip(variances, 0, None))) @ vectors.T * space.scale[:, None]
    points = point + np.random.default_rng(seed).standard_normal((draws, len(point))) @ root.T
    points = np.where(points < lower, 2 * lower - points, points)
    points = np.where(points > upper, 2 * upper - points, points)
    return np.stack(list(space.to_values(np.clip(points, lower, upper)).values()), axis=1)
