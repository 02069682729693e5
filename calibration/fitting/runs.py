"""Runs of a model as a function of its parameters, with derivatives where the engine has them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine import Linearised, Task
from pysd_runner.model import Model
from pysd_runner.simulation.run import Run, simulate
from pysd_runner.simulation.task import prepared

Array = NDArray[np.float64]
Parameters = Mapping[str, Any]
Spreads = Mapping[str, float]


class Entering(Protocol):
    """How parameters become values of the variables of a model."""

    @property
    def model(self) -> Model:
        """What is run."""

    @property
    def held(self) -> Mapping[str, Any]:
        """What takes the place of values of the file in every run, by variable."""

    def imputed(self, parameters: Parameters) -> tuple[str, ...]:
        """Start values that were not observed, a line each."""

    def values(self, parameters: Parameters, draws: int) -> dict[str, Array]:
        """Values by variable, shape (1, draw, element...)."""

    def moved(self, parameters: Parameters, spreads: Spreads) -> tuple[dict[str, Array], dict[str, Array]]:
        """Values of one vector, and derivatives of those that move, with a last axis (parameter)."""

    def number(self, parameters: Parameters, key: str) -> Array | float:
        """A parameter that does not enter the model, such as a loading."""

    def memory(self, parameters: Parameters) -> Array | float:
        """Share of extra growth that is left a year later."""

    def memory_slopes(self, parameters: Parameters, spreads: Spreads) -> Array | None:
        """Derivatives of that share, shape (parameter,)."""


class ModelRuns:
    """A model as a function of its parameters; it keeps the memory it works in and serves one thread at a time.

    Parameters
    ----------
    entering
        How parameters enter the model.
    outcomes
        Variables that are read.
    start, stop, save_every
        Bounds of the run in the model's unit of time; None takes those of the file.
    """

    def __init__(
        self,
        entering: Entering,
        *,
        outcomes: Sequence[str],
        start: float | None = None,
        stop: float | None = None,
        save_every: float | None = None,
    ) -> None:
        self.entering, self.outcomes = entering, tuple(outcomes)
        self.bounds: dict[str, Any] = {"start": start, "stop": stop, "save_every": save_every}
        self._task: Task | None = None
        self._linearised: dict[tuple[tuple[str, ...], ...], Linearised] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Compiled programs stay behind when it is copied to another process."""
        return {**self.__dict__, "_task": None, "_linearised": {}}

    def copied(self, *, outcomes: Sequence[str] = ()) -> "ModelRuns":
        """The same with memory of its own; with other outcomes where they are given."""
        return ModelRuns(self.entering, outcomes=outcomes or self.outcomes, **self.bounds)

    @property
    def moments(self) -> Array:
        """Saved moments, shape (moment,)."""
        centre = dict.fromkeys(getattr(self.entering, "keys", ()), 1.0)
        return np.asarray(self._prepared(self.entering.values(centre, 1)).clock.saved_times, dtype=float)

    def batch(self, parameters: Parameters, draws: int) -> dict[str, Array]:
        """Outcomes of many vectors from one simulation.

        Parameters
        ----------
        parameters
            In their units by key, numbers or shape (draw,).
        draws
            How many vectors.

        Returns
        -------
        dict
            By variable, shape (draw, element..., moment); not finite where a run fails.
        """
        values = self.entering.values(parameters, draws)
        task = self._prepared(values)
        with np.errstate(all="ignore"):
            found = replace(task, values={**task.values, **values}).compute()
        return {name: np.broadcast_to(item[0], (draws, *item.shape[2:])) for name, item in found.items()}

    def linearised(self, parameters: Parameters, spreads: Spreads) -> tuple[dict[str, Array], dict[str, Array]]:
        """Outcomes of one vector and their derivatives, in arrays that the next call writes anew.

        Parameters
        ----------
        parameters
            Numbers by key.
        spreads
            What is moved, and how far it is uncertain.

        Returns
        -------
        values, slopes : dict
            Shape (element..., moment) and (element..., moment, parameter), by variable.

        Raises
        ------
        UnsupportedFeature
            If the model cannot be differentiated.
        """
        values, seeds = self.entering.moved(parameters, spreads)
        identity = (tuple(spreads), tuple(values), tuple(seeds))
        if identity not in self._linearised:
            task = prepared(
                self.entering.model, {**self.entering.held, **values}, outcomes=self.outcomes, **self.bounds
            )
            self._linearised[identity] = Linearised(task, (), seeded=tuple(seeds), more=len(spreads))
        with np.errstate(all="ignore"):
            data, slopes = self._linearised[identity].run(values, seeds, copy=False)
        return {name: data[name][0, 0] for name in data}, {name: slopes[name][0, 0] for name in slopes}

    def run(self, parameters: Parameters, draws: int) -> Run:
        """A whole run of some vectors that says where it failed."""
        values = {**self.entering.held, **self.entering.values(parameters, draws)}
        return simulate(self.entering.model, values, outcomes=self.outcomes, throw=False, **self.bounds)

    def _prepared(self, values: Mapping[str, Array]) -> Task:
        if self._task is None:
            every = {**self.entering.held, **values}
            self._task = prepared(self.entering.model, every, outcomes=self.outcomes, **self.bounds)
        return self._task


def unit(spreads: Spreads, key: str) -> Array:
    """One at the place of a parameter, else zero."""
    return np.array([float(item == key) for item in spreads])
