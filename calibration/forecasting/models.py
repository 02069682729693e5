"""The forecasters by name, with their defaults.

``docs/forecast_choices.md`` describes how the defaults were chosen, and which alternatives were tried.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from calibration.filtering import FilterSettings, ahead, estimate
from calibration.forecasting.baselines import (
    DampedDrift,
    ErrorCorrection,
    FixedEffects,
    Mean,
    MeanReversion,
    PooledConvergence,
    ShrunkenErrorCorrection,
    Smoothing,
)
from calibration.forecasting.combination import Mixture
from calibration.forecasting.empirical_intervals import EmpiricalIntervals
from calibration.forecasting.forecaster import Forecast, Forecaster, Origin, PointMethod
from pysd_runner.core.errors import UnknownName, suggest

REFERENCE = "persistence"
FINAL = "gapsim"
FILTERED = "filtered"
# Name of the user's model in a mixture.
MODEL = "model"

GOOD: tuple[PointMethod, ...] = (MeanReversion(rate=0.0), DampedDrift(), MeanReversion(), ErrorCorrection())

METHODS: dict[str, PointMethod] = {
    REFERENCE: MeanReversion(rate=0.0),
    "drift": DampedDrift(damping=1.0),
    "damped_drift": DampedDrift(),
    # The drift of a single region cannot be estimated from fewer years.
    "theta": Smoothing(drift=0.5, least=8),
    "fixed_effects": FixedEffects(),
    "mean_reversion": MeanReversion(),
    "pooled_convergence": PooledConvergence(),
    "error_correction": ErrorCorrection(),
    "error_correction_half": ErrorCorrection(strength=0.5),
    "error_correction_shrunken": ShrunkenErrorCorrection(),
    "mean_of_good": Mean(GOOD),
}
# Weights of the members of the final forecast.
MEMBERS = {FILTERED: 0.45, "error_correction_shrunken": 0.45, REFERENCE: 0.1}


@dataclass(frozen=True, kw_only=True, slots=True)
class FilteredModel:
    """State-space model of relative output: states are filtered up to the origin, then simulated with shocks.

    Attributes
    ----------
    name
        Name shown in tables.
    settings
        Grids and priors of the filter.
    """

    name: str
    settings: FilterSettings = field(default_factory=FilterSettings)

    def forecast(self, origin: Origin, *, horizon: int, draws: int, seed: int) -> Forecast:
        """Forecast; see `Forecaster`. Regions that were never observed are NaN."""
        target = origin.target
        # Sorted by code, so that the random numbers of a region do not depend on the order of rows.
        order = np.argsort(target.rows)
        order = order[np.isfinite(target.values[order]).any(axis=1)]
        known = estimate(target.values[order], [target.groups[place] for place in order], self.settings)
        point = np.full((len(target.rows), horizon), np.nan)
        paths = np.full((draws, *point.shape), np.nan)
        rng = np.random.default_rng((seed, origin.time))
        point[order], paths[:, order] = ahead(known, self.settings, horizon=horizon, draws=draws, rng=rng)
        return Forecast(point=point, draws=paths)


def baselines() -> dict[str, Forecaster]:
    """Every baseline by name, each with empirical intervals."""
    return {name: EmpiricalIntervals(name=name, method=method) for name, method in METHODS.items()}


def models() -> dict[str, Forecaster]:
    """Every forecaster by name, the final one last."""
    known: dict[str, Forecaster] = dict(baselines())
    known[FILTERED] = FilteredModel(name=FILTERED)
    members = tuple(known[name] for name in MEMBERS)
    known[FINAL] = Mixture(name=FINAL, members=members, weights=tuple(MEMBERS.values()))
    return known


def ablations() -> dict[str, Forecaster]:
    """The filtered model with one component removed, by name, to measure its value; scored only on request."""
    whole = FilterSettings()
    without = {
        "momentum": replace(whole, momenta=(0.0,)),
        "mean_reversion": replace(whole, reversions=(0.0,)),
        "volatile_years": replace(whole, ordinary_regions=math.inf),
        "filter": replace(whole, is_filtered=False),
    }
    names = {part: f"{FILTERED}_without_{part}" for part in without}
    return {names[part]: FilteredModel(name=names[part], settings=item) for part, item in without.items()}


def models_named(names: Iterable[str]) -> dict[str, Forecaster]:
    """Select forecasters by name; the reference always comes first, because skill is measured against it.

    Parameters
    ----------
    names
        Names of `models` and `ablations`.

    Raises
    ------
    UnknownName
        If there is no such forecaster.
    """
    known = models() | ablations()
    chosen = {REFERENCE: known[REFERENCE]}
    for name in names:
        if name not in known:
            raise UnknownName(
                "there is no forecaster {name!r}; there are {known}.{suggestion}",
                name=name,
                known=", ".join(known),
                suggestion=suggest(name, known),
            )
        chosen[name] = known[name]
    return chosen
