"""Objective and constraints of a policy search on some draws, with exact directional derivatives."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from pysd_runner.core.errors import UnknownName
from pysd_runner.core.types import Array, Arrays, Values
from pysd_runner.engine import Linearised, TimePath
from pysd_runner.policy.objective import Constraint, Objective, margins_of
from pysd_runner.policy.space import Space
from pysd_runner.policy.study import MOST_CELLS, Outcome, Study, blocks
from pysd_runner.simulation.task import prepared

# By variable: derivatives with respect to each decision variable (direction), shape (dimensions of the variable...,
# direction), or a `TimePath` of such arrays.
Slopes = Mapping[str, Array | TimePath]

# Directions computed in one run: more no longer fit the CPU cache, so that each costs more.
TOGETHER = 8


class Gradients:
    """Function from a policy to final outcomes and their derivatives along the directions of `slopes`."""

    def __init__(self, study: Study, outcomes: Sequence[Outcome], slopes: Slopes, directions: int) -> None:
        self.study, self.outcomes, self.directions = study, tuple(outcomes), directions
        self.variables = list(dict.fromkeys(name for item in outcomes for name in item.variables))
        self.every = study.bounds[1] - study.bounds[0]
        # Parts of equal size share a compiled program; the last one is padded with zero directions.
        self._size = -(-directions // -(-directions // TOGETHER))
        self._parts = [
            {name: self._some(value, first) for name, value in slopes.items()}
            for first in range(0, directions, self._size)
        ]
        # The first and the last time are saved.
        self._block = max(8, MOST_CELLS // (2 * study.cells(self.variables) * (self._size + 1)))

    def _some(self, slope: Array | TimePath, first: int) -> Array | TimePath:
        """Derivatives of a variable along one part of the directions, with leading axes (scenario, draw)."""
        if isinstance(slope, TimePath):
            steps = np.stack([np.asarray(slope.at(time), dtype=float) for time in self.study.times])
            return TimePath(
                times=self.study.times, values=self._filled(steps, first)[:, None, None], interpolate="step"
            )
        return self._filled(np.asarray(slope, dtype=float), first)[None, None]

    def _filled(self, values: Array, first: int) -> Array:
        found = np.zeros((*values.shape[:-1], self._size))
        chosen = values[..., first : first + self._size]
        found[..., : chosen.shape[-1]] = chosen
        return found

    def __call__(self, policy: Values) -> tuple[Arrays, Arrays]:
        """Compute outcomes and their derivatives, by outcome; the last axis of derivatives is (direction,)."""
        rows = [self._part(self.study.part(draws), policy) for draws in blocks(self.study.draws, self._block)]
        values, slopes = (
            {item.key: np.concatenate([row[place][item.key] for row in rows], axis=1) for item in self.outcomes}
            for place in (0, 1)
        )
        return values, slopes

    def _part(self, study: Study, policy: Values) -> tuple[Arrays, Arrays]:
        stacked = dict(study.stacked([policy]))
        for name, slope in self._parts[0].items():
            value = stacked.get(name)
            value = study.own(name) if value is None else value
            if isinstance(slope, TimePath) and not isinstance(value, TimePath):
                value = TimePath(times=study.times, values=np.stack([value] * len(study.times)), interpolate="step")
            stacked[name] = value
        task = prepared(
            study.model,
            {**study.values, **stacked},
            start=study.bounds[0],
            stop=study.bounds[1],
            save_every=self.every,
            outcomes=self.variables,
        )
        work = Linearised(task, (), seeded=tuple(self._parts[0]), more=self._size)
        lead = (1, study.draws)
        rows = []
        for part in self._parts:
            seeds: dict[str, Any] = {name: _fitted(slope, task.values[name]) for name, slope in part.items()}
            data, derivatives = work.run(seeds=seeds)
            data, derivatives = (
                {name: np.broadcast_to(value, (*lead, *value.shape[2:])) for name, value in found.items()}
                for found in (data, derivatives)
            )
            rows.append({item.key: _chained(item, data, derivatives) for item in self.outcomes})
        slopes = {
            item.key: np.concatenate([row[item.key] for row in rows], axis=-1)[..., : self.directions]
            for item in self.outcomes
        }
        return {item.key: item.value(data) for item in self.outcomes}, slopes


def _fitted(slope: Array | TimePath, value: Any) -> Array | TimePath:
    """Tangents of a variable, as a path over time if its values are a path."""
    if isinstance(value, TimePath) and not isinstance(slope, TimePath):
        return TimePath(times=value.times, values=np.stack([slope] * len(value.times)), interpolate="step")
    return slope


def _chained(outcome: Outcome, data: Arrays, derivatives: Arrays) -> Array:
    """Derivatives of an outcome by the chain rule, summed over the elements of its variables unless `by_element`."""
    total: Any = 0.0
    for name, slope in outcome.slopes(data).items():
        product = slope[..., None] * derivatives[name]
        total = total + (product if outcome.by_element else product.sum(axis=tuple(range(2, product.ndim - 2))))
    return np.asarray(total)


class SearchProblem:
    """Objective and constraints of a policy search on some draws, as functions of a point of the space."""

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
        self._less: Array | float = 0.0
        self._known: dict[bytes, dict[str, Array]] = {}
        self._sloped: dict[bytes, tuple[Arrays, Arrays]] = {}

    def apart(self) -> "SearchProblem":
        """Copy the problem with separate caches, for use in another thread."""
        other = copy(self)
        other._known, other._sloped = {}, {}
        return other

    def lowered(self, less: Array) -> "SearchProblem":
        """Copy the problem with constraints relaxed by `less`; `miss` still refers to the original constraints."""
        other = self.apart()
        other._less = less
        return other

    def _named(self, constraint: Constraint) -> Outcome:
        known = {**self.study.outcomes, **self.study.watched}
        if constraint.outcome not in known:
            raise UnknownName(
                "no outcome {outcome!r} for a constraint; known: {known}",
                outcome=constraint.outcome,
                known=", ".join(known),
            )
        return known[constraint.outcome]

    def _run(self, policies: Sequence[Values]) -> Arrays:
        return self.study.run(
            policies,
            lambda data: {item.key: item.value(data)[..., -1] for item in self.outcomes},
            self.gradients.variables,
            every=self.gradients.every,
        )

    def effects(self, point: Array) -> Arrays:
        """Effects at a point by outcome, shape (draw,) or (draw, element)."""
        key = point.tobytes()
        if key not in self._known:
            if len(self._known) > 64:
                self._known.clear()
            self._known[key] = self.several(point[None])[0]
        return self._known[key]

    def several(self, points: Array) -> list[dict[str, Array]]:
        """Effects at several points, as from `effects`."""
        found = self._run([self.space.policy(self.study, point) for point in points])
        changed = {item.key: item.effect(found[item.key], self.without[item.key]) for item in self.outcomes}
        return [{key: values[place] for key, values in changed.items()} for place in range(len(points))]

    def sloped(self, point: Array) -> tuple[Arrays, Arrays]:
        """Effects at a point and their derivatives, with a trailing axis (decision,)."""
        key = point.tobytes()
        if key not in self._sloped:
            values, slopes = self.gradients(self.space.policy(self.study, point))
            self._sloped = {key: self._changed(values, slopes)}
        return self._sloped[key]

    def _changed(self, values: Arrays, slopes: Arrays) -> tuple[Arrays, Arrays]:
        effects, found = {}, {}
        for item in self.outcomes:
            without = self.without[item.key]
            factor = item.sign * (100 / without[0] if item.is_relative else np.ones_like(without[0]))
            effects[item.key] = item.effect(values[item.key][..., -1], without)[0]
            found[item.key] = factor[..., None] * slopes[item.key][0][..., -1, :]
        return effects, found

    def value(self, point: Array) -> float:
        """Objective at a point, without smoothing."""
        return self.objective.value(self.effects(point)[self.outcome.key], self.best)

    def smooth(self, point: Array) -> float:
        """Smoothed objective at a point."""
        effects = self.effects(point)[self.outcome.key]
        return self.objective.smooth(effects, np.zeros((len(effects), 1)), self.best, self.scale)[0]

    def smooth_slopes(self, point: Array) -> Array:
        """Derivatives of the smoothed objective at a point, shape (decision,)."""
        effects, slopes = self.sloped(point)
        key = self.outcome.key
        return self.objective.smooth(effects[key], slopes[key], self.best, self.scale)[1]

    def margins(self, point: Array) -> Array:
        """Margins of all constraints at a point (positive if met), shape (constraint,)."""
        return margins_of(self.constraints, self.effects(point)) + self._less

    @property
    def sizes(self) -> Array:
        """Scale of each constraint: mean absolute effect at the midpoint of the space."""
        if self._sizes is None:
            effects = self.effects(self.space.middle())
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
        """Derivatives of the margins at a point, shape (constraint, decision)."""
        effects, slopes = self.sloped(point)
        parts = []
        for item in self.constraints:
            found = item.margin(effects[item.outcome], slopes[item.outcome])[1]
            assert found is not None  # noqa: S101
            parts.append(np.atleast_2d(found))
        return np.concatenate(parts) if parts else np.zeros((0, len(self.space)))

    def labels(self) -> list[str]:
        """Names of the constraints, in the order of `margins`."""
        names = []
        for item in self.constraints:
            if item.outcome in self.study.watched:
                names += [f"{item.outcome}: {name}" for name in self.study.elements]
            else:
                names.append(item.outcome)
        return names

    def miss(self, point: Array) -> float:
        """Largest violation of a constraint at a point, relative to the scale in `sizes`; 0 if all are met."""
        return self.missed(self.effects(point))

    def missed(self, effects: Arrays) -> float:
        """Largest relative violation of a constraint, from the effects at a point; see `miss`."""
        margins = margins_of(self.constraints, effects)
        return float(max(0.0, (-margins / self.sizes).max())) if margins.size else 0.0
