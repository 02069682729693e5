"""The back-test: forecast from every origin with what was known then, and score with realisations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.kept_work import BACKTEST
from calibration.forecasting.combination import Mixture, member_forecast
from calibration.forecasting.empirical_intervals import EmpiricalIntervals
from calibration.forecasting.forecaster import Forecast, Forecaster, Memory, Origin, PointMethod, digest, origin_at
from calibration.forecasting.plan import Plan, check_model, make_plan
from calibration.forecasting.scored import Backtest, assembled
from calibration.forecasting.scores import all_scores, dispersion_scores, naive_scale
from calibration.forecasting.target import target_of
from pysd_runner.core.parallel import Pool, one_thread, open_pool
from pysd_runner.export.checkpoint import Checkpoint
from pysd_runner.model import Model
from pysd_runner.panel import Panel

Array = NDArray[np.float64]
Scores = dict[str, Array]
Progress = Callable[[str, int, int], None]

DRAWS = 500
SEPARATOR = "|"


@one_thread
def backtest(  # noqa: PLR0913 - a front door
    panel: Panel,
    *,
    forecasters: Iterable[str] | Mapping[str, Forecaster] | None = None,
    model: Model | None = None,
    horizons: Sequence[int] | None = None,
    origins: Iterable[int] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    executor: str | Executor | None = None,
    workers: int | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
    memory: Memory | None = None,
) -> Backtest:
    """Forecast from rolling origins and score: everything is estimated again at each origin from data up to it.

    Parameters
    ----------
    panel
        Holds output per head, or output and population.
    forecasters
        Names of forecasters (see `calibration.forecasting.models`), or forecasters by name, ``persistence`` first;
        None for all.
    model
        A model of regions, as the other commands take it; forecasts depend on none.
    horizons
        Years ahead; None for 1 to 5, and 10 where the panel has thirty years.
    origins
        Years; None from the ninth year of the panel to the last but one, those in which a region was observed.
    draws
        Predictive draws of each forecast.
    seed
        Decides every random number.
    executor
        Runs origins at the same time: ``"threads"``, ``"processes"``, the address of a dask scheduler, or any executor
        of `concurrent.futures`; None for processes when `workers` is above 1. Results do not depend on it.
    workers
        Number of processes or threads; None for every core of an executor that was named. Each process begins by
        importing the script that calls, so that in a script the call belongs under ``if __name__ == "__main__":``.
    checkpoint
        Folder that keeps finished origins; the same call goes on from there.
    progress
        Called with what is being done, how much is finished and of how much.
    memory
        Keeps what methods would have said in earlier years, for who goes on from there; None for one that is thrown
        away.

    Returns
    -------
    Backtest
        Scores by forecaster, origin, region and horizon.

    Raises
    ------
    InvalidPanel
        If the panel holds no output per head, one region or too few years.
    InvalidInput
        If an origin or horizon makes no sense, a horizon cannot be scored from any origin, or the checkpoint belongs
        to another back-test, or the processes cannot start.
    UnknownName
        If there is no such forecaster.
    """
    plan, finished = check_backtest(
        panel,
        forecasters=forecasters,
        model=model,
        horizons=horizons,
        origins=origins,
        draws=draws,
        seed=seed,
        checkpoint=checkpoint,
    )
    chosen = "processes" if executor is None and (workers or 1) > 1 else executor
    with open_pool(chosen, workers, items=len(plan.seen)) as pool:
        run = _Run(plan, panel, finished, pool, progress or _silent, Memory() if memory is None else memory)
        run.repeat_points()
        return assembled(plan, run.scores())


def check_backtest(
    panel: Panel,
    *,
    forecasters: Iterable[str] | Mapping[str, Forecaster] | None = None,
    model: Model | None = None,
    horizons: Sequence[int] | None = None,
    origins: Iterable[int] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    checkpoint: str | Path | None = None,
) -> tuple[Plan, Checkpoint]:
    """Refuse what `backtest` would refuse, before anything long begins."""
    check_model(model)
    plan = make_plan(
        target_of(panel),
        names=forecasters,
        horizons=horizons,
        origins=origins,
        draws=draws,
        seed=seed,
    )
    return plan, Checkpoint(BACKTEST, checkpoint, _mark(plan, panel))


def _silent(what: str, done: int, total: int) -> None:
    """Say nothing."""


def _mark(plan: Plan, panel: Panel) -> str:
    """What a checkpoint belongs to: the plan, every series of the panel, and the program."""
    return " ".join([plan.digest, panel.sha256, version("gapsim")])


@dataclass(slots=True)
class _Run:
    """One back-test under way."""

    plan: Plan
    panel: Panel
    finished: Checkpoint
    pool: Pool
    progress: Progress
    memory: Memory

    def repeat_points(self) -> None:
        """Compute the points of every method at every year, which all later origins learn from."""
        methods = [model.method_for(self.plan.target) for model in self._with_widths()]
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
            self.progress(f"points of {year}", done + 1, len(todo))
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
        work = partial(_forecast, self.plan)
        for done, (year, scores) in enumerate(
            zip(todo, self.pool.in_order(work, (self._task(year) for year in todo)), strict=True)
        ):
            self.progress(f"origin {year}", done + 1, len(todo))
            self.finished.keep(f"origin-{year}", _packed(scores))
            result[year] = scores
        return {year: result[year] for year in self.plan.origins}

    def _with_widths(self) -> list[EmpiricalIntervals]:
        """Forecasters that learn widths from their past points: those asked for, and members of mixtures."""
        found: dict[str, Forecaster] = {}
        for name, model in self.plan.models.items():
            found |= {item.name: item for item in model.members} if isinstance(model, Mixture) else {name: model}
        return [item for item in found.values() if isinstance(item, EmpiricalIntervals)]

    def _task(self, year: int) -> "_Task":
        """What a worker needs: the origin and realisations. A copy of the memory, because members fill it."""
        origin = origin_at(self.plan.target, year, panel=self.panel, memory=Memory(self.memory.known))
        return _Task(origin=origin, observed=realised(self.plan, year))

    def _learn_points(self, methods: Sequence[PointMethod], year: int, points: Sequence[Array]) -> None:
        mark = digest(self.plan.target.values[:, : self.plan.target.position(year) + 1])
        for method, array in zip(methods, points, strict=True):
            self.memory.known["points", repr(method), self.plan.horizon, mark] = array


def _packed(scores: Mapping[str, Scores]) -> dict[str, Array]:
    """Scores of an origin as one flat table of arrays."""
    return {SEPARATOR.join((name, score)): array for name, of in scores.items() for score, array in of.items()}


def _unpacked(arrays: Mapping[str, Array]) -> dict[str, Scores]:
    scores: dict[str, Scores] = {}
    for label, array in arrays.items():
        name, _, score = label.partition(SEPARATOR)
        scores.setdefault(name, {})[score] = array
    return scores


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """One origin for a worker."""

    origin: Origin
    observed: Array


def realised(plan: Plan, year: int) -> Array:
    """Realisations after a year, shape (region, horizon); NaN beyond the data."""
    start = plan.target.position(year) + 1
    result = np.full((len(plan.target.regions), plan.horizon), np.nan)
    found = plan.target.values[:, start : start + plan.horizon]
    result[:, : found.shape[1]] = found
    return result


def _points(methods: Sequence[PointMethod], horizon: int, history: Array) -> list[Array]:
    return [method.points(history.copy(), horizon) for method in methods]


def _forecast(plan: Plan, task: _Task) -> dict[str, Scores]:
    """Forecast first, score afterwards."""
    asked = {"horizon": plan.horizon, "draws": plan.draws, "seed": plan.seed}
    return {
        name: _scored(member_forecast(model, task.origin, **asked), task.observed, task.origin)
        for name, model in plan.models.items()
    }


def _scored(forecast: Forecast, observed: Array, origin: Origin) -> Scores:
    history = origin.target.values
    found = all_scores(forecast.point, forecast.draws, observed, naive_scale(history))
    return found | dispersion_scores(forecast.draws, observed, history)
