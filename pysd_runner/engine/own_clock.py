"""Moments of a run whose FINAL TIME, TIME STEP or SAVEPER changes while it goes on.

The model is run over a guess of the moments, with its bounds and steps as outcomes; from those the moments are built
anew, and so on until they no longer change. Each pass makes at least one more moment right.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.clock import MOST_STEPS, PRECISION, Axis
from pysd_runner.engine.errors import InvalidInput

Array = NDArray[np.float64]

# How many moments beyond those known to be right a pass tries.
AHEAD = 1000


@dataclass(frozen=True, slots=True)
class Controls:
    """Bounds and steps at every moment, shape (moment,) each."""

    final: Array
    step: Array  # length of a step
    save_every: Array  # time between saved results


def axis_of(start: float, controls: Callable[[Array], Controls], *, stop_moves: bool) -> Axis:
    """The moments of a run; none is beyond the stop, unless that moves."""
    tried: list[float] = [start]
    while True:
        axis, agreed = _walked(start, controls(np.array(tried)), tried, stop_moves)
        if agreed:
            return axis
        tried = list(axis.times)


def _walked(start: float, controls: Controls, tried: Sequence[float], stop_moves: bool) -> tuple[Axis, bool]:
    """Moments as the controls make them, and whether the controls were computed at just these."""
    times, saved = [start], []
    right = 0
    while True:
        if right == len(times) - 1 and right < len(tried) and times[right] == tried[right]:
            right += 1
        # Beyond the moments known to be right, the last bounds and steps are taken to hold on.
        now, step, save_every = times[-1], float(controls.step[right - 1]), float(controls.save_every[right - 1])
        _check(now, step, len(times))
        saved.append(_is_saved(now - start, step, save_every))
        needed = PRECISION if stop_moves else 1 - PRECISION
        if not now + step * needed <= float(controls.final[right - 1]):
            return Axis(tuple(times), tuple(saved)), right == len(times)
        if len(times) > 2 * right + AHEAD:
            return Axis(tuple(times), tuple(saved)), False
        times.append(now + step)


def _check(now: float, step: float, count: int) -> None:
    if not step > 0 or not math.isfinite(step):
        raise InvalidInput(f"TIME STEP is {step:g} at time {now:g}; a step must be positive")
    if count > MOST_STEPS:
        raise InvalidInput(f"more than {MOST_STEPS:,} steps to time {now:g}, and FINAL TIME is not reached")


def _is_saved(since: float, step: float, save_every: float) -> bool:
    if not save_every > 0 or not math.isfinite(save_every):
        return math.isinf(save_every) and since == 0
    tolerance = step * PRECISION
    return since % save_every < tolerance or -since % save_every < tolerance
