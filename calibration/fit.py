"""Fits a model to a panel: block by block, then all together, from several starts."""

from collections.abc import Callable
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from calibration.assembly import Ending
from calibration.laplace import Laplace, laplace
from calibration.observation import Noise
from calibration.optimisers import LeastSquares, MultiStart, Objective, Optimiser, Optimum
from calibration.problem import CalibrationProblem
from calibration.results import FitResult
from pysd_runner.errors import InvalidInput, SimulationFailed

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

# Errors are estimated again until they move by less than this share, at most so often.
SETTLED = 0.02
# Relative change of the cost at which the searches on the way there stop.
ROUGH = 1e-6
MOST_ROUNDS = 8


def fit(
    problem: CalibrationProblem,
    *,
    starts: int = 4,
    seed: int = 0,
    optimiser: Optimiser | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Fit a model to a panel.

    The blocks of the model are fitted one after the other (access, skills, application, then output), then all
    parameters together. Errors start from the declared ones; their size and persistence are estimated from the
    residuals and everything is fitted again until they settle. With these errors the joint search runs from the end of
    the stages and from draws of the prior; the lowest cost is taken. Uncertainty is the normal approximation there.

    Parameters
    ----------
    problem
        Model, panel and parameters.
    starts
        Number of joint searches, at least 1: one from the stages, the others from draws of the prior.
    seed
        Decides these draws; the same seed gives the same numbers.
    optimiser
        A least-squares search; None takes `calibration.optimisers.LeastSquares`.
    progress
        Called with what is being done, steps finished and steps in all.

    Returns
    -------
    FitResult
        Estimates, errors, residuals, and what failed: look at `FitResult.check`.

    Raises
    ------
    InvalidInput
        If `starts` is less than 1.
    SimulationFailed
        If the model gives no numbers at the centre of the priors.
    """
    if starts < 1:
        raise InvalidInput(f"starts must be at least 1; found {starts}")
    began = perf_counter()
    search: Optimiser = LeastSquares() if optimiser is None else optimiser
    rough: Optimiser = LeastSquares(tolerance=ROUGH) if optimiser is None else optimiser
    steps = _Steps(progress, MOST_ROUNDS + starts)
    _check_centre(problem)
    settled, is_settled = _settle(problem, rough, steps)
    steps.now("fitting block by block")
    staged = _stages(settled, settled.space.centre, search)
    points = [staged, *settled.space.sample(np.random.default_rng(seed), starts - 1)]
    steps.at(MOST_ROUNDS, "searching from several starts")
    ends = MultiStart(search).minimise(
        _objective(settled), points, progress=lambda done: steps.at(MOST_ROUNDS + done, "searching from several starts")
    )
    ending = Ending(problem=settled, ends=ends, staged=staged, curvature=_curvature(settled, ends.best))
    return ending.result(seed=seed, starts=starts, is_settled=is_settled, seconds=perf_counter() - began)


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


def _settle(problem: CalibrationProblem, search: Optimiser, steps: _Steps) -> tuple[CalibrationProblem, bool]:
    """Fit and estimate the errors in turn until these hardly move."""
    point = _stages(problem, problem.space.centre, search)
    for number in range(MOST_ROUNDS):
        steps.at(number, "estimating the errors")
        point = search.minimise(_objective(problem), point).point
        noise = problem.estimated_noise(point)
        moved = max(_change(problem.noise[label], noise[label]) for label in noise)
        problem = problem.with_noise(noise)
        if moved < SETTLED:
            return problem, True
    return problem, False


def _change(old: Noise, new: Noise) -> float:
    return max(abs(new.sd / old.sd - 1), abs(new.persistence - old.persistence))


def _stages(problem: CalibrationProblem, point: Array, search: Optimiser) -> Array:
    """Fit each block to its own series, the others held where they are."""
    point = point.copy()
    data = len(problem.rows())
    for stage in problem.stages:
        columns = [place for place, key in enumerate(problem.space.keys) if key in stage.parameters]
        rows = problem.rows(stage)
        if columns and len(rows):
            kept = np.concatenate([rows, data + np.array(columns)])
            point[columns] = search.minimise(_block(problem, point, columns, kept), point[columns]).point
    return point


def _objective(problem: CalibrationProblem) -> Objective:
    lower, upper = problem.space.bounds
    return Objective(linearised=problem.linearised, lower=lower, upper=upper, scale=problem.space.scale)


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
