"""Forecast skill of a fit for held-out observations, compared with carrying the last value forward."""

from copy import copy

import numpy as np

from calibration.fitting.columns import series_of
from calibration.fitting.estimates import HeldOut
from calibration.fitting.problem import Problem
from calibration.fitting.results import Fit
from calibration.observation import Noise, Series
from calibration.observation.noise import LEAST_COUNT, size_of
from calibration.observation.series import last_level
from pysd_runner.core.types import Array, Flags


def disturbed(series: Series, predicted: Array, noise: Noise, rng: np.random.Generator, *, seen: Flags) -> Array:
    """Add random errors to predictions; at times in `seen` the errors are those of the actual observations."""
    if series.errors.is_count:
        return counted(predicted, series, noise, rng)
    errors = np.zeros_like(predicted)
    before = np.full(predicted.shape[:2], np.nan)
    when = np.full(predicted.shape[1], -np.inf)
    for place, time in enumerate(series.times):
        distance = (time - when) / series.spacing
        rho = np.where(np.isfinite(distance), noise.persistence ** np.minimum(distance, 1e6), 0.0)
        spread = noise.total_sd * np.sqrt(np.maximum(1 - rho**2, 0.0))
        fresh = rho * np.nan_to_num(before) + spread * _standard(series, rng, predicted.shape[:2])
        known = series.values[:, place] - predicted[:, :, place]
        is_known = np.isfinite(known) & bool(seen[place])
        errors[:, :, place] = np.where(is_known, known, fresh)
        held = np.isfinite(series.values[:, place]) | ~seen[place]
        before = np.where(held, errors[:, :, place], before)
        when = np.where(held, time, when)
    return series.unscaled(predicted + errors)


def _standard(series: Series, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Draw standardised errors: Student-t for that family, otherwise normal, without outliers."""
    if series.errors.family == "student":
        nu = series.errors.degrees
        return np.asarray(rng.standard_t(nu, shape) * np.sqrt((nu - 2) / nu))
    return rng.standard_normal(shape)


def counted(predicted: Array, series: Series, noise: Noise, rng: np.random.Generator) -> Array:
    """Draw counts about their predicted means; NaN where these are."""
    known = np.isfinite(predicted)
    mean = np.where(known, np.maximum(predicted, LEAST_COUNT), 1.0)
    size = size_of(noise, series.errors.family)
    if np.isfinite(size):
        mean = mean * rng.gamma(size, 1 / size, mean.shape)
    return np.where(known, rng.poisson(np.minimum(mean, 1e15)), np.nan)


DRAWS = 500
LEVEL = 0.9


def held_out(problem: Problem, result: Fit, *, seed: int) -> tuple[HeldOut, ...]:
    """Score forecasts of the observations after the last fitted time."""
    until = problem.until
    if until is None or not (problem.data.times > until).any():
        return ()
    run, step = problem.runs_to(float(problem.data.times[-1]))
    series, _ = series_of(
        problem.model,
        problem.data,
        problem.observations,
        held=problem.runs.entering.held,
        moments=run.moments,
        step=step,
        sizes=problem.design.errors,
    )
    rng = np.random.default_rng([seed, 1])
    drawn = result.fitted.sample(rng, DRAWS, spec=problem.spec)
    later = copy(problem)
    later.runs, later.series = run, series
    predicted = later.predicted({key: drawn[key] for key in problem.space.keys}, DRAWS)
    found = []
    for item, table in zip(series, predicted, strict=True):
        noise = problem.noise.get(item.label)
        after = item.times > until
        if (
            noise is None
            or not np.isfinite(item.observed[:, after]).any()
            or not np.isfinite(item.observed[:, ~after]).any()
        ):
            continue
        noisy = disturbed(item, table, noise, rng, seen=~after)
        found.append(_scored(item, noisy, after))
    return tuple(found)


def _scored(series: Series, predicted: Array, after: Flags) -> HeldOut:
    """Scores in the units of the data; `predicted` has shape (draw, row, time)."""
    raw = series.observed
    last = last_level(raw[:, ~after])
    cells = np.isfinite(raw) & after[None] & np.isfinite(last)[:, None]
    observed = raw[cells]
    ahead = predicted[:, cells]
    ahead = ahead[np.isfinite(ahead).all(axis=1)]
    median = np.median(ahead, axis=0)
    low, high = np.quantile(ahead, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    held = np.broadcast_to(last[:, None], raw.shape)[cells]
    rmse = float(np.sqrt(np.mean((median - observed) ** 2)))
    naive = float(np.sqrt(np.mean((held - observed) ** 2)))
    return HeldOut(
        measurement=series.measurement,
        observations=int(cells.sum()),
        rmse=rmse,
        naive_rmse=naive,
        bias=float(np.mean(median - observed)),
        covered=float(np.mean((observed >= low) & (observed <= high))),
        level=LEVEL,
    )
