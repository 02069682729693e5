"""Time bounds, steps and moments of a run, also where FINAL TIME, TIME STEP or SAVEPER change while it goes on."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysd_runner.engine.errors import InvalidInput

# A run of more steps than this is a slip of the pen, and would not fit into memory.
MOST_STEPS = 5_000_000

# Share of a step within which two times are the same, as in PySD.
PRECISION = 1e-5


class UnevenSaving(UserWarning):
    """The save interval of a model file is no multiple of its step, so that moments are not saved."""


class UnevenStop(UserWarning):
    """The stop of a run is no multiple of its step away from its start, so that the run ends before it."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of a run whose bounds or steps change while it goes on."""

    times: tuple[float, ...]  # every step, first and last moment included
    saved: tuple[bool, ...]  # which of them are saved


@dataclass(frozen=True)
class Clock:
    """When a run starts and stops, how long a step is, and how often results are saved."""

    start: float
    stop: float
    step: float  # length of a step, in years
    save_every: float  # time between saved results, in years
    own: frozenset[str] = frozenset()  # bounds and steps that the model computes while it runs, by name
    axis: Moments | None = None  # the moments, where they do not follow from the numbers above

    def __post_init__(self) -> None:
        bounds = (self.start, self.stop, self.step, self.save_every)
        if not all(math.isfinite(value) for value in bounds):
            raise InvalidInput(f"time bounds must be finite; found start, stop, step, save_every = {bounds}")
        if self.step <= 0 or self.save_every <= 0:
            raise InvalidInput(f"step and save_every must be positive; found {self.step} and {self.save_every}")
        if (self.stop - self.start) / self.step > MOST_STEPS:
            raise InvalidInput(
                f"{(self.stop - self.start) / self.step:.3g} steps from {self.start:g} to {self.stop:g} are more than "
                f"{MOST_STEPS:,}; take a longer step than {self.step:g}"
            )
        if self.stop < self.start:
            raise InvalidInput(f"a run goes forward: stop {self.stop:g} lies before start {self.start:g}")

    # The moments are computed once and shared, hence read only.

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """Every step, first and last moment included, shape (step,)."""
        if self.axis is not None:
            return _shared(np.array(self.axis.times))
        # Steps are added one by one, so that they carry the same rounding as in PySD.
        count = math.floor((self.stop - self.start) / self.step + PRECISION)
        return _shared(np.cumsum(np.concatenate([[self.start], np.full(max(count, 0), self.step)])))

    @cached_property
    def saved(self) -> NDArray[np.bool_]:
        """Which steps are saved, shape (step,)."""
        if self.axis is not None:
            return _shared(np.array(self.axis.saved))
        since = self.times - self.times[0]
        tolerance = self.step * PRECISION
        return _shared((since % self.save_every < tolerance) | (-since % self.save_every < tolerance))

    @property
    def left(self) -> float:
        """Time from the last moment to a stop that no step reaches; zero where one does, up to rounding."""
        left = self.stop - float(self.times[-1])
        return left if left > self.step / 1000 else 0.0

    @property
    def lost(self) -> int:
        """How many moments that lie whole save intervals after the start are not saved, as no step ends there."""
        if self.axis is not None:
            return 0
        times = self.times
        whole = math.floor(float(times[-1] - times[0]) / self.save_every + PRECISION) + 1
        return max(0, whole - int(self.saved.sum()))

    @property
    def saved_times(self) -> NDArray[np.float64]:
        """The moments that are saved, free of rounding noise, shape (year,)."""
        return np.round(self.times[self.saved], 9)


def _shared(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


Array = NDArray[np.float64]

# How many moments beyond those known to be right a pass tries.
AHEAD = 1000


@dataclass(frozen=True, slots=True)
class Controls:
    """Bounds and steps at every moment, shape (moment,) each."""

    final: Array
    step: Array  # length of a step
    save_every: Array  # time between saved results


def axis_of(start: float, controls: Callable[[Array], Controls], *, stop_moves: bool) -> Moments:
    """The moments of a run; none is beyond the stop, unless that moves."""
    tried: list[float] = [start]
    while True:
        axis, agreed = _walked(start, controls(np.array(tried)), tried, stop_moves)
        if agreed:
            return axis
        tried = list(axis.times)


def _walked(start: float, controls: Controls, tried: Sequence[float], stop_moves: bool) -> tuple[Moments, bool]:
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
            return Moments(tuple(times), tuple(saved)), right == len(times)
        if len(times) > 2 * right + AHEAD:
            return Moments(tuple(times), tuple(saved)), False
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
