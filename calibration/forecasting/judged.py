"""An earlier origin, as a mixture looks back at it: what its members foretold and what came."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Judged:
    """Forecasts of the members at one earlier origin, and what is known of what came."""

    kept: Array  # quantiles of the members, shape (member, quantile, region, horizon)
    between: Array  # mean distance between members, shape (member, member, region, horizon)
    last: Array  # last level that was observed up to the origin, shape (region,); NaN where there was none
    came: Array  # what came, shape (region, horizon)
    known: NDArray[np.bool_]  # where that and the forecasts are known
    weight: float  # what the origin counts


def centre(item: Judged, weights: Array) -> Array:
    """Mean of the mixture, shape (region, horizon)."""
    return np.asarray(np.tensordot(weights, item.kept.mean(axis=1), axes=1))
