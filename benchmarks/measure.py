"""Times of several tasks, taken in turn so that a busy or cold machine meets all of them alike."""

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

# A sample of a short task repeats it until this many seconds have passed.
SHORTEST_SAMPLE = 0.03

# A task that takes longer than this is measured in few rounds.
LONG = 2.0
ROUNDS_OF_LONG = 2


@dataclass(frozen=True, slots=True)
class Task:
    """Something to time.

    Parameters
    ----------
    call
        What is called.
    runs
        Runs of a model in one call.
    """

    call: Callable[[], Any]
    runs: int = 1


@dataclass(slots=True)
class Timing:
    """Seconds per run, one entry per sample.

    Parameters
    ----------
    runs
        Runs of a model in one call.
    calls
        Calls in one sample.
    wall, cpu
        By the clock, and of the processor.
    """

    runs: int
    calls: int
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """Least processor time per run, in seconds."""
        return min(self.cpu)

    @property
    def median(self) -> float:
        """Median processor time per run, in seconds."""
        return median(self.cpu)

    def as_dict(self) -> dict[str, Any]:
        """Every raw number."""
        return {
            "runs_per_call": self.runs,
            "calls_per_sample": self.calls,
            "wall_seconds_per_run": self.wall,
            "cpu_seconds_per_run": self.cpu,
            "best": self.best,
            "median": self.median,
        }


def timed(call: Callable[[], Any], times: int = 1) -> tuple[float, float]:
    """Seconds by the clock and of the processor that some calls take together."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        call()
    return time.perf_counter() - wall, time.process_time() - cpu


def interleaved(tasks: Mapping[str, Task], rounds: int) -> dict[str, Timing]:
    """Time tasks in turn, forwards in one round and backwards in the next.

    A task whose first call takes longer than `LONG` seconds is measured in `ROUNDS_OF_LONG` rounds, that call being
    the first of them; for the others the first call only warms up.

    Parameters
    ----------
    tasks
        By name.
    rounds
        Samples of each.

    Returns
    -------
    dict
        Timing by name.
    """
    timings: dict[str, Timing] = {}
    for name, task in tasks.items():
        wall, cpu = timed(task.call)
        calls = 1 if wall >= SHORTEST_SAMPLE else math.ceil(SHORTEST_SAMPLE / max(wall, 1e-7))
        timings[name] = Timing(task.runs, calls)
        if wall > LONG:
            _add(timings[name], wall, cpu)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds):
            for name in _reparametrised(list(tasks), number):
                _sample(tasks[name], timings[name])
    finally:
        if collecting:
            gc.enable()
    return timings


def _reparametrised(names: Sequence[str], number: int) -> Sequence[str]:
    return names if number % 2 == 0 else names[::-1]


def _sample(task: Task, timing: Timing) -> None:
    long = bool(timing.wall) and timing.wall[0] * timing.runs > LONG
    if long and len(timing.wall) >= ROUNDS_OF_LONG:
        return
    _add(timing, *timed(task.call, timing.calls))


def _add(timing: Timing, wall: float, cpu: float) -> None:
    timing.wall.append(wall / timing.calls / timing.runs)
    timing.cpu.append(cpu / timing.calls / timing.runs)
