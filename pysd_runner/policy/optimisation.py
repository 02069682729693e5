"""The best policy under uncertainty: exact gradients, constraints, several starts, judged on draws it never saw."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from pysd_runner.core.counts import whole
from pysd_runner.core.errors import InvalidInput, UnknownName
from pysd_runner.export.files import write_text_whole
from pysd_runner.policy.gradients import Gradients
from pysd_runner.policy.objective import Constraint, Objective
from pysd_runner.policy.space import Space, rounded
from pysd_runner.policy.study import Outcome, Study, Values, effects_of

Array = NDArray[np.float64]
Told = Callable[[str, int, int], None]

# Draws of the first, coarse search of every start.
COARSE = 32
# Steps of the search on few draws and on all, and changes of the objective, as a part of its size, at which they end.
STEPS, TOLERANCES = (50, 20), (1e-5, 3e-5)
# A constraint may be missed by this part of the size of its effects.
SLACK = 1e-4
# The near-optimal set: policies that lose at most this part of the objective.
NEAR = 0.02
# Shares are rounded to multiples of this.
ROUNDING = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """One search.

    Attributes
    ----------
    point
        Where it ended, shape (number,).
    value
        Objective there, on the draws of the search.
    miss
        Largest distance to a constraint that is not met, as a part of the size of its effects.
    steps
        How many steps it took.
    """

    point: tuple[float, ...]
    value: float
    miss: float
    steps: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Optimum:
    """A policy found by a search.

    Attributes
    ----------
    space, objective, constraints
        What was asked for.
    point
        The numbers chosen, shape (number,).
    values
        Values by variable of the policy.
    in_sample, out_of_sample
        Objective on the draws of the search and on the others.
    effects
        Effects on the other draws by outcome, shape (draw,), and (draw, element) of watched ones.
    rivals
        Objective of the policies it is compared with, on the other draws.
    breaking
        Those of them that break a constraint there by more than the policy found does.
    starts
        The searches.
    binding
        Constraints that hold with equality, with their multipliers.
    residual
        Norm of what is left of the conditions of Karush, Kuhn and Tucker, as a part of that of the gradient.
    relaxed
        Constraints that cannot be met together, with the least by which each had to give way; empty where they can.
    ranges
        For every number, how far it can go, the others of its group scaled, before 2 per cent of the objective is lost.
    rounding
        Objective lost, as a part of it, when shares are rounded to 5 per cent.
    outcomes
        Everything that is measured, by key.
    levers
        Labels of the levers by key and language.
    elements
        Names of the elements of watched outcomes.
    notes
        What a reader must know.
    """

    space: Space
    objective: Objective
    outcome: Outcome
    constraints: tuple[Constraint, ...]
    point: Array
    values: Values
    in_sample: float
    out_of_sample: float
    effects: Mapping[str, Array]
    rivals: Mapping[str, float]
    breaking: tuple[str, ...]
    starts: tuple[Start, ...]
    binding: Mapping[str, float]
    residual: float
    relaxed: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    rounding: float
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    levers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    elements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Optimum of {self.outcome.key}: {self.out_of_sample:.3g} out of sample, {len(self.starts)} starts>"

    @property
    def best_rival(self) -> str:
        """The policy that comes closest, or beats it, among those that keep the constraints; empty without one."""
        kept = {name: value for name, value in self.rivals.items() if name not in self.breaking}
        return max(kept, key=lambda name: kept[name]) if kept else ""

    @property
    def beats_rivals(self) -> bool:
        """Whether it is better than every policy that keeps the constraints, on draws the search never saw."""
        return not self.best_rival or self.out_of_sample > self.rivals[self.best_rival]

    def table(self) -> pd.DataFrame:
        """One row a number: what was chosen and its near-optimal range."""
        rows = [
            {"key": knob.key, "group": knob.group, "value": float(value), "low": low, "high": high}
            for knob, value in zip(self.space.knobs, self.point, strict=True)
            for low, high in [self.ranges.get(knob.key, (float("nan"), float("nan")))]
        ]
        return pd.DataFrame(rows).set_index("key")

    def effect_table(self) -> pd.DataFrame:
        """Median and 90 % interval of every effect, and the share of draws in which it is positive; out of sample."""
        rows = {}
        for key, values in self.effects.items():
            if values.ndim == 1:
                low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
                rows[key] = {"p05": low, "p50": middle, "p95": high, "share_positive": float((values > 0).mean())}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("outcome")

    def losers(self) -> pd.DataFrame:
        """Share of draws in which each element is worse off, the most frequent first; out of sample."""
        found = {key: (values < 0).mean(axis=0) for key, values in self.effects.items() if values.ndim == 2}
        if not found:
            return pd.DataFrame(columns=["share_worse", "median"])
        key = next(iter(found))
        frame = pd.DataFrame(
            {"share_worse": found[key], "median": np.median(self.effects[key], axis=0)},
            index=pd.Index(self.elements, name="region"),
        )
        return frame.sort_values("share_worse", ascending=False, kind="stable")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Front:
    """Policies between two aims.

    Attributes
    ----------
    first, second
        Keys of the two outcomes.
    points
        Chosen numbers, shape (policy, number).
    values
        Mean effects out of sample, one row a policy: `first`, `second`; from the best of the one to that of the other.
    space
        What was chosen.
    """

    first: Outcome
    second: Outcome
    points: Array
    values: Array
    space: Space

    def table(self) -> pd.DataFrame:
        """One row a policy: both effects and the numbers chosen."""
        frame = pd.DataFrame(self.values, columns=[self.first.key, self.second.key])
        return frame.join(pd.DataFrame(self.points, columns=[knob.key for knob in self.space.knobs]))


class _Problem:
    """Objective and constraints on some draws; values by plain runs, derivatives where they are asked for."""

    def __init__(
        self,
        study: Study,
        space: Space,
        objective: Objective,
        constraints: Sequence[Constraint],
        none: Values,
        best: Array | None,
        scale: float = 0.0,
    ) -> None:
        self.study, self.space, self.objective, self.constraints = study, space, objective, tuple(constraints)
        self.outcome = study.outcome(objective.outcome)
        self.outcomes = list({item.key: item for item in (self.outcome, *map(self._named, constraints))}.values())
        self.best = best
        self.gradients = Gradients(study, self.outcomes, space.slopes(study), len(space))
        self.without = self._run([none])
        self.scale = scale
        self._sizes: Array | None = None
        self._known: dict[bytes, dict[str, Array]] = {}
        self._sloped: dict[bytes, tuple[dict[str, Array], dict[str, Array]]] = {}

    def _named(self, constraint: Constraint) -> Outcome:
        known = {**self.study.outcomes, **self.study.watched}
        if constraint.outcome not in known:
            raise UnknownName(f"no outcome {constraint.outcome!r} for a constraint; known: {', '.join(known)}")
        return known[constraint.outcome]

    def _run(self, policies: Sequence[Values]) -> dict[str, Array]:
        return self.study.run(
            policies,
            lambda data: {item.key: item.value(data)[..., -1] for item in self.outcomes},
            self.gradients.variables,
            every=self.gradients.every,
        )

    def effects(self, point: Array) -> dict[str, Array]:
        """By outcome, shape (draw,) or (draw, element)."""
        key = point.tobytes()
        if key not in self._known:
            if len(self._known) > 64:
                self._known.clear()
            self._known[key] = self.several(point[None])[0]
        return self._known[key]

    def several(self, points: Array) -> list[dict[str, Array]]:
        """Effects of several points."""
        found = self._run([self.space.policy(self.study, point) for point in points])
        changed = {item.key: item.effect(found[item.key], self.without[item.key]) for item in self.outcomes}
        return [{key: values[place] for key, values in changed.items()} for place in range(len(points))]

    def sloped(self, point: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """Effects and their derivatives, with a last axis (number)."""
        key = point.tobytes()
        if key not in self._sloped:
            values, slopes = self.gradients([self.space.policy(self.study, point)])
            self._sloped = {key: self._changed(values, slopes)}
        return self._sloped[key]

    def _changed(
        self, values: Mapping[str, Array], slopes: Mapping[str, Array]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        effects, found = {}, {}
        for item in self.outcomes:
            without = self.without[item.key]
            factor = item.sign * (100 / without[0] if item.is_relative else np.ones_like(without[0]))
            effects[item.key] = item.effect(values[item.key][..., -1], without)[0]
            found[item.key] = factor[..., None] * slopes[item.key][0][..., -1, :]
        return effects, found

    def value(self, point: Array) -> float:
        """Exact objective."""
        return self.objective.value(self.effects(point)[self.outcome.key], self.best)

    def smooth(self, point: Array) -> float:
        """Smoothed objective."""
        effects = self.effects(point)[self.outcome.key]
        return self.objective.smooth(effects, np.zeros((len(effects), 1)), self.best, self.scale)[0]

    def smooth_slopes(self, point: Array) -> Array:
        """Derivatives of the smoothed objective."""
        effects, slopes = self.sloped(point)
        key = self.outcome.key
        return self.objective.smooth(effects[key], slopes[key], self.best, self.scale)[1]

    def margins(self, point: Array) -> Array:
        """Distances of all constraints above what they ask for, in one row."""
        return self.margins_of(self.effects(point))

    def margins_of(self, effects: Mapping[str, Array]) -> Array:
        """The same from effects."""
        parts = [np.atleast_1d(item.margin(effects[item.outcome])[0]) for item in self.constraints]
        return np.concatenate(parts) if parts else np.zeros(0)

    @property
    def sizes(self) -> Array:
        """Size of the effects behind each constraint, by which they are scaled."""
        if self._sizes is None:
            effects = self.effects(_middle(self.space))
            parts = [
                np.full(
                    np.size(item.margin(effects[item.outcome])[0]),
                    max(float(np.abs(effects[item.outcome]).mean()), 1e-9),
                )
                for item in self.constraints
            ]
            self._sizes = np.concatenate(parts) if parts else np.zeros(0)
        return self._sizes

    def margin_slopes(self, point: Array) -> Array:
        """Their derivatives, shape (constraint, number)."""
        effects, slopes = self.sloped(point)
        parts = []
        for item in self.constraints:
            found = item.margin(effects[item.outcome], slopes[item.outcome])[1]
            assert found is not None  # noqa: S101
            parts.append(np.atleast_2d(found))
        return np.concatenate(parts) if parts else np.zeros((0, len(self.space)))

    def labels(self) -> list[str]:
        """Name of each constraint in a row of `margins`."""
        names = []
        for item in self.constraints:
            if item.outcome in self.study.watched:
                names += [f"{item.outcome}: {name}" for name in self.study.elements]
            else:
                names.append(item.outcome)
        return names


def optimise(
    study: Study,
    space: Space,
    *,
    objective: Objective | None = None,
    subject_to: Sequence[Constraint] = (),
    start: Array | None = None,
    starts: int = 4,
    none: Values | None = None,
    rivals: Mapping[str, Values] | None = None,
    seed: int = 0,
    checkpoint: Path | None = None,
    describe: bool = True,
    progress: Told | None = None,
) -> Optimum:
    """Find the best policy of a space.

    Every second draw is for the search, the others for what is reported. A search runs SLSQP with exact derivatives on
    some draws first and then on all of its half; the best of several starts is kept. Where the constraints cannot be
    met together, the least by which all of them must give way is found first, and the objective is made large under
    that.

    Parameters
    ----------
    study
        Model, draws and outcomes; at least four draws.
    space
        What may be chosen.
    objective
        What is made large; None the mean of the first outcome.
    subject_to
        What must be kept.
    start
        Where the first search starts, shape (number,); None in the middle.
    starts
        How many searches; those after the second start at random.
    none
        Values without policy; None takes those of the study.
    rivals
        Policies it is compared with, by name.
    seed
        Decides the random starts.
    checkpoint
        File that keeps finished searches; a later call with the same question takes them from there.
    describe
        Whether near-optimal ranges and the loss from rounding are worked out.
    progress
        Called with what is being done, how much of it is finished and of how much.

    Returns
    -------
    Optimum
        The policy and how it was found.

    Raises
    ------
    InvalidInput
        If there are too few draws or an option is not usable.
    UnknownName
        If an outcome does not exist.
    SimulationFailed
        If a case is not finite.

    References
    ----------
    Kraft, D. (1988), A software package for sequential quadratic programming; Rockafellar, R. T. and Uryasev, S.
    (2000), Optimization of conditional value-at-risk.
    """
    objective = Objective() if objective is None else objective
    starts, seed = whole("starts", starts, least=1), whole("seed", seed, least=0)
    if study.draws < 4:
        raise InvalidInput(f"a search needs at least four draws, half of them to judge it by; found {study.draws}")
    root = study.none if none is None else none
    known = dict(rivals or {})
    half, other = study.only(np.arange(0, study.draws, 2)), study.only(np.arange(1, study.draws, 2))
    best = _best_known(half, known, objective, root)
    fine = _Problem(half, space, objective, subject_to, root, best)
    few = half.only(np.arange(min(COARSE, half.draws)))
    coarse = _Problem(few, space, objective, subject_to, root, None if best is None else best[: few.draws])
    middle = _middle(space)
    first = middle if start is None else space.projected(np.asarray(start, dtype=float))
    fine.scale = coarse.scale = _spread(coarse, (first, middle))
    points = [first, middle][:starts] if start is not None else [middle]
    rng = np.random.default_rng(seed)
    points += [space.random(rng) for _ in range(starts - len(points))]
    kept = _Kept(checkpoint, study, space, objective, subject_to, seed)
    found: list[Start] = []
    for number, point in enumerate(points):
        if progress is not None:
            progress("searches", number, len(points))
        done = kept.get(number)
        if done is None:
            done = _searched(coarse, fine, point)
            kept.put(number, done)
        found.append(done)
    feasible = [item for item in found if item.miss <= SLACK]
    relaxation = 0.0
    if feasible:
        chosen = max(feasible, key=lambda item: item.value)
    else:
        chosen, relaxation = _relaxed(fine, min(found, key=lambda item: item.miss))
    point = np.array(chosen.point)
    binding, residual = _conditions(fine, point, relaxation)
    if progress is not None:
        progress("searches", len(points), len(points))
    judged = _Problem(other, space, objective, subject_to, root, _best_known(other, known, objective, root), fine.scale)
    rated, breaking = _rated(judged, known, root, _miss(judged, point) + SLACK)
    every = _all_effects(other, space.policy(other, point), root)
    ranges: dict[str, tuple[float, float]] = {}
    loss = float("nan")
    if describe:
        ranges = _ranges(coarse, point, progress)
        loss = 1 - fine.value(space.projected(rounded(space, point, ROUNDING))) / fine.value(point)
    return Optimum(
        space=space,
        objective=objective,
        outcome=fine.outcome,
        constraints=tuple(subject_to),
        point=point,
        values=space.policy(study, point),
        in_sample=fine.value(point),
        out_of_sample=judged.value(point),
        effects=every,
        rivals=rated,
        breaking=breaking,
        starts=tuple(found),
        binding=binding,
        residual=residual,
        relaxed=_given_way(fine, point) if relaxation else {},
        ranges=ranges,
        rounding=loss,
        outcomes=study.outcomes,
        levers={key: {"en": lever.label("en"), "zh": lever.label("zh")} for key, lever in study.levers.items()},
        elements=study.elements,
        notes=study.notes,
    )


def front(
    study: Study,
    space: Space,
    *,
    first: str,
    second: str,
    points: int = 5,
    subject_to: Sequence[Constraint] = (),
    start: Array | None = None,
    none: Values | None = None,
    progress: Told | None = None,
) -> Front:
    """Policies between two aims: the mean of one effect is made large while the other is at least so large.

    Parameters
    ----------
    study, space, subject_to, start, none
        As for `optimise`.
    first, second
        Keys of the two outcomes.
    points
        How many policies, the two ends among them.
    progress
        As for `optimise`.

    Returns
    -------
    Front
        Every policy judged on draws its search never saw.
    """
    points = whole("points", points, least=2)
    one, two = study.outcome(first), study.outcome(second)
    settings: dict[str, Any] = {"starts": 1, "none": none, "describe": False}
    ends = [
        optimise(study, space, objective=Objective(outcome=key), subject_to=subject_to, start=start, **settings)
        for key in (first, second)
    ]
    low, high = (float(end.effects[second].mean()) for end in ends)
    found = [ends[0]]
    for number, level in enumerate(np.linspace(low, high, points)[1:-1]):
        if progress is not None:
            progress("policies between the two aims", number, points)
        bound = Constraint(outcome=second, at_least=float(level))
        found.append(
            optimise(
                study,
                space,
                objective=Objective(outcome=first),
                subject_to=[*subject_to, bound],
                start=found[-1].point,
                **settings,
            )
        )
    found.append(ends[1])
    return Front(
        first=one,
        second=two,
        points=np.array([item.point for item in found]),
        values=np.array([[item.effects[first].mean(), item.effects[second].mean()] for item in found]),
        space=space,
    )


def _middle(space: Space) -> Array:
    """Equal shares in every group, the middle of other bounds."""
    lower, upper = np.array(space.bounds).T
    found = (lower + upper) / 2
    for name, total in space.sums.items():
        own = [place for place, knob in enumerate(space.knobs) if knob.group == name]
        found[own] = total / sum(space.knobs[place].weight for place in own)
    return space.projected(found)


def _spread(problem: _Problem, points: Sequence[Array]) -> float:
    """Size of the effects, by which everything is measured."""
    sizes = [np.abs(problem.effects(point)[problem.outcome.key]).mean() for point in points]
    return float(max([*sizes, 1e-12]))


def _best_known(study: Study, rivals: Mapping[str, Values], objective: Objective, none: Values) -> Array | None:
    """Best effect of the rivals in each draw, for regret."""
    if objective.statistic != "regret":
        return None
    if not rivals:
        raise InvalidInput("regret is measured against other policies; give rivals")
    outcome = study.outcome(objective.outcome)
    span = study.bounds[1] - study.bounds[0]
    return np.asarray(
        effects_of(study, list(rivals.values()), [outcome], every=span, none=none)[outcome.key][..., -1].max(axis=0)
    )


def _rated(
    problem: _Problem, rivals: Mapping[str, Values], none: Values, allowed: float
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Objective of other policies, and those that break a constraint."""
    if not rivals:
        return {}, ()
    outcomes, span = problem.outcomes, problem.gradients.every
    found = effects_of(problem.study, list(rivals.values()), outcomes, every=span, none=none)
    values, breaking = {}, []
    for place, name in enumerate(rivals):
        effects = {key: changed[place][..., -1] for key, changed in found.items()}
        values[name] = problem.objective.value(effects[problem.outcome.key], problem.best)
        if _missed(problem, effects) > allowed:
            breaking.append(name)
    return values, tuple(breaking)


