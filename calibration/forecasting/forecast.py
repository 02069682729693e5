"""The front door of forecasts: what comes next, how sure that is, and how such forecasts did before."""

from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.results import FitResult
from calibration.forecasting.backtest import BACKTEST, DRAWS, backtest, needed, refuse_others, scored_by
from calibration.forecasting.baselines import last_level
from calibration.forecasting.combination import Combination, Mixture, member_forecast
from calibration.forecasting.empirical_intervals import FIRST_SEEN
from calibration.forecasting.forecaster import Forecaster, Memory, Origin, origin_at
from calibration.forecasting.models import FINAL, MODEL, models_named
from calibration.forecasting.outlook import Outlook, names_of
from calibration.forecasting.plan import (
    FIRST_OF_TABLE,
    FIRST_ORIGIN,
    check_draws,
    check_model,
    check_yearly,
    mixture_plan,
)
from calibration.forecasting.scored import Backtest
from calibration.forecasting.target import Target, target_of
from pysd_runner.core.errors import InvalidInput, apart
from pysd_runner.core.parallel import Pool
from pysd_runner.data import Data
from pysd_runner.engine.counts import whole
from pysd_runner.export.records import Checkpoint
from pysd_runner.indicators.events import Chance, EventDraws, chances, event_draws, event_of
from pysd_runner.model import Model
from pysd_runner.spec import Baseline, FittedParameters
from pysd_runner.spec.baseline import check_ahead
from pysd_runner.study.binding import shipped_model
from pysd_runner.study.draws import check_fit

if TYPE_CHECKING:
    from calibration.fitting.problem import CalibrationProblem

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

# Years ahead at which it is told how such forecasts did.
PAST_HORIZONS = (1, 3, 5)
# Every region is forecast only where widths have something to be learnt from.
LEAST_YEARS = FIRST_SEEN + 2
# What is told of a fit.
OF_FIT = ("model", "model_sha256", "panel", "panel_sha256", "first_year", "last_year", "sha256")
# Intervals of a table that are forecast at most.
MOST_AHEAD = 500


