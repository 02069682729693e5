"""How many intervals of coverage contain what was promised, and how many a perfect forecaster would have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from calibration.forecasting import Backtest
from calibration.forecasting.models import FINAL
from calibration.forecasting.scores import mean_interval, percent

Array = NDArray[np.float64]

LEVELS = (0.5, 0.9)
REPETITIONS = 400
# Shorter bootstraps than those of the tables: each repetition needs one for every interval.
RESAMPLES = 199
# Sums of shocks that tell which errors an interval of some level has to hold.
SAMPLES = 2_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scored:
    """What the final forecast was scored by on one panel.

    Attributes
    ----------
    horizons
        Years ahead.
    known
        Which cells were scored, shape (origin, region, horizon); origins are successive years.
    shocks
        Where what came one year ahead lay in the forecast, as normal scores, shape (origin, region): what regions share
        of a year, and how calm or restless it was.
    """

    horizons: tuple[int, ...]
    known: NDArray[np.bool_]
    shocks: Array


def holding(results: Mapping[str, Backtest]) -> list[bool]:
    """Whether the interval of the coverage of the final forecast contains it, by panel, horizon and level.

    Parameters
    ----------
    results
        By title of the panel.
    """
    rows = [row for result in results.values() for row in result.skill() if row["model"] == FINAL]
    intervals = [(level, *_ends(row, level)) for row in rows for level in LEVELS]
    return [low <= level <= high for level, low, high in intervals if low is not None and high is not None]


def _ends(row: Mapping[str, float | None], level: float) -> tuple[float | None, float | None]:
    name = f"coverage_{percent(level)}"
    return row[f"{name}_low"], row[f"{name}_high"]


def scored(results: Mapping[str, Backtest]) -> list[Scored]:
    """The shapes of panels, and the shocks of one year.

    Parameters
    ----------
    results
        By title of the panel.
    """
    found = []
    for result in results.values():
        own = result.scores.sel(model=FINAL)
        errors = own["error"].transpose("origin", "region", "horizon")
        nearest = int(errors["horizon"].min())
        pit = own["pit"].sel(horizon=nearest).transpose("origin", "region").values
        found.append(
            Scored(
                horizons=tuple(int(step) for step in errors["horizon"].values),
                known=np.isfinite(errors.values),
                shocks=normal_scores(pit),
            )
        )
    return found


def normal_scores(values: Array) -> Array:
    """Standard normal quantiles of the ranks of all values; NaN stays.

    Parameters
    ----------
    values
        Any shape.
    """
    result = np.full(values.shape, np.nan)
    known = np.isfinite(values)
    ranks = values[known].argsort().argsort()
    result[known] = ndtri((ranks + 0.5) / max(len(ranks), 1))
    return result


def perfect(panels: Sequence[Scored], *, repetitions: int = REPETITIONS, seed: int = 0) -> NDArray[np.int64]:
    """Number of intervals that contain what was promised when probabilities are exactly right.

    What comes is a random walk. The shocks of its years are those of the panel, drawn with replacement, all regions of
    a year together, so that regions share what they share in the panel; which errors an interval has to hold is counted
    in many sums of such shocks.

    Parameters
    ----------
    panels
        What was scored.
    repetitions
        Number of simulated sets of panels.
    seed
        Decides them.

    Returns
    -------
    NDArray[np.int64]
        Shape (repetition,).
    """
    rng = np.random.default_rng(seed)
    widths = [_widths(panel, rng) for panel in panels]
    return np.array(
        [
            sum(sum(_held(panel, width, rng)) for panel, width in zip(panels, widths, strict=True))
            for _ in range(repetitions)
        ]
    )


def _drawn(shocks: Array, years: int, rng: np.random.Generator) -> Array:
    """Shocks of so many years, shape (year, region); regions that were not scored in a year get their own."""
    found = shocks[rng.integers(0, len(shocks), size=years)]
    return np.where(np.isfinite(found), found, rng.standard_normal(found.shape))


def _widths(panel: Scored, rng: np.random.Generator) -> Array:
    """Sizes of errors that are exceeded as often as intervals promise, shape (horizon, level)."""
    return np.array(
        [
            np.quantile(
                np.abs(_drawn(panel.shocks, SAMPLES * step, rng).reshape(SAMPLES, step, -1).sum(axis=1)), LEVELS
            )
            for step in panel.horizons
        ]
    )


def _held(panel: Scored, widths: Array, rng: np.random.Generator) -> list[bool]:
    origins, regions, _ = panel.known.shape
    shocks = _drawn(panel.shocks, origins + max(panel.horizons), rng)
    walk = np.vstack((np.zeros(regions), shocks.cumsum(axis=0)))
    held = []
    for place, step in enumerate(panel.horizons):
        errors = np.abs(walk[step : step + origins] - walk[:origins])
        for level, width in zip(LEVELS, widths[place], strict=True):
            covered = np.where(panel.known[:, :, place], errors <= width, np.nan)
            low, high = mean_interval(covered, step, repetitions=RESAMPLES)
            if np.isfinite(low):
                held.append(low <= level <= high)
    return held


def told(results: Mapping[str, Backtest], *, repetitions: int = REPETITIONS) -> str:
    """Two sentences for the page.

    Parameters
    ----------
    results
        By title of the panel.
    repetitions
        As for `perfect`.
    """
    ours = holding(results)
    theirs = perfect(scored(results), repetitions=repetitions)
    low, high = np.quantile(theirs, (0.05, 0.95))
    every = 100 * float(np.mean(theirs == len(ours)))
    return (
        f"Of {len(ours)} intervals of coverage {sum(ours)} contain what was promised. A forecaster whose probabilities "
        f"are exactly right would have {theirs.mean():.0f} on panels of this shape whose regions share as much of a "
        f"year, {low:.0f} to {high:.0f} in 90 of 100 sets of them, and every one in {every:.0f} of 100 ({repetitions} "
        "sets simulated)."
    )
