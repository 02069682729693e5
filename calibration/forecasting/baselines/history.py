"""Reading a history with holes: last levels, levels carried forward, and pairs of successive years."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def carried(history: Array) -> Array:
    """Carry the last level of each region forward over holes."""
    seen = np.isfinite(history)
    last = np.maximum.accumulate(np.where(seen, np.arange(history.shape[1]), 0), axis=1)
    return np.take_along_axis(history, last, axis=1)


def last_level(history: Array) -> Array:
    """Last observed level of each region, shape (region,); NaN if there is none."""
    level: Array = carried(history)[:, -1]
    return level


def held(level: Array, horizon: int) -> Array:
    """The same level at every horizon, shape (region, horizon)."""
    return np.repeat(level[:, None], horizon, axis=1)
