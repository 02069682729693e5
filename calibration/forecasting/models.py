"""The forecasters by name, with their defaults."""

from collections.abc import Iterable

from calibration.forecasting.baselines import (
    Arima,
    DampedDrift,
    Drift,
    ErrorCorrection,
    ExponentialSmoothing,
    FixedEffects,
    Mean,
    Persistence,
    PooledConvergence,
    Pull,
    ShrunkenMeans,
    Theta,
)
from calibration.forecasting.combination import Combination
from calibration.forecasting.forecaster import Forecaster, PointMethod
from calibration.forecasting.learnt import Learnt
from pysd_runner.errors import UnknownName, suggest

REFERENCE = "persistence"
FINAL = "gapsim"

GOOD: tuple[PointMethod, ...] = (Persistence(), DampedDrift(), Pull(), ErrorCorrection())

METHODS: dict[str, PointMethod] = {
    REFERENCE: Persistence(),
    "drift": Drift(),
    "damped_drift": DampedDrift(),
    "theta": Theta(),
    "ets": ExponentialSmoothing(),
    "arima": Arima(),
    "fixed_effects": FixedEffects(),
    "pull": Pull(),
    "pooled_convergence": PooledConvergence(),
    "error_correction": ErrorCorrection(),
    "error_correction_half": ErrorCorrection(strength=0.5),
    "shrunken_means": ShrunkenMeans(),
    "mean_of_good": Mean(GOOD),
}
MEMBERS = (REFERENCE, "damped_drift", "pull", "error_correction", "error_correction_half")


def baselines() -> dict[str, Forecaster]:
    """Every baseline with learnt widths, by name."""
    return {name: Learnt(name=name, method=method) for name, method in METHODS.items()}


def models() -> dict[str, Forecaster]:
    """Every forecaster by name; the final one last."""
    known = baselines()
    known[FINAL] = Combination(name=FINAL, members=tuple(known[name] for name in MEMBERS))
    return known


def models_named(names: Iterable[str]) -> dict[str, Forecaster]:
    """Choose forecasters; the reference always comes first, because skill is measured against it.

    Parameters
    ----------
    names
        As in `models`.

    Raises
    ------
    UnknownName
        If there is no such forecaster.
    """
    known = models()
    chosen = {REFERENCE: known[REFERENCE]}
    for name in names:
        if name not in known:
            raise UnknownName(f"there is no forecaster {name!r}; there are {', '.join(known)}.{suggest(name, known)}")
        chosen[name] = known[name]
    return chosen
