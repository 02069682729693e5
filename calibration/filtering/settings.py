"""What the filter assumes before it sees a panel; the same for every panel.

What was tried is written in ``docs/forecast_choices.md``.
"""

import math
from dataclasses import dataclass

from pysd_runner.core.errors import InvalidInput
from pysd_runner.engine.counts import whole

BELOW_ONE, FINITE = math.nextafter(1.0, 0.0), math.nextafter(math.inf, 0.0)
# The largest value that each grid may have, and how it is said; the smallest is 0.
HIGHEST = {
    "memories": (BELOW_ONE, "to below 1"),
    "momenta": (FINITE, "up"),
    "reversions": (BELOW_ONE, "to below 1"),
    "persistences": (1.0, "to 1"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterSettings:
    """Grids of what is learnt, and priors. What makes a simple forecast of it is one value here.

    Attributes
    ----------
    is_filtered
        Whether states at the origin come from the years before it; without, the level is what was observed last, and
        momentum, which is not observed, zero with the spread of its long run.
    memory_years
        Years whose mean relative level is a region's position.
    half_life
        Years after which an innovation counts half when sizes are learnt.
    horizons
        Years ahead at which laws are weighed by what they predicted.
    memories
        Shares of momentum that are left a year later.
    momenta
        Yearly standard deviations of what is added to momentum, relative to that of shocks to the level.
    reversions
        Parts of a gap that are closed in a year.
    persistences
        Where levels revert to: 0 the mean of the regions, 1 the region's own position.
    momentum_scale, reversion_scale
        Means of the exponential priors on `momenta` and `reversions`; both have their mode at the random walk.
    tempering
        Power of the likelihood; below 1 the panel counts less than its cells.
    tails
        Degrees of freedom of shocks.
    clip
        Standard deviations beyond which a surprise is a shock to the level and no news about momentum.
    ordinary_regions
        Number of regions that an ordinary year counts for when it is asked whether most were shaken at once
        (`trend.recent_volatility`); infinite for years that are all alike.
    width_weight
        Number of origins that the widths of the law count against those of past errors.
    width_half_life
        Years after which a past error counts half for widths.
    """

    is_filtered: bool = True
    memory_years: int = 10
    half_life: float = 8.0
    horizons: int = 5
    memories: tuple[float, ...] = (0.3, 0.5, 0.7, 0.85)
    momenta: tuple[float, ...] = (0.0, 0.15, 0.3, 0.5, 0.8, 1.2)
    reversions: tuple[float, ...] = (0.0, 0.005, 0.01, 0.015, 0.02, 0.025)
    persistences: tuple[float, ...] = (0.0,)
    momentum_scale: float = 0.3
    reversion_scale: float = 0.02
    tempering: float = 1.0
    tails: float = 5.0
    clip: float = 3.0
    ordinary_regions: float = 10.0
    width_weight: float = 1.0
    width_half_life: float = 4.0

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_grids()

    def _check_numbers(self) -> None:
        whole("horizons", self.horizons, least=1)
        whole("memory_years", self.memory_years, least=1)
        if not 2 < self.tails < math.inf:
            raise InvalidInput(f"tails is {self.tails}; shocks have a variance above 2 degrees of freedom alone")
        if not self.ordinary_regions >= 0:
            raise InvalidInput(f"ordinary_regions is {self.ordinary_regions}; it counts regions, so give 0 or more")
        for name in ("half_life", "clip", "width_half_life", "momentum_scale", "reversion_scale"):
            if not getattr(self, name) > 0:
                raise InvalidInput(f"{name} is {getattr(self, name)}; give a number above 0")

    def _check_grids(self) -> None:
        for name, (most, words) in HIGHEST.items():
            grid = getattr(self, name)
            if not grid:
                raise InvalidInput(f"{name} is empty; give at least one value to choose from")
            wrong = [value for value in grid if not 0 <= value <= most]
            if wrong:
                raise InvalidInput(f"{name} has {wrong[0]}; give values from 0 {words}")
