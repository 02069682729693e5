"""The law of relative output as a forecaster: states filtered up to the origin, then on with shocks."""

from dataclasses import dataclass, field

import numpy as np

from calibration.filtering import FilterSettings, ahead, estimate
from calibration.forecasting.forecaster import Forecast, Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class FilteredModel:
    """The simulation model's law of relative output without couplings, started from the state found at the origin.

    Attributes
    ----------
    name
        What tables call it.
    settings
        Grids and priors.
    """

    name: str
    settings: FilterSettings = field(default_factory=FilterSettings)

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`. Regions never seen stay unknown."""
        target = origin.target
        # By code, so that the order of the rows moves no random number from one region to another.
        order = np.argsort(target.regions)
        order = order[np.isfinite(target.values[order]).any(axis=1)]
        known = estimate(target.values[order], [target.groups[place] for place in order], self.settings)
        point = np.full((len(target.regions), horizon), np.nan)
        paths = np.full((draws, *point.shape), np.nan)
        rng = np.random.default_rng((seed, origin.year))
        point[order], paths[:, order] = ahead(known, self.settings, horizon=horizon, draws=draws, rng=rng)
        return Forecast(point=point, draws=paths)
