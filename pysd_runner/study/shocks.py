"""Shocks to regional growth: as large as those of the past, or those with which a run is a given forecast."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine import Engine, TimePath
from pysd_runner.model import Model
from pysd_runner.panel import Data
from pysd_runner.simulation import simulate
from pysd_runner.simulation.run import only_draws
from pysd_runner.spec import FittedParameters
from pysd_runner.study.region_inputs import relative_growth

Array = NDArray[np.float64]
Values = Mapping[str, Any]

# Yearly growth of regions has fatter tails than the normal; five degrees of freedom, as in the design of the forecasts.
DEGREES_OF_FREEDOM = 5

# Years of the panel that speak about the present size of shocks and about what regions of a class share.
WINDOW = 12

# Without a calibration and with too short a panel: a typical yearly standard deviation for provinces. Judgement.
TYPICAL_SD = 0.025
# Log points; runs of the whole ensemble after which the draws that have not come so close are given up.
TOLERANCE = 1e-9
MOST_RUNS = 100


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ImpliedShocks:
    """What was found."""

    path: TimePath
    found: NDArray[np.bool_]  # those draws, shape (draw,)
    errors: Array  # largest distance to the forecast in each draw, log points, shape (draw,)
    runs: NDArray[np.intp]  # simulations of each draw, shape (draw,)

    @property
    def systematic(self) -> Array:
        """Mean over years and draws, shape (region,), log points a year: how the forecast departs from the model."""
        return np.asarray(self.path.values.mean(axis=(0, 1, 2)))


def implied_shocks(
    model: Model,
    values: Values,
    target: Array,
    bounds: tuple[int, int],
    *,
    engine: Engine = "auto",
    progress: Callable[[int], None] | None = None,
) -> ImpliedShocks:
    """Find the shocks with which log relative output of a run is a given path."""
    # ``x_t += e_t - e_(t-1)`` for all years at once, where ``e`` is the path less what the run gives, both relative to
    # the mean of the regions, until no ``e`` is larger than `TOLERANCE`. A shock moves output of its year nearly one
    # for one and that of later years a little less, so that the errors shrink by a factor of four to five a run. Shocks
    # sum to zero over regions: the national mean stays with the model.
    draws, regions, years = target.shape
    shocks = np.zeros((years, 1, draws, regions))
    errors, runs = np.full(draws, np.inf), np.zeros(draws, dtype=np.intp)
    open_draws = np.arange(draws)
    moments = np.arange(*bounds, dtype=float)
    names = model.bindings.variables
    for _ in range(MOST_RUNS):
        run = simulate(
            model,
            {
                **only_draws(model, values, open_draws),
                names.shock: TimePath(times=moments, values=shocks[:, :, open_draws], interpolate="step"),
            },
            start=bounds[0],
            stop=bounds[1],
            save_every=1,
            outcomes=[names.output_per_head],
            engine=engine,
            throw=False,
        )
        miss = target[open_draws] - _relative(run[names.output_per_head][0, :, :, 1:])
        runs[open_draws] += 1
        errors[open_draws] = np.nan_to_num(np.abs(miss), nan=np.inf).max(axis=(1, 2))
        is_open = (errors[open_draws] > TOLERANCE) & np.isfinite(errors[open_draws])
        steps = np.diff(miss[is_open], axis=2, prepend=0.0)
        open_draws = open_draws[is_open]
        if progress is not None:
            progress(draws - len(open_draws))
        if not len(open_draws):
            break
        shocks[:, 0, open_draws] += steps.transpose(2, 0, 1)
    found = errors <= TOLERANCE
    path = TimePath(times=moments, values=shocks[:, :, found], interpolate="step")
    return ImpliedShocks(path=path, found=found, errors=errors, runs=runs)


def _relative(output: Array) -> Array:
    logs = np.log(output)
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def growth_shocks(
    panel: Data,
    fitted: FittedParameters | None,
    persistence: Array,
    bounds: tuple[int, int],
    rng: np.random.Generator,
) -> TimePath:
    """Paths of shocks to regional growth, one a draw, the same for every scenario, shape (year, 1, draw, region)."""
    law = shock_law(panel, sd=0.0 if fitted is None else fitted.shock_sd)
    groups = [region.group for region in panel.regions]
    return shock_paths(law, groups, np.arange(*bounds, dtype=float), persistence, rng)


@dataclass(frozen=True, slots=True)
class ShockLaw:
    """How regional growth departs from the model."""

    sd: float  # standard deviation of a year's departure, log points
    shared: float  # share of the variance that regions of one class have in common


def shock_law(panel: Data, *, sd: float = 0.0) -> ShockLaw:
    """Size of shocks and what classes share, from the last years of a panel."""
    growth = relative_growth(panel)[:, np.array(panel.years[1:]) > panel.years[-1] - WINDOW]
    seen = np.isfinite(growth)
    if seen.sum() < 10:
        return ShockLaw(sd or TYPICAL_SD, 0.0)
    variance = float(np.mean(growth[seen] ** 2))
    groups = np.array([region.group for region in panel.regions])
    excess, weight = 0.0, 0.0
    for group in {name for name in groups.tolist() if name}:
        members = growth[groups == group]
        members = members[:, np.isfinite(members).all(axis=0)]
        count = members.shape[0]
        if count < 2 or not members.size:
            continue
        mean_variance = float(np.mean(members.mean(axis=0) ** 2))
        excess += count * (mean_variance - variance / count) / (1 - 1 / count)
        weight += count
    shared = 0.0 if not weight or variance == 0 else min(max(excess / weight / variance, 0.0), 0.9)
    return ShockLaw(sd or float(np.sqrt(variance)), shared)


def shock_paths(
    law: ShockLaw, groups: Sequence[str], years: Array, persistence: Array, rng: np.random.Generator
) -> TimePath:
    """Draw paths of yearly growth shocks."""
    draws, regions, count = persistence.size, len(groups), years.size
    names = sorted({name for name in groups if name})
    scale = np.sqrt((DEGREES_OF_FREEDOM - 2) / DEGREES_OF_FREEDOM)
    own = np.empty((count, draws, regions))
    common = np.empty((count, draws, max(len(names), 1)))
    # Streams of their own, each filled year by year, keep every draw and year whatever comes after it.
    for draw, stream in enumerate(rng.spawn(draws)):
        for shocks, part in zip((own, common), stream.spawn(2), strict=True):
            shocks[:, draw] = scale * part.standard_t(DEGREES_OF_FREEDOM, size=shocks[:, draw].shape)
    member = np.array([names.index(group) if group else -1 for group in groups])
    shared = np.where(member >= 0, law.shared, 0.0)
    innovations = np.sqrt(shared) * common[:, :, np.maximum(member, 0)] + np.sqrt(1 - shared) * own
    size = law.sd * np.sqrt(1 - persistence**2)[:, None]
    paths = np.empty((count, 1, draws, regions))
    state = np.zeros((draws, regions))
    for place in range(count):
        state = persistence[:, None] * state + size * innovations[place]
        paths[place, 0] = state
    return TimePath(times=years, values=paths, interpolate="step")
