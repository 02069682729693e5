"""How flat an optimum is: how far each number can go before much is lost."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pysd_runner.policy.problem import Problem
from pysd_runner.policy.space import Space

Array = NDArray[np.float64]
Told = Callable[[str, int, int], None]

# The near-optimal set: policies that lose at most this part of the objective.
NEAR = 0.02


def near_optimal_ranges(problem: Problem, point: Array, progress: Told | None) -> dict[str, tuple[float, float]]:
    """How far each number can go before `NEAR` of the objective is lost or a constraint missed by as much."""
    best = problem.value(point)
    least = best - NEAR * abs(best)
    allowed = problem.miss(point) + NEAR
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


def _is_near(problem: Problem, effects: Mapping[str, Array], least: float, allowed: float) -> bool:
    """Whether a policy is nearly as good and keeps the constraints as well."""
    value = problem.objective.value(effects[problem.outcome.key], problem.best)
    return value >= least and problem.missed(effects) <= allowed


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
