"""Draws of what would be observed: what the model says, with errors of the sizes that were estimated."""

import numpy as np
from numpy.typing import NDArray

from calibration.observation import Noise, Series
from calibration.observation.counts import LEAST_COUNT, size_of

Array = NDArray[np.float64]


def disturbed(
    series: Series,
    predicted: Array,
    noise: Noise,
    rng: np.random.Generator,
    *,
    seen: NDArray[np.bool_] | None = None,
) -> Array:
    """Add errors to what a model says."""
    if series.errors.is_count:
        return _counted(predicted, series, noise, rng)
    errors = np.zeros_like(predicted)
    before = np.full(predicted.shape[:2], np.nan)
    when = np.full(predicted.shape[1], -np.inf)
    for place, time in enumerate(series.times):
        distance = (time - when) / series.spacing
        rho = np.where(np.isfinite(distance), noise.persistence ** np.minimum(distance, 1e6), 0.0)
        spread = noise.total_sd * np.sqrt(np.maximum(1 - rho**2, 0.0))
        fresh = rho * np.nan_to_num(before) + spread * _standard(series, rng, predicted.shape[:2])
        known = series.values[:, place] - predicted[:, :, place]
        is_known = np.isfinite(known) & (seen is not None and bool(seen[place]))
        errors[:, :, place] = np.where(is_known, known, fresh)
        held = np.isfinite(series.values[:, place]) | (seen is None or not seen[place])
        before = np.where(held, errors[:, :, place], before)
        when = np.where(held, time, when)
    return series.unscaled(predicted + errors)


def _standard(series: Series, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Errors of standard deviation one; wild ones are left to Student's family."""
    if series.errors.family == "student":
        nu = series.errors.degrees
        return np.asarray(rng.standard_t(nu, shape) * np.sqrt((nu - 2) / nu))
    return rng.standard_normal(shape)


def _counted(predicted: Array, series: Series, noise: Noise, rng: np.random.Generator) -> Array:
    known = np.isfinite(predicted)
    mean = np.where(known, np.maximum(predicted, LEAST_COUNT), 1.0)
    size = size_of(noise, series.errors.family)
    if np.isfinite(size):
        mean = mean * rng.gamma(size, 1 / size, mean.shape)
    return np.where(known, rng.poisson(np.minimum(mean, 1e15)), np.nan)
