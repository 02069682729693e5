"""Puts the blocks of an ensemble together: runs at full length, or statistics of them."""

import math
import os
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pysd_runner.ensemble.cases import Cases
from pysd_runner.ensemble.statistics import BlockStatistics, RunningStatistics, Statistics
from pysd_runner.errors import InvalidInput

Array = NDArray[np.floating]


def machine_bytes() -> float:
    """Memory of the machine in bytes; infinite where the system does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf


class Collector(Protocol):
    """Takes the blocks of an ensemble."""

    def reduce(self, scenario: int, draws: slice, data: Mapping[str, Array], failed: NDArray[np.bool_]) -> Any:
        """Take what is needed of one block under one scenario; called from several threads at once."""

    def add(self, scenario: int, reduced: Any) -> None:
        """Add what `reduce` gave, in the order of the blocks."""

    def results(self, draws: int) -> dict[str, Any]:
        """What an `Ensemble` keeps of it, when that many draws were finished."""


class Runs:
    """Keeps every run.

    Parameters
    ----------
    cases
        The cases.
    shapes
        Subscripts and years of each outcome.
    precision
        What the runs are kept in.
    """

    def __init__(self, cases: Cases, shapes: Mapping[str, tuple[int, ...]], precision: str) -> None:
        lead = (len(cases.scenarios), cases.draws)
        cells = sum(int(np.prod(shape)) for shape in shapes.values()) * lead[0] * lead[1]
        needed, available = cells * np.dtype(precision).itemsize, machine_bytes()
        if needed > available:
            raise InvalidInput(
                f"the runs would need {needed / 1e9:.3g} GB of memory, the machine has {available / 1e9:.3g}; keep "
                "statistics of them (keep=Statistics()), or take fewer draws, scenarios or outcomes"
            )
        # Draws lie side by side, as the compiled engine gives them, so that blocks are copied in long pieces.
        self._data = {
            name: np.moveaxis(np.empty((lead[0], *shape, lead[1]), dtype=precision), -1, 1)
            for name, shape in shapes.items()
        }

    def reduce(self, scenario: int, draws: slice, data: Mapping[str, Array], failed: NDArray[np.bool_]) -> None:  # noqa: ARG002
        """Copy a block to its place; no two blocks share one."""
        for name, values in data.items():
            self._data[name][scenario, draws] = values[0]

    def add(self, scenario: int, reduced: None) -> None:
        """All is in its place."""

    def results(self, draws: int) -> dict[str, Any]:
        """The runs of the draws that were finished."""
        data = {name: values[:, :draws] for name, values in self._data.items()}
        return {"data": data, "statistics": {}, "kept": None, "quantile_error": 0.0}


class Streams:
    """Keeps statistics alone.

    Parameters
    ----------
    cases
        The cases.
    shapes
        Subscripts and years of each outcome.
    kept
        Which statistics.
    block
        How many draws come at once.
    """

    def __init__(self, cases: Cases, shapes: Mapping[str, tuple[int, ...]], kept: Statistics, block: int) -> None:
        self._kept = kept
        self._running = [
            {
                name: RunningStatistics(kept=kept, shape=shape, planned=cases.draws, block=block)
                for name, shape in shapes.items()
            }
            for _ in cases.scenarios
        ]

    def reduce(
        self,
        scenario: int,
        draws: slice,  # noqa: ARG002
        data: Mapping[str, Array],
        failed: NDArray[np.bool_],
    ) -> dict[str, BlockStatistics]:
        """Statistics of a block, without the cases that failed."""
        sound = ~failed
        found = {}
        for name, values in data.items():
            every = np.broadcast_to(values[0], (failed.size, *values.shape[2:]))
            found[name] = self._running[scenario][name].summarise(every if sound.all() else every[sound])
        return found

    def add(self, scenario: int, reduced: Mapping[str, BlockStatistics]) -> None:
        """Bring the statistics up to date."""
        for name, block in reduced.items():
            self._running[scenario][name].add(block)

    def results(self, draws: int) -> dict[str, Any]:  # noqa: ARG002
        """Statistics with the scenario axis in front."""
        each = [{name: item.results() for name, item in running.items()} for running in self._running]
        statistics = {
            name: {part: np.stack([found[name][part] for found in each]) for part in each[0][name]} for name in each[0]
        }
        errors = [item.error for running in self._running for item in running.values()] if self._kept.quantiles else []
        return {"data": {}, "statistics": statistics, "kept": self._kept, "quantile_error": max(errors, default=0.0)}