def forecast(  # noqa: PLR0913 - a front door
    data: Data,
    *,
    until: float,
    model: Model | None = None,
    forecaster: str = FINAL,
    fit: FittedParameters | FitResult | None = None,
    events: Sequence[str] = (),
    draws: int = 1000,
    seed: int = 0,
    past: bool = True,
    kept: Baseline | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Outlook:
    """Forecast from the last time of the data.

    Parameters
    ----------
    data
        A panel with output per head, or output and population, whose relative output is forecast; or a table, whose
        columns are forecast with `model`.
    until
        Last year, or last moment in the model's unit of time.
    model
        Any model, which a table needs; with a panel that of the fit, None for the shipped one.
    forecaster
        Of a panel: name of a forecaster, see `calibration.forecasting.models`; the final one as a rule.
    fit
        Of a panel: a calibration to these regions (`FitResult.fitted`, or `pysd_runner.spec.load_fitted`) whose runs
        start from the forecast; its parameters move no forecast. Of a table: a fit to all observations (`FitResult`),
        whose measurements are taken too; None fits.
    events
        Of a panel in words, see `pysd_runner.indicators.events`; of a table such as ``"infected above 100 at 80"``;
        ``below`` and ``by`` are known as well.
    draws
        Number of predictive draws.
    seed
        Decides every random number.
    past
        Whether the same forecaster is scored at past origins as `backtest` does, which says what to expect of it.
    kept
        Of a panel: the same forecast as it was made before, say for a run: its draws are taken, if there are enough of
        them and they go far enough. One with another forecaster, seed, panel or fit is passed over.
    progress
        Called with what is being done, how much is finished and of how much.
    **settings
        Of a table: those of `CalibrationProblem`: ``free``, ``priors``, ``observations``, ``values``, ``start``.

    Returns
    -------
    Outlook
        Draws, probabilities and past scores.

    Raises
    ------
    InvalidInput
        If the data are too short, the times make no sense, an event is not understood, or the fit saw later years or
        is one of another model or of other regions.
    UnknownName
        If there is no such forecaster, region or class.
    """
    if data.is_panel:
        refuse_others("forecast", settings)
        fitted = fit.fitted if isinstance(fit, FitResult) else fit
        target = check_forecast(
            data, until=until, forecaster=forecaster, model=model, fit=fitted, events=events, draws=draws, seed=seed
        )
        chosen = models_named([forecaster])[forecaster]
        start = origin_at(target, target.times[-1])
        # The past comes first: points of earlier years, from which widths are learnt, are not computed again.
        scored = _past(data, target, chosen, seed, start.memory, progress) if past else None
        told = None if fitted is None else {name: getattr(fitted, name) for name in OF_FIT}
        made = {"model": forecaster, "seed": seed, "fit": told, "gapsim": metadata.version("gapsim")}
        count = int(until) - target.times[-1]
        if kept is not None and _is_this(kept, data, target, made, draws, count):
            found = kept.paths[:draws, :, :count]
        else:
            found = member_forecast(chosen, start, count, draws, seed).draws
        return _of_regions(data, target, chosen, found, events, scored, fitted, made)
    refuse_others("forecast", {} if forecaster == FINAL and kept is None else {"forecaster or kept": forecaster})
    if isinstance(fit, FittedParameters):
        raise TypeError("a table is forecast with all that `fit` returned, not with its parameters alone")
    tell = progress or (lambda *_: None)
    tell("fitting the model", 0, 4)
    problem = _problem(data, needed(model), fit, settings, seed)
    return _of_columns(problem, until, fit, events=events, draws=draws, seed=seed, past=past, tell=tell)


def _of_regions(
    panel: Data,
    target: Target,
    chosen: Forecaster,
    draws: Array,
    events: Sequence[str],
    scored: Backtest | None,
    fit: FittedParameters | None,
    made: Mapping[str, Any],
) -> Outlook:
    """An outlook of relative output, draws of shape (draw, region, year)."""
    years = tuple(range(target.times[-1] + 1, target.times[-1] + 1 + draws.shape[2]))
    weights = _weights(chosen)
    return Outlook(
        draws=target.back(draws, years),
        target=target,
        data=panel,
        model=chosen.name,
        weights=weights,
        chances=chances(events, _futures(target, panel, draws, years)),
        past=() if scored is None else _rows(scored, chosen.name),
        past_origins=() if scored is None else _origins(scored),
        dispersion={} if scored is None else scored.dispersion(chosen.name),
        fit=fit,
        provenance={"model": made["model"], "seed": made["seed"], "weights": weights, **made},
    )


def _of_columns(
    problem: "CalibrationProblem",
    until: float,
    fit: FitResult | None,
    *,
    events: Sequence[str],
    draws: int,
    seed: int,
    past: bool,
    tell: Progress,
) -> Outlook:
    """An outlook of what a table observes, with a model of one's own."""
    from calibration.forecasting.model_forecaster import ModelForecaster, mixture
    from calibration.forecasting.words import disturbance, moved, verdict

    target = target_of(problem)
    count = _intervals(target, until)
    asked = [event_of(text, [item.label for item in problem.series]) for text in events]
    own = ModelForecaster(problem=problem, target=target, given=fit)
    whole = mixture(own)
    tell("filtering and mixing", 1, 4)
    origin = origin_at(target, target.times[-1])
    weights, found = _mixed(whole, origin, count, draws, seed)
    tell("scoring past forecasts", 2, 4)
    scored = _past_of_columns(whole, own.least, origin, seed) if past else None
    learnt = own.learnt(origin, seed)
    tell("done", 4, 4)
    later = target.later(count)
    out = target.back(found, later.tolist())
    rows = () if scored is None else tuple(scored.skill())
    columns = {item.label: item.indicator for item in problem.series}
    made = {"seed": seed, "draws": draws, "until": until, "spacing": target.spacing, "model": problem.model.name}
    return Outlook(
        draws=out,
        target=target,
        data=problem.data,
        model=whole.name,
        weights=weights,
        chances=tuple(
            Chance(event=item.text, year=item.time, is_ever=item.is_ever, probability=item.probability(out))
            for item in asked
        ),
        past=rows,
        past_origins=() if scored is None else _origins(scored),
        verdict=verdict(rows) if past else "Past forecasts were not scored.",
        disturbance=disturbance(learnt, target.spacing),
        moved=moved(until, later, target.spacing),
        fit=learnt.fit,
        provenance={**made, "columns": columns},
    )


def _problem(
    data: Data, model: Model, fit: FitResult | None, settings: Mapping[str, Any], seed: int
) -> "CalibrationProblem":
    """Model and table joined, as in a fit where there is one."""
    from calibration.fitting.problem import CalibrationProblem
    from calibration.fitting.table_tying import measurements_of

    of_fit: dict[str, Any] = {}
    if fit is not None:
        of_fit = {"observations": measurements_of(fit.fitted), "start": fit.fitted.provenance["start"]}
        of_fit["free"] = list(fit.fitted.keys)
    given = {name: value for name, value in settings.items() if name != "free" or value is not None}
    return CalibrationProblem(model, data, seed=seed, **{**of_fit, **given})


def _intervals(target: Target, until: float) -> int:
    """Intervals of the data to a moment."""
    last = float(target.grid[-1])
    if not until > last:
        raise InvalidInput("the data end at {end:g}; a forecast goes further than {until:g}", end=last, until=until)
    count = int(np.ceil((until - last) / target.spacing - 1e-6))
    if count > MOST_AHEAD:
        raise InvalidInput(
            "{until:g} lies {count} intervals of {spacing:g} ahead; at most {most} are forecast",
            until=until,
            count=count,
            spacing=target.spacing,
            most=MOST_AHEAD,
        )
    return count


def _mixed(whole: Combination, origin: Origin, count: int, draws: int, seed: int) -> tuple[dict[str, float], Array]:
    """Weights of the members and draws of shape (draw, row, time); the model alone where no baseline can forecast."""
    asked = {"horizon": count, "draws": draws, "seed": seed}
    if len(origin.target.times) <= FIRST_OF_TABLE:
        return {MODEL: 1.0}, whole.members[0].forecast(origin, **asked).draws
    learnt = whole.learn(origin, draws=draws, seed=seed)
    weights = {member.name: float(weight) for member, weight in zip(whole.members, learnt.weights, strict=True)}
    return weights, whole.forecast(origin, **asked).draws


def _past_of_columns(whole: Combination, least: int, origin: Origin, seed: int) -> Backtest | None:
    """How the mixture and its members did; None where there are too few observations to say."""
    try:
        plan = mixture_plan(origin.target, whole, least, horizons=None, draws=DRAWS, seed=seed)
    except InvalidInput:
        return None
    return scored_by(plan, Checkpoint(BACKTEST, None, ""), Pool(None, 1), memory=origin.memory)


def _is_this(kept: Baseline, panel: Data, target: Target, made: Mapping[str, Any], draws: int, horizon: int) -> bool:
    """Whether a forecast that was kept is the one that is asked for."""
    return (
        (kept.origin, kept.regions, kept.panel_sha256) == (target.times[-1], target.rows, panel.sha256)
        and all(kept.provenance.get(name) == value for name, value in made.items())
        and len(kept) >= draws
        and len(kept.years) >= horizon
    )


def _weights(chosen: Forecaster) -> dict[str, float]:
    """Part of each forecaster."""
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
    """Refuse what `forecast` would refuse, before anything long begins."""
    target = target_of(panel)
    _check_numbers(target, until, draws)
    whole("seed", seed, least=0)
    check_model(model)
    models_named([forecaster])
    if fit is not None:
        _check_fit(fit, shipped_model() if model is None else model, target)
    years = tuple(range(target.times[-1] + 1, int(until) + 1))
    # Names and years of events are understood without knowing a single draw.
    chances(events, _futures(target, panel, np.zeros((1, len(target.rows), len(years))), years))
    return target


def _check_fit(fit: FittedParameters, model: Model, target: Target) -> None:
    """Refuse a fit of another model, of other regions, or one that knows what came after the origin."""
    if set(fit.regions) != set(target.rows):
        raise InvalidInput(
            "the fit was made on {count} regions of panel {panel!r}, and {regions} are forecast; {why}; calibrate on "
            "the panel that is forecast",
            count=len(fit.regions),
            panel=fit.panel,
            regions=len(target.rows),
            why=apart(fit.regions, target.rows),
        )
    check_fit(fit, model, target.times[-1])


def _check_numbers(target: Target, until: float, draws: int) -> None:
    if until <= target.times[-1]:
        raise InvalidInput(
            "until is {until}; expected a year after the last one of the panel, {end}",
            until=until,
            end=target.times[-1],
        )
    check_ahead(until, target.times[-1])
    check_draws(draws)
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


def _past(
    panel: Data, target: Target, chosen: Forecaster, seed: int, memory: Memory, progress: Progress | None
) -> Backtest:
    """How the forecaster did, as a back-test of the panel finds it, from fewer years only where there are no more."""
    years = target.seen
    usual = len(years) > FIRST_ORIGIN
    origins = None if usual else years[FIRST_SEEN:-1]
    return backtest(
        panel,
        forecasters=models_named([]) | {chosen.name: chosen},
        origins=origins,
        horizons=None if origins is None else [ahead for ahead in PAST_HORIZONS if ahead <= years[-1] - origins[0]],
        seed=seed,
        progress=progress,
        memory=memory,
    )


def _rows(scored: Backtest, name: str) -> tuple[dict[str, object], ...]:
    """What is told of a back-test."""
    return tuple(row for row in scored.skill() if row["model"] == name and row["horizon"] in PAST_HORIZONS)


def _origins(scored: Backtest) -> tuple[float, ...]:
    """Times that were scored."""
    return tuple(scored.scores["origin"].values.tolist())


def baseline_for(
    panel: Data,
    fitted: FittedParameters | None,
    *,
    until: int,
    draws: int,
    seed: int,
    model: Model | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Baseline:
    """The forecast of a panel that runs start from: what the entry point of the package names."""
    found = forecast(panel, until=until, model=model, fit=fitted, draws=draws, seed=seed, past=False, progress=progress)
    return found.baseline
