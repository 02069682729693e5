"""Random growth of regions beyond what the model explains: paths of `Technology Shock`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.paths import TimePath
from pysd_runner.panel import Panel
from pysd_runner.regional.inputs import relative_growth

Array = NDArray[np.float64]

# Yearly growth of regions has fatter tails than the normal; five degrees of freedom, as in the design of the forecasts.
DEGREES_OF_FREEDOM = 5

# Years of the panel that speak about the present size of shocks and about what regions of a class share.
WINDOW = 12

# Without a calibration and with too short a panel: a typical yearly standard deviation for provinces. Judgement.
TYPICAL_SD = 0.025


@dataclass(frozen=True, slots=True)
class ShockLaw:
    """How regional growth departs from the model."""

    sd: float  # standard deviation of a year's departure, log points
    shared: float  # share of the variance that regions of one class have in common


def shock_law(panel: Panel, *, sd: float = 0.0) -> ShockLaw:
    """Size of shocks and what classes share, from the last years of a panel.

    The shared part solves ``var(class mean) = shared * var + (1 - shared) * var / n`` by moments, over classes of two
    regions or more, in the years in which all of them are seen. Growth is that from one year to the next; where years
    are missing from the panel, none is made up.
    """
    growth = relative_growth(panel)[:, np.array(panel.years[1:]) > panel.years[-1] - WINDOW]
    seen = np.isfinite(growth)
    if seen.sum() < 10:
        return ShockLaw(sd or TYPICAL_SD, 0.0)
    variance = float(np.mean(growth[seen] ** 2))
    groups = np.array([region.group for region in panel.regions])
    excess, weight = 0.0, 0.0
    for group in {name for name in groups.tolist() if name}:
        members = growth[groups == group]
        members = members[:, np.isfinite(members).all(axis=0)]
        count = members.shape[0]
        if count < 2 or not members.size:
            continue
        mean_variance = float(np.mean(members.mean(axis=0) ** 2))
        excess += count * (mean_variance - variance / count) / (1 - 1 / count)
        weight += count
    shared = 0.0 if not weight or variance == 0 else min(max(excess / weight / variance, 0.0), 0.9)
    return ShockLaw(sd or float(np.sqrt(variance)), shared)


def shock_paths(
    law: ShockLaw, groups: Sequence[str], years: Array, persistence: Array, rng: np.random.Generator
) -> TimePath:
    """Draw paths of yearly growth shocks.

    ``x[t] = phi x[t-1] + e[t]`` with x = 0 before the first year, e of Student's t with five degrees of freedom, scaled
    so that x has the standard deviation of the law in the long run. Part of e is common to the regions of a class. More
    draws or more years leave those before them as they were.
    """
    draws, regions, count = persistence.size, len(groups), years.size
    names = sorted({name for name in groups if name})
    scale = np.sqrt((DEGREES_OF_FREEDOM - 2) / DEGREES_OF_FREEDOM)
    own = np.empty((count, draws, regions))
    common = np.empty((count, draws, max(len(names), 1)))
    # Streams of their own, each filled year by year, keep every draw and year whatever comes after it.
    for draw, stream in enumerate(rng.spawn(draws)):
        for shocks, part in zip((own, common), stream.spawn(2), strict=True):
            shocks[:, draw] = scale * part.standard_t(DEGREES_OF_FREEDOM, size=shocks[:, draw].shape)
    member = np.array([names.index(group) if group else -1 for group in groups])
    shared = np.where(member >= 0, law.shared, 0.0)
    innovations = np.sqrt(shared) * common[:, :, np.maximum(member, 0)] + np.sqrt(1 - shared) * own
    size = law.sd * np.sqrt(1 - persistence**2)[:, None]
    paths = np.empty((count, 1, draws, regions))
    state = np.zeros((draws, regions))
    for place in range(count):
        state = persistence[:, None] * state + size * innovations[place]
        paths[place, 0] = state
    return TimePath(times=years, values=paths, interpolate="step")
