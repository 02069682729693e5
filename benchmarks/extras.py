"""What is measured besides the table of ratios: one function each, which returns what is shown and what is kept."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Context:
    """Where a measurement finds its files, and how long it may take.

    Parameters
    ----------
    yardsticks
        Folder of digi1, digi31 and their C.
    folder
        A temporary folder.
    draws, rounds
        Size of ensembles and number of samples.
    """

    yardsticks: Path
    folder: Path
    draws: int
    rounds: int


@dataclass(slots=True)
class Finding:
    """What a measurement found.

    Parameters
    ----------
    title
        One line.
    lines
        Shown below it.
    record
        Every raw number.
    """

    title: str
    lines: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "\n".join([self.title, *(f"  {line}" for line in self.lines)])


def extras() -> dict[str, Callable[[Context], Finding]]:
    """Every further measurement by name."""
    from benchmarks.calibrating import calibrating
    from benchmarks.calls import calls
    from benchmarks.chains import chains
    from benchmarks.fitting import fitting
    from benchmarks.instructions import instructions
    from benchmarks.jacobians import jacobians
    from benchmarks.keeping import keeping
    from benchmarks.starting import starting
    from benchmarks.threading_gain import threading_gain

    return {
        "threads": threading_gain,
        "jacobian": jacobians,
        "fit": fitting,
        "calibration": calibrating,
        "start": starting,
        "calls": calls,
        "chains": chains,
        "keep": keeping,
        "instructions": instructions,
    }


def verdict(value: float, goal: float, *, least: bool) -> str:
    """Whether a value reaches a goal, in words."""
    met = value >= goal if least else value <= goal
    return f"(to reach: {'at least' if least else 'at most'} {goal:g}, {'met' if met else 'MISSED'})"
