"""Any model as a transition model of its stocks: from their values at one time to a later one, for many members."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from calibration.observation import Series
from pysd_runner.core.errors import UnsupportedFeature
from pysd_runner.core.types import Array, Arrays, Flags, Indices, Values, frozen
from pysd_runner.engine import TimePath
from pysd_runner.model import Model
from pysd_runner.simulation.run import simulate
from pysd_runner.study.equations import PREFIX, stocks_of, with_starts, without_start

# Minimum work (number of states of all members times steps) for which several threads are faster.
WORTH_THREADS = 1_000_000
# Size of a small perturbation of a stock, relative to its value or to one; maximum relative change of the response
# when the step is halved.
MOVE, UNSTEADY = 1e-3, 0.5


@frozen(eq=False)
class Stretch:
    """States at the end of a run over an interval, and the totals of flows over it by series."""

    states: Array
    flowed: Arrays


class TransitionModel:
    """A model as a transition model of its stocks."""

    def __init__(self, model: Model, values: Values, series: Sequence[Series], *, start: float) -> None:
        stuck = without_start(model.ir)
        if stuck:
            raise UnsupportedFeature(
                "{name} holds memory that cannot be set ({names}: fixed delays, samples); its state is "
                "not estimated: the forecast follows the fitted path instead",
                name=model.path.name,
                names=", ".join(stuck[:3]),
            )
        self.names = stocks_of(model.ir)
        self.shapes = {name: model.ir.shape(model.ir.variables[name].dims) for name in self.names}
        self.sizes = [int(np.prod(self.shapes[name], dtype=int)) for name in self.names]
        self.series = tuple(series)
        self._flows = [item for item in series if item.kind != "level"]
        self.start = start
        self._values = dict(values)
        self.members = max(
            (np.shape(value)[1] for value in values.values() if not isinstance(value, TimePath) and np.ndim(value) > 1),
            default=1,
        )
        # INITIAL values are those of the first start, and must not be evaluated again at a later one.
        self.first = self._first_states(model)
        self._law = with_starts(model, self.names)
        steady = self._is_steady()
        self.replaced = self.members - int(steady.sum())
        if self.replaced:
            kept = np.resize(np.flatnonzero(steady), self.members)
            self._values, self.first = self._of(kept), self.first[kept]

    def _is_steady(self) -> Flags:
        """Members whose response to a small perturbation over one time step changes little if the step is halved."""
        size = MOVE * np.maximum(np.abs(self.first), 1.0)
        moved = self.first + size * np.random.default_rng(0).choice([1.0, 2.0], self.first.shape)
        both, rows = np.concatenate([self.first, moved]), np.tile(np.arange(self.members), 2)
        ends = [self.advance(both, self.start, self.start + self.step, rows, finer=n).states for n in (1, 2)]
        whole, half = (end[self.members :] - end[: self.members] for end in ends)
        least = np.maximum.reduce([np.abs(whole), np.abs(half), size])
        steady = ~np.asarray((np.abs(whole - half) > UNSTEADY * least).any(axis=1), dtype=bool)
        return steady if steady.any() else ~steady

    @property
    def size(self) -> int:
        """Number of states."""
        return sum(self.sizes)

    def _first_states(self, model: Model) -> Array:
        from pysd_runner.simulation.task import prepared

        starting = [name for name, item in model.variables.items() if item.kind == "initial"]
        held = dict(self._values)
        starts = {name for name in held if name.startswith(PREFIX)}
        base = with_starts(model, [name.removeprefix(PREFIX) for name in starts]) if starts else model
        step = float(prepared(base, held, start=self.start, outcomes=[]).clock.step)
        run = simulate(
            base,
            held,
            outcomes=[*self.names, *starting],
            start=self.start,
            stop=self.start + step,
            save_every=step,
            throw=False,
        )
        self.step = step
        for name in starting:
            value = run.data[name][..., 0]
            self._values[name] = value if np.asarray(value).ndim else float(value)
        for name in starts:
            self._values.pop(name)
        return self._flat({name: run.data[name][0, ..., 0] for name in self.names}, self.members)

    def _flat(self, found: Arrays, members: int) -> Array:
        parts = [
            np.broadcast_to(found[name], (members, *self.shapes[name])).reshape(members, -1) for name in self.names
        ]
        return np.concatenate(parts, axis=1).astype(float)

    def _by_stock(self, states: Array) -> Arrays:
        """States as arrays by stock, shape (member, ...)."""
        parts = np.split(states, np.cumsum(self.sizes)[:-1], axis=1)
        return {
            name: part.reshape(len(states), *self.shapes[name]) for name, part in zip(self.names, parts, strict=True)
        }

    def _given(self, states: Array, members: Indices | None) -> Values:
        """Model inputs that start a run of the ensemble members from their states."""
        return {**self._of(members), **{f"{PREFIX}{name}": part[None] for name, part in self._by_stock(states).items()}}

    def advance(
        self, states: Array, begin: float, end: float, members: Indices | None = None, *, finer: int = 1
    ) -> Stretch:
        """Run members from one time to a later one."""
        names = [*self.names, *(name for item in self._flows for name in item.expression.variables)]
        steps = finer * max(round((end - begin) / self.step), 1)
        every = (end - begin) / steps
        with np.errstate(all="ignore"):
            run = simulate(
                self._law,
                self._given(states, members),
                outcomes=list(dict.fromkeys(names)),
                start=begin,
                stop=end,
                step=every,
                save_every=every if self._flows else end - begin,
                throw=False,
                threads=1 if states.size * steps < WORTH_THREADS else None,
            )
        flowed = {}
        for item in self._flows:
            path = item.expression.value({name: run.data[name][0] for name in item.expression.variables})
            total = path[..., :-1].sum(axis=-1) * every
            flowed[item.label] = total.reshape(len(total), -1)[:, item.elements]
        ends = {name: run.data[name][0, ..., -1] for name in self.names}
        return Stretch(states=self._flat(ends, len(states)), flowed=flowed)

    def seen(self, states: Array, time: float, members: Indices | None = None) -> Arrays:
        """Predictions of the series observed as levels at a time, on the model's scale, each of shape (member, row)."""
        levels = [item for item in self.series if item.kind == "level"]
        if not levels:
            return {}
        names = list(dict.fromkeys(name for item in levels for name in item.expression.variables))
        known = {name: part[..., None] for name, part in self._by_stock(states).items() if name in names}
        others = [name for name in names if name not in known]
        if others:
            with np.errstate(all="ignore"):
                run = simulate(
                    self._law,
                    self._given(states, members),
                    outcomes=others,
                    start=time,
                    stop=time + self.step,
                    step=self.step,
                    save_every=self.step,
                    throw=False,
                    threads=1 if states.size < WORTH_THREADS else None,
                )
            for name in others:
                now = run.data[name][0, ..., :1]
                known[name] = np.broadcast_to(now, (len(states), *now.shape[1:]))
        found = {}
        for item in levels:
            value = item.expression.value(known)
            found[item.label] = value.reshape(len(states), -1)[:, item.elements]
        return found

    def _of(self, members: Indices | None) -> dict[str, Any]:
        if members is None:
            return self._values
        return {
            name: value[:, members]
            if not isinstance(value, TimePath) and np.ndim(value) > 1 and np.shape(value)[1] > 1
            else value
            for name, value in self._values.items()
        }

    def element_of(self, place: int) -> tuple[str, int]:
        """Stock and flat element index of a state."""
        for name, size in zip(self.names, self.sizes, strict=True):
            if place < size:
                return name, place
            place -= size
        raise IndexError(place)
