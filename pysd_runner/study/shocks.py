"""Shocks to regional growth with which a run without policy is a given forecast, draw by draw."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine import Engine, TimePath
from pysd_runner.model import Model
from pysd_runner.simulation import simulate
from pysd_runner.simulation.elements import only_draws

Array = NDArray[np.float64]
Values = Mapping[str, Any]

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