def _all_effects(study: Study, policy: Values, none: Values) -> dict[str, Array]:
    """Effects on every outcome in the last year."""
    outcomes = [*study.outcomes.values(), *study.watched.values()]
    span = study.bounds[1] - study.bounds[0]
    found = effects_of(study, [policy], outcomes, every=span, none=none)
    return {key: values[0][..., -1] for key, values in found.items()}


def _searched(coarse: _Problem, fine: _Problem, point: Array) -> Start:
    """A search on few draws, and from there on all."""
    rough, steps = _solved(coarse, point, STEPS[0], TOLERANCES[0])
    ended, more = _solved(fine, rough, STEPS[1], TOLERANCES[1])
    return Start(point=tuple(ended.tolist()), value=fine.value(ended), miss=_miss(fine, ended), steps=steps + more)


def _solved(problem: "_Problem | _Lowered", point: Array, most: int, tolerance: float) -> tuple[Array, int]:
    """SLSQP from a point, in parts of the width of every number; the last point and how many steps it took."""
    size = problem.scale if problem.objective.statistic != "satisfied" else 1.0
    units, space = problem.sizes, problem.space
    lower, widths = space.lower, space.widths
    rules = _sums(space)
    if problem.constraints:
        rules.append(
            {
                "type": "ineq",
                "fun": lambda z: problem.margins(_inside(space, z)) / units,
                "jac": lambda z: problem.margin_slopes(_inside(space, z)) * widths / units[:, None],
            }
        )
    result = _slsqp(
        lambda z: -problem.smooth(_inside(space, z)) / size,
        (point - lower) / widths,
        jac=lambda z: -problem.smooth_slopes(_inside(space, z)) * widths / size,
        bounds=[(0.0, 1.0)] * len(space),
        constraints=rules,
        most=most,
        tolerance=tolerance,
    )
    return space.projected(_inside(space, result.x)), int(result.nit)


