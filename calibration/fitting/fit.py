"""Fit a model to data: estimate error models and parameters in turn, then search from several starting points."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

import numpy as np

from calibration.fitting.curved import curvature_at, objective_of
from calibration.fitting.ending import FitSummary
from calibration.fitting.holdout import held_out
from calibration.fitting.problem import Problem, problem_of
from calibration.fitting.results import Fit
from calibration.fitting.screening import jumping, screened
from calibration.observation import Noise
from calibration.optimisers import (
    SAME_COST,
    Coordinates,
    LeastSquares,
    Minimum,
    MultiStart,
    Optimiser,
    QuasiNewton,
    Reparametrised,
    SearchOutcome,
    Starts,
    SumOfSquares,
    optimiser_named,
)
from pysd_runner.core.errors import InvalidInput, Message, SimulationFailed
from pysd_runner.core.findings import Finding
from pysd_runner.core.parallel import one_thread
from pysd_runner.core.progress import Callback, ProgressCallback, callback_of, with_progress
from pysd_runner.core.types import Array, Indices, frozen
from pysd_runner.data import Data
from pysd_runner.export.records import Checkpoint, Computation
from pysd_runner.model import Model

if TYPE_CHECKING:
    from pysd_runner.data.sources import AnySource

# Relative change of the errors' standard deviations below which their estimation has converged.
SETTLED = 0.02
# Tolerances of least squares while errors are estimated, and in the final stages.
ROUGH = 1e-6
TIGHT = 1e-9
# Number of screened prior draws from which a search starts before errors are estimated; the lowest cost is kept.
TRIED = 3
# Optimiser for models whose derivatives are not informative.
WITHOUT_SLOPES = "cma"
CALIBRATION = Computation(
    name=Message("calibration"),
    label="calibration.json",
    settings=Message("model, panel, window, parameters, errors, seed or optimiser"),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Converged:
    """State of a fit before the joint searches: estimated error models and the first starting point."""

    problem: Problem  # with the estimated error models
    is_settled: bool  # whether the estimation of the errors converged
    staged: Array  # end point of the stages or, without blocks, of the search with these errors


@dataclass(slots=True)
class _Work:
    """Settings and progress of a running fit."""

    problem: Problem
    kept: Checkpoint
    search: Optimiser
    may_choose: bool  # whether the caller did not specify an optimiser
    starts: int
    seed: int
    deadline: float
    progress: Callback
    findings: list[Finding] = field(default_factory=list)
    done: int = 0

    @property
    def way(self) -> "_Way":
        return WAYS[_way(self.problem)]

    @property
    def rounds(self) -> int:
        return self.way.rounds

    @property
    def is_over(self) -> bool:
        return monotonic() >= self.deadline

    def at(self, what: str, done: int | None = None) -> None:
        """Report the current step and the number of steps done."""
        self.done = self.done if done is None else done
        self.progress(what, self.done, self.rounds + self.starts + self.way.looks)

    def least_squares(self, tolerance: float) -> Optimiser:
        """Least squares limited to the remaining time; of a payoff, the quasi-Newton search."""
        seconds = max(self.deadline - monotonic(), 0.0)
        if self.problem.is_general:
            return QuasiNewton(seconds=seconds)
        return LeastSquares(tolerance=tolerance, seconds=seconds)

    def rough(self, problem: Problem, start: Array) -> Array:
        return self.least_squares(ROUGH).minimise(objective_of(problem), start).point


@with_progress("Fitting")
@one_thread
def fit(  # noqa: PLR0913 - a public entry point
    model: Model | str | Path | Problem,
    data: "Data | AnySource | None" = None,
    free: "str | Iterable[str] | Mapping[str, tuple[float, float]] | None" = None,
    *,
    start: float | None = None,
    until: float | None = None,
    starts: int = 4,
    seed: int = 0,
    optimiser: Optimiser | str | None = None,
    seconds: float | None = None,
    executor: str | Executor | None = None,
    checkpoint: str | Path | None = None,
    progress: ProgressCallback = None,
) -> Fit:
    """Fit a model to a panel of regions, or any model to a table.

    With a table, prior draws are simulated first: failed runs are counted and described, and the draws closest to the
    data are the starting points. Error models and parameters are estimated in turn; models with discontinuities are
    searched without derivatives. With a panel, the blocks of the model are fitted one after the other (access, skills,
    application, then output), then all parameters jointly, in coordinates along and across the declared ridges. The
    declared error models are the initial ones; the standard deviation and persistence of errors are estimated from the
    residuals and the fit is repeated until they converge. The joint search then starts from the end of the stages and
    from prior draws; the lowest cost is selected, with the normal approximation at that point as the posterior.

    Parameters
    ----------
    model
        The model, loaded or an argument of `load_model`, of which what can be estimated from `data` is estimated; or a
        `Problem`, which says more.
    data
        A panel of regions, or a table, or what `project` reads as one; None with a problem, which has its own.
    free, start, until
        As for `Problem`, which has further settings.
    starts
        Number of joint searches, at least 1: one from the end of the stages, the others from prior draws.
    seed
        Seed of these draws and of the optimiser. With blocks, a larger number of starts extends the draws of a smaller
        one.
    optimiser
        Optimiser of the joint search, or its name in `calibration.optimisers.OPTIMISERS`; None for least squares. Error
        models and stages are always fitted by least squares.
    seconds
        Time limit of the whole fit; None for none. Searches that exceed it are reported as not converged.
    executor
        Runs the joint searches, each on a copy of the problem: ``"threads"``, ``"processes"``, or any
        executor of `concurrent.futures`; None runs them in sequence, each on all cores. Results do
        not depend on it, unless the time limit is exceeded.
    checkpoint
        Folder that stores finished searches, from which the same fit resumes.
    progress
        Called with the current step, the number of steps finished and the total; True or False to show or hide a line
        with the time left, None to show it in a notebook or at a terminal.

    Returns
    -------
    Fit
        Estimates, error models, residuals, and findings about failures: see `Fit.check`.

    Raises
    ------
    InvalidInput
        If `starts` is less than 1, `seconds` is not positive, or the checkpoint belongs to another calibration.
    UnknownName
        If there is no such optimiser.
    SimulationFailed
        If the model's results are not finite at the centre of the priors.
    """
    if starts < 1:
        raise InvalidInput("starts must be at least 1; found {found}", found=starts)
    if seconds is not None and not seconds > 0:
        raise InvalidInput("seconds must be positive; found {found:g}", found=seconds)
    problem, began = problem_of(model, data, free=free, start=start, until=until), perf_counter()
    search = optimiser_named(optimiser) if isinstance(optimiser, str) else optimiser or _usual(problem)
    if problem.payoff is not None and isinstance(search, LeastSquares):
        raise InvalidInput(
            "the objective of {model} is no sum of squares: leave the optimiser out, or take quasi_newton or cma",
            model=problem.model.path.name,
        )
    deadline = np.inf if seconds is None else monotonic() + seconds
    way = WAYS[_way(problem)]
    # With blocks the first starting points do not depend on the number of starts; those of a screening do.
    kept = Checkpoint(CALIBRATION, checkpoint, problem.digest(seed, ("", starts)[way.looks], settings_of(search)))
    # Errors and blocks are fitted to the data alone, to which measured effects are added in the joint searches.
    alone = problem.with_experiments(None)
    work = _Work(alone, kept, search, optimiser is None, starts, seed, deadline, callback_of(progress))
    before, others = way.begin(work)
    before = replace(before, problem=before.problem.with_experiments(problem.experiments))
    ends = _searched(work, before.problem, [before.staged, *others], executor, kept)
    before, ends = way.end(work, before, ends, others, executor)
    settled, point = before.problem, ends.best.point
    ending = FitSummary(
        problem=settled,
        ends=ends,
        staged=before.staged,
        curvature=curvature_at(settled, point),
    )
    result = ending.result(
        seed=seed,
        starts=starts,
        optimiser=settings_of(work.search),
        is_settled=before.is_settled,
        seconds=perf_counter() - began,
    )
    result = replace(result.with_findings(*work.findings), seconds=perf_counter() - began, problem=settled)
    return result if problem.until is None else replace(result, holdout=held_out(settled, result, seed=seed))


def _staged(work: _Work) -> tuple[_Converged, list[Array]]:
    """Estimate errors of a model with blocks; starting points are the end of the stages and prior draws."""
    problem = work.problem
    # Each draw is seeded by its index, so that a larger number of starts extends the draws of a smaller one.
    seeds = [np.random.default_rng([work.seed, number]) for number in range(1, work.starts)]
    others = [np.asarray(problem.space.sample(rng, 1)[0]) for rng in seeds]
    if (earlier := kept_settled(work.kept, problem)) is not None:
        return earlier, others
    if not np.isfinite(problem.residuals(problem.space.centre)).all():
        raise SimulationFailed(
            "{model} gives no numbers at the centre of the priors for panel {panel!r}; check the start values with "
            "`describe()`, units above all",
            model=problem.model.name,
            panel=problem.data.name,
        )
    settled = _settle(work, problem, _stages(work, problem, ROUGH))
    work.at(Message("fitting block by block"))
    return _kept(work, replace(settled, staged=_stages(work, settled.problem, TIGHT))), others


def _screened(work: _Work) -> tuple[_Converged, list[Array]]:
    """Estimate errors from the prior draws closest to the data; starting points are the end of this and these draws."""
    problem = work.problem
    work.at(Message("looking at draws of the prior"), 0)
    look = screened(problem, seed=work.seed)
    finding = look.finding(problem.space.keys, problem)
    work.findings += [] if finding is None else [finding]
    others = list(look.best[: work.starts - 1])
    if (earlier := kept_settled(work.kept, problem)) is not None:
        return replace(earlier, problem=_without_slopes(work, earlier.problem, earlier.staged)), others
    tries = []
    for number, point in enumerate(look.best[:TRIED]):
        work.at(Message("estimating the errors"), number)
        tries.append(work.least_squares(ROUGH).minimise(objective_of(problem), point))
    best = min(tries, key=lambda item: item.cost).point
    settled = _settle(work, problem, best)
    point = work.rough(settled.problem, best)
    return _kept(work, replace(settled, problem=_without_slopes(work, settled.problem, point), staged=point)), others


def _usual(problem: Problem) -> Optimiser:
    """The optimiser that is taken if none is named."""
    return QuasiNewton() if problem.is_general else LeastSquares()


def _way(problem: Problem) -> str:
    return "payoff" if problem.is_general else problem.design.stages


def _from_the_file(work: _Work) -> tuple[_Converged, list[Array]]:
    """Start where the values of the file are, and at the prior draws with the highest posterior density."""
    problem = work.problem
    work.at(Message("looking at draws of the prior"), 0)
    look = screened(problem, seed=work.seed)
    finding = look.finding(problem.space.keys, problem)
    work.findings += [] if finding is None else [finding]
    others = list(look.best[: work.starts - 1])
    if (earlier := kept_settled(work.kept, problem)) is not None:
        return earlier, others
    if problem.series:
        return _kept(work, _settle(work, problem, problem.start)), others
    return _kept(work, _Converged(problem, is_settled=True, staged=problem.start)), others


def _as_found(
    work: _Work,  # noqa: ARG001
    before: _Converged,
    ends: Starts,
    others: Sequence[Array],  # noqa: ARG001
    executor: str | Executor | None,  # noqa: ARG001
) -> tuple[_Converged, Starts]:
    """Return the searches unchanged."""
    return before, ends


def _from_the_lowest(
    work: _Work, before: _Converged, ends: Starts, others: Sequence[Array], executor: str | Executor | None
) -> tuple[_Converged, Starts]:
    """Repeat the searches, with errors estimated at the lowest optimum, if the first search did not find it."""
    if ends.best.cost < ends.optima[0].cost - SAME_COST and not work.is_over:
        # A lower optimum was found, for which the errors are smaller than those used in the search.
        before = replace(_settle(work, before.problem, ends.best.point), staged=before.staged)
        again = [ends.best.point, before.staged, *others[: max(work.starts - 2, 0)]][: work.starts]
        ends = _searched(work, before.problem, again, executor, Checkpoint(CALIBRATION, None, ""))
    return replace(before, staged=ends.best.point), ends


@frozen
class _Way:
    """How errors and starting points are found before the joint searches, and what follows them."""

    begin: Callable[[_Work], tuple[_Converged, list[Array]]]
    end: Callable[[_Work, _Converged, Starts, Sequence[Array], str | Executor | None], tuple[_Converged, Starts]]
    rounds: int  # maximum number of rounds of estimating errors
    looks: int  # number of steps before them


WAYS = {
    "blocks": _Way(begin=_staged, end=_as_found, rounds=8, looks=0),
    "payoff": _Way(begin=_from_the_file, end=_as_found, rounds=12, looks=1),
    "screening": _Way(begin=_screened, end=_from_the_lowest, rounds=12, looks=1),
}


def _kept(work: _Work, settled: _Converged) -> _Converged:
    """Store error models and stages in the checkpoint, unless the time limit cut them short."""
    if not work.is_over:
        noise = settled.problem.noise
        regional = {f"regional {place}": np.array(item.regional) for place, item in enumerate(noise.values())}
        arrays = {
            "series": np.array(list(noise)),
            "noise": np.array([(item.sd, item.persistence, item.independent) for item in noise.values()]),
            "is_settled": np.array(settled.is_settled),
            "staged": settled.staged,
        }
        work.kept.keep("settled", arrays | regional)
    return settled


def kept_settled(checkpoint: Checkpoint, problem: Problem) -> _Converged | None:
    """Load error models and stages from the checkpoint; None if it has none."""
    kept = checkpoint.get("settled")
    if kept is None:
        return None
    noise = {
        str(label): Noise(float(sd), float(persistence), tuple(kept[f"regional {place}"].tolist()), float(independent))
        for place, (label, (sd, persistence, independent)) in enumerate(zip(kept["series"], kept["noise"], strict=True))
    }
    return _Converged(problem.with_noise(noise), bool(kept["is_settled"]), kept["staged"])


def _settle(work: _Work, problem: Problem, point: Array) -> _Converged:
    """Fit parameters and estimate errors in turn until the errors converge."""
    for number in range(work.rounds):
        work.at(Message("estimating the errors"), number)
        point = work.rough(problem, point)
        noise = problem.estimated_noise(point)
        moved = max(_change(problem.noise[label], noise[label]) for label in noise)
        problem = problem.with_noise(noise)
        if moved < SETTLED:
            return _Converged(problem, is_settled=True, staged=point)
        if work.is_over:
            break
    return _Converged(problem, is_settled=False, staged=point)


def _searched(
    work: _Work, problem: Problem, points: Sequence[Array], executor: str | Executor | None, kept: Checkpoint
) -> Starts:
    what = Message("searching from several starts")
    finished = kept_ends(kept, len(points))
    work.at(what, work.rounds + len(finished))
    return MultiStart(_reparametrised(work.search, problem), executor=executor, deadline=work.deadline).minimise(
        objective_of(problem),
        points,
        finished=finished,
        keep=partial(keep_end, kept),
        progress=lambda done: work.at(what, work.rounds + done),
    )


def keep_end(checkpoint: Checkpoint, number: int, end: Minimum) -> None:
    """Store the result of a search in the checkpoint, unless it was stopped by the time limit."""
    if end.outcome is not SearchOutcome.OUT_OF_TIME:
        numbers = np.array([end.cost, end.slope, end.evaluations], dtype=float)
        arrays = {"point": end.point, "numbers": numbers, "outcome": np.array(end.outcome.name)}
        checkpoint.keep(f"start-{number}", arrays)


def kept_ends(checkpoint: Checkpoint, starts: int) -> dict[int, Minimum]:
    """Load the results of finished searches from the checkpoint, by index of the starting point."""
    ends = {}
    for number in range(starts):
        if (kept := checkpoint.get(f"start-{number}")) is not None:
            cost, slope, evaluations = kept["numbers"].tolist()
            outcome = SearchOutcome[str(kept["outcome"])]
            ends[number] = Minimum(
                point=kept["point"], cost=cost, outcome=outcome, slope=slope, evaluations=int(evaluations)
            )
    return ends


def _change(old: Noise, new: Noise) -> float:
    moved = max(abs(new.sd / old.sd - 1), abs(new.persistence - old.persistence))
    before = old.regional or (1.0,) * len(new.regional)
    return max([moved, *(abs(now / then - 1) for now, then in zip(new.regional, before, strict=True))])


def _stages(work: _Work, problem: Problem, tolerance: float) -> Array:
    """Fit each block to its own series, with the parameters of the other blocks fixed."""
    point = problem.space.centre.copy()
    data = len(problem.rows())
    for stage in problem.stages:
        columns = [place for place, key in enumerate(problem.space.keys) if key in stage.parameters]
        rows = problem.rows(stage)
        if columns and len(rows):
            kept = np.concatenate([rows, data + np.array(columns)])
            block = _block(problem, point, columns, kept)
            point[columns] = work.least_squares(tolerance).minimise(block, point[columns]).point
    return point


def _block(problem: Problem, base: Array, columns: list[int], rows: Indices) -> SumOfSquares:
    """Objective for some parameters and some residuals of a problem, with the other parameters fixed at `base`."""

    def linearised(point: Array) -> tuple[Array, Array]:
        residuals, jacobian = problem.linearised(point, columns=columns)
        return residuals[rows], jacobian[rows]

    return problem.space.part(linearised, base.copy(), columns)


def _reparametrised(search: Optimiser, problem: Problem) -> Optimiser:
    """Optimiser in coordinates along and across the ridges of a problem, if it has any."""
    change = problem.ridges
    if not change.ridges:
        return search
    return Reparametrised(search, Coordinates(change.forward, change.backward, change.slopes))


def _without_slopes(work: _Work, problem: Problem, point: Array) -> Problem:
    """Report discontinuities; use finite differences with wide steps and, unless specified, another optimiser."""
    jumps = jumping(problem, point)
    if not jumps:
        return problem
    names = ", ".join(jumps)
    how = Message("searched without slopes") if work.may_choose else Message("searched as you asked")
    work.findings.append(
        Finding(
            "jumps",
            Message(
                "The model jumps along {names}: {how}, and standard errors come from wide differences; sample the "
                "posterior for intervals.",
                names=names,
                how=how,
            ),
            "warning",
        )
    )
    if work.may_choose:
        work.search = optimiser_named(WITHOUT_SLOPES)
    return problem.with_wide_steps()


def settings_of(search: Optimiser) -> str:
    """Name and settings of an optimiser as text, which is the same in every process."""
    kind = type(search).__name__
    if not is_dataclass(search):
        return kind
    return f"{kind}({', '.join(f'{item.name}={getattr(search, item.name)!r}' for item in fields(search))})"
