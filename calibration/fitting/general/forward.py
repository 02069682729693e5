"""Runs of any model for vectors of parameters, with derivatives where the engine has them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.general.free import Target
from pysd_runner.engine import Task, TimePath
from pysd_runner.general.starting import with_starts
from pysd_runner.model import Model
from pysd_runner.simulation.elements import constant_values
from pysd_runner.simulation.run import Run, simulate
from pysd_runner.simulation.sensitivities import JacobianFunction, jacobian_function
from pysd_runner.simulation.task import prepared

Array = NDArray[np.float64]
Values = Mapping[str, Any]


class Forward:
    """A model as a function of some of its numbers; it keeps the memory it works in and serves one thread at a time."""

    def __init__(
        self,
        model: Model,
        targets: Sequence[Target],
        *,
        held: Values,
        outcomes: Sequence[str],
        start: float | None = None,
        stop: float | None = None,
    ) -> None:
        self.original = model
        self.targets = tuple(targets)
        self.model = with_starts(model, (item.variable for item in self.targets if item.is_start))
        self.held = dict(held)
        self.outcomes = tuple(outcomes)
        self._bases = {item.entered: self._base(item) for item in self.targets}
        step = prepared(self.model, self._values(np.zeros((1, 0))), outcomes=[]).clock.step
        self.bounds: dict[str, Any] = {"start": start, "stop": stop, "save_every": step}
        self._task: Task | None = None
        self._slopes: JacobianFunction | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Compiled programs stay behind when it is copied to another process."""
        return {**self.__dict__, "_task": None, "_slopes": None}

    def copied(self) -> "Forward":
        """The same with memory of its own."""
        return Forward(
            self.original,
            self.targets,
            held=self.held,
            outcomes=self.outcomes,
            start=self.bounds["start"],
            stop=self.bounds["stop"],
        )

    @property
    def moments(self) -> Array:
        """Saved moments, shape (moment,)."""
        return np.asarray(self._prepared().clock.saved_times, dtype=float)

    def values(self, vectors: Array) -> dict[str, Array | TimePath]:
        """What a run is given for some vectors."""
        return self._values(vectors)

    def batch(self, vectors: Array) -> dict[str, Array]:
        """Outcomes of many vectors from one simulation."""
        task = self._prepared()
        ready = {name: value for name, value in self._values(vectors).items() if name in self._bases}
        with np.errstate(all="ignore"):
            found = replace(task, values={**task.values, **ready}).compute()
        return {name: np.broadcast_to(item[0], (len(vectors), *item.shape[2:])) for name, item in found.items()}

    def linearised(self, vector: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """Outcomes of one vector and their derivatives."""
        if self._slopes is None:
            self._slopes = jacobian_function(
                self.model,
                self._values(vector[None]),
                parameters=[
                    (item.entered, *self._labels(item)) if item.position else item.entered for item in self.targets
                ],
                outcomes=self.outcomes,
                **self.bounds,
            )
        with np.errstate(all="ignore"):
            return self._slopes(vector, copy=False)

    def run(self, vectors: Array) -> Run:
        """A whole run of some vectors that says where it failed."""
        return simulate(self.model, self._values(vectors), outcomes=self.outcomes, throw=False, **self.bounds)

    def _prepared(self) -> Task:
        if self._task is None:
            centre = np.array([[1.0] * len(self.targets)])
            self._task = prepared(self.model, self._values(centre), outcomes=self.outcomes, **self.bounds)
        return self._task

    def _values(self, vectors: Array) -> dict[str, Array | TimePath]:
        arrays = {name: np.repeat(base[None, None], len(vectors), axis=1) for name, base in self._bases.items()}
        if vectors.shape[1]:
            for column, item in enumerate(self.targets):
                place: tuple[Any, ...] = (0, slice(None), *item.position)
                arrays[item.entered][place] = vectors[:, column]
        return {**self.held, **arrays}

    def _base(self, target: Target) -> Array:
        """What the elements have that are not moved."""
        if target.entered in self.held:
            return np.asarray(self.held[target.entered], dtype=float)
        if not target.position:
            return np.zeros(())
        if target.is_start:
            from pysd_runner.simulation.run import simulate as run

            found = run(self.original, self._plain_held(), outcomes=[target.variable])[target.variable]
            return np.asarray(found[0, 0, ..., 0], dtype=float)
        return np.array(constant_values(self.original, target.variable), dtype=float)

    def _plain_held(self) -> dict[str, Any]:
        return {name: value for name, value in self.held.items() if name in self.original.ir.variables}

    def _labels(self, target: Target) -> tuple[str, ...]:
        dims = self.original.ir.variables[target.variable].dims
        return tuple(self.original.ir.ranges[dim][place] for dim, place in zip(dims, target.position, strict=True))