def _sums(space: Space, more: int = 0) -> list[dict[str, Any]]:
    """Sums of groups as rules of SLSQP, in parts of the width of every number, with some more numbers behind."""
    matrix, totals = space.equalities()
    if not len(matrix):
        return []
    sizes = np.maximum(np.abs(matrix * space.widths).max(axis=1), 1e-300)
    wide = np.column_stack([matrix * space.widths, np.zeros((len(matrix), more))]) / sizes[:, None]
    rest = (totals - matrix @ space.lower) / sizes
    return [{"type": "eq", "fun": lambda z: wide @ z - rest, "jac": lambda _: wide}]


def _slsqp(function: Callable[[Array], Any], point: Array, *, most: int, tolerance: float, **parts: Any) -> Any:
    """Sequential least squares of SciPy, whose type hints do not know how rules are written."""
    from scipy import optimize

    call: Any = optimize.minimize
    return call(function, point, method="SLSQP", options={"maxiter": most, "ftol": tolerance}, **parts)


def _inside(space: Space, parts: Array) -> Array:
    """Numbers from parts of their widths, within bounds, which SLSQP oversteps by rounding."""
    return np.asarray(space.lower + space.widths * np.clip(parts, 0.0, 1.0))


def _miss(problem: _Problem, point: Array) -> float:
    """How far the worst constraint is from being met, as a part of the size of its effects."""
    return _missed(problem, problem.effects(point))


