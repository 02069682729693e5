"""Objective and constraints of numbers to choose, on some draws: values by plain runs, derivatives where asked for."""

from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from pysd_runner.core.errors import UnknownName
from pysd_runner.policy.gradients import Gradients
from pysd_runner.policy.objective import Constraint, Objective
from pysd_runner.policy.space import Space
from pysd_runner.policy.study import Outcome, Study, Values

Array = NDArray[np.float64]


class Problem:
    """Objective and constraints on some draws.

    Parameters
    ----------
    study
        Model and draws.
    space
        What may be chosen.
    objective
        What is made large.
    constraints
        What must be kept.
    none
        Values without policy.
    best
        Best known effect in each draw, for regret.
    scale
        Size of the effects, by which the objective is measured.
    """

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

    def apart(self) -> "Problem":
        """The same with memory of its own, for another thread."""
        other = copy(self)
        other.gradients, other._known, other._sloped = copy(self.gradients), {}, {}
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
            self.gradients.turn(self.space.slopes(self.study, point))
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

    def miss(self, point: Array) -> float:
        """How far the worst constraint is from being met, as a part of the size of its effects."""
        return self.missed(self.effects(point))

    def missed(self, effects: Mapping[str, Array]) -> float:
        """The same from effects."""
        margins = self.margins_of(effects)
        return float(max(0.0, (-margins / self.sizes).max())) if margins.size else 0.0
