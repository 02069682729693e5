"""A checked simulation with its forward-mode derivatives, as arrays, for repeated runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pysd_runner.engine.errors import InvalidInput, UnsupportedFeature
from pysd_runner.engine.ir import remembered
from pysd_runner.engine.kinds import Array
from pysd_runner.engine.passes.derivatives import Direction, differentiated
from pysd_runner.engine.task import CONTROLS, Task
from pysd_runner.engine.values import TimePath, over_time

if TYPE_CHECKING:
    from pysd_runner.engine.llvm.target import SingleCase


class Linearised:
    """A task with the derivatives of its outcomes with respect to input elements."""

    # Working memory is reused between calls, so that their overhead is small; not thread-safe.

    def __init__(self, task: Task, moved: Sequence[Direction], *, seeded: Sequence[str] = (), more: int = 0) -> None:
        if task.engine == "pysd":
            raise InvalidInput("PySD has no derivatives; use another engine")
        # The integration method is a pass over the model; its result is differentiated, so that both agree.
        model, inputs = task.integrated
        moving = over_time(inputs)
        _check_paths(task, moved, moving)
        asked = _parameters(moved)
        new = _differentiated(
            model, asked, task.outcomes, tuple(inputs), moving=moving, seeded=tuple(seeded), more=more
        )
        self.outcomes = task.outcomes
        self._count = len(new.directions)
        self._twins = {name: new.twins[name] for name in task.outcomes if name in new.twins}
        self._seeds = {name: new.twins[name] for name in seeded if name in new.twins}
        self._task = replace(
            task,
            ir=new.model,
            values={name: value for name, value in inputs.items() if name in task.values or name not in CONTROLS},
            outcomes=(*task.outcomes, *self._twins.values()),
            method="euler",
        )
        self._single: SingleCase | None = None
        self._seeded: Mapping[str, Array] | None = None  # tangents last copied into the single case

    @staticmethod
    def check_still(task: Task, moved: Sequence[Direction], names: Sequence[str]) -> None:
        """Raise an error if `names`, the time controls of a run, depend on the inputs in `moved`."""
        given, moving = tuple(task.values), over_time(task.values)
        _differentiated(task.ir, _parameters(moved), tuple(names), given, moving=moving)

    def run(
        self,
        values: Mapping[str, Array] | None = None,
        seeds: Mapping[str, Array] | None = None,
        *,
        progress: Callable[[int], None] | None = None,
        copy: bool = True,
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Compute outcomes, shape (scenario, draw, ..., year), and derivatives, with a trailing axis of parameters."""
        # Without `copy` the next call overwrites the arrays; tangents that are the same object are not copied in again.
        outer = {twin: (seeds or {})[name] for name, twin in self._seeds.items()}
        changed: dict[str, Array] = {**(values or {}), **outer}
        is_single = all(map(_is_single, changed.values()))
        single = self._single if is_single else None
        if single is None:
            task = replace(self._task, values={**self._task.values, **changed})
            single = task.single() if is_single and all(map(_is_single, task.values.values())) else None
            if single is None:
                return self.split(task.compute(progress=progress))
            self._single = single
        found = single.run((values or {}) if seeds is self._seeded else changed)
        self._seeded = seeds
        return self.split({name: array.copy() for name, array in found.items()} if copy else found)

    def single(self) -> "SingleCase | None":
        """The compiled program and its memory; None for other engines, and for values of several cases or over time."""
        if self._task.engine != "llvm" or not all(_is_single(value) for value in self._task.values.values()):
            return None
        if self._single is None:
            self._single = self._task.single()
        return self._single

    def split(self, found: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        """Split results into outcomes and derivatives (trailing axis of parameters), without copying."""
        data = {name: found[name] for name in self.outcomes}
        return data, {name: self._derivative(name, found) for name in self.outcomes}

    def _derivative(self, name: str, found: Mapping[str, Array]) -> Array:
        if name in self._twins:
            return np.moveaxis(found[self._twins[name]], -2, -1)
        return np.zeros((*found[name].shape, self._count))


def _parameters(moved: Sequence[Direction]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((item.variable, item.position) for item in moved)


def _check_paths(task: Task, moved: Sequence[Direction], moving: frozenset[str]) -> None:
    paths = [item.variable for item in moved if item.variable in moving]
    if paths and task.method != "euler":
        raise UnsupportedFeature(
            'derivative with respect to {name!r}, which changes over time, with method {method!r}; take method="euler"',
            name=paths[0],
            method=task.method,
        )


_differentiated = remembered(32)(differentiated)


def _is_single(value: Any) -> bool:
    return bool(not isinstance(value, TimePath) and value.shape[:2] == (1, 1))