def _missed(problem: _Problem, effects: Mapping[str, Array]) -> float:
    margins = problem.margins_of(effects)
    return float(max(0.0, (-margins / problem.sizes).max())) if margins.size else 0.0


def _relaxed(problem: _Problem, nearest: Start) -> tuple[Start, float]:
    """The least common slack that makes the constraints possible, and the best policy under it."""
    units, space = problem.sizes, problem.space
    count = len(space)
    rules = _sums(space, more=1)
    rules.append(
        {
            "type": "ineq",
            "fun": lambda z: problem.margins(_inside(space, z[:count])) / units + z[count],
            "jac": lambda z: np.column_stack(
                [problem.margin_slopes(_inside(space, z[:count])) * space.widths / units[:, None], np.ones(len(units))]
            ),
        }
    )
    slope = np.append(np.zeros(count), 1.0)
    result = _slsqp(
        lambda z: z[count],
        np.append((np.array(nearest.point) - space.lower) / space.widths, nearest.miss),
        jac=lambda _: slope,
        bounds=[*[(0.0, 1.0)] * count, (0.0, None)],
        constraints=rules,
        most=STEPS[0],
        tolerance=TOLERANCES[0],
    )
    point = space.projected(_inside(space, result.x[:count]))
    slack = _miss(problem, point)
    if slack <= SLACK:
        return Start(point=tuple(point.tolist()), value=problem.value(point), miss=slack, steps=nearest.steps), 0.0
    # Under that slack the objective is made large: every constraint is lowered by it.
    lowered = _Lowered(problem, (slack + SLACK) * units)
    ended, steps = _solved(lowered, point, STEPS[1], TOLERANCES[1])
    if _miss(problem, ended) > slack + 2 * SLACK:
        ended = point
    return Start(
        point=tuple(ended.tolist()), value=problem.value(ended), miss=_miss(problem, ended), steps=steps
    ), slack


