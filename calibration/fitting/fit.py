"""Fits a model to a panel: block by block, then all together, from several starts."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.assembly import Ending
from calibration.fitting.general.fitting import fit_table
from calibration.fitting.general.table_problem import TableProblem
from calibration.fitting.kept_work import (
    CALIBRATION,
    Settled,
    keep_end,
    keep_settled,
    kept_ends,
    kept_settled,
)
from calibration.fitting.laplace import Laplace, laplace
from calibration.fitting.problem import CalibrationProblem
from calibration.fitting.results import FitResult
from calibration.observation import Noise
from calibration.optimisers import (
    Coordinates,
    LeastSquares,
    MultiStart,
    Objective,
    Optimiser,
    Optimum,
    Reparametrised,
    optimiser_named,
)
from pysd_runner.core.errors import InvalidInput, SimulationFailed
from pysd_runner.core.one_thread import one_thread
from pysd_runner.export.checkpoint import Checkpoint

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

# Errors are estimated again until they move by less than this share, at most so often.
SETTLED = 0.02
# Relative change of the cost at which the searches on the way there, and those of the stages, stop.
ROUGH = 1e-6
TIGHT = 1e-9
MOST_ROUNDS = 8


@one_thread
def fit(
    problem: CalibrationProblem,
    *,
    starts: int = 4,
    seed: int = 0,
    optimiser: Optimiser | str | None = None,
    seconds: float | None = None,
    executor: str | Executor | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Fit a model to a panel of regions, or any model to a table.

    With a table, draws of the prior are run first: those that fail are counted and described, the nearest to the
    data start the searches; errors are estimated in turn with the parameters; a model that jumps is searched
    without slopes. With a panel, the blocks of the model are fitted one after the other (access, skills,
    application, then output), then all parameters together, along and across the declared ridges. Errors start from
    the declared ones; their size and persistence are estimated from the residuals and everything is fitted again
    until they settle. With these errors the joint search runs from the end of the stages and from draws of the
    prior; the lowest cost is taken. Uncertainty is the normal approximation there.

    Parameters
    ----------
    problem
        Model, panel and parameters.
    starts
        Number of joint searches, at least 1: one from the stages, the others from draws of the prior.
    seed
        Decides these draws and those of the search; the same seed gives the same numbers, and more starts add to those
        of fewer.
    optimiser
        The joint search, or its name in `calibration.optimisers.OPTIMISERS`; None takes least squares. Errors and
        stages are always fitted by least squares.
    seconds
        Time budget of the whole fit; None for none. Searches that it cuts say so and count as not converged.
    executor
        Runs the joint searches, each on a copy of the problem: ``"threads"``, ``"processes"``, the address of a dask
        scheduler, or any executor of `concurrent.futures`; None for one after the other, each on all cores. Results do
        not depend on it, unless a time budget cuts them.
    checkpoint
        A folder that keeps finished searches. A fit that finds it goes on from there.
    progress
        Called with what is being done, steps finished and steps in all.

    Returns
    -------
    FitResult
        Estimates, errors, residuals, and what failed: look at `FitResult.check`.

    Raises
    ------
    InvalidInput
        If `starts` is less than 1, `seconds` is not positive, or the checkpoint belongs to another calibration.
    UnknownName
        If there is no such optimiser.
    SimulationFailed
        If the model gives no numbers at the centre of the priors.
    """
    if starts < 1:
        raise InvalidInput(f"starts must be at least 1; found {starts}")
    if seconds is not None and not seconds > 0:
        raise InvalidInput(f"seconds must be positive; found {seconds:g}")
    if isinstance(problem, TableProblem):
        return fit_table(
            problem,
            starts=starts,
            seed=seed,
            optimiser=optimiser,
            seconds=seconds,
            executor=executor,
            checkpoint=checkpoint,
            progress=progress,
        )
    began = perf_counter()
    clock = _Clock(np.inf if seconds is None else seconds)
    search = _search_of(optimiser)
    steps = _Steps(progress, MOST_ROUNDS + starts)
    kept = Checkpoint(CALIBRATION, checkpoint, problem.digest(seed, _settings_of(search)))
    finished = kept_ends(kept, starts)
    settled, before = _prepared(problem, kept, clock, steps)
    points = [before.staged, *(_draw(settled, seed, number) for number in range(1, starts))]
    steps.at(MOST_ROUNDS + len(finished), "searching from several starts")
    ends = MultiStart(_reparametrised(search, settled), executor=executor, deadline=clock.end).minimise(
        _objective(settled),
        points,
        finished=finished,
        keep=partial(keep_end, kept),
        progress=lambda done: steps.at(MOST_ROUNDS + done, "searching from several starts"),
    )
    ending = Ending(problem=settled, ends=ends, staged=before.staged, curvature=_curvature(settled, ends.best))
    return ending.result(
        seed=seed,
        starts=starts,
        optimiser=_settings_of(search),
        is_settled=before.is_settled,
        seconds=perf_counter() - began,
    )


def _search_of(optimiser: Optimiser | str | None) -> Optimiser:
    if optimiser is None:
        return LeastSquares()
    return optimiser_named(optimiser) if isinstance(optimiser, str) else optimiser


