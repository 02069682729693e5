"""Scenarios of any model from a script, with what `gapsim run` does and its numbers."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.progress import Told, reporting
from pysd_runner.data import Data
from pysd_runner.evidence import is_weighed, weigh
from pysd_runner.model import Model
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.spec.baseline import kept_in, usual_end
from pysd_runner.study.arguments import AnyFit, AnyModel, HasProblem, loaded, parameters_of, subject_of
from pysd_runner.study.future import Future
from pysd_runner.study.inputs import last_origin
from pysd_runner.study.projection import HasBaseline, project as projected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pysd_runner.data.sources import AnySource
    from pysd_runner.study.projection import Scenarios


@reporting("Projecting")
def project(  # noqa: PLR0913 - a public entry point
    model: AnyModel | HasProblem,
    data: "Data | AnySource | None" = None,
    scenarios: "Scenarios | None" = None,
    fit: AnyFit | None = None,
    *,
    forecast: Baseline | HasBaseline | Literal["auto"] | None = "auto",
    evidence: bool = True,
    until: float | None = None,
    draws: int | None = None,
    seed: int = 0,
    outcomes: "Sequence[str] | None" = None,
    yuan_per_unit: float | None = None,
    progress: Told = None,
) -> Future:
    """Run scenarios for draws from a fit: the same numbers as `gapsim run` gives.

    All scenarios share the draws, so that intervals of differences from the run without policy are much narrower than
    those of levels. Of regions the run without policy follows a forecast, made here unless one is given.

    Parameters
    ----------
    model
        Any model: loaded, a name or a path. A fit stands for its model, its data and itself, as in
        ``project(fit, scenarios)``.
    data
        A panel of regions; or, for any other model, observations to plot with its outcomes; None without data.
    scenarios
        For regions: one or several scenarios, names of shipped ones, or dictionaries as for `load_scenario`. For any
        other model: scenarios, dictionaries of changes, or files; or a dictionary of dictionaries, which names them.
    fit
        Result of a calibration, its parameters, or its folder. None draws the parameters of a regional model from their
        priors, and runs any other model once with the values of its file.
    forecast
        Of regions: the forecast that the run without policy follows; ``"auto"`` makes one, None lets the model run
        free, so that levels are no forecasts. Any other model follows none.
    evidence
        Whether the fit is weighed by the measured effects that the model declares.
    until
        Last year or moment; None for 2040, or the end of the model.
    draws
        Number of draws; None for 2,500 of regions, and for 500 otherwise.
    seed
        Seed of the draws, and of the forecast.
    outcomes
        Variables of a model without regions to save; None for observed and declared ones, and the first stocks.
    yuan_per_unit
        Yuan for one unit of the panel's currency; None for that of the fit.
    progress
        As for `fit`.

    Returns
    -------
    Future
        Outcomes of every scenario.

    Raises
    ------
    InvalidInput
        If years, draws or regions do not match, or the fit is for another model or used data after the origin.
    InvalidScenario
        If a scenario changes a variable that is not a constant, or two have the same name.
    SimulationFailed
        If a regional simulation is not finite, or every draw of any other model fails.
    """
    given, data, scenarios, fit = subject_of(model, data, scenarios, fit)
    known, seen = loaded(given, data)
    fitted = parameters_of(fit)
    settings: dict[str, Any] = {"until": until, "draws": draws, "seed": seed, "yuan_per_unit": yuan_per_unit}
    notices: list[str] = []
    begin = _BEGIN[known.design.given(seen).start]
    seen, followed = begin(known, seen, fit, forecast, settings, notices)
    weighed = fitted if fitted is None or not evidence else _weighed(known, seen, fitted, seed, notices)
    found = projected(known, seen, scenarios, weighed, followed, outcomes=outcomes, progress=progress, **settings)
    return replace(found, warnings=(*notices, *found.warnings))


# Draws of regions, as many as the forecast that they follow has.
DRAWS = 2500


def _in_state(
    model: Model, seen: Data | None, fit: AnyFit | None, forecast: Any, settings: dict[str, Any], notices: list[str]
) -> tuple[Data | None, Baseline | None]:
    """Data up to the origin, and the forecast that a run from the state observed there follows."""
    assert seen is not None  # noqa: S101
    last, fitted = last_origin(seen), parameters_of(fit)
    rate = 1.0 if fitted is None else float(fitted.provenance.get("yuan_per_unit", 1.0))
    usual = {"until": usual_end(last), "draws": DRAWS, "yuan_per_unit": rate}
    settings |= {name: value for name, value in usual.items() if settings[name] is None}
    seen = seen.subset(times=range(seen.years[0], last + 1))
    return seen, _followed(forecast, model, seen, fit, settings, notices)


def _as_file(
    model: Model, seen: Data | None, _fit: AnyFit | None, forecast: Any, settings: dict[str, Any], _notices: list[str]
) -> tuple[Data | None, None]:
    """Data as they are; a run that starts as its file says follows no forecast."""
    if forecast not in (None, "auto"):
        raise InvalidInput("{model} follows no forecast; leave `forecast` out", model=model.name)
    settings["yuan_per_unit"] = settings["yuan_per_unit"] or 1.0
    return seen, None


_BEGIN = {"state": _in_state, "file": _as_file}


def _followed(
    asked: Any,
    model: Model,
    data: Data,
    fit: AnyFit | None,
    settings: dict[str, Any],
    notices: list[str],
) -> Baseline | None:
    """The forecast that the run without policy follows; None, with a notice, where there can be none."""
    if asked != "auto":
        return asked if asked is None or isinstance(asked, Baseline) else asked.baseline
    from calibration.forecasting.forecast import baseline_for

    until, draws, seed = (settings[name] for name in ("until", "draws", "seed"))
    fitted = parameters_of(fit)
    if until <= data.years[-1]:
        return None
    if isinstance(fit, str | Path) and Path(fit).is_dir():
        kept = kept_in(Path(fit), data, fitted, until=until, draws=draws, seed=seed)
        if kept is not None:
            return kept
    elif fitted is not None:
        # As far as a calibration makes and keeps it, since draws depend on how far they go.
        until = max(until, usual_end(data.years[-1]))
    try:
        return baseline_for(data, fitted, until=until, draws=max(draws, DRAWS), seed=seed, model=model)
    except InvalidInput as reason:
        notices.append(Message("No forecast, because {reason}: the run follows the model alone.", reason=reason))
        return None


def _weighed(
    model: Model, data: Data | None, fitted: FittedParameters, seed: int, notices: list[str]
) -> FittedParameters:
    """A fit weighed by the measured effects of its model, where there are some and enough draws agree with them."""
    if model.spec is None or not any(item.is_used for item in model.spec.evidence.values()) or is_weighed(fitted):
        return fitted
    try:
        return weigh(model, data, fitted, seed=seed).fitted
    except InvalidInput as reason:
        notices.append(Message("The fit is not weighed by measured effects: {reason}", reason=reason))
        return fitted