class _Lowered:
    """A problem whose constraints ask for less."""

    def __init__(self, problem: _Problem, less: Array) -> None:
        self._problem, self._less = problem, less

    def __getattr__(self, name: str) -> Any:
        return getattr(self._problem, name)

    def margins(self, point: Array) -> Array:
        """Distances above what is asked for."""
        return self._problem.margins(point) + self._less


def _given_way(problem: _Problem, point: Array) -> dict[str, float]:
    """By how much each constraint is missed, in the unit of its effect."""
    margins = problem.margins(point)
    return {name: float(-margin) for name, margin in zip(problem.labels(), margins, strict=True) if margin < 0}


def _conditions(problem: _Problem, point: Array, relaxation: float) -> tuple[dict[str, float], float]:
    r"""Multipliers of binding constraints and the residual of the conditions of Karush, Kuhn and Tucker.

    .. math:: \min_{\lambda, \mu \ge 0, \nu} \| \nabla f + \sum \lambda \nabla g + \mu - A' \nu \| / \| \nabla f \|
    """
    widths = problem.space.widths
    slopes = problem.smooth_slopes(point) * widths
    units = problem.sizes
    margins = problem.margins(point) / units if len(units) else np.zeros(0)
    active = np.flatnonzero(margins <= relaxation * -1 + 10 * SLACK)
    lower, upper = np.array(problem.space.bounds).T
    columns: list[Array] = []
    names: list[str] = []
    labels = problem.labels()
    if active.size:
        found = problem.margin_slopes(point) * widths
        for number in active.tolist():
            columns.append(found[number])
            names.append(labels[number])
    for place, knob in enumerate(problem.space.knobs):
        unit = np.zeros(len(point))
        unit[place] = 1.0
        if point[place] <= lower[place] + 1e-6 * widths[place]:
            columns.append(unit)
            names.append(f"{knob.key} >= {lower[place]:g}")
        elif point[place] >= upper[place] - 1e-6 * widths[place]:
            columns.append(-unit)
            names.append(f"{knob.key} <= {upper[place]:g}")
    matrix, _ = problem.space.equalities()
    for row in matrix * widths:
        columns += [row, -row]
        names += ["", ""]
    if not columns:
        return {}, 1.0 if np.linalg.norm(slopes) else 0.0
    stacked = np.stack(columns, axis=1)
    # The gradient must be undone by what holds it back: -slopes = columns @ multipliers, multipliers not negative.
    multipliers, rest = nnls(stacked, -slopes)
    binding = {name: float(value) for name, value in zip(names, multipliers, strict=True) if name and value > 1e-9}
    return binding, float(rest) / max(float(np.linalg.norm(slopes)), 1e-300)


