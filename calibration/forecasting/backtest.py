"""The back-test: forecast from every origin with the data available then, and score against realisations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.forecasting.combination import Combination, Mixture, member_forecast
from calibration.forecasting.empirical_intervals import EmpiricalIntervals
from calibration.forecasting.forecaster import (
    FittedForecaster,
    Forecast,
    Forecaster,
    Memory,
    Origin,
    PointMethod,
    digest,
    origin_at,
)
from calibration.forecasting.models import BacktestPlan, check_model, make_plan, mixture_plan
from calibration.forecasting.scored import Backtest, assembled
from calibration.forecasting.scores import all_scores, dispersion_scores
from calibration.forecasting.target import Observed, Target, relative_output, target_of
from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.parallel import Pool, one_thread, open_pool
from pysd_runner.core.progress import Callback, ProgressCallback, callback_of, with_progress
from pysd_runner.core.types import Array, Arrays
from pysd_runner.data import Data
from pysd_runner.engine import validation
from pysd_runner.export.records import Checkpoint, Computation
from pysd_runner.model import Model

if TYPE_CHECKING:
    from calibration.fitting.problem import Problem

Scores = dict[str, Array]
Named = Iterable[str] | Mapping[str, Forecaster] | None

DRAWS = 500
SEPARATOR = "|"
BACKTEST = Computation(
    name=Message("back-test"),
    label="backtest.json",
    settings=Message("panel, forecasters, horizons, origins, draws or seed"),
)


@with_progress("Forecasting from past years")
def backtest(  # noqa: PLR0913 - a public entry point
    data: "Data | Problem",
    *,
    model: Model | None = None,
    forecasters: Named = None,
    horizons: Sequence[int] | None = None,
    first_origin: float | None = None,
    last_origin: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    executor: str | Executor | None = None,
    workers: int | None = None,
    checkpoint: str | Path | None = None,
    progress: ProgressCallback = None,
) -> Backtest:
    """Forecast from rolling origins and score, with all estimates repeated at each origin from data up to it.

    Parameters
    ----------
    data
        A panel with output per head, or output and population, whose relative output is forecast; or a table, whose
        columns are forecast with `model`; or a problem, whose settings are those of the fits.
    model
        Any model, required for a table; with a panel, a regional model as for the other commands, on which forecasts do
        not depend.
    forecasters
        For a panel: names of forecasters (see `calibration.forecasting.models`), or forecasters by name, which must
        include ``persistence``; None for all.
    horizons
        Years ahead, or intervals of the table; None for 1 to 5, and 10 if a panel has thirty years, or for a table 1,
        2, 3 and 5 intervals.
    first_origin, last_origin
        Times between which every observed one is an origin; None for the ninth year of a panel and the last but one, or
        for all times of a table that can be scored. Of a table whose times are dates, decimal years.
    draws
        Number of predictive draws of each forecast.
    seed
        Seed of the random numbers.
    executor
        Runs origins, or the fits of a model, in parallel: ``"threads"``, ``"processes"``, or any
        executor of `concurrent.futures`; None for processes if `workers` is above 1. Results do
        not depend on it.
    workers
        Number of processes or threads; None for all cores if an executor is given. Each process starts by importing
        the calling script, so in a script the call belongs under ``if __name__ == "__main__":``.
    checkpoint
        Folder that stores finished origins and fits, from which the same call resumes.
    progress
        As for `calibration.fit`.

    Returns
    -------
    Backtest
        Scores by forecaster, origin, row and horizon.

    Raises
    ------
    InvalidPanel
        If a panel has no output per head, only one region or too few years.
    InvalidInput
        If an origin or horizon is invalid, a horizon cannot be scored from any origin, there are too few observations,
        the checkpoint belongs to another back-test, or the processes cannot start.
    UnknownName
        If there is no such forecaster.
    """
    plan, finished = check_backtest(
        data,
        model=model,
        forecasters=forecasters,
        horizons=horizons,
        first_origin=first_origin,
        last_origin=last_origin,
        draws=draws,
        seed=seed,
        checkpoint=checkpoint,
    )
    chosen = "processes" if executor is None and (workers or 1) > 1 else executor
    with open_pool(chosen, workers, items=len(plan.seen)) as pool:
        return scored_by(plan, finished, pool, progress=callback_of(progress))


def check_backtest(  # noqa: PLR0913 - the arguments of `backtest`
    data: "Data | Problem",
    *,
    model: Model | None = None,
    forecasters: Named = None,
    horizons: Sequence[int] | None = None,
    first_origin: float | None = None,
    last_origin: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    checkpoint: str | Path | None = None,
) -> tuple[BacktestPlan, Checkpoint]:
    """Raise the errors of invalid arguments of `backtest` before any long computation."""
    observed = Observed.of(data, model)
    asked = {"horizons": horizons, "first": first_origin, "last": last_origin, "draws": draws, "seed": seed}
    plan, digest = PLANS[observed.design.target](observed, forecasters, checkpoint, **asked)
    return plan, Checkpoint(BACKTEST, checkpoint, " ".join([plan.digest, digest, version("gapsim")]))


def _plan_of_relative_output(
    observed: Observed, forecasters: Named, _store: str | Path | None, **asked: Any
) -> tuple[BacktestPlan, str]:
    """Plan to score forecasts of relative output, and the digest of the data."""
    check_model(observed.model)
    bounds = {
        name: None if asked[name] is None else validation.year(f"{name}_origin", asked[name])
        for name in ("first", "last")
    }
    return make_plan(relative_output(observed), names=forecasters, **asked | bounds), observed.data.sha256


def _plan_of_columns(
    observed: Observed, forecasters: Named, store: str | Path | None, **asked: Any
) -> tuple[BacktestPlan, str]:
    """Plan to score a model that forecasts columns and its mixture, and the digest of its problem."""
    from calibration.forecasting.model_forecaster import ModelForecaster, mixture

    refuse(observed, forecasters=forecasters)
    problem = observed.problem(seed=asked["seed"])
    target = target_of(problem)
    own = ModelForecaster(problem=problem, target=target, checkpoint=None if store is None else Path(store))
    return mixture_plan(target, mixture(own), own.least, **asked), problem.digest()


# How a back-test is planned, by the target of a design.
PLANS: Mapping[str, Callable[..., tuple[BacktestPlan, str]]] = {
    "relative_output": _plan_of_relative_output,
    "columns": _plan_of_columns,
}


def refuse(observed: Observed, **settings: object) -> None:
    """Raise for arguments that do not apply to columns."""
    for name in (name for name, value in settings.items() if value is not None):
        raise InvalidInput(
            "{name} is for relative output of regions; the columns of {data!r} are forecast by their model mixed with "
            "others: leave it out",
            name=name,
            data=observed.data.name,
        )


@one_thread
def scored_by(
    plan: BacktestPlan,
    finished: Checkpoint,
    pool: Pool,
    *,
    progress: Callback | None = None,
    memory: Memory | None = None,
) -> Backtest:
    """Run a planned back-test."""
    run = _Run(plan, finished, pool, callback_of(progress), Memory() if memory is None else memory)
    run.prepare()
    return assembled(plan, run.scores())


@dataclass(slots=True)
class _Run:
    """A running back-test."""

    plan: BacktestPlan
    finished: Checkpoint
    pool: Pool
    progress: Callback
    memory: Memory

    def prepare(self) -> None:
        """Compute once what several origins need: the points of methods, and model fits in parallel."""
        self._repeat_points()
        todo = [time for time in self.plan.origins if self.finished.get(f"origin-{time}") is None]
        for model in self._members():
            if isinstance(model, FittedForecaster) and self.pool.executor is not None:
                model.prepare([origin_at(self.plan.target, time) for time in todo], self.plan.seed, self.pool)

    def _repeat_points(self) -> None:
        """Compute the points of every method at every time, whose errors are used at all later origins."""
        methods = [m.method_for(self.plan.target) for m in self._members() if isinstance(m, EmpiricalIntervals)]
        values, years = self.plan.target.values, self.plan.seen
        todo = []
        for year in years:
            kept = self.finished.get(f"points-{year}")
            if kept is None:
                todo.append(year)
            else:
                self._learn_points(methods, year, [kept[str(place)] for place in range(len(methods))])
        histories = [values[:, : self.plan.target.position(year) + 1].copy() for year in todo]
        work = partial(_points, methods, self.plan.horizon)
        for done, (year, points) in enumerate(zip(todo, self.pool.in_order(work, histories), strict=True)):
            self.progress(Message("points of {year}", year=year), done + 1, len(todo))
            self._learn_points(methods, year, points)
            self.finished.keep(f"points-{year}", {str(place): array for place, array in enumerate(points)})

    def scores(self) -> dict[int, dict[str, Scores]]:
        """Score every origin, in order."""
        result: dict[int, dict[str, Scores]] = {}
        todo = []
        for year in self.plan.origins:
            kept = self.finished.get(f"origin-{year}")
            if kept is None:
                todo.append(year)
            else:
                result[year] = _unpacked(kept)
        work, tasks = partial(_forecast, self.plan), map(self._origin, todo)
        found = map(work, tasks) if self.plan.is_in_order else self.pool.in_order(work, tasks)
        for done, (year, scores) in enumerate(zip(todo, found, strict=True)):
            self.progress(Message("origin {year}", year=year), done + 1, len(todo))
            self.finished.keep(f"origin-{year}", _packed(scores))
            result[year] = scores
        return {year: result[year] for year in self.plan.origins}

    def _members(self) -> list[Forecaster]:
        """The forecasters, mixtures replaced by their members, each once."""
        found: dict[str, Forecaster] = {}
        for name, model in self.plan.models.items():
            members = model.members if isinstance(model, Mixture | Combination) else ()
            found |= {item.name: item for item in members} or {name: model}
        return list(found.values())

    def _origin(self, year: int) -> Origin:
        """An origin, with a copy of the cache unless origins share it."""
        memory = self.memory if self.plan.is_in_order else Memory(self.memory.known)
        return origin_at(self.plan.target, year, memory=memory)

    def _learn_points(self, methods: Sequence[PointMethod], year: int, points: Sequence[Array]) -> None:
        mark = digest(self.plan.target.values[:, : self.plan.target.position(year) + 1])
        for method, array in zip(methods, points, strict=True):
            self.memory.known["points", repr(method), self.plan.horizon, mark] = array


def _packed(scores: Mapping[str, Scores]) -> dict[str, Array]:
    """Scores of an origin as one flat dictionary of arrays."""
    return {SEPARATOR.join((name, score)): array for name, of in scores.items() for score, array in of.items()}


def _unpacked(arrays: Arrays) -> dict[str, Scores]:
    scores: dict[str, Scores] = {}
    for label, array in arrays.items():
        name, _, score = label.partition(SEPARATOR)
        scores.setdefault(name, {})[score] = array
    return scores


def realised(plan: BacktestPlan, time: int) -> Array:
    """Realisations after a time, shape (row, horizon); NaN beyond the data."""
    start, horizon = plan.target.position(time) + 1, plan.ahead(time)
    result = np.full((len(plan.target.rows), horizon), np.nan)
    found = plan.target.values[:, start : start + horizon]
    result[:, : found.shape[1]] = found
    return result


def _points(methods: Sequence[PointMethod], horizon: int, history: Array) -> list[Array]:
    return [method.points(history.copy(), horizon) for method in methods]


def _forecast(plan: BacktestPlan, origin: Origin) -> dict[str, Scores]:
    """Forecast from an origin with every forecaster, then score the forecasts."""
    asked = {"horizon": plan.ahead(origin.time), "draws": plan.draws, "seed": plan.seed}
    found = {name: member_forecast(model, origin, **asked) for name, model in plan.models.items()}
    observed = realised(plan, origin.time)
    return {name: _scored(item, origin.target, observed, plan.horizon) for name, item in found.items()}


def _scored(forecast: Forecast, target: Target, observed: Array, horizon: int) -> Scores:
    """Scores of a forecast, NaN at horizons beyond those of the forecast."""
    found = all_scores(forecast.point, forecast.draws, observed)
    if target.is_relative:
        found |= dispersion_scores(forecast.draws, observed, target.values)
    beyond = horizon - observed.shape[1]
    return {
        name: np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, beyond)], constant_values=np.nan)
        for name, values in found.items()
    }
