"""An earlier origin, as a mixture looks back at it: what its members foretold and what came."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Judged:
    """Forecasts of the members at one earlier origin, and what is known of what came.

    Attributes
    ----------
    kept
        Quantiles of the members, shape (member, quantile, region, horizon).
    between
        Mean distance between members, shape (member, member, region, horizon).
    last
        Last level that was observed up to the origin, shape (region,); NaN where there was none.
    came
        What came, shape (region, horizon).
    known
        Where that and the forecasts are known.
    weight
        What the origin counts.
    """

    kept: Array
    between: Array
    last: Array
    came: Array
    known: NDArray[np.bool_]
    weight: float


def centre(item: Judged, weights: Array) -> Array:
    """Mean of the mixture, shape (region, horizon).

    Parameters
    ----------
    item
        One origin.
    weights
        Of the members, shape (member,).
    """
    return np.asarray(np.tensordot(weights, item.kept.mean(axis=1), axes=1))