def _ranges(problem: _Problem, point: Array, progress: Told | None) -> dict[str, tuple[float, float]]:
    """How far each number can go before `NEAR` of the objective is lost or a constraint missed by as much.

    Others of its group keep their proportions.
    """
    best = problem.value(point)
    least = best - NEAR * abs(best)
    allowed = _miss(problem, point) + NEAR
    lower, upper = np.array(problem.space.bounds).T
    ends = [(place, bound[place]) for place in range(len(point)) for bound in (lower, upper)]
    reached = np.zeros(len(ends))
    low, high = np.zeros(len(ends)), np.ones(len(ends))
    for step in range(6):
        middle = (low + high) / 2 if step else high
        points = np.array([_pushed(problem.space, point, *end, part) for end, part in zip(ends, middle, strict=True)])
        is_near = np.array([_is_near(problem, found, least, allowed) for found in problem.several(points)])
        low, high = np.where(is_near, middle, low), np.where(is_near, high, middle)
        reached = np.maximum(reached, np.where(is_near, middle, 0.0))
        if progress is not None:
            progress("near-optimal ranges", step + 1, 6)
    found: dict[str, tuple[float, float]] = {}
    for place, knob in enumerate(problem.space.knobs):
        sides = [
            _pushed(problem.space, point, *ends[2 * place + side], reached[2 * place + side])[place] for side in (0, 1)
        ]
        found[knob.key] = (float(min(*sides, point[place])), float(max(*sides, point[place])))
    return found


