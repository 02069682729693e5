"""Optimal policies under uncertainty, evaluated on held-out draws."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pysd_runner.core.errors import InvalidInput, Message
from pysd_runner.core.parallel import one_thread, open_pool
from pysd_runner.core.progress import Callback, ProgressCallback, callback_of, with_progress
from pysd_runner.core.types import Array, Arrays, Interval, Numbers, Texts, Values, frozen
from pysd_runner.engine.validation import check_integer
from pysd_runner.export.files import Tabled
from pysd_runner.export.records import Checkpoint
from pysd_runner.policy.objective import Constraint, Objective
from pysd_runner.policy.problem import SearchProblem
from pysd_runner.policy.search import (
    SEARCHES,
    SLACK,
    SearchEnd,
    asked,
    conditions,
    given_way,
    keep_search,
    kept_searches,
    least_relaxed,
    near_optimal_ranges,
    searched,
)
from pysd_runner.policy.space import DecisionVariable, Space, rounded
from pysd_runner.policy.study import Lever, Outcome, Study, end_effects
from pysd_runner.scenarios.vocabulary import load_vocabulary
from pysd_runner.spec import PolicyClass
from pysd_runner.text import LANGUAGES

# Maximum number of draws in the first, coarse stage of each search.
COARSE = 32
# Shares are rounded to multiples of this value to measure the loss from rounding.
ROUNDING = 0.05


@frozen(eq=False)
class Optimum(Tabled):
    """A policy found by a search.

    Attributes
    ----------
    space, objective, constraints
        The problem that was solved.
    point
        Optimal values of the decision variables, shape (decision,).
    values
        Values of the policy by model variable.
    in_sample, out_of_sample
        Objective on the draws of the search and on the held-out draws.
    effects
        Effects on the held-out draws by outcome: shape (draw,), or (draw, element) for watched outcomes.
    rivals
        Objective of the policies it is compared with, on the held-out draws.
    breaking
        Names of the `rivals` that violate a constraint on the held-out draws by more than the optimum does.
    starts
        Result of the search from each starting point.
    binding
        Binding constraints with their Lagrange multipliers.
    residual
        Norm of the Karush-Kuhn-Tucker residual, relative to the gradient or the objective, whichever is larger.
    relaxed
        Violation of each constraint where the constraints cannot all be met; empty where they can.
    ranges
        Range of each variable that loses at most 2 per cent of the objective, the rest of its group rescaled.
    rounding
        Relative loss of the objective when shares are rounded to multiples of 5 per cent; NaN if the objective is 0.
    outcomes
        Outcomes of the study, by key.
    labels
        Labels of the levers, and of the classes of regions that have mixes of their own, by key and language.
    elements
        Names of the elements (regions) of watched outcomes.
    notes
        Caveats that a reader needs.
    """

    space: Space
    objective: Objective
    outcome: Outcome
    constraints: tuple[Constraint, ...]
    point: Array
    values: Values
    in_sample: float
    out_of_sample: float
    effects: Arrays
    rivals: Numbers
    breaking: tuple[str, ...]
    starts: tuple[SearchEnd, ...]
    binding: Numbers
    residual: float
    relaxed: Numbers
    ranges: Mapping[str, Interval]
    rounding: float
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    labels: Mapping[str, Texts] = field(default_factory=dict)
    elements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Optimum of {self.outcome.key}: {self.out_of_sample:.3g} out of sample, {len(self.starts)} starts>"

    @property
    def x(self) -> Array:
        """Optimal values of the decision variables, by the name that SciPy gives them."""
        return self.point

    @property
    def best_rival(self) -> str:
        """The best of the `rivals` that satisfy the constraints; empty if there is none."""
        kept = {name: value for name, value in self.rivals.items() if name not in self.breaking}
        return max(kept, key=lambda name: kept[name]) if kept else ""

    @property
    def beats_rivals(self) -> bool:
        """Whether the optimum is better than every feasible rival on the held-out draws."""
        return not self.best_rival or self.out_of_sample > self.rivals[self.best_rival]

    @property
    def on_bounds(self) -> dict[DecisionVariable, float]:
        """Variables at a bound, other than shares, with the first-order gain of relaxing the bound by one unit."""
        found = {}
        for decision in (item for item in self.space.decisions if not item.group):
            for rule in (f"{decision.key} >= {decision.lower:g}", f"{decision.key} <= {decision.upper:g}"):
                if rule in self.binding:
                    found[decision] = self.binding[rule] / (decision.upper - decision.lower)
        return found

    def table(self) -> pd.DataFrame:
        """Optimal value and near-optimal range of each decision variable, one row per variable."""
        rows = [
            {"key": decision.key, "group": decision.group, "value": float(value), "low": low, "high": high}
            for decision, value in zip(self.space.decisions, self.point, strict=True)
            for low, high in [self.ranges.get(decision.key, (float("nan"), float("nan")))]
        ]
        return pd.DataFrame(rows).set_index("key")

    def effect_table(self) -> pd.DataFrame:
        """Out-of-sample median and 90 % interval of each effect, and the share of draws in which it is positive."""
        rows = {}
        for key, values in self.effects.items():
            if values.ndim == 1:
                low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
                rows[key] = {"p05": low, "p50": middle, "p95": high, "share_positive": float((values > 0).mean())}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("outcome")

    def losers(self) -> pd.DataFrame:
        """Out-of-sample share of draws in which each element (region) is worse off, in descending order."""
        for effects in self.effects.values():
            if effects.ndim == 2:
                columns = {"share_worse": (effects < 0).mean(axis=0), "median": np.median(effects, axis=0)}
                found = pd.DataFrame(columns, index=pd.Index(self.elements, name="region"))
                return found.sort_values("share_worse", ascending=False, kind="stable")
        return pd.DataFrame(columns=["share_worse", "median"])


@with_progress("Searching for the best policy")
@one_thread
def optimise(  # noqa: PLR0913 - a public entry point
    study: Study,
    space: Space,
    *,
    objective: Objective | None = None,
    subject_to: Sequence[Constraint] = (),
    start: Array | None = None,
    rivals: Mapping[str, Values] | None = None,
    starts: int = 4,
    seed: int = 0,
    executor: str | Executor | None = None,
    checkpoint: str | Path | None = None,
    describe: bool = True,
    progress: ProgressCallback = None,
) -> Optimum:
    """Find the best policy of a space.

    Every second draw is used by the search; the other draws are held out to evaluate the result. A search runs SLSQP
    with exact derivatives, first on a few of its draws and then on all of them; the best of several starts is kept. If
    the constraints cannot all be met, the smallest common relaxation is found first, and the objective is maximised
    under the relaxed constraints.

    Parameters
    ----------
    study
        Model, draws and outcomes; at least four draws.
    space
        Decision variables and their bounds.
    objective
        Objective to maximise; None for the mean of the first outcome.
    subject_to
        Constraints.
    start
        Starting point of the first search, shape (decision,); None for the midpoint of the space.
    rivals
        Policies to compare the optimum with, by name.
    starts, seed
        Number of searches: from `start`, the midpoint, and random points drawn with the seed.
    executor
        Runs searches in parallel: ``"threads"``, ``"processes"``, or any executor of `concurrent.futures`; None runs
        them one by one, each on all cores. Results do not depend on it.
    checkpoint
        Folder in which finished searches are stored; a later call with the same problem reuses them.
    describe
        Whether to compute near-optimal ranges and the loss from rounding.
    progress
        Called with the name of the current task, the number of items done and their total.

    Returns
    -------
    Optimum
        The optimal policy and diagnostics of the search.

    Raises
    ------
    InvalidInput
        If there are fewer than four draws, or an option is invalid.
    UnknownName
        If an outcome does not exist.
    SimulationFailed
        If a simulation gives values that are not finite.

    References
    ----------
    Kraft, D. (1988), A software package for sequential quadratic programming; Rockafellar, R. T. and Uryasev, S.
    (2000), Optimization of conditional value-at-risk.
    """
    objective = Objective() if objective is None else objective
    starts = check_integer("starts", starts, least=1)
    seed = check_integer("seed", seed, least=0)
    if study.draws < 4:
        raise InvalidInput(
            "a search needs at least four draws, half of them to judge it by; found {draws}: give a fit (--fit), which "
            "has draws",
            draws=study.draws,
        )
    root, known = study.none, dict(rivals or {})
    half, other = study.only(np.arange(0, study.draws, 2)), study.only(np.arange(1, study.draws, 2))
    best = _best_known(half, known, objective, root)
    fine = SearchProblem(half, space, objective, subject_to, root, best)
    few = half.only(np.arange(min(COARSE, half.draws)))
    coarse = SearchProblem(few, space, objective, subject_to, root, None if best is None else best[: few.draws])
    middle = space.middle()
    first = middle if start is None else space.projected(np.asarray(start, dtype=float))
    fine.scale = coarse.scale = _spread(coarse, (first, middle))
    points = [first, middle][:starts] if start is not None else [middle]
    rng = np.random.default_rng(seed)
    points += [space.random(rng) for _ in range(starts - len(points))]
    question = "" if checkpoint is None else asked(study, space, objective, subject_to, seed)
    kept = Checkpoint(SEARCHES, checkpoint, question)
    found = _searched_from(points, coarse, fine, kept, executor, callback_of(progress))
    feasible = [item for item in found if item.miss <= SLACK]
    relaxation = 0.0
    if feasible:
        chosen = max(feasible, key=lambda item: item.value)
    else:
        chosen, relaxation = least_relaxed(fine, min(found, key=lambda item: item.miss))
    point = np.array(chosen.point)
    binding, residual = conditions(fine, point, relaxation)
    judged = SearchProblem(
        other, space, objective, subject_to, root, _best_known(other, known, objective, root), fine.scale
    )
    rated, breaking = _rated(judged, known, root, judged.miss(point) + SLACK)
    measured = [*study.outcomes.values(), *study.watched.values()]
    every = end_effects(other, [space.policy(other, point)], measured, none=root)
    named: list[PolicyClass | Lever] = [*load_vocabulary(study.model).classes.values(), *study.levers.values()]
    ranges: dict[str, Interval] = {}
    loss = float("nan")
    if describe:
        ranges = near_optimal_ranges(coarse, point, progress)
        reached = fine.value(point)
        near = fine.value(space.projected(rounded(space, point, ROUNDING)))
        loss = 1 - near / reached if reached else loss
    return Optimum(
        space=space,
        objective=objective,
        outcome=fine.outcome,
        constraints=tuple(subject_to),
        point=point,
        values=space.policy(study, point),
        in_sample=fine.value(point),
        out_of_sample=judged.value(point),
        effects={key: values[0] for key, values in every.items()},
        rivals=rated,
        breaking=breaking,
        starts=tuple(found),
        binding=binding,
        residual=residual,
        relaxed=given_way(fine, point) if relaxation else {},
        ranges=ranges,
        rounding=loss,
        outcomes={**study.outcomes, **study.watched},
        labels={item.key: {lang: item.label(lang) for lang in LANGUAGES} for item in named},
        elements=study.elements,
        notes=study.notes,
    )


def _spread(problem: SearchProblem, points: Sequence[Array]) -> float:
    """Largest mean absolute effect at some points: the scale of the objective and of its smoothing."""
    sizes = [np.abs(problem.effects(point)[problem.outcome.key]).mean() for point in points]
    return float(max([*sizes, 1e-12]))


def _searched_from(
    points: Sequence[Array],
    coarse: SearchProblem,
    fine: SearchProblem,
    kept: Checkpoint,
    executor: str | Executor | None,
    tell: Callback,
) -> list[SearchEnd]:
    """End points of searches from all starting points; those stored by an earlier run are not repeated."""
    ends = kept_searches(kept, len(points))
    tell(Message("searches"), len(ends), len(points))
    waiting = [number for number in range(len(points)) if number not in ends]
    with open_pool(executor, items=len(waiting)) as pool:
        for place, end in pool.finished(partial(searched, coarse, fine), [points[number] for number in waiting]):
            ends[waiting[place]] = end
            keep_search(kept, waiting[place], end)
            tell(Message("searches"), len(ends), len(points))
    return [ends[number] for number in range(len(points))]


def _best_known(study: Study, rivals: Mapping[str, Values], objective: Objective, none: Values) -> Array | None:
    """Largest effect of the rivals in each draw, against which regret is measured; None for other statistics."""
    if objective.statistic != "regret":
        return None
    if not rivals:
        raise InvalidInput("regret is measured against other policies; give rivals")
    outcome = study.outcome(objective.outcome)
    return np.asarray(end_effects(study, list(rivals.values()), [outcome], none=none)[outcome.key].max(axis=0))


def _rated(
    problem: SearchProblem, rivals: Mapping[str, Values], none: Values, allowed: float
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Objective of each rival, and the names of those that violate a constraint by more than `allowed`."""
    if not rivals:
        return {}, ()
    found = end_effects(problem.study, list(rivals.values()), problem.outcomes, none=none)
    values, breaking = {}, []
    for place, name in enumerate(rivals):
        effects = {key: changed[place] for key, changed in found.items()}
        values[name] = problem.objective.value(effects[problem.outcome.key], problem.best)
        if problem.missed(effects) > allowed:
            breaking.append(name)
    return values, tuple(breaking)
