"""Whether a model jumps along its parameters, so that slopes say nothing of what lies beyond."""

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.problem import CalibrationProblem
from pysd_runner.core.errors import UnsupportedFeature

Array = NDArray[np.float64]

# Intervals into which one prior standard deviation to either side is cut.
PIECES = 24
# Change of a residual, in its standard deviations, that slopes on both sides do not explain.
LEAST = 0.02


def jumping(problem: CalibrationProblem, point: Array) -> tuple[str, ...]:
    """Parameters along which residuals jump near a point."""
    return tuple(key for place, key in enumerate(problem.space.keys) if _jumps(problem, point, place))


def _jumps(problem: CalibrationProblem, point: Array, place: int) -> bool:
    lower, upper = (bound[place] for bound in problem.space.bounds)
    reach = min(problem.space.scale[place], 1.0)
    low, high = (float(np.clip(point[place] + side * reach, lower, upper)) for side in (-1, 1))
    path = np.repeat(point[None], PIECES + 1, axis=0)
    path[:, place] = np.linspace(low, high, PIECES + 1)
    try:
        found = [problem.linearised(item, columns=[place]) for item in path]
    except UnsupportedFeature:
        return False
    values, slopes = np.stack([item[0] for item in found]), np.stack([item[1][:, 0] for item in found])
    gaps = _unexplained(values, slopes, path[:, place])
    worst = np.nanargmax(np.nanmax(gaps, axis=1)) if np.isfinite(gaps).any() else 0
    wide = float(np.nanmax(gaps[worst])) if np.isfinite(gaps[worst]).any() else 0.0
    if wide < LEAST:
        return False
    middle = (path[worst] + path[worst + 1]) / 2
    value, slope = problem.linearised(middle, columns=[place])
    finer = np.array([path[worst, place], middle[place], path[worst + 1, place]])
    halves = _unexplained(
        np.stack([values[worst], value, values[worst + 1]]),
        np.stack([slopes[worst], slope[:, 0], slopes[worst + 1]]),
        finer,
    )
    return float(np.nanmax(halves)) > 0.7 * wide


def _unexplained(values: Array, slopes: Array, at: Array) -> Array:
    """What the slopes at both ends of each interval do not explain, shape (interval, residual)."""
    widths = np.diff(at)[:, None]
    return np.asarray(np.abs(np.diff(values, axis=0) - widths * (slopes[1:] + slopes[:-1]) / 2))
