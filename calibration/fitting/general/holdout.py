"""How well a fit foretells what it did not see, beside holding the last value."""

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.estimates import HeldOut
from calibration.fitting.general.binding import series_of
from calibration.fitting.general.comparison import TableComparison
from calibration.fitting.general.predicted import disturbed
from calibration.fitting.general.series import ObservedSeries
from calibration.fitting.general.table_problem import TableProblem
from calibration.fitting.results import FitResult

Array = NDArray[np.float64]

DRAWS = 500
LEVEL = 0.9


def held_out(problem: TableProblem, result: FitResult, *, seed: int, draws: int = DRAWS) -> tuple[HeldOut, ...]:
    """Score what lies after the last moment that was fitted."""
    until = problem.until
    if until is None or not (problem.table.times > until).any():
        return ()
    later = problem.table.after(until)
    run, step = problem.runs_to(float(later.times[-1]))
    series, _ = series_of(
        problem.model, problem.table, problem.binding, held=problem.held, moments=run.moments, step=step
    )
    rng = np.random.default_rng([seed, 1])
    drawn = result.fitted.sample(rng, draws, spec=problem.spec)
    comparison = TableComparison(run, problem.space.keys, series)
    predicted = comparison.predicted({key: drawn[key] for key in problem.space.keys}, draws)
    found = []
    for item, table in zip(series, predicted, strict=True):
        noise = problem.noise.get(item.label)
        after = item.times > until
        if noise is None or not np.isfinite(item.raw[:, after]).any() or not np.isfinite(item.raw[:, ~after]).any():
            continue
        noisy = disturbed(item, table, noise, rng, seen=~after)
        found.append(_scored(item, noisy, after))
    return tuple(found)


def _scored(series: ObservedSeries, predicted: Array, after: NDArray[np.bool_]) -> HeldOut:
    """Scores on the scale of the data; `predicted` has shape (draw, row, time)."""
    raw = series.raw
    last = _last_before(raw, after)
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


def _last_before(raw: Array, after: NDArray[np.bool_]) -> Array:
    """The last value that was seen, by row."""
    before = np.where(after[None], np.nan, raw)
    found = np.full(len(raw), np.nan)
    for row, line in enumerate(before):
        seen = np.flatnonzero(np.isfinite(line))
        if seen.size:
            found[row] = line[seen[-1]]
    return found
