"""The model itself as a forecaster: states filtered up to the origin, then members run on."""

from dataclasses import dataclass, field

import numpy as np

from calibration.filtering import FilterSettings, ahead, estimate, evidence_of
from calibration.forecasting.forecaster import Forecast, Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class FilteredModel:
    """The system-dynamics model started from the state the filter finds at the origin.

    Attributes
    ----------
    name
        What tables call it.
    settings
        Ensemble, grids and priors.
    """

    name: str
    settings: FilterSettings = field(default_factory=FilterSettings)

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`. Regions never seen stay unknown."""
        target = origin.target
        seen = np.asarray(np.isfinite(target.values).any(axis=1))
        evidence = evidence_of(
            target.values[seen],
            target.years,
            [code for code, keep in zip(target.regions, seen, strict=True) if keep],
            [group for group, keep in zip(target.groups, seen, strict=True) if keep],
            origin.panel,
        )
        found = ahead(
            estimate(evidence, self.settings, seed=seed), self.settings, horizon=horizon, draws=draws, seed=seed
        )
        paths = np.full((draws, len(seen), horizon), np.nan)
        paths[:, seen] = found
        return Forecast(point=paths.mean(axis=0), draws=paths)
