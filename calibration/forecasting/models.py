"""The forecasters by name, with their defaults.

What the defaults were chosen on, and what else was tried, is written in ``docs/forecast_choices.md``.
"""

import math
from collections.abc import Iterable
from dataclasses import replace

from calibration.filtering import FilterSettings
from calibration.forecasting.baselines import (
    DampedDrift,
    Drift,
    FixedEffects,
    Mean,
    MeanReversion,
    Persistence,
    PooledConvergence,
    Theta,
)
from calibration.forecasting.combination import Mixture
from calibration.forecasting.empirical_intervals import EmpiricalIntervals
from calibration.forecasting.error_correction import ErrorCorrection, ShrunkenErrorCorrection
from calibration.forecasting.filtered import FilteredModel
from calibration.forecasting.forecaster import Forecaster, PointMethod
from pysd_runner.core.errors import UnknownName, suggest

REFERENCE = "persistence"
FINAL = "gapsim"
FILTERED = "filtered"

GOOD: tuple[PointMethod, ...] = (Persistence(), DampedDrift(), MeanReversion(), ErrorCorrection())

METHODS: dict[str, PointMethod] = {
    REFERENCE: Persistence(),
    "drift": Drift(),
    "damped_drift": DampedDrift(),
    "theta": Theta(),
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


def baselines() -> dict[str, Forecaster]:
    """Every baseline with learnt widths, by name."""
    return {name: EmpiricalIntervals(name=name, method=method) for name, method in METHODS.items()}


def models() -> dict[str, Forecaster]:
    """Every forecaster by name, the final one last."""
    known: dict[str, Forecaster] = dict(baselines())
    known[FILTERED] = FilteredModel(name=FILTERED)
    members = tuple(known[name] for name in MEMBERS)
    known[FINAL] = Mixture(name=FINAL, members=members, weights=tuple(MEMBERS.values()))
    return known


def ablations() -> dict[str, Forecaster]:
    """The filter with one part taken out, by name: what the part is worth. Scored when they are asked for."""
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
    """Choose forecasters; the reference always comes first, because skill is measured against it.

    Parameters
    ----------
    names
        As in `models` and `ablations`.

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
