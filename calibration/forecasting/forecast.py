"""Public entry point of forecasts: predictive draws, event probabilities, and scores of past forecasts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from calibration.fitting.results import Fit
from calibration.forecasting.backtest import (
    BACKTEST,
    DRAWS,
    check_backtest,
    refuse,
    scored_by,
)
from calibration.forecasting.combination import Combination, Mixture, member_forecast
from calibration.forecasting.empirical_intervals import FIRST_SEEN
from calibration.forecasting.forecaster import Forecaster, Memory, Origin, origin_at
from calibration.forecasting.models import (
    FINAL,
    FIRST_OF_TABLE,
    FIRST_ORIGIN,
    MODEL,
    check_draws,
    check_model,
    check_yearly,
    mixture_plan,
    models_named,
)
from calibration.forecasting.outlook import Outlook, RelativeOutlook, names_of
from calibration.forecasting.scored import Backtest
from calibration.forecasting.target import Observed, Target, target_of
from calibration.observation.series import last_level
from pysd_runner.core.calendar import Calendar, time_of
from pysd_runner.core.errors import InvalidInput, Message, symmetric_difference
from pysd_runner.core.parallel import Pool
from pysd_runner.core.progress import Callback, ProgressCallback, callback_of, with_progress
from pysd_runner.core.types import Array, Numbers, Record, frozen
from pysd_runner.data import Data
from pysd_runner.engine.validation import check_integer, year
from pysd_runner.export.records import Checkpoint
from pysd_runner.indicators.events import Chance, EventDraws, chances, event_draws, event_of
from pysd_runner.model import Model
from pysd_runner.simulation.task import prepared
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.spec.baseline import check_ahead
from pysd_runner.study.arguments import parameters_of
from pysd_runner.study.binding import shipped_model
from pysd_runner.study.draws import check_fit

# Horizons in years at which past scores are reported.
PAST_HORIZONS = (1, 3, 5)
# Minimum number of observed years, so that the widths of intervals can be estimated.
LEAST_YEARS = FIRST_SEEN + 2
# Attributes of a fit that are recorded in the provenance.
OF_FIT = ("model", "model_sha256", "panel", "panel_sha256", "first_year", "last_year", "sha256")
# Maximum forecast horizon for a table, in time intervals.
MOST_AHEAD = 500


@with_progress("Forecasting")
def forecast(  # noqa: PLR0913 - a public entry point
    data: Any,
    until: float | str | None = None,
    *,
    horizon: int | None = None,
    model: Model | str | Path | None = None,
    forecaster: str = FINAL,
    fit: FittedParameters | Fit | str | Path | None = None,
    events: Sequence[str] = (),
    draws: int = 1000,
    seed: int = 0,
    past: bool = True,
    kept: Baseline | None = None,
    progress: ProgressCallback = None,
) -> Outlook:
    """Forecast a panel or table beyond the last time of its data.

    Parameters
    ----------
    data
        A panel with output per head, or output and population, whose relative output is forecast; or a table, whose
        columns are forecast with `model`; or a problem, whose settings are those of the fit.
    until
        Last year or date (``"2040-06-01"``), or last moment of the model.
    horizon
        Instead of `until`: the number of years beyond a panel, or of intervals beyond a table.
    model
        Any model, required for a table; with a panel, the model of the fit, None for the shipped one.
    forecaster
        For a panel: name of a forecaster, see `calibration.forecasting.models`; by default the final mixture.
    fit
        For a panel: a calibration to these regions (`Fit.fitted`, or `pysd_runner.spec.load_fitted`) whose runs
        start from the forecast; the forecast does not depend on its parameters. For a table: a fit to all observations
        (`Fit`), whose observation settings are used too; None to fit the model here. Of both the folder will do.
    events
        For a panel, events in words, see `pysd_runner.indicators.events`; for a table, such as
        ``"infected above 100 at 80"``, also with ``below`` and ``by``.
    draws
        Number of predictive draws.
    seed
        Seed of the random numbers.
    past
        Whether to score the same forecaster at past origins, as `backtest` does.
    kept
        For a panel: a stored forecast whose draws are reused if it has enough draws and years. It is ignored if it was
        made with another forecaster, seed, panel or fit.
    progress
        As for `calibration.fit`.

    Returns
    -------
    Outlook
        Draws, probabilities and past scores.

    Raises
    ------
    InvalidInput
        If there are too few data, the times are invalid, an event is not understood, or the fit used later years,
        another model or other regions.
    UnknownName
        If there is no such forecaster, region or class.
    """
    observed = Observed.of(data, model)
    if (until is None) == (horizon is None):
        raise InvalidInput("say how far to forecast, by `until` or by `horizon`")
    if horizon is not None:
        until = _after(observed.data, check_integer("horizon", horizon, least=1))
    assert until is not None  # noqa: S101
    asked = _Asked(
        until=time_of(until),
        forecaster=forecaster,
        fit=fit,
        kept=kept,
        events=events,
        draws=draws,
        seed=seed,
        past=past,
        tell=callback_of(progress),
    )
    return FORECASTS[observed.design.target](observed, asked)


@frozen
class _Asked:
    """Arguments of a forecast; see `forecast`."""

    until: float
    forecaster: str
    fit: FittedParameters | Fit | str | Path | None
    kept: Baseline | None
    events: Sequence[str]
    draws: int
    seed: int
    past: bool
    tell: Callback


def _after(data: Data, horizon: int) -> float:
    """Time that lies a number of intervals beyond data."""
    return float(data.times[-1] + horizon * np.median(np.diff(data.times)))


def _relative_output(observed: Observed, asked: _Asked) -> Outlook:
    """Forecast the relative output of regions."""
    panel, fitted, named, kept = observed.data, parameters_of(asked.fit), asked.forecaster, asked.kept
    draws, seed, events = asked.draws, asked.seed, asked.events
    used: dict[str, Any] = {"forecaster": named, "model": observed.model, "fit": fitted, "events": events}
    target = check_forecast(panel, until=asked.until, draws=draws, seed=seed, **used)
    chosen = models_named([named])[named]
    start = origin_at(target, target.times[-1])
    # Past origins first: the forecast then reuses their cached points to estimate its widths.
    scored = _past(panel, target, chosen, seed, start.memory, asked.tell) if asked.past else None
    told = None if fitted is None else {name: getattr(fitted, name) for name in OF_FIT}
    made = {"model": named, "seed": seed, "fit": told, "gapsim": metadata.version("gapsim")}
    count = int(asked.until) - target.times[-1]
    if kept is not None and _is_this(kept, panel, target, made, draws, count):
        found = kept.paths[:draws, :, :count]
    else:
        found = member_forecast(chosen, start, count, draws, seed).draws
    years = tuple(range(target.times[-1] + 1, target.times[-1] + 1 + count))
    weights = _weights(chosen)
    return RelativeOutlook(
        draws=target.back(found, years),
        target=target,
        data=panel,
        model=chosen.name,
        weights=weights,
        chances=chances(events, _futures(target, panel, found, years)),
        past=() if scored is None else _rows(scored, chosen.name),
        past_origins=() if scored is None else _origins(scored),
        dispersion={} if scored is None else scored.dispersion(chosen.name),
        fit=fitted,
        provenance={"model": named, "seed": seed, "weights": weights, **made, **panel.reading},
    )


def _columns(observed: Observed, asked: _Asked) -> Outlook:
    """Forecast the columns of a table with the user's model."""
    from calibration.forecasting.model_forecaster import ModelForecaster, mixture
    from calibration.forecasting.words import disturbance, moved, verdict

    refuse(observed, forecaster=None if asked.forecaster == FINAL else asked.forecaster, kept=asked.kept)
    fit, tell, draws, seed = _whole_fit(asked.fit), asked.tell, asked.draws, asked.seed
    tell(Message("fitting the model"), 0, 4)
    problem = observed.problem(seed=seed, **({} if fit is None else _settings_of(fit, observed.model)))
    until = problem.calendar.moment_of(asked.until)
    target = target_of(problem)
    count = _intervals(target, until)
    check_draws(draws, len(target.rows), count)
    events = [event_of(text, [item.label for item in problem.series]) for text in asked.events]
    known = problem.calendar
    events = [replace(item, time=known.year_of(known.moment_of(item.time))) for item in events]
    own = ModelForecaster(problem=problem, target=target, given=fit)
    whole = mixture(own)
    tell(Message("filtering and mixing"), 1, 4)
    origin = origin_at(target, target.times[-1])
    weights, found = _mixed(whole, origin, count, draws, seed)
    tell(Message("scoring past forecasts"), 2, 4)
    scored = _past_of_columns(whole, own.least, origin, seed) if asked.past else None
    learnt = own.learnt(origin, seed)
    tell(Message("done"), 4, 4)
    later = target.later(count)
    out = target.back(found, later.tolist())
    rows = () if scored is None else tuple(scored.skill())
    columns = {item.label: item.indicator for item in problem.series}
    made = {
        "seed": seed,
        "draws": draws,
        "until": known.said(until),
        "spacing": target.spacing,
        "model": problem.model.name,
    }
    return Outlook(
        draws=out,
        target=target,
        data=problem.data,
        model=whole.name,
        weights=weights,
        chances=tuple(
            Chance(event=item.text, year=item.time, is_ever=item.is_ever, probability=item.probability(out))
            for item in events
        ),
        past=rows,
        past_origins=() if scored is None else _origins(scored),
        verdict=verdict(rows) if asked.past else Message("Past forecasts were not scored."),
        disturbance=disturbance(learnt, target.spacing),
        moved=moved(until, later, target),
        fit=learnt.fit,
        provenance={**made, "columns": columns, **problem.data.reading},
    )


