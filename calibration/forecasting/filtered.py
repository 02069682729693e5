"""The model itself as a forecaster: states filtered up to the origin, then members run on."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from calibration.filtering import FilterSettings, ahead, check_fit_of, estimate, evidence_of
from calibration.forecasting.forecaster import Forecast, Origin
from pysd_runner.spec import FittedParameters


@dataclass(frozen=True, kw_only=True, slots=True)
class FilteredModel:
    """The system-dynamics model started from the state the filter finds at the origin.

    Attributes
    ----------
    name
        What tables call it.
    settings
        Ensemble, grids and priors.
    fit
        A calibration of the model to these regions: its draws take the place of the priors of what the laws of output
        do not decide. Effects of regions are not taken. None for the priors.
    fit_digest
        Of the fit, which stands for it in ``repr`` and comparisons; empty for none.
    """

    name: str
    settings: FilterSettings = field(default_factory=FilterSettings)
    fit: FittedParameters | None = field(default=None, repr=False, compare=False)
    fit_digest: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if self.fit is not None:
            digest = hashlib.blake2b(repr(self.fit).encode(), digest_size=16).hexdigest()
            object.__setattr__(self, "fit_digest", digest)

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`. Regions never seen stay unknown.

        Raises
        ------
        InvalidInput
            If the fit saw years after the origin, or is one of another model or of other regions.
        """
        target = origin.target
        if self.fit is not None:
            check_fit_of(self.fit, target.regions, origin.year)
        seen = np.asarray(np.isfinite(target.values).any(axis=1))
        evidence = evidence_of(
            target.values[seen],
            target.years,
            [code for code, keep in zip(target.regions, seen, strict=True) if keep],
            [group for group, keep in zip(target.groups, seen, strict=True) if keep],
            origin.panel,
        )
        known = estimate(evidence, self.settings, seed=seed, fit=self.fit)
        found = ahead(known, self.settings, horizon=horizon, draws=draws, seed=seed)
        paths = np.full((draws, len(seen), horizon), np.nan)
        paths[:, seen] = found
        return Forecast(point=paths.mean(axis=0), draws=paths)
