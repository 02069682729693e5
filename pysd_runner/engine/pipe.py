"""A pipe: what flows in comes out a fixed number of steps later."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.ir import SMALL

Array = NDArray[np.float64]


def steps_of(delay: Array, step: float) -> NDArray[np.int64]:
    """How many steps a value stays in a pipe: ``max(delay / step, 1)``, rounded to the nearest, halves upwards.

    >>> steps_of(np.array([0.0, 1.25, 1.0]), 0.5).tolist()
    [1, 3, 2]
    """
    ratio = np.nan_to_num(np.asarray(delay, dtype=float) / step, nan=1.0, posinf=np.inf)
    return np.asarray(np.floor(np.clip(ratio, 1.0, 2.0**62) + SMALL + 0.5), dtype=np.int64)


class Pipe:
    """What is on its way through a pipe, over (scenario, draw, ...)."""

    def __init__(self, initial: Array, delay: Array, step: float) -> None:
        self._initial = initial
        self._steps = steps_of(delay, step) if step > 0 else np.ones_like(delay, dtype=np.int64)
        self._kinds: list[int] = np.unique(self._steps).tolist()
        self._past: deque[Array] = deque()

    def after(self, inflow: Array) -> Array:
        """What comes out at the next step, once `inflow` has flowed in at this one."""
        self._past.append(inflow)
        if len(self._past) > self._kinds[-1]:
            self._past.popleft()
        result = self._initial
        for steps in self._kinds:
            if steps <= len(self._past):
                result = self._past[-steps] if len(self._kinds) == 1 else self._chosen(steps, result)
        return result

    def _chosen(self, steps: int, otherwise: Array) -> Array:
        return np.where(self._steps == steps, self._past[-steps], otherwise)