# How data are forecast, by the target of a design.
FORECASTS: Mapping[str, Callable[..., Outlook]] = {"relative_output": _relative_output, "columns": _columns}


def _whole_fit(fit: FittedParameters | Fit | str | Path | None) -> Fit | None:
    """The complete result of a fit, loaded if its folder is given."""
    if fit is None or isinstance(fit, Fit):
        return fit
    if isinstance(fit, FittedParameters):
        raise InvalidInput(
            "columns are forecast with all that `fit` returned, not with its parameters alone; give that, or the "
            "folder of the fit"
        )
    return Fit.load(fit)


def _settings_of(fit: Fit, model: Model | None) -> Record:
    """Settings of the problem that was fitted."""
    from calibration.fitting.bind import measurements_of

    start = fit.fitted.provenance["start"]
    if model is not None and start == prepared(model, None, outcomes=[]).clock.start:
        start = Calendar.of(fit.fitted.provenance.get("calendar")).year_of(start)
    return {"observations": measurements_of(fit.fitted), "start": start, "free": list(fit.fitted.keys)}


def _intervals(target: Target, until: float) -> int:
    """Number of time intervals from the end of the data to a time, rounded up."""
    last = float(target.grid[-1])
    if not until > last:
        said = target.calendar.said
        raise InvalidInput(
            "the data end at {end}; a forecast goes further than {until}", end=said(last), until=said(until)
        )
    count = int(np.ceil((until - last) / target.spacing - 1e-6))
    if count > MOST_AHEAD:
        raise InvalidInput(
            "{until} lies {count} intervals of {spacing:g} ahead; at most {most} are forecast",
            until=target.calendar.said(until),
            count=count,
            spacing=target.spacing,
            most=MOST_AHEAD,
        )
    return count


