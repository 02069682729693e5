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
from calibration.forecasting.combination import SCORED_DRAWS, SCORED_YEARS, Combination, forecast_key
from calibration.forecasting.empirical_intervals import EmpiricalIntervals
from calibration.forecasting.forecaster import Forecast, Forecaster, Key, Memory, Origin, PointMethod, digest, origin_at
from calibration.forecasting.plan import Plan, check_model, make_plan
from calibration.forecasting.scored import Backtest, assembled
from calibration.forecasting.scores import all_scores, naive_scale
from calibration.forecasting.target import target_of
from pysd_runner.core.one_thread import one_thread
from pysd_runner.core.parallel import Pool, open_pool
from pysd_runner.export.checkpoint import Checkpoint
from pysd_runner.model import Model
from pysd_runner.panel import Panel

Array = NDArray[np.float64]
Scores = dict[str, Array]
Progress = Callable[[str, int, int], None]

DRAWS = 500
SEPARATOR = "|"
# By forecaster, years ahead and draws.
_Forecasts = dict[tuple[str, int, int], Forecast]


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
        Keeps what mixtures learn from earlier origins, for who goes on from there; None for one that is thrown away.

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
        leaves = self._leaves().values()
        methods = [model.method_for(self.plan.target) for model in leaves if isinstance(model, EmpiricalIntervals)]
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
        """Score every origin, in order; combinations are made here from what the members answered."""
        plan = self.plan
        result: dict[int, dict[str, Scores]] = {}
        years = [year for year in plan.seen if year in set(plan.origins) or self._combinations()]
        todo = []
        for year in years:
            kept = self.finished.get(f"origin-{year}")
            if kept is None:
                todo.append(year)
            else:
                result[year] = self._restore(year, kept)
        work = partial(_forecast, plan, self._leaves())
        # A copy, because tasks may be sent to workers while this one learns from the first answers.
        shared = Memory(self.memory.known)
        for done, (year, (forecasts, scores)) in enumerate(
            zip(todo, self.pool.in_order(work, (self._task(year, shared) for year in todo)), strict=True)
        ):
            self.progress(f"origin {year}", done + 1, len(todo))
            scores |= self._combined(year, forecasts)
            self.finished.keep(f"origin-{year}", self._kept(year, scores))
            result[year] = scores
        return {year: result[year] for year in plan.origins}

    def _leaves(self) -> dict[str, Forecaster]:
        """Forecasters that are no combination: those asked for, and members."""
        leaves: dict[str, Forecaster] = {}
        for name, model in self.plan.models.items():
            if isinstance(model, Combination):
                leaves |= {member.name: member for member in model.members if member.name not in leaves}
            else:
                leaves[name] = model
        return leaves

    def _combinations(self) -> dict[str, Combination]:
        return {name: model for name, model in self.plan.models.items() if isinstance(model, Combination)}

    def _members(self) -> set[str]:
        return {member.name for model in self._combinations().values() for member in model.members}

    def _task(self, year: int, memory: Memory) -> "_Task":
        """What a worker needs: the origin, realisations, who is asked, and whose draws are wanted back."""
        names = tuple(self._leaves()) if year in set(self.plan.origins) else tuple(sorted(self._members()))
        return _Task(
            origin=origin_at(self.plan.target, year, panel=self.panel, memory=memory),
            observed=realised(self.plan, year),
            names=names,
            wanted=tuple(sorted(self._members())),
        )

    def _combined(self, year: int, forecasts: _Forecasts) -> dict[str, Scores]:
        """Scores of combinations at an origin; what later origins need stays in the memory, the draws do not."""
        plan = self.plan
        settings = {"draws": plan.draws, "seed": plan.seed}
        origin = origin_at(plan.target, year, panel=self.panel, memory=self.memory)
        leaves = self._leaves()
        keys = {
            (name, ahead, draws): forecast_key(leaves[name], origin, ahead, draws, plan.seed)
            for name, ahead, draws in forecasts
        }
        self.memory.known |= {key: forecasts[place] for place, key in keys.items()}
        scores = {}
        for name, model in self._combinations().items():
            if year in set(plan.origins):
                found = model.forecast(origin, horizon=plan.horizon, **settings)
                scores[name] = _scored(found, realised(plan, year), origin)
            model.remember(origin, year, **settings)
        for key in keys.values():
            del self.memory.known[key]
        return scores

    def _learn_points(self, methods: Sequence[PointMethod], year: int, points: Sequence[Array]) -> None:
        mark = digest(self.plan.target.values[:, : self.plan.target.position(year) + 1])
        for method, array in zip(methods, points, strict=True):
            self.memory.known["points", repr(method), self.plan.horizon, mark] = array

    def _kept(self, year: int, scores: Mapping[str, Scores]) -> dict[str, Array]:
        """Scores and memories of an origin as one flat table of arrays."""
        arrays = {SEPARATOR.join((name, score)): array for name, of in scores.items() for score, array in of.items()}
        for name, key in self._memory_keys(year).items():
            for place, array in enumerate(self.memory.known[key]):
                arrays[SEPARATOR.join(("", name, str(place)))] = array
        return arrays

    def _restore(self, year: int, arrays: Mapping[str, Array]) -> dict[str, Scores]:
        scores: dict[str, Scores] = {}
        for label, array in arrays.items():
            name, _, score = label.partition(SEPARATOR)
            if name:
                scores.setdefault(name, {})[score] = array
        for name, key in self._memory_keys(year).items():
            self.memory.known[key] = tuple(arrays[SEPARATOR.join(("", name, str(place)))] for place in range(2))
        return scores

    def _memory_keys(self, year: int) -> dict[str, Key]:
        origin = origin_at(self.plan.target, self.plan.target.years[-1])
        settings = {"draws": self.plan.draws, "seed": self.plan.seed}
        return {name: model.key(origin, year, **settings) for name, model in self._combinations().items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """One origin for a worker."""

    origin: Origin
    observed: Array
    names: tuple[str, ...]
    wanted: tuple[str, ...]


def realised(plan: Plan, year: int) -> Array:
    """Realisations after a year, shape (region, horizon); NaN beyond the data."""
    start = plan.target.position(year) + 1
    result = np.full((len(plan.target.regions), plan.horizon), np.nan)
    found = plan.target.values[:, start : start + plan.horizon]
    result[:, : found.shape[1]] = found
    return result


def _points(methods: Sequence[PointMethod], horizon: int, history: Array) -> list[Array]:
    return [method.points(history.copy(), horizon) for method in methods]


def _forecast(plan: Plan, leaves: Mapping[str, Forecaster], task: _Task) -> tuple[_Forecasts, dict[str, Scores]]:
    """Forecast first, score afterwards; draws go back only for those whose draws are wanted."""
    forecasts: _Forecasts = {}
    scores = {}
    for name in task.names:
        judged = {(SCORED_YEARS, min(plan.draws, SCORED_DRAWS))} if name in task.wanted else set()
        found = {
            (ahead, draws): leaves[name].forecast(task.origin, horizon=ahead, draws=draws, seed=plan.seed)
            for ahead, draws in sorted({(plan.horizon, plan.draws)} | judged)
        }
        if task.origin.year in set(plan.origins) and name in plan.models:
            scores[name] = _scored(found[plan.horizon, plan.draws], task.observed, task.origin)
        if name in task.wanted:
            forecasts |= {(name, *asked): forecast for asked, forecast in found.items()}
    return forecasts, scores


def _scored(forecast: Forecast, observed: Array, origin: Origin) -> Scores:
    return all_scores(forecast.point, forecast.draws, observed, naive_scale(origin.target.values))
