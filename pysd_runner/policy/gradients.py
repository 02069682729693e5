"""Outcomes of policies with exact derivatives along some directions of the policy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine import Linearised, TimePath
from pysd_runner.policy.study import MOST_CELLS, Outcome, Study, Values
from pysd_runner.simulation.task import prepared

Array = NDArray[np.float64]
# By variable: how it moves with each number of a decision, dimensions of the variable and then (direction,); or over
# time, as a `TimePath` of such values.
Slopes = Mapping[str, Array | TimePath]

# Directions computed in one run: more of them no longer fit the fast memory of a processor and cost more each.
TOGETHER = 8


class Gradients:
    """A function from policies to outcomes and their derivatives."""

    def __init__(
        self,
        study: Study,
        outcomes: Sequence[Outcome],
        slopes: Slopes,
        directions: int,
        *,
        every: float | None = None,
    ) -> None:
        self.study, self.outcomes, self.directions = study, tuple(outcomes), directions
        self.variables = list(dict.fromkeys(name for item in outcomes for name in item.variables))
        self.every = study.bounds[1] - study.bounds[0] if every is None else every
        # Parts of equal size share a program; the last one is filled up with directions that move nothing.
        self._size = -(-directions // -(-directions // TOGETHER))
        self.turn(slopes)
        ir = study.model.ir
        cells = sum(int(np.prod(ir.shape(ir.variables[name].dims))) for name in self.variables)
        moments = round((study.bounds[1] - study.bounds[0]) / self.every) + 1
        self._block = max(8, MOST_CELLS // (cells * moments * (self._size + 1)))

    def turn(self, slopes: Slopes) -> None:
        """Take other directions, of the same variables."""
        self._parts = [
            {name: self._some(value, first) for name, value in slopes.items()}
            for first in range(0, self.directions, self._size)
        ]

    def _some(self, slope: Array | TimePath, first: int) -> Array | TimePath:
        """Some of the directions of a variable, with the axes (scenario, draw) in front."""
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

    def __call__(
        self, policies: Sequence[Values], *, progress: Callable[[int], None] | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Compute outcomes and derivatives."""
        rows = []
        for first in range(0, self.study.draws, self._block):
            kept = np.arange(first, min(self.study.draws, first + self._block))
            rows.append(self._part(kept, policies))
            if progress is not None:
                progress(len(kept))
        return tuple(  # type: ignore[return-value]
            {item.key: np.concatenate([row[place][item.key] for row in rows], axis=1) for item in self.outcomes}
            for place in (0, 1)
        )

    def _part(self, kept: NDArray[np.intp], policies: Sequence[Values]) -> tuple[dict[str, Array], dict[str, Array]]:
        study = self.study if len(kept) == self.study.draws else self.study.only(kept)
        stacked = dict(study.stacked(policies))
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
        lead = (len(policies), len(kept))
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
    """Seeds of a variable, over time where its values are."""
    if isinstance(value, TimePath) and not isinstance(slope, TimePath):
        return TimePath(times=value.times, values=np.stack([slope] * len(value.times)), interpolate="step")
    return slope


def _chained(outcome: Outcome, data: Mapping[str, Array], derivatives: Mapping[str, Array]) -> Array:
    """Chain rule over the elements of every variable, or element by element."""
    total: Any = 0.0
    for name, slope in outcome.slopes(data).items():
        product = slope[..., None] * derivatives[name]
        total = total + (product if outcome.by_element else product.sum(axis=tuple(range(2, product.ndim - 2))))
    return np.asarray(total)
