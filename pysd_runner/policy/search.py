"""Sequential quadratic programming, optimality conditions at the end point, and near-optimal ranges."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import nnls

from pysd_runner.core.errors import Message
from pysd_runner.core.progress import ProgressCallback, callback_of
from pysd_runner.core.types import Array, Interval, Numbers, frozen
from pysd_runner.export.records import Checkpoint, Computation
from pysd_runner.policy.objective import Constraint, Objective
from pysd_runner.policy.problem import SearchProblem
from pysd_runner.policy.space import Space
from pysd_runner.policy.study import Study

SEARCHES = Computation(
    name=Message("optimisation"),
    label="optimisation.json",
    settings=Message("model, draws, outcome, constraints, choice or seed"),
)
# Maximum relative loss of the objective in the near-optimal set of policies.
NEAR_OPTIMAL = 0.02

# Maximum iterations of the coarse and the fine search, and their tolerances relative to the size of the objective.
STEPS, TOLERANCES = (50, 20), (1e-5, 3e-5)
# Tolerance of a constraint, relative to the size of its effects.
SLACK = 1e-4


@frozen
class SearchEnd:
    """Result of one search."""

    point: tuple[float, ...]
    value: float
    miss: float
    steps: int


def searched(coarse: SearchProblem, fine: SearchProblem, point: Array) -> SearchEnd:
    """Search on a few draws, then refine on all; uses copies of the problems, so that searches can run in parallel."""
    coarse, fine = coarse.apart(), fine.apart()
    rough, steps = solved(coarse, point, STEPS[0], TOLERANCES[0])
    ended, more = solved(fine, rough, STEPS[1], TOLERANCES[1])
    return _search_end(fine, ended, steps + more)


def _search_end(problem: SearchProblem, point: Array, steps: int) -> SearchEnd:
    return SearchEnd(point=tuple(point.tolist()), value=problem.value(point), miss=problem.miss(point), steps=steps)


def solved(problem: SearchProblem, point: Array, most: int, tolerance: float) -> tuple[Array, int]:
    """Run SLSQP from a point, with variables scaled to [0, 1]; return the final point and the number of iterations."""
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
    """Equality constraints of the groups for SLSQP, in scaled variables followed by `more` variables without weight."""
    matrix, totals = space.equalities()
    if not len(matrix):
        return []
    sizes = np.maximum(np.abs(matrix * space.widths).max(axis=1), 1e-300)
    wide = np.column_stack([matrix * space.widths, np.zeros((len(matrix), more))]) / sizes[:, None]
    rest = (totals - matrix @ space.lower) / sizes
    return [{"type": "eq", "fun": lambda z: wide @ z - rest, "jac": lambda _: wide}]


def _slsqp(function: Callable[[Array], Any], point: Array, *, most: int, tolerance: float, **parts: Any) -> Any:
    """Call SLSQP of SciPy, untyped because its type hints do not accept constraints given as dictionaries."""
    from scipy import optimize

    call: Any = optimize.minimize
    return call(function, point, method="SLSQP", options={"maxiter": most, "ftol": tolerance}, **parts)


def _inside(space: Space, parts: Array) -> Array:
    """Unscale variables, clipped to the bounds, which SLSQP may violate by rounding errors."""
    return space.lower + space.widths * np.clip(parts, 0.0, 1.0)


def least_relaxed(problem: SearchProblem, nearest: SearchEnd) -> tuple[SearchEnd, float]:
    """Find the smallest common relaxation under which all constraints can be met, and the best policy under it."""
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
    slack = problem.miss(point)
    if slack <= SLACK:
        return _search_end(problem, point, nearest.steps), 0.0
    # Maximise the objective with every constraint relaxed by that slack.
    lowered = problem.lowered((slack + SLACK) * units)
    ended, steps = solved(lowered, point, STEPS[1], TOLERANCES[1])
    if problem.miss(ended) > slack + 2 * SLACK:
        ended = point
    return _search_end(problem, ended, steps), slack


def given_way(problem: SearchProblem, point: Array) -> Numbers:
    """Violation of each constraint that is not met, in the unit of its effect."""
    margins = problem.margins(point)
    return {name: float(-margin) for name, margin in zip(problem.labels(), margins, strict=True) if margin < 0}


def conditions(problem: SearchProblem, point: Array, relaxation: float) -> tuple[dict[str, float], float]:
    r"""Multipliers of the binding constraints and the residual of the Karush-Kuhn-Tucker conditions.

    .. math:: \min_{\lambda, \mu \ge 0, \nu} \| \nabla f + \sum \lambda \nabla g + \mu - A' \nu \| /
        \max(\| \nabla f \|, |f|)

    Gradients are those by the width of each variable's bounds; inside the bounds that of an optimum is about 0 itself.
    """
    widths = problem.space.widths
    slopes = problem.smooth_slopes(point) * widths
    scale = max(float(np.linalg.norm(slopes)), abs(problem.smooth(point)), 1e-300)
    units = problem.sizes
    active = np.flatnonzero(problem.margins(point) / units <= 10 * SLACK - relaxation)
    labels = problem.labels()
    names, columns = [labels[number] for number in active], [*(problem.margin_slopes(point) * widths)[active]]
    shares = (point - problem.space.lower) / widths
    for decision, unit, share in zip(problem.space.decisions, np.eye(len(point)), shares, strict=True):
        if share <= 1e-6:
            columns.append(unit)
            names.append(f"{decision.key} >= {decision.lower:g}")
        elif share >= 1 - 1e-6:
            columns.append(-unit)
            names.append(f"{decision.key} <= {decision.upper:g}")
    matrix, _ = problem.space.equalities()
    for row in matrix * widths:
        columns += [row, -row]
        names += ["", ""]
    if not columns:
        return {}, float(np.linalg.norm(slopes)) / scale
    stacked = np.stack(columns, axis=1)
    # Stationarity: -slopes = columns @ multipliers, with non-negative multipliers.
    multipliers, rest = nnls(stacked, -slopes)
    binding = {name: float(value) for name, value in zip(names, multipliers, strict=True) if name and value > 1e-9}
    return binding, float(rest) / scale


def asked(study: Study, space: Space, objective: Objective, constraints: Sequence[Constraint], seed: int) -> str:
    """Hash of all inputs that determine the result of a search."""
    known = hashlib.sha256()
    parts = (study.model.sha256, study.bounds, study.draws, space.decisions, objective)
    known.update(repr((*parts, tuple(constraints), dict(space.sums), seed)).encode())
    for values in (study.values, study.none, space.base):
        for name, value in sorted(values.items()):
            numbers = getattr(value, "values", value)
            known.update(name.encode())
            known.update(np.ascontiguousarray(np.asarray(numbers, dtype=float)).tobytes())
    return known.hexdigest()


def keep_search(kept: Checkpoint, number: int, end: SearchEnd) -> None:
    """Store the result of a search in a checkpoint."""
    numbers = {"numbers": np.array([end.value, end.miss]), "steps": np.array(end.steps)}
    kept.keep(f"search-{number}", {"point": np.array(end.point), **numbers})


def kept_searches(kept: Checkpoint, count: int) -> dict[int, SearchEnd]:
    """Results of the searches that are stored in a checkpoint, by index."""
    ends = {}
    for number in range(count):
        if (found := kept.get(f"search-{number}")) is not None:
            value, miss = found["numbers"].tolist()
            ends[number] = SearchEnd(
                point=tuple(found["point"].tolist()), value=value, miss=miss, steps=int(found["steps"])
            )
    return ends


def near_optimal_ranges(problem: SearchProblem, point: Array, progress: ProgressCallback) -> dict[str, Interval]:
    """Range of each variable within which objective and constraints lose less than `NEAR_OPTIMAL` each."""
    best = problem.value(point)
    least = best - NEAR_OPTIMAL * abs(best)
    allowed = problem.miss(point) + NEAR_OPTIMAL
    lower, upper = np.array(problem.space.bounds).T
    ends = [(place, bound[place]) for place in range(len(point)) for bound in (lower, upper)]
    low, high = np.zeros(len(ends)), np.ones(len(ends))
    for step in range(6):
        middle = (low + high) / 2 if step else high
        points = np.array([_pushed(problem.space, point, *end, part) for end, part in zip(ends, middle, strict=True)])
        is_near = np.array(
            [
                problem.objective.value(effects[problem.outcome.key], problem.best) >= least
                and problem.missed(effects) <= allowed
                for effects in problem.several(points)
            ]
        )
        low, high = np.where(is_near, middle, low), np.where(is_near, high, middle)
        callback_of(progress)(Message("near-optimal ranges"), step + 1, 6)
    found: dict[str, Interval] = {}
    for place, decision in enumerate(problem.space.decisions):
        sides = [
            _pushed(problem.space, point, *ends[2 * place + side], low[2 * place + side])[place] for side in (0, 1)
        ]
        found[decision.key] = (float(min(*sides, point[place])), float(max(*sides, point[place])))
    return found


def _pushed(space: Space, point: Array, place: int, end: float, part: float) -> Array:
    """Shift one variable a fraction of the way to a bound, rescaling the changes of its group to keep the sum."""
    found = point.copy()
    decision = space.decisions[place]
    found[place] = (1 - part) * point[place] + part * end
    if not decision.group:
        return found
    own, off, weights, room = space.shared(decision.group, but=place)
    room -= decision.weight * found[place]
    current = float(weights @ (point[own] - off))
    spread = np.sign(weights) / np.abs(weights).sum()
    found[own] = off + room * ((point[own] - off) / current if current > 1e-12 else spread)
    return space.projected(found)
