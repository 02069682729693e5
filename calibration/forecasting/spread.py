"""How large errors are, by horizon and by region, learnt from errors that were known at the time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST, MOST = 0.1, 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class WidthSettings:
    """How fast past errors are forgotten and how strongly estimates are shrunk; counts are of origins."""

    half_life: float = 3.0  # years after which an error counts half for the size of errors
    shape_half_life: float = 20.0  # the same for their shape
    growth: float = 0.6
    growth_weight: float = 4.0
    law_weight: float = 4.0  # what the law of growth counts against the errors of a horizon alone
    region_weight: float = 6.0  # what the pooled size counts against a region's own
    shape_weight: float = 10.0  # what Student's t counts against the pooled shape of past errors
    tails: float = 3.0  # its degrees of freedom


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Mean absolute error to expect: that of the horizon times that of the region."""

    by_horizon: Array  # shape (horizon,), in units of the target
    by_region: Array
    growth: float  # exponent of the growth with the horizon

    def standardised(self, errors: Array) -> Array:
        """Divide errors of shape (..., region, horizon) by what was to be expected."""
        result: Array = errors / (self.by_region[:, None] * self.by_horizon)
        return result


def learn_spread(errors: Array, ages: Array, settings: WidthSettings) -> Spread | None:
    r"""Size of errors by horizon, a law :math:`c\,h^\gamma` blended with each horizon's own, and by region."""
    # Everything is an average of absolute errors in which newer ones count more, so that one outlier counts once. A
    # horizon that has few origins without overlap leans on the law, a region on all regions.
    size = np.abs(errors)
    known = np.isfinite(size)
    weight = np.where(known, 0.5 ** (np.maximum(ages, 0)[:, None, :] / settings.half_life), 0.0)
    size = np.where(known, size, 0.0)
    total = weight.sum(axis=(0, 1))
    own = np.divide((weight * size).sum(axis=(0, 1)), total, out=np.zeros(len(total)), where=total > 0)
    if not (own > 0).any():
        return None
    origins = weight.max(axis=1).sum(axis=0)
    by_horizon, growth = _grown(own, origins, settings)
    share = np.where(known, weight * size / by_horizon, 0.0).sum(axis=(0, 2))
    counted = weight.sum(axis=(0, 2))
    one_ahead = weight[:, :, 0].sum(axis=0)
    raw = np.divide(share, counted, out=np.ones(len(counted)), where=counted > 0)
    by_region = (one_ahead * raw + settings.region_weight) / (one_ahead + settings.region_weight)
    return Spread(by_horizon=by_horizon, by_region=by_region, growth=growth)


def _grown(own: Array, origins: Array, settings: WidthSettings) -> tuple[Array, float]:
    """Blend the sizes of horizons with a power law fitted to them; each counts its origins without overlap."""
    steps = np.arange(1, len(own) + 1)
    held = own > 0
    apart = np.where(held, origins / steps, 0.0)
    logs = np.log(np.where(held, own, 1.0))
    along = np.log(steps)
    middle = (apart * along).sum() / apart.sum()
    level = (apart * logs).sum() / apart.sum()
    about = along - middle
    # The prior on the exponent counts like that many origins spread over horizons 1 to 5, whose log steps vary by 0.3.
    prior = settings.growth_weight * 0.3
    slope = ((apart * about * (logs - level)).sum() + prior * settings.growth) / ((apart * about**2).sum() + prior)
    growth = float(np.clip(slope, LEAST, MOST))
    law = level + growth * about
    part = apart / (apart + settings.law_weight)
    return np.exp(part * logs + (1 - part) * law), growth