def _mixed(whole: Combination, origin: Origin, count: int, draws: int, seed: int) -> tuple[dict[str, float], Array]:
    """Weights of the members and draws of shape (draw, row, time); the model alone if there are too few times."""
    asked = {"horizon": count, "draws": draws, "seed": seed}
    if len(origin.target.times) <= FIRST_OF_TABLE:
        return {MODEL: 1.0}, whole.members[0].forecast(origin, **asked).draws
    learnt = whole.learn(origin, draws=draws, seed=seed)
    weights = {member.name: float(weight) for member, weight in zip(whole.members, learnt.weights, strict=True)}
    return weights, whole.forecast(origin, **asked).draws


def _past_of_columns(whole: Combination, least: int, origin: Origin, seed: int) -> Backtest | None:
    """Score the mixture and its members at past origins; None if there are too few observations."""
    try:
        plan = mixture_plan(origin.target, whole, least, horizons=None, draws=DRAWS, seed=seed)
    except InvalidInput:
        return None
    return scored_by(plan, Checkpoint(BACKTEST, None, ""), Pool(None, 1), memory=origin.memory)


def _is_this(kept: Baseline, panel: Data, target: Target, made: Record, draws: int, horizon: int) -> bool:
    """Whether a stored forecast is the requested one and has enough draws and years."""
    return (
        (kept.origin, kept.regions, kept.panel_sha256) == (target.times[-1], target.rows, panel.sha256)
        and all(kept.provenance.get(name) == value for name, value in made.items())
        and len(kept) >= draws
        and len(kept.years) >= horizon
    )