def _reparametrised(search: Optimiser, problem: CalibrationProblem) -> Optimiser:
    """The search along and across the ridges of a problem, if there are any."""
    change = problem.ridges
    if not change.ridges:
        return search
    return Reparametrised(search, Coordinates(change.forward, change.backward, change.slopes))


def _settings_of(search: Optimiser) -> str:
    """Name and settings of a search, the same in every process."""
    kind = type(search).__name__
    if not is_dataclass(search):
        return kind
    return f"{kind}({', '.join(f'{item.name}={getattr(search, item.name)!r}' for item in fields(search))})"


def _draw(problem: CalibrationProblem, seed: int, number: int) -> Array:
    """Start point: a prior draw seeded by the start's index."""
    return np.asarray(problem.space.sample(np.random.default_rng([seed, number]), 1)[0])


class _Clock:
    """When the time budget ends, and a least-squares search that keeps to it."""

    def __init__(self, seconds: float) -> None:
        self.end = monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the budget is spent."""
        return monotonic() >= self.end

    def search(self, tolerance: float) -> LeastSquares:
        """Least squares within what is left."""
        return LeastSquares(tolerance=tolerance, seconds=max(self.end - monotonic(), 0.0))


class _Steps:
    """Tells how far the work is."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def now(self, what: str) -> None:
        """Say what is being done."""
        self.at(self._done, what)

    def at(self, done: int, what: str) -> None:
        """Say how many steps are finished."""
        self._done = done
        if self._progress is not None:
            self._progress(what, done, self._total)


def _check_centre(problem: CalibrationProblem) -> None:
    if not np.isfinite(problem.residuals(problem.space.centre)).all():
        raise SimulationFailed(
            f"{problem.model.name} gives no numbers at the centre of the priors for panel {problem.panel.name!r}; "
            "check the start values with `describe()`, units above all"
        )


def _prepared(
    problem: CalibrationProblem, kept: Checkpoint, clock: _Clock, steps: _Steps
) -> tuple[CalibrationProblem, Settled]:
    """The problem with settled errors, and where the stages end; from the checkpoint if that has them."""
    if (earlier := kept_settled(kept)) is not None:
        return problem.with_noise(earlier.noise), earlier
    _check_centre(problem)
    settled, is_settled = _settle(problem, clock, steps)
    steps.now("fitting block by block")
    staged = _stages(settled, settled.space.centre, clock, TIGHT)
    found = Settled(noise=settled.noise, is_settled=is_settled, staged=staged)
    # What a budget cut short is not kept: with more time it would come out otherwise.
    if not clock.is_over:
        keep_settled(kept, found)
    return settled, found


def _settle(problem: CalibrationProblem, clock: _Clock, steps: _Steps) -> tuple[CalibrationProblem, bool]:
    """Fit and estimate the errors in turn until these hardly move."""
    point = _stages(problem, problem.space.centre, clock, ROUGH)
    for number in range(MOST_ROUNDS):
        steps.at(number, "estimating the errors")
        point = clock.search(ROUGH).minimise(_objective(problem), point).point
        noise = problem.estimated_noise(point)
        moved = max(_change(problem.noise[label], noise[label]) for label in noise)
        problem = problem.with_noise(noise)
        if moved < SETTLED:
            return problem, True
        if clock.is_over:
            break
    return problem, False


def _change(old: Noise, new: Noise) -> float:
    moved = max(abs(new.sd / old.sd - 1), abs(new.persistence - old.persistence))
    before = old.regional or (1.0,) * len(new.regional)
    return max([moved, *(abs(now / then - 1) for now, then in zip(new.regional, before, strict=True))])


def _stages(problem: CalibrationProblem, point: Array, clock: _Clock, tolerance: float) -> Array:
    """Fit each block to its own series, the others held where they are."""
    point = point.copy()
    data = len(problem.rows())
    for stage in problem.stages:
        columns = [place for place, key in enumerate(problem.space.keys) if key in stage.parameters]
        rows = problem.rows(stage)
        if columns and len(rows):
            kept = np.concatenate([rows, data + np.array(columns)])
            block = _block(problem, point, columns, kept)
            point[columns] = clock.search(tolerance).minimise(block, point[columns]).point
    return point


def _objective(problem: CalibrationProblem) -> Objective:
    lower, upper = problem.space.bounds
    return Objective(
        linearised=problem.linearised,
        lower=lower,
        upper=upper,
        scale=problem.space.scale,
        residual_batch=problem.residual_batch,
        centre=problem.space.centre,
        copied=partial(_copied_objective, problem),
    )


def _copied_objective(problem: CalibrationProblem) -> Objective:
    return _objective(problem.copied())


def _block(problem: CalibrationProblem, base: Array, columns: list[int], rows: NDArray[np.intp]) -> Objective:
    """Some parameters and some residuals of a problem, the other parameters held at `base`."""
    base = base.copy()
    lower, upper = problem.space.bounds

    def linearised(part: Array) -> tuple[Array, Array]:
        point = base.copy()
        point[columns] = part
        residuals, jacobian = problem.linearised(point, columns=columns)
        return residuals[rows], jacobian[rows]

    return Objective(
        linearised=linearised,
        lower=lower[columns],
        upper=upper[columns],
        scale=problem.space.scale[columns],
    )


def _curvature(problem: CalibrationProblem, best: Optimum) -> Laplace:
    return laplace(problem.space, best.point, problem.jacobian(best.point))
