"""Fits any model to a table: a look at the prior, errors settled in turn with the parameters, several searches."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.diagnostics import Finding
from calibration.fitting.general.ending import TableEnding
from calibration.fitting.general.holdout import held_out
from calibration.fitting.general.jumps import jumping
from calibration.fitting.general.screening import Screening, screened
from calibration.fitting.general.table_problem import TableProblem
from calibration.fitting.kept_work import (
    CALIBRATION,
    Settled,
    keep_end,
    keep_settled,
    kept_ends,
    kept_settled,
)
from calibration.fitting.laplace import laplace
from calibration.fitting.results import FitResult
from calibration.observation import Noise
from calibration.optimisers import SAME_COST, LeastSquares, MultiStart, Objective, Optimiser, Starts, optimiser_named
from pysd_runner.core.errors import SimulationFailed
from pysd_runner.export.checkpoint import Checkpoint

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

# Errors are estimated again until they move by less than this share, at most so often.
SETTLED = 0.02
MOST_ROUNDS = 12
ROUGH = 1e-6
# Places of the screening from which the errors are settled; the lowest wins.
TRIED = 3
# The search where slopes say nothing.
WITHOUT_SLOPES = "cma"


@dataclass(slots=True)
class _Work:
    """What a fit knows on its way."""

    problem: TableProblem
    search: Optimiser
    deadline: float
    progress: Progress | None
    total: int
    findings: list[Finding] = field(default_factory=list)
    done: int = 0

    def at(self, what: str, done: int) -> None:
        self.done = done
        if self.progress is not None:
            self.progress(what, done, self.total)

    def rough(self) -> LeastSquares:
        return LeastSquares(tolerance=ROUGH, seconds=max(self.deadline - monotonic(), 0.0))


def fit_table(
    problem: TableProblem,
    *,
    starts: int,
    seed: int,
    optimiser: Optimiser | str | None,
    seconds: float | None,
    executor: str | Executor | None,
    checkpoint: str | Path | None,
    progress: Progress | None,
) -> FitResult:
    """Fit any model to a table; see `calibration.fitting.fit`.

    Draws of the prior are run once, all together: those that fail are counted and described, the nearest to the data
    start the searches. Errors are estimated from the residuals in turn with the parameters until they settle. Where
    residuals jump along a parameter, the search goes without slopes and says so.
    """
    began = perf_counter()
    search = LeastSquares() if optimiser is None else optimiser
    search = optimiser_named(search) if isinstance(search, str) else search
    deadline = np.inf if seconds is None else monotonic() + seconds
    work = _Work(problem, search, deadline, progress, MOST_ROUNDS + starts + 1)
    kept = Checkpoint(CALIBRATION, checkpoint, problem.digest(seed, starts, settings_of(search)))
    work.at("looking at draws of the prior", 0)
    look = screened(problem, seed=seed)
    _check_some(problem, look)
    finding = look.finding(problem.space.keys, problem)
    work.findings += [] if finding is None else [finding]
    settled, before = _prepared(work, look, kept, optimiser is None)
    ends = _searched(work, settled, [before.staged, *_starts(look, starts - 1)], executor, kept)
    if ends.best.cost < ends.optima[0].cost - SAME_COST and monotonic() < deadline:
        # A lower optimum elsewhere: its errors are smaller than those the search went by.
        settled, is_settled = _settle(work, settled, ends.best.point)
        before = replace(before, noise=settled.noise, is_settled=is_settled)
        again = [ends.best.point, before.staged, *_starts(look, starts - 2)][:starts]
        ends = _searched(work, settled, again, executor, Checkpoint(CALIBRATION, None, ""))
    point = ends.best.point
    ending = TableEnding(
        problem=settled,
        ends=ends,
        staged=point,
        curvature=laplace(settled.space, point, settled.curvature_jacobian(point)),
    )
    result = ending.result(
        seed=seed,
        starts=starts,
        optimiser=settings_of(work.search),
        is_settled=before.is_settled,
        seconds=perf_counter() - began,
    )
    result = replace(result.with_findings(*work.findings), seconds=perf_counter() - began)
    return result if problem.until is None else replace(result, holdout=held_out(settled, result, seed=seed))


def _check_some(problem: TableProblem, look: Screening) -> None:
    if look.failed.all():
        raise SimulationFailed(
            f"{problem.model.name} gives no numbers that can be compared with table {problem.table.name!r} for any of "
            f"{len(look.failed)} draws of the priors{look.reason}; check units, starting values and priors"
        )


def _starts(look: Screening, count: int) -> list[Array]:
    """Where the other searches begin: the nearest draws to the data."""
    return list(look.best[: max(count, 0)])


def _prepared(work: _Work, look: Screening, kept: Checkpoint, may_choose: bool) -> tuple[TableProblem, Settled]:
    """The problem with settled errors, and the point they settled at."""
    problem = work.problem
    if (before := kept_settled(kept)) is not None:
        settled = problem.with_noise(before.noise)
        assert isinstance(settled, TableProblem)  # noqa: S101
        return _without_slopes(work, settled, before.staged, may_choose), before
    tries = []
    for number, point in enumerate(look.best[:TRIED]):
        work.at("estimating the errors", number)
        tries.append(work.rough().minimise(objective_of(problem), point))
    best = min(tries, key=lambda item: item.cost).point
    settled, is_settled = _settle(work, problem, best)
    settled = _without_slopes(work, settled, settled_at := _point(work, settled, best), may_choose)
    found = Settled(noise=settled.noise, is_settled=is_settled, staged=settled_at)
    if monotonic() < work.deadline:
        keep_settled(kept, found)
    return settled, found


def _point(work: _Work, problem: TableProblem, start: Array) -> Array:
    return work.rough().minimise(objective_of(problem), start).point


def _settle(work: _Work, problem: TableProblem, point: Array) -> tuple[TableProblem, bool]:
    """Fit and estimate the errors in turn until these hardly move."""
    for number in range(MOST_ROUNDS):
        work.at("estimating the errors", number)
        point = _point(work, problem, point)
        noise = problem.estimated_noise(point)
        moved = max(_change(problem.noise[label], noise[label]) for label in noise)
        problem = _with(problem, noise)
        if moved < SETTLED:
            return problem, True
        if monotonic() >= work.deadline:
            break
    return problem, False


def _with(problem: TableProblem, noise: dict[str, Noise]) -> TableProblem:
    other = problem.with_noise(noise)
    assert isinstance(other, TableProblem)  # noqa: S101
    return other


def _change(old: Noise, new: Noise) -> float:
    return max(abs(new.sd / old.sd - 1), abs(new.persistence - old.persistence))


def _without_slopes(work: _Work, problem: TableProblem, point: Array, may_choose: bool) -> TableProblem:
    """Tell of jumps; another search where the caller left it open."""
    jumps = jumping(problem, point)
    if not jumps:
        return problem
    names = ", ".join(jumps)
    how = "searched without slopes" if may_choose else "searched as you asked"
    work.findings.append(
        Finding(
            "jumps",
            f"The model jumps along {names}: {how}, and standard errors come from wide differences; sample the "
            "posterior for intervals.",
            "warning",
        )
    )
    if may_choose:
        work.search = optimiser_named(WITHOUT_SLOPES)
    return problem.with_wide_steps()


def _searched(
    work: _Work, problem: TableProblem, points: Sequence[Array], executor: str | Executor | None, kept: Checkpoint
) -> Starts:
    what = "searching from several starts"
    finished = kept_ends(kept, len(points))
    work.at(what, MOST_ROUNDS + len(finished))
    return MultiStart(work.search, executor=executor, deadline=work.deadline).minimise(
        objective_of(problem),
        points,
        finished=finished,
        keep=partial(keep_end, kept),
        progress=lambda done: work.at(what, MOST_ROUNDS + done),
    )


def objective_of(problem: TableProblem) -> Objective:
    """What a search minimises."""
    lower, upper = problem.space.bounds
    return Objective(
        linearised=problem.linearised,
        lower=lower,
        upper=upper,
        scale=problem.space.scale,
        residual_batch=problem.residual_batch,
        centre=problem.space.centre,
        copied=partial(_copied, problem),
    )


def _copied(problem: TableProblem) -> Objective:
    return objective_of(problem.copied())


def settings_of(search: Optimiser) -> str:
    """Name and settings of a search, the same in every process."""
    kind = type(search).__name__
    if not is_dataclass(search):
        return kind
    return f"{kind}({', '.join(f'{item.name}={getattr(search, item.name)!r}' for item in fields(search))})"