def _weights(chosen: Forecaster) -> Numbers:
    """Weight of each member of a mixture, or 1 for a single forecaster."""
    if not isinstance(chosen, Mixture):
        return {chosen.name: 1.0}
    return {member.name: weight for member, weight in zip(chosen.members, chosen.weights, strict=True)}


def check_forecast(
    panel: Data,
    *,
    until: float,
    forecaster: str = FINAL,
    model: Model | None = None,
    fit: FittedParameters | None = None,
    events: Sequence[str] = (),
    draws: int = 1000,
    seed: int = 0,
) -> Target:
    """Raise the errors of invalid arguments of `forecast` before any long computation."""
    target = target_of(panel)
    _check_numbers(target, until, draws)
    check_integer("seed", seed, least=0)
    check_model(model)
    models_named([forecaster])
    if fit is not None:
        _check_fit(fit, shipped_model() if model is None else model, target)
    years = tuple(range(target.times[-1] + 1, int(until) + 1))
    # Parsing the events with dummy draws checks their names and years.
    chances(events, _futures(target, panel, np.zeros((1, len(target.rows), len(years))), years))
    return target


def _check_fit(fit: FittedParameters, model: Model, target: Target) -> None:
    """Raise if a fit is of another model or other regions, or used data after the origin."""
    if set(fit.regions) != set(target.rows):
        raise InvalidInput(
            "the fit was made on {count} regions of panel {panel!r}, and {regions} are forecast; {why}; calibrate on "
            "the panel that is forecast",
            count=len(fit.regions),
            panel=fit.panel,
            regions=len(target.rows),
            why=symmetric_difference(fit.regions, target.rows),
        )
    check_fit(fit, model, target.times[-1])


def _check_numbers(target: Target, until: float, draws: int) -> None:
    year("until", until)
    if until <= target.times[-1]:
        raise InvalidInput(
            "until is {until}; expected a year after the last one of the panel, {end}",
            until=until,
            end=target.times[-1],
        )
    check_ahead(until, target.times[-1])
    check_draws(draws, len(target.rows), int(until) - target.times[-1])
    if len(target.seen) < LEAST_YEARS:
        raise InvalidInput(
            "panel {panel!r} has {count} years of output; a forecast needs {least} to learn from",
            panel=target.name,
            count=len(target.seen),
            least=LEAST_YEARS,
        )
    check_yearly(target)


def _futures(target: Target, panel: Data, draws: Array, years: tuple[int, ...]) -> EventDraws:
    return event_draws(names_of(target, panel), target.groups, last_level(target.values), draws, years)


def _past(panel: Data, target: Target, chosen: Forecaster, seed: int, memory: Memory, tell: Callback) -> Backtest:
    """Back-test the forecaster on the panel, from earlier origins than usual if the panel is short."""
    years = target.seen
    first = None if len(years) > FIRST_ORIGIN else years[FIRST_SEEN]
    plan, finished = check_backtest(
        panel,
        forecasters=models_named([]) | {chosen.name: chosen},
        first_origin=first,
        horizons=None if first is None else [ahead for ahead in PAST_HORIZONS if ahead <= years[-1] - first],
        seed=seed,
    )
    return scored_by(plan, finished, Pool(None, 1), progress=tell, memory=memory)


def _rows(scored: Backtest, name: str) -> tuple[dict[str, object], ...]:
    """Skill rows of one model at the reported horizons."""
    return tuple(row for row in scored.skill() if row["model"] == name and row["horizon"] in PAST_HORIZONS)


def _origins(scored: Backtest) -> tuple[float, ...]:
    """Origins of a back-test."""
    return tuple(scored.scores["origin"].values.tolist())


def baseline_for(
    panel: Data,
    fitted: FittedParameters | None,
    *,
    until: int,
    draws: int,
    seed: int,
    model: Model | None = None,
    progress: ProgressCallback = None,
) -> Baseline:
    """The forecast of a panel as the baseline from which runs start; registered as an entry point of the package."""
    found = forecast(panel, until=until, model=model, fit=fitted, draws=draws, seed=seed, past=False, progress=progress)
    return found.baseline