def _is_near(problem: _Problem, effects: Mapping[str, Array], least: float, allowed: float) -> bool:
    """Whether a policy is nearly as good and keeps the constraints as well."""
    value = problem.objective.value(effects[problem.outcome.key], problem.best)
    return value >= least and _missed(problem, effects) <= allowed


def _pushed(space: Space, point: Array, place: int, end: float, part: float) -> Array:
    """A point with one number moved part of the way to an end, others of its group scaled to keep the sum."""
    found = point.copy()
    knob = space.knobs[place]
    found[place] = (1 - part) * point[place] + part * end
    if not knob.group:
        return found
    own = [other for other, item in enumerate(space.knobs) if item.group == knob.group and other != place]
    weights = np.array([space.knobs[other].weight for other in own])
    room = space.sums[knob.group] - knob.weight * found[place]
    current = float(weights @ point[own])
    found[own] = point[own] * room / current if current > 1e-12 else room / weights.sum()
    return space.projected(found)


@dataclass(slots=True)
class _Kept:
    """Finished searches in a file, under a fingerprint of the question."""

    file: Path | None
    study: Study
    space: Space
    objective: Objective
    constraints: Sequence[Constraint]
    seed: int
    searches: dict[str, Any] = field(init=False, default_factory=dict)
    fingerprint: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if self.file is None:
            return
        self.fingerprint = self._asked()
        if self.file.is_file():
            try:
                known = json.loads(self.file.read_text(encoding="utf-8"))
                searches = dict(known["searches"])
                other = known["fingerprint"]
            except (ValueError, KeyError, TypeError, OSError) as error:
                raise InvalidInput(f"{self.file} holds no searches: {error}; remove it to start anew") from error
            if other != self.fingerprint:
                raise InvalidInput(f"{self.file} belongs to another question; remove it, or name another file")
            self.searches = searches

    def get(self, number: int) -> Start | None:
        """A search that was finished before."""
        found = self.searches.get(str(number))
        return None if found is None else Start(**{**found, "point": tuple(found["point"])})

    def put(self, number: int, found: Start) -> None:
        """Keep a search."""
        if self.file is None:
            return
        self.searches[str(number)] = {
            "point": list(found.point),
            "value": found.value,
            "miss": found.miss,
            "steps": found.steps,
        }
        write_text_whole(self.file, json.dumps({"fingerprint": self.fingerprint, "searches": self.searches}) + "\n")

    def _asked(self) -> str:
        """Hash of everything that decides the result of a search."""
        known = hashlib.sha256()
        parts = (self.study.model.sha256, self.study.bounds, self.study.draws, self.space.knobs, self.objective)
        known.update(repr((*parts, tuple(self.constraints), dict(self.space.sums), self.seed)).encode())
        for values in (self.study.values, self.study.none, self.space.base):
            for name, value in sorted(values.items()):
                numbers = getattr(value, "values", value)
                known.update(name.encode())
                known.update(np.ascontiguousarray(np.asarray(numbers, dtype=float)).tobytes())
        return known.hexdigest()
