"""How many intervals of coverage contain what was promised, and how many a perfect forecaster would have."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from calibration.forecasting import Backtest
from calibration.forecasting.comparison import mean_interval
from calibration.forecasting.models import FINAL

LEVELS = (0.5, 0.9)
REPETITIONS = 200
# Shorter bootstraps than those of the tables: each repetition needs one for every interval.
RESAMPLES = 199


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
    name = f"coverage_{round(100 * level)}"
    return row[f"{name}_low"], row[f"{name}_high"]


def scored_cells(results: Mapping[str, Backtest]) -> list[tuple[tuple[int, ...], NDArray[np.bool_]]]:
    """Horizons of each panel, and which cells were scored, shape (origin, region, horizon)."""
    found = []
    for result in results.values():
        errors = result.scores["error"].sel(model=FINAL).transpose("origin", "region", "horizon")
        found.append((tuple(int(step) for step in errors["horizon"].values), np.isfinite(errors.values)))
    return found


def perfect(
    panels: Sequence[tuple[tuple[int, ...], NDArray[np.bool_]]], *, repetitions: int = REPETITIONS, seed: int = 0
) -> NDArray[np.int64]:
    """Number of intervals that contain what was promised when probabilities are exactly right.

    What comes is a random walk with normal shocks, independent between regions and years, forecast with its own law;
    where regions share shocks, fewer intervals hold.

    Parameters
    ----------
    panels
        `scored_cells`; origins are successive years.
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
    return np.array([sum(map(sum, (_held(*panel, rng) for panel in panels))) for _ in range(repetitions)])


def _held(horizons: tuple[int, ...], known: NDArray[np.bool_], rng: np.random.Generator) -> list[bool]:
    origins, regions, _ = known.shape
    shocks = rng.standard_normal((origins + max(horizons), regions))
    walk = np.vstack((np.zeros(regions), shocks.cumsum(axis=0)))
    held = []
    for place, step in enumerate(horizons):
        errors = np.abs(walk[step : step + origins] - walk[:origins]) / np.sqrt(step)
        for level in LEVELS:
            covered = np.where(known[:, :, place], errors < ndtri((1 + level) / 2), np.nan)
            low, high = mean_interval(covered, step, repetitions=RESAMPLES)
            if np.isfinite(low):
                held.append(low <= level <= high)
    return held


def told(results: Mapping[str, Backtest]) -> str:
    """One sentence for the page.

    Parameters
    ----------
    results
        By title of the panel.
    """
    ours = holding(results)
    theirs = perfect(scored_cells(results))
    low, high = np.quantile(theirs, (0.05, 0.95))
    every = 100 * float(np.mean(theirs == len(ours)))
    return (
        f"Of {len(ours)} intervals of coverage {sum(ours)} contain what was promised. A forecaster whose probabilities "
        f"are exactly right would have {theirs.mean():.1f} on panels of this shape, {low:.0f} to {high:.0f} in 90 of "
        f"100 sets of them, and every one in {every:.0f} of 100."
    )
