"""What would change the answer: quantities whose value decides whether it holds."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

# Fewer draws leave too few in each third to tell anything.
LEAST_DRAWS = 60
# At most so many are told, and chance alone finds one among all of them in one brief of twenty.
MOST_CAUSES, CHANCE = 3, 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """A quantity on which an answer hangs."""

    parameter: str
    low: float
    high: float


def causes(parameters: xr.DataArray, holds: NDArray[np.bool_]) -> list[Cause]:
    """Quantities whose lowest and highest thirds differ in how often an answer holds, by more than chance explains."""
    from scipy.stats import norm

    values = parameters.transpose("parameter", "draw").to_numpy()
    varied = np.flatnonzero(np.ptp(values, axis=1) > 0)
    if holds.size < LEAST_DRAWS or not varied.size or holds.all() or not holds.any():
        return []
    limit = float(norm.isf(CHANCE / 2 / varied.size))
    found = []
    for place in varied:
        low, high = np.quantile(values[place], (1 / 3, 2 / 3))
        below, above = holds[values[place] <= low], holds[values[place] >= high]
        pooled = np.concatenate([below, above]).mean()
        error = np.sqrt(pooled * (1 - pooled) * (1 / below.size + 1 / above.size))
        gap = float(above.mean() - below.mean())
        if abs(gap) > limit * error:
            name = str(parameters["parameter"].to_numpy()[place])
            found.append(Cause(parameter=name, low=float(below.mean()), high=float(above.mean())))
    return sorted(found, key=lambda item: -abs(item.high - item.low))[:MOST_CAUSES]
